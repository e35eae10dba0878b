# Memory of the tables: anonymous mappings, so that an untouched page costs nothing and a freed table goes back; and
# mappings of files, for what is to outlive the process.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport strerror

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <fcntl.h>
    #include <stdint.h>
    #include <sys/mman.h>
    #include <sys/stat.h>
    #if defined(__has_feature)      /* clang's way to say it */
    #if __has_feature(address_sanitizer)
    #define __SANITIZE_ADDRESS__ 1
    #endif
    #endif
    #ifdef __SANITIZE_ADDRESS__     /* it knows nothing of mappings: a forbidden page before and all behind it */
    #include <sanitizer/asan_interface.h>
    #define IC_PAGE ((size_t)4096)
    #define IC_SPAN(n) (((n) + 3 * IC_PAGE - 1) & ~(IC_PAGE - 1))
    static void* ic_reserve(size_t n) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        char* p = (char*)mmap(0, IC_SPAN(n), PROT_READ | PROT_WRITE, flags, -1, 0);
        if ((void*)p == MAP_FAILED) return 0;
        __asan_poison_memory_region(p, IC_PAGE);
        __asan_poison_memory_region(p + IC_PAGE + n, IC_SPAN(n) - IC_PAGE - n);
        return p + IC_PAGE;
    }
    static void ic_forbid(char* p, size_t n) { if (n) __asan_poison_memory_region(p, n); }
    static void ic_permit(char* p, size_t n) { __asan_unpoison_memory_region(p, n); }
    static void ic_release(void* p, size_t n) {
        if (!p || !n) return;
        __asan_unpoison_memory_region((char*)p - IC_PAGE, IC_SPAN(n));
        munmap((char*)p - IC_PAGE, IC_SPAN(n));
    }
    #else
    static void* ic_reserve(size_t n) {
        void* p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return 0;
    #ifdef MADV_HUGEPAGE
        if (n >= ((size_t)4 << 20)) madvise(p, n, MADV_HUGEPAGE);
    #endif
        return p;
    }
    static void ic_forbid(char* p, size_t n) { (void)p; (void)n; }
    static void ic_permit(char* p, size_t n) { (void)p; (void)n; }
    static void ic_release(void* p, size_t n) { if (p && n) munmap(p, n); }
    #endif
    #ifndef MADV_POPULATE_WRITE     /* Linux 5.14; an older one says no, and pages come as they are touched */
    #define MADV_POPULATE_READ 22
    #define MADV_POPULATE_WRITE 23
    #endif
    static void ic_populate(void* p, size_t n) { if (p && n >= ((size_t)1 << 20)) madvise(p, n, MADV_POPULATE_WRITE); }

    /* Pages of a file that are in memory already, into the page table: sixteen at a time, where a touch that writes
       would bring one. */
    static void ic_fetch(void* p, size_t n) { madvise(p, n, MADV_POPULATE_READ); }

    /* Maps n bytes of a file and takes all their memory; 0, or an errno. Where the mapping begins at a huge page's
       boundary as the file does, the system may use those. */
    enum { IC_HUGE = 2 << 20 };
    static int ic_map(int fd, int64_t offset, size_t n, void** mapped) {
        size_t apart = n >= 2 * (size_t)IC_HUGE ? IC_HUGE : 0;
        char* p = (char*)mmap(0, n + apart, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        char* at;
        struct stat about;
        int failed = 0;
        if ((void*)p == MAP_FAILED) return errno;
        at = apart ? (char*)(((uintptr_t)p + apart - 1) & ~(uintptr_t)(apart - 1)) : p;
        if (mmap(at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED) {
            failed = errno;
            munmap(p, n + apart);
            return failed;
        }
        if (at > p) munmap(p, (size_t)(at - p));
        if (p + apart > at) munmap(at + ((n + 4095) & ~(size_t)4095), (size_t)(p + apart - at));
    #ifdef MADV_HUGEPAGE
        if (apart) madvise(at, n, MADV_HUGEPAGE);
    #endif
        *mapped = at;
        if (fstat(fd, &about) == 0 && (int64_t)about.st_blocks * 512 >= offset + (int64_t)n) return 0;  /* it has it */
        if (madvise(at, n, MADV_POPULATE_WRITE) < 0) {
            failed = errno;
            if (failed == EINVAL) failed = posix_fallocate(fd, offset, (off_t)n);   /* an older kernel */
            else if (failed == EFAULT) failed = ENOSPC;     /* touching it would have been a SIGBUS */
            if (failed == EINVAL || failed == EOPNOTSUPP) failed = 0;
        }
        if (failed) munmap(at, n);
        return failed;
    }
    static void ic_unmap(void* p, size_t n) { munmap(p, n); }
    """
    int ic_map(int fd, int64_t offset, size_t n, void** mapped) noexcept
    void ic_fetch(void* p, size_t n) noexcept
    void ic_unmap(void* p, size_t n) noexcept
    void ic_forbid(char* p, size_t n) noexcept
    void ic_permit(char* p, size_t n) noexcept
    void* ic_reserve(size_t n) noexcept
    void ic_release(void* p, size_t n) noexcept
    void ic_populate(void* p, size_t n) noexcept

LAYOUT = 2

cdef enum:
    PAGE = 4096
    GAP = 64            # at least, after each part: what nobody may touch

cdef bint AT_ONCE = False


def take_at_once():
    global AT_ONCE
    AT_ONCE = True


cdef void* reserve(size_t nbytes) noexcept nogil:
    cdef void* p = ic_reserve(nbytes)
    if AT_ONCE:
        ic_populate(p, nbytes)
    return p


cdef void release(void* p, size_t nbytes) noexcept nogil:
    ic_release(p, nbytes)


cdef class Region:
    def __cinit__(self, size_t nbytes, int fd=-1, int64_t offset=0, bint fresh=True):
        cdef int failed
        cdef void* p = NULL
        self.nbytes, self.fresh = nbytes, fresh or fd < 0
        if fd < 0:
            self.base = <char*> reserve(nbytes)
            if self.base is NULL:
                raise MemoryError(f"no memory for a table of {nbytes} bytes")
            return
        self.span = nbytes + <size_t> offset
        with nogil:             # from the file's beginning, so that huge pages of both fall together
            failed = ic_map(fd, 0, self.span, &p)
        if failed:
            raise OSError(failed, strerror(failed).decode())
        self.mapped = p
        self.base = <char*> p + offset

    def fetch(self, size_t begin, size_t nbytes):
        cdef char* page
        begin = min(begin, self.nbytes)
        page = <char*> (<uintptr_t> (self.base + begin) // PAGE * PAGE)
        if self.mapped is not NULL:
            with nogil:
                ic_fetch(page, min(nbytes, self.nbytes - begin))

    def __dealloc__(self):
        if self.base is NULL:
            return
        ic_permit(self.base, self.nbytes)
        if self.mapped is not NULL:
            ic_unmap(self.mapped, self.span)
        else:
            release(self.base, self.nbytes)


cdef void* region_part(char* base, size_t* used, size_t nbytes) noexcept nogil:
    cdef size_t begin = used[0], end = (begin + nbytes + GAP + PAGE - 1) // PAGE * PAGE
    used[0] = end
    if base is NULL:
        return NULL
    ic_forbid(base + begin + nbytes, end - begin - nbytes)
    return base + begin
