# Sliding-window count and distinct inside an entity's record, and the pool of sketches that large distinct counts
# borrow from. Touches the column it is given (under its owner's lock) and the pool; no clock.
#
# Locks: a column's owner holds the lock of its record's set, then that of its sketch. The pool's lock is taken with
# no sketch locked, and a sketch's lock may be taken under the pool's: no cycle.
from libc.math cimport log
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from interceptor.engine.atomics cimport ic_load64_relaxed, ic_lock, ic_store64_relaxed, ic_unlock
from interceptor.engine.keys cimport mix
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.types cimport Millis
from interceptor.engine.windows cimport (
    CELLS, CYCLE, EXACT, SUB_BUCKETS, CountColumn, DistinctColumn, SketchPool, SketchStats,
)

cdef extern from * nogil:
    """
    #include <stdint.h>
    /* Stamps run 1..255 and round again, 0 is "empty"; a stamp is live while its age is below reach. */
    static inline uint8_t ic_live_stamp(uint8_t s, uint8_t current, uint8_t reach) {
        uint8_t age = (uint8_t)(current - s - (s > current));
        return (uint8_t)((s != 0) & (age < reach));
    }
    static inline uint32_t ic_stamps_live(const uint8_t* s, uint32_t n, uint8_t current, uint8_t reach) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < n; i++) live += ic_live_stamp(s[i], current, reach);
        return live;
    }
    static inline uint32_t ic_stamps_sweep(uint8_t* s, uint32_t n, uint8_t current, uint8_t reach) {
        uint32_t live = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint8_t is = ic_live_stamp(s[i], current, reach);
            s[i] = (uint8_t)(is ? s[i] : 0);
            live += is;
        }
        return live;
    }
    /* bit i: element i is x and live */
    static inline uint32_t ic_elements_find(const uint32_t* e, const uint8_t* s, uint32_t x,
                                            uint8_t current, uint8_t reach) {
        uint32_t found = 0;
        for (uint32_t i = 0; i < 16; i++) found |= (e[i] == x) ? (1u << i) : 0u;
        for (uint32_t left = found; left; left &= left - 1) {
            uint32_t i = (uint32_t)__builtin_ctz(left);
            if (!ic_live_stamp(s[i], current, reach)) found &= ~(1u << i);
        }
        return found;
    }
    static inline uint32_t ic_lowest(uint32_t mask) { return (uint32_t)__builtin_ctz(mask); }
    """
    uint8_t ic_live_stamp(uint8_t stamp, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_stamps_live(const uint8_t* stamps, uint32_t n, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_stamps_sweep(uint8_t* stamps, uint32_t n, uint8_t current, uint8_t reach) noexcept
    uint32_t ic_elements_find(const uint32_t* elements, const uint8_t* stamps, uint32_t element,
                              uint8_t current, uint8_t reach) noexcept
    uint32_t ic_lowest(uint32_t mask) noexcept

cdef enum:
    COUNT_MAX = 0xFFFFFFFF
    HAND = 64                   # sketches the clock hand looks at in one go: eight cache lines of `until`

cdef struct Sketch:
    uint32_t lock
    uint32_t tag                # changes whenever the sketch changes hands
    uint32_t next               # on the free list: 1 + index of the next
    uint32_t[13] unused
    uint8_t[1024] cell

cdef struct SketchPool:
    uint32_t lock
    uint32_t capacity
    uint32_t fresh              # sketches never handed out begin here: their pages are not even mapped
    uint32_t free               # 1 + index of the first returned sketch
    uint32_t used
    uint32_t hand
    uint64_t reclaimed
    uint64_t saturated
    uint64_t seed
    Sketch* sketch
    int64_t* until              # when the last cell of each expires; written under the sketch's lock

# Linear counting (Whang, Vander-Zanden, Taylor 1990): k live cells of m -> -m ln(1 - k/m), rounded.
cdef uint16_t[1025] ESTIMATE

if sizeof(CountColumn) != 64 or sizeof(DistinctColumn) != 96 or sizeof(Sketch) != 64 + CELLS:
    raise ImportError("interceptor.engine.windows: struct layout differs from what the kernels were written for")


cdef void estimates() noexcept nogil:
    cdef uint32_t k
    for k in range(<uint32_t>CELLS):
        ESTIMATE[k] = <uint16_t>(-(<double>CELLS) * log(1.0 - <double>k / CELLS) + 0.5)
    ESTIMATE[CELLS] = ESTIMATE[CELLS - 1]       # no empty cell: at least this


estimates()


# -- time --------------------------------------------------------------------------------------------------------

cdef inline uint64_t sub_bucket(Millis window, Millis now) noexcept nogil:
    return 0 if now <= 0 or window <= 0 else <uint64_t>now * SUB_BUCKETS // <uint64_t>window


# How far `number` is ahead of `epoch`, modulo CYCLE; 0 when it is behind.
cdef inline uint32_t ahead(uint32_t number, uint32_t epoch) noexcept nogil:
    cdef uint32_t d = number - epoch if number >= epoch else number + (CYCLE - epoch)
    return d if d < CYCLE // 2 else 0


cdef inline uint8_t stamp_of(uint32_t epoch) noexcept nogil:
    return <uint8_t>(epoch % 255 + 1)


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


# -- the pool ----------------------------------------------------------------------------------------------------

cdef SketchPool* sketches_new(uint32_t capacity, uint64_t seed) noexcept nogil:
    cdef SketchPool* pool = <SketchPool*>calloc(1, sizeof(SketchPool))
    if pool == NULL:
        return NULL
    pool.capacity = capacity
    pool.seed = seed
    if capacity:
        pool.sketch = <Sketch*>reserve(capacity * sizeof(Sketch))
        pool.until = <int64_t*>reserve(capacity * sizeof(int64_t))
        if pool.sketch == NULL or pool.until == NULL:
            sketches_free(pool)
            return NULL
    return pool


cdef void sketches_free(SketchPool* pool) noexcept nogil:
    if pool != NULL:
        release(pool.sketch, pool.capacity * sizeof(Sketch))
        release(pool.until, pool.capacity * sizeof(int64_t))
        free(pool)


cdef SketchStats sketches_stats(SketchPool* pool) noexcept nogil:
    cdef SketchStats stats
    ic_lock(&pool.lock)
    stats.capacity = pool.capacity
    stats.used = pool.used
    stats.reclaimed = pool.reclaimed
    stats.saturated = pool.saturated
    stats.nbytes = sizeof(SketchPool) + pool.capacity * (sizeof(Sketch) + sizeof(int64_t))
    ic_unlock(&pool.lock)
    return stats


cdef inline bint expired(SketchPool* pool, uint32_t i, Millis now) noexcept nogil:
    return <int64_t>ic_load64_relaxed(<uint64_t*>&pool.until[i]) <= now


# Index of a sketch nobody owns, or capacity when there is none. A sketch whose owner has been silent for longer than
# its window is taken: its reading was 0 already, and the new tag tells the owner.
cdef uint32_t sketch_take(SketchPool* pool, Millis now) noexcept nogil:
    cdef uint32_t taken = pool.capacity, _, i
    cdef Sketch* sketch
    ic_lock(&pool.lock)
    if pool.free:
        taken = pool.free - 1
        pool.free = pool.sketch[taken].next
        pool.used += 1
    elif pool.fresh < pool.capacity:
        taken = pool.fresh
        pool.fresh += 1
        pool.used += 1
    else:
        for _ in range(HAND if pool.capacity > HAND else pool.capacity):
            i = pool.hand
            pool.hand = i + 1 if i + 1 < pool.capacity else 0
            if expired(pool, i, now):
                sketch = &pool.sketch[i]
                ic_lock(&sketch.lock)
                if expired(pool, i, now):       # again, now that its owner is kept out
                    sketch.tag += 1
                    ic_store64_relaxed(<uint64_t*>&pool.until[i], INT64_MAX)
                    taken = i
                ic_unlock(&sketch.lock)
                if taken == i:
                    pool.reclaimed += 1
                    break
        if taken == pool.capacity:
            pool.saturated += 1
    ic_unlock(&pool.lock)
    return taken


# Whether sketch_take would find one.
cdef bint sketch_waits(SketchPool* pool, Millis now) noexcept nogil:
    cdef uint32_t _, i
    cdef bint found
    ic_lock(&pool.lock)
    found = pool.free != 0 or pool.fresh < pool.capacity
    i = pool.hand
    for _ in range(0 if found else HAND if pool.capacity > HAND else pool.capacity):
        if expired(pool, i, now):
            found = True
            break
        i = i + 1 if i + 1 < pool.capacity else 0
    ic_unlock(&pool.lock)
    return found


# The column's sketch, locked; NULL when it was taken from the column.
cdef inline Sketch* sketch_open(const DistinctColumn* column, SketchPool* pool) noexcept nogil:
    cdef Sketch* sketch = &pool.sketch[column.sketch - 1]
    ic_lock(&sketch.lock)
    if sketch.tag == column.tag:
        return sketch
    ic_unlock(&sketch.lock)
    return NULL


# Gives an opened sketch back, and its lock.
cdef void sketch_return(Sketch* sketch, SketchPool* pool) noexcept nogil:
    cdef uint32_t i = <uint32_t>(sketch - pool.sketch)
    sketch.tag += 1
    ic_store64_relaxed(<uint64_t*>&pool.until[i], INT64_MAX)
    ic_unlock(&sketch.lock)
    ic_lock(&pool.lock)
    sketch.next = pool.free
    pool.free = i + 1
    pool.used -= 1
    ic_unlock(&pool.lock)


# -- distinct ----------------------------------------------------------------------------------------------------

cdef inline uint32_t element_of(const SketchPool* pool, uint64_t element) noexcept nogil:
    return <uint32_t>(mix(element, pool.seed) >> 32)


cdef inline uint32_t cell_of(uint32_t element) noexcept nogil:
    return element >> 22


cdef inline uint8_t reach_after(uint32_t d) noexcept nogil:
    return <uint8_t>(SUB_BUCKETS - d) if d < SUB_BUCKETS else 0


cdef inline void keep_until(SketchPool* pool, Sketch* sketch, uint64_t number, Millis window) noexcept nogil:
    cdef uint64_t end = ((number + SUB_BUCKETS) * <uint64_t>window + SUB_BUCKETS - 1) // SUB_BUCKETS
    ic_store64_relaxed(<uint64_t*>&pool.until[sketch - pool.sketch], end)


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
    ic_lock(&sketch.lock)
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
        sketch = sketch_open(column, pool)
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
                sketch_return(sketch, pool)
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
    sketch = sketch_open(column, pool)
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
    sketch = sketch_open(column, pool)
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
        sketch = sketch_open(column, pool)
        if sketch != NULL:
            sketch_return(sketch, pool)
        column.sketch = 0
        column.count = 0
        memset(column.stamp, 0, EXACT)


# -- for building and tests ------------------------------------------------------------------------------------

cdef class Sketches:
    cdef SketchPool* pool

    def __cinit__(self, uint32_t capacity, uint64_t seed=0):
        self.pool = sketches_new(capacity, seed)
        if self.pool == NULL:
            raise MemoryError(f"no memory for {capacity} sketches")

    def __dealloc__(self):
        sketches_free(self.pool)

    @property
    def stats(self):
        return sketches_stats(self.pool)


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
