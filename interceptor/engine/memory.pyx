# Memory of the tables: anonymous mappings, so that an untouched page costs nothing and a freed table goes back.
cdef extern from * nogil:
    """
    #include <sys/mman.h>
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
    static void ic_release(void* p, size_t n) { if (p && n) munmap(p, n); }
    #endif
    #ifndef MADV_POPULATE_WRITE     /* Linux 5.14; an older one says no, and pages come as they are touched */
    #define MADV_POPULATE_WRITE 23
    #endif
    static void ic_populate(void* p, size_t n) { if (p && n >= ((size_t)1 << 20)) madvise(p, n, MADV_POPULATE_WRITE); }
    """
    void* ic_reserve(size_t n) noexcept
    void ic_release(void* p, size_t n) noexcept
    void ic_populate(void* p, size_t n) noexcept

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
