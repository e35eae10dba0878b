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

    /* A lock is a word: bit 0, it is held; bits 1 to 4, what its holder is changing (1 + the way of a set; 0: nothing
       that a death would tear); above them how often it was let go. So who reads without it sees whether anything
       changed meanwhile; and after a death of the process it says what was torn, in memory that outlives it. */
    enum { IC_HELD = 1, IC_CHANGING = 0x1e, IC_LETTING_GO = 0x1f };

    static __attribute__((noinline, cold)) void ic_lock_wait(uint32_t* lock, ic_lock_waits* waited) {
        uint64_t begun, ns, longest;
        uint32_t spins = 0;
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        begun = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
        do {
            while (__atomic_load_n(lock, __ATOMIC_RELAXED) & IC_HELD) {
                if (++spins % 128u == 0u) sched_yield(); else ic_pause();
            }
        } while (__atomic_fetch_or(lock, IC_HELD, __ATOMIC_ACQUIRE) & IC_HELD);
        clock_gettime(CLOCK_MONOTONIC, &t);
        ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - begun;
        __atomic_fetch_add(&waited->waits, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&waited->ns, ns, __ATOMIC_RELAXED);
        longest = __atomic_load_n(&waited->longest_ns, __ATOMIC_RELAXED);
        while (ns > longest && !__atomic_compare_exchange_n(&waited->longest_ns, &longest, ns, 1, __ATOMIC_RELAXED,
                                                            __ATOMIC_RELAXED)) {}
    }
    /* A short lock: who must wait spins a bounded while, then yields, so that nobody burns a core waiting for a
       preempted holder. A lock that is free costs one locked instruction and nothing else. */
    static inline void ic_lock(uint32_t* lock, ic_lock_waits* waited) {
        if (__builtin_expect((__atomic_fetch_or(lock, IC_HELD, __ATOMIC_ACQUIRE) & IC_HELD) != 0, 0))
            ic_lock_wait(lock, waited);
    #if !defined(__x86_64__)            /* there the locked instruction does it: held is seen before what is changed */
        __atomic_thread_fence(__ATOMIC_RELEASE);
    #endif
    }
    /* The holder begins to change a way; the compiler puts no change before this. */
    static inline void ic_changing(uint32_t* lock, uint32_t way) {
        uint32_t word = __atomic_load_n(lock, __ATOMIC_RELAXED);
        __atomic_store_n(lock, (word & ~(uint32_t)IC_CHANGING) | (way + 1) << 1, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    static inline void ic_unlock(uint32_t* lock) {
        uint32_t word = __atomic_load_n(lock, __ATOMIC_RELAXED);
        __atomic_store_n(lock, (word | IC_LETTING_GO) + 1, __ATOMIC_RELEASE);
    }
    /* Without the lock: its word before the look, and whether nothing was changed since. */
    static inline uint32_t ic_glance_begins(const uint32_t* lock) { return __atomic_load_n(lock, __ATOMIC_ACQUIRE); }
    static inline int ic_glance_held(const uint32_t* lock, uint32_t word) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return !(word & IC_HELD) && __atomic_load_n(lock, __ATOMIC_RELAXED) == word;
    }
    static inline int ic_held(uint32_t word) { return word & IC_HELD; }
    static inline int ic_changed(uint32_t word) { return (int)((word & IC_CHANGING) >> 1) - 1; }
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
    void ic_changing(uint32_t* lock, uint32_t way) noexcept    # its holder begins to change that way (0 to 14)
    void ic_unlock(uint32_t* lock) noexcept
    # without the lock: its word before the look, and afterwards whether what was seen is of one moment
    uint32_t ic_glance_begins(const uint32_t* lock) noexcept
    bint ic_glance_held(const uint32_t* lock, uint32_t word) noexcept
    # of a lock that a dead process has left: whether it was held (let it go, then), and the way that may be torn, or -1
    bint ic_held(uint32_t word) noexcept
    int ic_changed(uint32_t word) noexcept

cdef inline void add_lock_waits(LockWaits* into, const LockWaits* one) noexcept nogil:
    into.waits += ic_load64_relaxed(&one.waits)
    into.ns += ic_load64_relaxed(&one.ns)
    into.longest_ns = max(into.longest_ns, ic_load64_relaxed(&one.longest_ns))
