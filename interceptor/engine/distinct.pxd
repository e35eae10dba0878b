# How many different elements, inside an entity's record: exactly up to 16, and then by a sketch that is borrowed from
# a pool: linear counting in 1,024 cells, or, where the pool's are such, HyperLogLog (large.pxd). Plain bytes in, values
# out; the caller holds the record's lock. A column of zeros is an empty one.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.keys cimport mix
from interceptor.engine.sketches cimport SketchPool
from interceptor.engine.stamps cimport (
    SUB_BUCKETS, ahead, ic_elements_find, ic_empty_bits, ic_lowest, ic_stamps_live, ic_stamps_sweep, in_cycle,
    reach_after, stamp_of, sub_bucket,
)
from interceptor.engine.types cimport Millis

cdef enum:
    EXACT = 16              # elements kept exactly before promotion to a sketch
    CELLS = 1024            # of linear counting, a byte each: the stamp of the last sight

cdef struct DistinctColumn:  # 96 bytes
    uint32_t epoch          # sub-bucket number of the last change
    uint32_t sketch         # 0: exact; else 1 + index into the pool
    uint32_t tag            # the sketch is ours while its owner tag equals this
    uint16_t count          # exact: live elements; promoted: live cells, or 1 of a large one
    uint8_t saturated       # wanted a sketch and the pool had none: reads "at least EXACT"
    uint8_t unused
    uint32_t[16] element    # the upper half of its hash
    uint8_t[16] stamp

# Of a pool for promoted columns: bytes inside a sketch
cdef uint32_t inside_of(bint large) noexcept nogil

# What distinct_read would say after distinct_bump, touching nothing.
cdef int64_t distinct_peek(const DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil

# Of a column that has a sketch: what distinct_drop, distinct_bump and distinct_read do
cdef void sketched_drop(DistinctColumn* column, SketchPool* pool) noexcept nogil
cdef int64_t sketched_bump(DistinctColumn* column, SketchPool* pool, uint64_t hashed, Millis window,
                           Millis now) noexcept nogil
cdef int64_t sketched_read(const DistinctColumn* column, SketchPool* pool, Millis window, Millis now) noexcept nogil
# Of a full one: it gets a sketch, if there is any, and the element with it
cdef int64_t outgrow(DistinctColumn* column, SketchPool* pool, uint64_t hashed, uint64_t full, Millis window,
                     Millis now) noexcept nogil


# Returns its sketch.
cdef inline void distinct_drop(DistinctColumn* column, SketchPool* pool) noexcept nogil:
    if column.sketch:
        sketched_drop(column, pool)


# An element of a column without a sketch that has moved on; `full`: the sub-bucket's number before it wraps.
cdef inline int64_t exact_bump(DistinctColumn* column, SketchPool* pool, uint64_t hashed, uint64_t full, Millis window,
                               Millis now) noexcept nogil:
    cdef uint8_t current = stamp_of(column.epoch)
    cdef uint32_t element = <uint32_t>(hashed >> 32), i
    cdef uint32_t found = ic_elements_find(column.element, column.stamp, element, current, SUB_BUCKETS)
    if found:
        column.stamp[ic_lowest(found)] = current
    elif column.count < EXACT:
        i = ic_lowest(ic_empty_bits(column.stamp))
        column.element[i] = element
        column.stamp[i] = current
        column.count += 1
    elif not column.saturated:
        return outgrow(column, pool, hashed, full, window, now)
    return column.count


# A clock that goes backwards counts into the column's current sub-bucket. A bump returns the reading after it.
cdef inline int64_t distinct_bump(DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                                  Millis now) noexcept nogil:
    cdef uint64_t full, hashed = mix(element, pool.seed)
    cdef uint32_t number, d
    if column.sketch:
        return sketched_bump(column, pool, hashed, window, now)
    full = sub_bucket(window, now)
    number = in_cycle(full)
    d = ahead(number, column.epoch) if column.count else 1
    if d:
        if column.count:
            column.count = <uint16_t>ic_stamps_sweep(column.stamp, EXACT, stamp_of(column.epoch), reach_after(d))
        column.epoch = number
        column.saturated = 0
    return exact_bump(column, pool, hashed, full, window, now)


cdef inline int64_t distinct_read(const DistinctColumn* column, SketchPool* pool, Millis window,
                                  Millis now) noexcept nogil:
    cdef uint32_t d
    if column.count == 0:
        return 0
    if column.sketch:
        return sketched_read(column, pool, window, now)
    d = ahead(in_cycle(sub_bucket(window, now)), column.epoch)
    if d == 0:
        return column.count
    return ic_stamps_live(column.stamp, EXACT, stamp_of(column.epoch), reach_after(d))
