# How many different elements, inside an entity's record (contract: distinct.pxd). Touches the column it is given, under
# its owner's lock, and for a promoted one the sketch it borrowed, under the sketch's own; no clock.
from libc.math cimport log
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_lock, ic_unlock
from interceptor.engine.distinct cimport CELLS, EXACT, DistinctColumn, exact_bump
from interceptor.engine.keys cimport mix
from interceptor.engine.large cimport (
    KNOWN, Large, large_begin, large_of, large_peek, large_read, large_see, large_turn,
)
from interceptor.engine.sketches cimport (
    Sketch, SketchPool, sketch_at, sketch_keep, sketch_open, sketch_return, sketch_take, sketch_waits,
)
from interceptor.engine.stamps cimport (
    CYCLE, SUB_BUCKETS, ahead, ic_elements_find, ic_live_stamp, ic_stamps_live, ic_stamps_sweep, reach_after,
    stamp_of, sub_bucket,
)
from interceptor.engine.types cimport Millis

# Linear counting (Whang, Vander-Zanden, Taylor 1990): k live cells of m -> -m ln(1 - k/m), rounded.
cdef uint16_t[1025] ESTIMATE

if sizeof(DistinctColumn) != 96:
    raise ImportError("interceptor.engine.distinct: struct layout differs from what the kernels were written for")


cdef void estimates() noexcept nogil:
    cdef uint32_t k
    for k in range(<uint32_t>CELLS):
        ESTIMATE[k] = <uint16_t>(-(<double>CELLS) * log(1.0 - <double>k / CELLS) + 0.5)
    ESTIMATE[CELLS] = ESTIMATE[CELLS - 1]       # no empty cell: at least this


estimates()


cdef uint32_t inside_of(bint large) noexcept nogil:
    return sizeof(Large) if large else CELLS


# -- what is in a sketch -----------------------------------------------------------------------------------------

cdef inline bint is_large(const SketchPool* pool) noexcept nogil:
    return pool.inside != CELLS


cdef inline uint8_t* cells(Sketch* sketch) noexcept nogil:
    return <uint8_t*>(sketch + 1)


cdef inline Large* large(Sketch* sketch) noexcept nogil:
    return <Large*>(sketch + 1)


cdef inline uint32_t cell_of(uint32_t element) noexcept nogil:
    return element >> 22


# Moves on by d; what the column's `count` is then.
cdef inline uint16_t turn(SketchPool* pool, Sketch* sketch, uint32_t epoch, uint32_t d) noexcept nogil:
    if is_large(pool):
        return large_turn(large(sketch), epoch, d)
    return <uint16_t>ic_stamps_sweep(cells(sketch), CELLS, stamp_of(epoch), reach_after(d))


cdef inline void keep_until(SketchPool* pool, Sketch* sketch, uint64_t number, Millis window) noexcept nogil:
    cdef uint64_t end = ((number + SUB_BUCKETS) * <uint64_t>window + SUB_BUCKETS - 1) // SUB_BUCKETS
    sketch_keep(pool, sketch, <int64_t>end)


# An element, seen in the column's current sub-bucket; the reading then.
cdef inline int64_t see(DistinctColumn* column, SketchPool* pool, Sketch* sketch, uint64_t hashed) noexcept nogil:
    cdef uint32_t cell
    if is_large(pool):
        large_see(large(sketch), hashed, 64, column.epoch, column.epoch)
        return large_read(large(sketch), column.epoch, 0)
    cell = cell_of(<uint32_t>(hashed >> 32))
    column.count += cells(sketch)[cell] == 0
    cells(sketch)[cell] = stamp_of(column.epoch)
    return ESTIMATE[column.count]


# Moves an exact column of EXACT live elements to a sketch, NULL when there is none.
cdef Sketch* promote(DistinctColumn* column, SketchPool* pool, uint64_t number, Millis window,
                     Millis now) noexcept nogil:
    cdef uint32_t taken = sketch_take(pool, now), i
    cdef uint8_t current = stamp_of(column.epoch), age
    cdef Sketch* sketch
    if taken == pool.capacity:
        column.saturated = 1
        return NULL
    sketch = sketch_at(pool, taken)
    ic_lock(&sketch.lock, &pool.waited)
    if is_large(pool):
        large_begin(large(sketch), column.epoch)
    else:
        memset(cells(sketch), 0, CELLS)
    for age in range(SUB_BUCKETS):              # the oldest first: where two share a cell the later stamp stays
        for i in range(<uint32_t>EXACT):
            if ic_live_stamp(column.stamp[i], current, SUB_BUCKETS - age) \
                    and not ic_live_stamp(column.stamp[i], current, SUB_BUCKETS - age - 1):
                if is_large(pool):
                    large_see(large(sketch), <uint64_t>column.element[i] << KNOWN, KNOWN, column.epoch,
                              before(column.epoch, SUB_BUCKETS - age - 1))
                else:
                    cells(sketch)[cell_of(column.element[i])] = column.stamp[i]
    column.count = 1 if is_large(pool) else <uint16_t>ic_stamps_live(cells(sketch), CELLS, current, SUB_BUCKETS)
    column.sketch = taken + 1
    column.tag = sketch.tag
    keep_until(pool, sketch, number, window)
    return sketch


cdef inline uint32_t before(uint32_t epoch, uint32_t d) noexcept nogil:
    return epoch - d if epoch >= d else epoch + (CYCLE - d)


# -- the column ----------------------------------------------------------------------------------------------------

cdef int64_t outgrow(DistinctColumn* column, SketchPool* pool, uint64_t hashed, uint64_t full, Millis window,
                     Millis now) noexcept nogil:
    cdef uint32_t number = <uint32_t>(full % CYCLE)
    cdef int64_t value
    cdef Sketch* sketch
    # behind the column's epoch: the column lives until its own epoch has run out
    if number != column.epoch:
        full += column.epoch - number if column.epoch > number else column.epoch + (CYCLE - number)
    sketch = promote(column, pool, full, window, now)
    if sketch == NULL:
        return column.count
    value = see(column, pool, sketch, hashed)
    ic_unlock(&sketch.lock)
    return value


cdef int64_t sketched_bump(DistinctColumn* column, SketchPool* pool, uint64_t hashed, Millis window,
                           Millis now) noexcept nogil:
    cdef uint64_t full = sub_bucket(window, now)
    cdef uint32_t number = <uint32_t>(full % CYCLE), d
    cdef int64_t value
    cdef Sketch* sketch = sketch_open(pool, column.sketch - 1, column.tag)
    if sketch == NULL:
        column.count = 0
        column.epoch = number
        column.saturated = 0
    else:
        d = ahead(number, column.epoch)
        if d:
            column.count = turn(pool, sketch, column.epoch, d)
            column.epoch = number
            column.saturated = 0
            if column.count:
                keep_until(pool, sketch, full, window)
            else:
                sketch_return(pool, sketch)
                sketch = NULL
    if sketch == NULL:                          # back to exact, empty
        column.sketch = 0
        memset(column.stamp, 0, EXACT)
        return exact_bump(column, pool, hashed, full, window, now)
    value = see(column, pool, sketch, hashed)
    ic_unlock(&sketch.lock)
    return value


cdef int64_t sketched_read(const DistinctColumn* column, SketchPool* pool, Millis window, Millis now) noexcept nogil:
    cdef uint32_t d = ahead(<uint32_t>(sub_bucket(window, now) % CYCLE), column.epoch)
    cdef int64_t value
    cdef Sketch* sketch = sketch_open(pool, column.sketch - 1, column.tag)
    if sketch == NULL:
        return 0
    if is_large(pool):
        value = large_read(large(sketch), column.epoch, d)
    elif d == 0:
        value = ESTIMATE[column.count]
    else:
        value = ESTIMATE[ic_stamps_live(cells(sketch), CELLS, stamp_of(column.epoch), reach_after(d))]
    ic_unlock(&sketch.lock)
    return value


cdef int64_t exact_peek(const DistinctColumn* column, SketchPool* pool, uint64_t hashed, uint32_t d,
                        Millis now) noexcept nogil:
    cdef uint8_t current = stamp_of(column.epoch), reach = reach_after(d)
    cdef uint32_t live = ic_stamps_live(column.stamp, EXACT, current, reach), i, taken = 1
    cdef uint32_t element = <uint32_t>(hashed >> 32)
    cdef uint64_t[16] seen                      # one bit a cell
    if ic_elements_find(column.element, column.stamp, element, current, reach):
        return live
    if live < EXACT:
        return live + 1
    if (column.saturated and d == 0) or not sketch_waits(pool, now):
        return live
    if is_large(pool):
        return large_of(column.element, hashed)
    memset(seen, 0, sizeof(seen))
    seen[cell_of(element) >> 6] = <uint64_t>1 << (cell_of(element) & 63)
    for i in range(<uint32_t>EXACT):
        taken += not (seen[cell_of(column.element[i]) >> 6] >> (cell_of(column.element[i]) & 63)) & 1
        seen[cell_of(column.element[i]) >> 6] |= <uint64_t>1 << (cell_of(column.element[i]) & 63)
    return ESTIMATE[taken]


cdef int64_t distinct_peek(const DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil:
    cdef uint64_t hashed = mix(element, pool.seed)
    cdef uint32_t d, live
    cdef uint8_t current = stamp_of(column.epoch), reach
    cdef int64_t value
    cdef Sketch* sketch
    if column.count == 0:
        return 1
    d = ahead(<uint32_t>(sub_bucket(window, now) % CYCLE), column.epoch)
    if not column.sketch:
        return exact_peek(column, pool, hashed, d, now)
    sketch = sketch_open(pool, column.sketch - 1, column.tag)
    if sketch == NULL:
        return 1
    if is_large(pool):
        value = large_peek(large(sketch), hashed, column.epoch, d)
    else:
        reach = reach_after(d)
        live = ic_stamps_live(cells(sketch), CELLS, current, reach)
        live += not ic_live_stamp(cells(sketch)[cell_of(<uint32_t>(hashed >> 32))], current, reach)
        value = ESTIMATE[live]                  # and 1 of one alone, as the exact column reads that it goes back to
    ic_unlock(&sketch.lock)
    return value


cdef void sketched_drop(DistinctColumn* column, SketchPool* pool) noexcept nogil:
    cdef Sketch* sketch = sketch_open(pool, column.sketch - 1, column.tag)
    if sketch != NULL:
        sketch_return(pool, sketch)
    column.sketch = 0
    column.count = 0
    memset(column.stamp, 0, EXACT)
