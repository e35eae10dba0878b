# Memory of the tables: anonymous mappings, so that an untouched page costs nothing and a freed table goes back.
cdef extern from * nogil:
    """
    #include <sys/mman.h>
    static void* ic_reserve(size_t n) {
        void* p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return 0;
    #ifdef MADV_HUGEPAGE
        if (n >= ((size_t)4 << 20)) madvise(p, n, MADV_HUGEPAGE);
    #endif
        return p;
    }
    static void ic_release(void* p, size_t n) { if (p && n) munmap(p, n); }
    """
    void* ic_reserve(size_t n) noexcept
    void ic_release(void* p, size_t n) noexcept


cdef void* reserve(size_t nbytes) noexcept nogil:
    return ic_reserve(nbytes)


cdef void release(void* p, size_t nbytes) noexcept nogil:
    ic_release(p, nbytes)
