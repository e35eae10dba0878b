# Log-linear histogram of nanoseconds: 128 cells to every power of two. One thread records, anyone may read.
from libc.stdint cimport uint64_t

from interceptor.engine.atomics cimport ic_load64_relaxed, ic_store64_relaxed

cdef extern from * nogil:
    """
    #define ic_highest_bit(x) (63u - (unsigned)__builtin_clzll(x))
    """
    unsigned int ic_highest_bit(unsigned long long x) noexcept      # x != 0

cdef enum:
    FINE_BITS = 7               # 2**7 cells to a power of two: at most 1/128 between the ends of a cell
    LONGEST_BITS = 36           # 2**36 ns: 68.7 s
    CELLS = (LONGEST_BITS - FINE_BITS + 1) << FINE_BITS

cdef struct Counts:
    uint64_t total
    uint64_t sum_ns
    uint64_t min_ns             # UINT64_MAX when nothing was counted
    uint64_t max_ns
    uint64_t[3840] cell         # CELLS

cdef inline void counts_bump(uint64_t* counter, uint64_t by) noexcept nogil:
    ic_store64_relaxed(counter, ic_load64_relaxed(counter) + by)

cdef inline unsigned int cell_of(uint64_t ns) noexcept nogil:
    cdef unsigned int e
    if ns >> LONGEST_BITS:
        return CELLS - 1
    e = ic_highest_bit(ns | 128) - FINE_BITS
    return (e << FINE_BITS) + <unsigned int>(ns >> e)

cdef inline uint64_t longest_of(unsigned int cell) noexcept nogil:      # of the durations in a cell
    cdef unsigned int e = 0 if cell < 256 else (cell >> FINE_BITS) - 1
    return (<uint64_t>(cell - (e << FINE_BITS) + 1) << e) - 1

cdef inline void counts_record(Counts* counts, uint64_t ns, uint64_t times) noexcept nogil:
    counts_bump(&counts.cell[cell_of(ns)], times)
    counts_bump(&counts.total, times)
    counts_bump(&counts.sum_ns, ns * times)
    if ns > counts.max_ns:
        ic_store64_relaxed(&counts.max_ns, ns)
    if ns < counts.min_ns:
        ic_store64_relaxed(&counts.min_ns, ns)

cdef class Histogram:
    cdef Counts c
