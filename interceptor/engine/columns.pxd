# What one counter is inside an entity's record: a column of its measure. The one place that knows which kernel keeps
# which measure and how many bytes it takes; a record's owner sees columns only.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from interceptor.engine.counts cimport (
    FirstColumn, LastColumn, NarrowColumn, WideColumn, active_begin, active_end, first_note, first_read, last_note,
    last_read, max_note, max_read, narrow_add, narrow_read, wide_add, wide_read,
)
from interceptor.engine.distinct cimport (
    DistinctColumn, distinct_bump, distinct_drop, distinct_peek, distinct_read,
)
from interceptor.engine.memory cimport Region
from interceptor.engine.sketches cimport SketchPool
from interceptor.engine.types cimport Millis

cpdef enum Measure:
    MEASURE_COUNT = 0       # how many, up to 2^32 - 1
    MEASURE_DISTINCT = 1    # how many different elements; beyond some 5,000 "at least"
    MEASURE_NARROW = 2      # how many, up to 65,535 in a sub-bucket and "at least" beyond
    MEASURE_SUM = 3         # of the amounts
    MEASURE_MAX = 4         # of the amounts, up to 65,535
    MEASURE_ACTIVE = 5      # counted and not ended since
    MEASURE_FIRST_SEEN = 6  # seconds since the first count; 0 when there was none
    MEASURE_LAST_SEEN = 7   # seconds since the count before this one; the window's when there was none
    MEASURE_LARGE = 8       # how many different elements, of sets of any size
    N_MEASURES = 9

# What a touch does to a column. Where nothing ends, an end is a read.
cpdef enum Act:
    ACT_READ = 0
    ACT_COUNT = 1
    ACT_END = 2             # takes one off MEASURE_ACTIVE; makes no entity

cdef enum:
    COLUMN_MAX = 96         # bytes of the largest. Zeros are an empty column of any measure

cdef struct Column:
    uint32_t offset         # in the record
    uint32_t measure        # Measure
    Millis window

cdef struct Pools:          # that promoted columns borrow from
    SketchPool* sketches    # of MEASURE_DISTINCT
    SketchPool* registers   # of MEASURE_LARGE


# 0: there is no such measure
cdef inline uint32_t column_bytes(uint32_t measure) noexcept nogil:
    if measure == MEASURE_COUNT or measure == MEASURE_SUM or measure == MEASURE_ACTIVE:
        return sizeof(WideColumn)
    if measure == MEASURE_NARROW or measure == MEASURE_MAX:
        return sizeof(NarrowColumn)
    if measure == MEASURE_DISTINCT or measure == MEASURE_LARGE:
        return sizeof(DistinctColumn)
    if measure == MEASURE_FIRST_SEEN:
        return sizeof(FirstColumn)
    if measure == MEASURE_LAST_SEEN:
        return sizeof(LastColumn)
    return 0


cdef inline bint column_borrows(uint32_t measure) noexcept nogil:
    return measure == MEASURE_DISTINCT or measure == MEASURE_LARGE


cdef inline SketchPool* pool_of(uint32_t measure, const Pools* pools) noexcept nogil:
    return pools.registers if measure == MEASURE_LARGE else pools.sketches


cdef inline int64_t column_read(const Column* column, const void* at, const Pools* pools, Millis now) noexcept nogil:
    cdef uint32_t measure = column.measure
    if measure == MEASURE_COUNT or measure == MEASURE_SUM or measure == MEASURE_ACTIVE:
        return wide_read(<const WideColumn*>at, column.window, now)
    if measure == MEASURE_NARROW:
        return narrow_read(<const NarrowColumn*>at, column.window, now)
    if measure == MEASURE_MAX:
        return max_read(<const NarrowColumn*>at, column.window, now)
    if measure == MEASURE_FIRST_SEEN:
        return first_read(<const FirstColumn*>at, column.window, now)
    if measure == MEASURE_LAST_SEEN:
        return last_read(<const LastColumn*>at, column.window, now)
    return distinct_read(<const DistinctColumn*>at, pool_of(measure, pools), column.window, now)


# The reading after it. `amount` as in a Touch.
cdef inline int64_t column_count(const Column* column, void* at, const Pools* pools, uint64_t element, int64_t amount,
                                 Millis now) noexcept nogil:
    cdef uint32_t measure = column.measure
    if measure == MEASURE_COUNT:
        return wide_add(<WideColumn*>at, column.window, now, 1)
    if measure == MEASURE_NARROW:
        return narrow_add(<NarrowColumn*>at, column.window, now)
    if measure == MEASURE_DISTINCT or measure == MEASURE_LARGE:
        return distinct_bump(<DistinctColumn*>at, pool_of(measure, pools), element, column.window, now)
    if measure == MEASURE_SUM:
        return wide_add(<WideColumn*>at, column.window, now, amount)
    if measure == MEASURE_MAX:
        return max_note(<NarrowColumn*>at, column.window, now, amount)
    if measure == MEASURE_ACTIVE:
        return active_begin(<WideColumn*>at, column.window, now)
    if measure == MEASURE_FIRST_SEEN:
        return first_note(<FirstColumn*>at, column.window, now)
    return last_note(<LastColumn*>at, column.window, now)


cdef inline int64_t column_end(const Column* column, void* at, const Pools* pools, Millis began,
                               Millis now) noexcept nogil:
    if column.measure == MEASURE_ACTIVE:
        return active_end(<WideColumn*>at, column.window, now, began)
    return column_read(column, at, pools, now)


# What column_count or, if it `ends`, column_end would say, touching nothing
cdef int64_t column_peek(const Column* column, const void* at, const Pools* pools, uint64_t element, int64_t amount,
                         bint ends, Millis now) noexcept nogil

# Before a record becomes another's: gives back what the column borrowed
cdef inline void column_drop(const Column* column, void* at, const Pools* pools) noexcept nogil:
    if column_borrows(column.measure):
        distinct_drop(<DistinctColumn*>at, pool_of(column.measure, pools))

cdef class Sketches:        # __cinit__(capacity: int, seed: int, large: bool)
    cdef SketchPool* pool
    cdef Region region
