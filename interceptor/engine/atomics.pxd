# Compiler builtins the kernels share: atomics, prefetch, a pause, the lowest bit. No state.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <sched.h>
    #include <time.h>
    #if defined(__x86_64__)
    #include <immintrin.h>
    #define ic_pause() _mm_pause()
    #else
    #define ic_pause() __asm__ __volatile__("yield")
    #endif
    #define ic_load8(p)         __atomic_load_n((p), __ATOMIC_RELAXED)
    #define ic_store8(p, v)     __atomic_store_n((p), (v), __ATOMIC_RELAXED)
    #define ic_load64(p)        __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define ic_load64_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define ic_store64(p, v)    __atomic_store_n((p), (v), __ATOMIC_RELEASE)
    #define ic_store64_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
    #define ic_add64(p, v)      __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
    #define ic_cas64(p, want, v) \\
        __atomic_compare_exchange_n((p), (want), (v), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
    #define ic_lowest_bit(x)    __builtin_ctzll(x)
    /* The empty asm is their side effect: GCC drops calls of a function that does nothing but prefetch. */
    static inline void ic_prefetch(const void* p) { __builtin_prefetch(p, 1, 3); __asm__ __volatile__(""); }
    static inline void ic_prefetch_read(const void* p) { __builtin_prefetch(p, 0, 3); __asm__ __volatile__(""); }

    /* How long threads waited for the locks of one table. Written only by who had to wait. */
    typedef struct { uint64_t waits, ns, longest_ns; } ic_lock_waits;

    static __attribute__((noinline, cold)) void ic_lock_wait(uint32_t* lock, ic_lock_waits* waited) {
        uint64_t begun, ns, longest;
        uint32_t spins = 0;
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        begun = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        do {
            while (__atomic_load_n(lock, __ATOMIC_RELAXED)) {
                if (++spins % 128u == 0u) sched_yield(); else ic_pause();
            }
        } while (__atomic_exchange_n(lock, 1u, __ATOMIC_ACQUIRE));
        clock_gettime(CLOCK_MONOTONIC, &t);
        ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - begun;
        __atomic_fetch_add(&waited->waits, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&waited->ns, ns, __ATOMIC_RELAXED);
        longest = __atomic_load_n(&waited->longest_ns, __ATOMIC_RELAXED);
        while (ns > longest && !__atomic_compare_exchange_n(&waited->longest_ns, &longest, ns, 1, __ATOMIC_RELAXED,
                                                            __ATOMIC_RELAXED)) {}
    }
    /* A short lock: who must wait spins a bounded while, then yields, so that nobody burns a core waiting for a
       preempted holder. A lock that is free costs one exchange and nothing else. */
    static inline void ic_lock(uint32_t* lock, ic_lock_waits* waited) {
        if (__builtin_expect(__atomic_exchange_n(lock, 1u, __ATOMIC_ACQUIRE) != 0u, 0)) ic_lock_wait(lock, waited);
    }
    static inline void ic_unlock(uint32_t* lock) { __atomic_store_n(lock, 0u, __ATOMIC_RELEASE); }
    """
    uint8_t ic_load8(const uint8_t* p) noexcept
    void ic_store8(uint8_t* p, uint8_t v) noexcept
    uint64_t ic_load64(const uint64_t* p) noexcept
    uint64_t ic_load64_relaxed(const uint64_t* p) noexcept
    void ic_store64(uint64_t* p, uint64_t v) noexcept
    void ic_store64_relaxed(uint64_t* p, uint64_t v) noexcept
    uint64_t ic_add64(uint64_t* p, uint64_t v) noexcept
    bint ic_cas64(uint64_t* p, uint64_t* want, uint64_t v) noexcept
    void ic_prefetch(const void* p) noexcept           # about to be written: takes the line from other cores
    void ic_prefetch_read(const void* p) noexcept
    int ic_lowest_bit(uint64_t bits) noexcept          # bits != 0

    ctypedef struct LockWaits "ic_lock_waits":
        uint64_t waits
        uint64_t ns
        uint64_t longest_ns

    void ic_lock(uint32_t* lock, LockWaits* waited) noexcept
    void ic_unlock(uint32_t* lock) noexcept

cdef inline void add_lock_waits(LockWaits* into, const LockWaits* one) noexcept nogil:
    into.waits += ic_load64_relaxed(&one.waits)
    into.ns += ic_load64_relaxed(&one.ns)
    into.longest_ns = max(into.longest_ns, ic_load64_relaxed(&one.longest_ns))
