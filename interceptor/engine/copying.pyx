# Copies of tables that threads go on changing: set by set without a lock, each as it was at one moment.
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_glance_begins, ic_glance_held, ic_held
from interceptor.engine.memory cimport Region

cdef extern from * nogil:
    """
    #include <sched.h>
    #include <time.h>
    /* What is read may be changed meanwhile, and is thrown away then: no race that matters. */
    #if defined(__has_feature)
    #if __has_feature(thread_sanitizer)
    #define __SANITIZE_THREAD__ 1
    #endif
    #endif
    #ifdef __SANITIZE_THREAD__
    __attribute__((no_sanitize("thread")))
    #endif
    static void ic_copy_words(uint64_t* to, const uint64_t* from, size_t nbytes) {
        for (size_t i = 0; i < nbytes / 8; i++) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    }
    /* Whoever holds a lock may have lost its core: then it takes a scheduler's round until it goes on. */
    static void ic_let_others(uint32_t tries) {
        const struct timespec pause = {0, 1000000};
        if (tries < 32) sched_yield();
        else nanosleep(&pause, 0);
    }
    """
    void ic_copy_words(uint64_t* to, const uint64_t* begin, size_t nbytes) noexcept
    void ic_let_others(uint32_t tries) noexcept

cdef enum:
    TRIES = 1000                # a second


def copy_sets(Region region not None, part, uint64_t first, uint64_t n, unsigned char[::1] heads,
              unsigned char[::1] besides):
    cdef size_t at = part[0], size = part[1], beside_at = part[3], beside_size = part[4]
    cdef uint64_t i, count = part[2], used = 0, missed = 0
    cdef const char* head
    cdef uint32_t word, tries
    if first + n > count or <size_t>heads.shape[0] < n * size or <size_t>besides.shape[0] < n * beside_size:
        raise ValueError(f"sets {first} to {first + n} of {count}: too many, or too little room")
    if at + count * size > region.nbytes or beside_at + count * beside_size > region.nbytes:
        raise ValueError("the part is not in the region")
    with nogil:
        for i in range(n):
            head = region.base + at + (first + i) * size
            for tries in range(<uint32_t>TRIES):
                word = ic_glance_begins(<const uint32_t*>head)
                if word == 0:               # never locked, so never written
                    break
                if not ic_held(word):
                    ic_copy_words(<uint64_t*>&heads[i * size], <const uint64_t*>head, size)
                    ic_copy_words(<uint64_t*>&besides[i * beside_size],
                                  <const uint64_t*>(region.base + beside_at + (first + i) * beside_size), beside_size)
                    if ic_glance_held(<const uint32_t*>head, word):
                        used += 1
                        break
                ic_let_others(tries)
            else:
                word = 0
                missed += 1
            if word == 0:
                memset(&heads[i * size], 0, size)
                memset(&besides[i * beside_size], 0, beside_size)
    return used, missed


def put(Region region not None, uint64_t offset, const unsigned char[::1] data):
    cdef uint64_t i
    if offset + <uint64_t>data.shape[0] > region.nbytes:
        raise ValueError(f"{data.shape[0]} bytes at {offset} of a region of {region.nbytes}")
    with nogil:
        for i in range(<uint64_t>data.shape[0]):
            region.base[offset + i] = <char>data[i]
