# Sliding-window count and distinct inside an entity's record. Touches the column it is given, under its owner's lock,
# and for a promoted distinct the sketch it borrowed, under the sketch's own; no clock.
from libc.math cimport log
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_lock, ic_unlock
from interceptor.engine.keys cimport mix
from interceptor.engine.sketches cimport (
    CELLS, Sketch, Sketches, SketchPool, sketch_keep, sketch_open, sketch_return, sketch_take, sketch_waits,
)
from interceptor.engine.stamps cimport (
    CYCLE, SUB_BUCKETS, ahead, ic_elements_find, ic_live_stamp, ic_lowest, ic_stamps_live, ic_stamps_sweep,
    reach_after, stamp_of, sub_bucket,
)
from interceptor.engine.types cimport Millis
from interceptor.engine.windows cimport EXACT, CountColumn, DistinctColumn

cdef enum:
    COUNT_MAX = 0xFFFFFFFF

# Linear counting (Whang, Vander-Zanden, Taylor 1990): k live cells of m -> -m ln(1 - k/m), rounded.
cdef uint16_t[1025] ESTIMATE

if sizeof(CountColumn) != 64 or sizeof(DistinctColumn) != 96:
    raise ImportError("interceptor.engine.windows: struct layout differs from what the kernels were written for")


cdef void estimates() noexcept nogil:
    cdef uint32_t k
    for k in range(<uint32_t>CELLS):
        ESTIMATE[k] = <uint16_t>(-(<double>CELLS) * log(1.0 - <double>k / CELLS) + 0.5)
    ESTIMATE[CELLS] = ESTIMATE[CELLS - 1]       # no empty cell: at least this


estimates()


# -- count -------------------------------------------------------------------------------------------------------

# The ring's sum once it has moved on by d sub-buckets.
cdef inline uint32_t ring_sum(const CountColumn* column, uint32_t d) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t _, slot = column.epoch % SUB_BUCKETS
    for _ in range(SUB_BUCKETS - d if d < SUB_BUCKETS else 0):
        total += column.ring[slot]
        slot = slot - 1 if slot else SUB_BUCKETS - 1
    return <uint32_t>total if total < COUNT_MAX else COUNT_MAX


cdef int64_t count_bump(CountColumn* column, Millis window, Millis now) noexcept nogil:
    cdef uint32_t number = <uint32_t>(sub_bucket(window, now) % CYCLE), d, _, slot
    if column.total == 0:
        column.epoch = number                   # nothing to lose: the clock is taken as it is
    else:
        d = ahead(number, column.epoch)
        if d:
            column.total = ring_sum(column, d)
            slot = column.epoch % SUB_BUCKETS
            for _ in range(d if d < SUB_BUCKETS else SUB_BUCKETS):
                slot = slot + 1 if slot < SUB_BUCKETS - 1 else 0
                column.ring[slot] = 0
            column.epoch = number
    slot = column.epoch % SUB_BUCKETS
    if column.ring[slot] < COUNT_MAX:
        column.ring[slot] += 1
    if column.total < COUNT_MAX:
        column.total += 1
    return column.total


cdef int64_t count_read(const CountColumn* column, Millis window, Millis now) noexcept nogil:
    if column.total == 0:
        return 0
    cdef uint32_t d = ahead(<uint32_t>(sub_bucket(window, now) % CYCLE), column.epoch)
    return ring_sum(column, d) if d else column.total


cdef int64_t count_peek(const CountColumn* column, Millis window, Millis now) noexcept nogil:
    cdef int64_t value = count_read(column, window, now)
    return value + 1 if value < COUNT_MAX else value


# -- distinct ----------------------------------------------------------------------------------------------------

cdef inline uint32_t element_of(const SketchPool* pool, uint64_t element) noexcept nogil:
    return <uint32_t>(mix(element, pool.seed) >> 32)


cdef inline uint32_t cell_of(uint32_t element) noexcept nogil:
    return element >> 22


cdef inline void keep_until(SketchPool* pool, Sketch* sketch, uint64_t number, Millis window) noexcept nogil:
    cdef uint64_t end = ((number + SUB_BUCKETS) * <uint64_t>window + SUB_BUCKETS - 1) // SUB_BUCKETS
    sketch_keep(pool, sketch, <int64_t>end)


# Moves an exact column of EXACT live elements, and one more, to a sketch. False when there is none.
cdef bint promote(DistinctColumn* column, SketchPool* pool, uint32_t element, uint64_t number, Millis window,
                  Millis now) noexcept nogil:
    cdef uint32_t taken = sketch_take(pool, now), i
    cdef uint8_t current = stamp_of(column.epoch), age, reach
    cdef Sketch* sketch
    if taken == pool.capacity:
        column.saturated = 1
        return False
    sketch = &pool.sketch[taken]
    ic_lock(&sketch.lock, &pool.waited)
    memset(sketch.cell, 0, CELLS)
    for age in range(SUB_BUCKETS):              # youngest last: where two share a cell the later stamp stays
        reach = <uint8_t>(SUB_BUCKETS - age)
        for i in range(<uint32_t>EXACT):
            if ic_live_stamp(column.stamp[i], current, reach):
                sketch.cell[cell_of(column.element[i])] = column.stamp[i]
    sketch.cell[cell_of(element)] = current
    column.count = <uint16_t>ic_stamps_live(sketch.cell, CELLS, current, SUB_BUCKETS)
    column.sketch = taken + 1
    column.tag = sketch.tag
    keep_until(pool, sketch, number, window)
    ic_unlock(&sketch.lock)
    return True


cdef int64_t exact_bump(DistinctColumn* column, SketchPool* pool, uint32_t element, uint64_t number, Millis window,
                        Millis now) noexcept nogil:
    cdef uint8_t current = stamp_of(column.epoch)
    cdef uint32_t found = ic_elements_find(column.element, column.stamp, element, current, SUB_BUCKETS), i
    if found:
        column.stamp[ic_lowest(found)] = current
    elif column.count < EXACT:
        i = 0
        while column.stamp[i]:
            i += 1
        column.element[i] = element
        column.stamp[i] = current
        column.count += 1
    elif not column.saturated and promote(column, pool, element, number, window, now):
        return ESTIMATE[column.count]
    return column.count


cdef int64_t distinct_bump(DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil:
    cdef uint64_t full = sub_bucket(window, now)
    cdef uint32_t number = <uint32_t>(full % CYCLE), hashed = element_of(pool, element), d = 0, cell
    cdef uint8_t current
    cdef Sketch* sketch = NULL
    if column.sketch:
        sketch = sketch_open(pool, column.sketch - 1, column.tag)
        if sketch == NULL:
            column.count = 0
    if column.count == 0:
        column.epoch = number
        column.saturated = 0
    else:
        d = ahead(number, column.epoch)
    if d:
        current = stamp_of(column.epoch)
        if sketch != NULL:
            column.count = <uint16_t>ic_stamps_sweep(sketch.cell, CELLS, current, reach_after(d))
            if column.count:
                keep_until(pool, sketch, full, window)
            else:
                sketch_return(pool, sketch)
                sketch = NULL
        else:
            column.count = <uint16_t>ic_stamps_sweep(column.stamp, EXACT, current, reach_after(d))
        column.epoch = number
        column.saturated = 0
    if sketch == NULL:
        if column.sketch:                       # back to exact, empty
            column.sketch = 0
            memset(column.stamp, 0, EXACT)
        # behind the column's epoch: the column lives until its own epoch has run out
        if number != column.epoch:
            full += column.epoch - number if column.epoch > number else column.epoch + (CYCLE - number)
        return exact_bump(column, pool, hashed, full, window, now)
    cell = cell_of(hashed)
    column.count += sketch.cell[cell] == 0
    sketch.cell[cell] = stamp_of(column.epoch)
    ic_unlock(&sketch.lock)
    return ESTIMATE[column.count]


cdef int64_t distinct_read(const DistinctColumn* column, SketchPool* pool, Millis window,
                           Millis now) noexcept nogil:
    cdef uint32_t d, live = column.count
    cdef uint8_t current = stamp_of(column.epoch)
    cdef Sketch* sketch
    if live == 0:
        return 0
    d = ahead(<uint32_t>(sub_bucket(window, now) % CYCLE), column.epoch)
    if not column.sketch:
        return ic_stamps_live(column.stamp, EXACT, current, reach_after(d)) if d else live
    sketch = sketch_open(pool, column.sketch - 1, column.tag)
    if sketch == NULL:
        return 0
    if d:
        live = ic_stamps_live(sketch.cell, CELLS, current, reach_after(d))
    ic_unlock(&sketch.lock)
    return ESTIMATE[live]


cdef int64_t exact_peek(const DistinctColumn* column, SketchPool* pool, uint32_t element, uint32_t d,
                        Millis now) noexcept nogil:
    cdef uint8_t current = stamp_of(column.epoch), reach = reach_after(d)
    cdef uint32_t live = ic_stamps_live(column.stamp, EXACT, current, reach), i, cells = 1
    cdef uint64_t[16] seen                      # one bit a cell
    if ic_elements_find(column.element, column.stamp, element, current, reach):
        return live
    if live < EXACT:
        return live + 1
    if (column.saturated and d == 0) or not sketch_waits(pool, now):
        return live
    memset(seen, 0, sizeof(seen))
    seen[cell_of(element) >> 6] = <uint64_t>1 << (cell_of(element) & 63)
    for i in range(<uint32_t>EXACT):
        cells += not (seen[cell_of(column.element[i]) >> 6] >> (cell_of(column.element[i]) & 63)) & 1
        seen[cell_of(column.element[i]) >> 6] |= <uint64_t>1 << (cell_of(column.element[i]) & 63)
    return ESTIMATE[cells]


cdef int64_t distinct_peek(const DistinctColumn* column, SketchPool* pool, uint64_t element, Millis window,
                           Millis now) noexcept nogil:
    cdef uint32_t d, live, hashed = element_of(pool, element)
    cdef uint8_t current = stamp_of(column.epoch), reach
    cdef Sketch* sketch
    if column.count == 0:
        return 1
    d = ahead(<uint32_t>(sub_bucket(window, now) % CYCLE), column.epoch)
    if not column.sketch:
        return exact_peek(column, pool, hashed, d, now)
    sketch = sketch_open(pool, column.sketch - 1, column.tag)
    if sketch == NULL:
        return 1
    reach = reach_after(d)
    live = ic_stamps_live(sketch.cell, CELLS, current, reach)
    if live:
        live += not ic_live_stamp(sketch.cell[cell_of(hashed)], current, reach)
        live = ESTIMATE[live]
    else:
        live = 1                                # all expired: back to exact
    ic_unlock(&sketch.lock)
    return live


cdef void distinct_drop(DistinctColumn* column, SketchPool* pool) noexcept nogil:
    cdef Sketch* sketch
    if column.sketch:
        sketch = sketch_open(pool, column.sketch - 1, column.tag)
        if sketch != NULL:
            sketch_return(pool, sketch)
        column.sketch = 0
        column.count = 0
        memset(column.stamp, 0, EXACT)


# -- for building and tests ------------------------------------------------------------------------------------

cdef class CountWindow:
    cdef CountColumn column
    cdef readonly Millis window

    def __cinit__(self, Millis window):
        if window <= 0:
            raise ValueError(f"window: {window} ms; a window is at least 1 ms long")
        self.window = window

    def bump(self, Millis now, int64_t times=1):
        cdef int64_t value = 0, _
        for _ in range(times):
            value = count_bump(&self.column, self.window, now)
        return value

    def read(self, Millis now):
        return count_read(&self.column, self.window, now)

    def peek(self, Millis now):
        return count_peek(&self.column, self.window, now)

    def fill(self, Millis now, uint32_t value):
        count_bump(&self.column, self.window, now)
        self.column.ring[self.column.epoch % SUB_BUCKETS] = value
        self.column.total = ring_sum(&self.column, 0)


cdef class DistinctWindow:
    cdef DistinctColumn column
    cdef Sketches sketches
    cdef readonly Millis window

    def __cinit__(self, Millis window, Sketches sketches not None):
        if window <= 0:
            raise ValueError(f"window: {window} ms; a window is at least 1 ms long")
        self.window = window
        self.sketches = sketches

    def __dealloc__(self):
        if self.sketches is not None:
            distinct_drop(&self.column, self.sketches.pool)

    def bump(self, uint64_t element, Millis now):
        return distinct_bump(&self.column, self.sketches.pool, element, self.window, now)

    def read(self, Millis now):
        return distinct_read(&self.column, self.sketches.pool, self.window, now)

    def peek(self, uint64_t element, Millis now):
        return distinct_peek(&self.column, self.sketches.pool, element, self.window, now)

    def drop(self):
        distinct_drop(&self.column, self.sketches.pool)

    @property
    def promoted(self):
        return self.column.sketch != 0

    @property
    def saturated(self):
        return self.column.saturated != 0


def hash_of(uint64_t element, uint64_t seed):
    return <uint32_t>(mix(element, seed) >> 32)


LAYOUT = {"count": sizeof(CountColumn), "distinct": sizeof(DistinctColumn), "sketch": sizeof(Sketch)}
