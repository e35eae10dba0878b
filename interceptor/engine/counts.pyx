# Counts, sums, maxima and times inside an entity's record (contract: counts.pxd). Touches the column it is given, under
# its owner's lock; no clock.
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.counts cimport (
    NARROW_MAX, WIDE_MAX, FirstColumn, LastColumn, NarrowColumn, WideColumn, narrow_turn, number_of,
)
from interceptor.engine.stamps cimport SUB_BUCKETS, ahead
from interceptor.engine.types cimport Millis

if sizeof(WideColumn) != 64 or sizeof(NarrowColumn) != 32 or sizeof(FirstColumn) != 16 or sizeof(LastColumn) != 8:
    raise ImportError("interceptor.engine.counts: struct layout differs from what the kernels were written for")


# -- a ring and the sub-buckets it has moved on by ------------------------------------------------------------------

# What is left of the ring's sum once it has moved on by d.
cdef inline uint64_t ring_sum(const uint32_t* ring, uint32_t epoch, uint32_t d) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t i, _, slot = epoch % SUB_BUCKETS
    if d == 0:
        for i in range(<uint32_t>SUB_BUCKETS):
            total += ring[i]
        return total
    for _ in range(SUB_BUCKETS - d if d < SUB_BUCKETS else 0):
        total += ring[slot]
        slot = slot - 1 if slot else SUB_BUCKETS - 1
    return total


cdef inline void ring_turn(uint32_t* ring, uint32_t epoch, uint32_t d) noexcept nogil:
    cdef uint32_t _, slot = epoch % SUB_BUCKETS
    for _ in range(d if d < SUB_BUCKETS else SUB_BUCKETS):
        slot = slot + 1 if slot < SUB_BUCKETS - 1 else 0
        ring[slot] = 0


cdef inline uint32_t ring_max(const uint16_t* ring, uint32_t epoch, uint32_t d) noexcept nogil:
    cdef uint32_t _, most = 0, slot = epoch % SUB_BUCKETS
    for _ in range(SUB_BUCKETS - d if d < SUB_BUCKETS else 0):
        most = max(most, <uint32_t>ring[slot])
        slot = slot - 1 if slot else SUB_BUCKETS - 1
    return most


# -- wide: counts and sums -------------------------------------------------------------------------------------------

cdef inline uint32_t wide_sum(const WideColumn* column, uint32_t d) noexcept nogil:
    return <uint32_t>min(ring_sum(column.ring, column.epoch, d), <uint64_t>WIDE_MAX)


# Moves on to `number`, unless that is behind. An empty column takes any clock as it is.
cdef inline void wide_turn(WideColumn* column, uint32_t number) noexcept nogil:
    cdef uint32_t d
    if column.total:
        d = ahead(number, column.epoch)
        if d == 0:
            return
        column.total = wide_sum(column, d)
        ring_turn(column.ring, column.epoch, d)
    column.epoch = number


cdef inline uint32_t plus(uint32_t value, int64_t amount) noexcept nogil:
    return <uint32_t>(value + amount) if amount < <int64_t>WIDE_MAX - value else WIDE_MAX


cdef int64_t wide_add(WideColumn* column, Millis window, Millis now, int64_t amount) noexcept nogil:
    cdef uint32_t* cell
    wide_turn(column, number_of(window, now))
    if amount > 0:
        cell = &column.ring[column.epoch % SUB_BUCKETS]
        cell[0] = plus(cell[0], amount)
        column.total = plus(column.total, amount)
    return column.total


cdef int64_t wide_read(const WideColumn* column, Millis window, Millis now) noexcept nogil:
    if column.total == 0:
        return 0
    cdef uint32_t d = ahead(number_of(window, now), column.epoch)
    return wide_sum(column, d) if d else column.total


# -- narrow: maxima (counts of 16 bits: counts.pxd) -------------------------------------------------------------------

cdef int64_t max_note(NarrowColumn* column, Millis window, Millis now, int64_t amount) noexcept nogil:
    cdef uint16_t* cell
    narrow_turn(column, number_of(window, now))
    cell = &column.ring[column.epoch % SUB_BUCKETS]
    if amount > cell[0]:
        cell[0] = <uint16_t>min(amount, <int64_t>NARROW_MAX)
    return ring_max(column.ring, column.epoch, 0)


cdef int64_t max_read(const NarrowColumn* column, Millis window, Millis now) noexcept nogil:
    return ring_max(column.ring, column.epoch, ahead(number_of(window, now), column.epoch))


# -- what is in progress ---------------------------------------------------------------------------------------------

# The cell of a sub-bucket that is in the ring; NULL of any other.
cdef inline uint32_t* cell_of(WideColumn* column, uint32_t number) noexcept nogil:
    if ahead(number, column.epoch) or ahead(column.epoch, number) >= SUB_BUCKETS:
        return NULL
    return &column.ring[number % SUB_BUCKETS]


cdef int64_t active_begin(WideColumn* column, Millis window, Millis now) noexcept nogil:
    cdef uint32_t number = number_of(window, now)
    cdef uint32_t* cell
    wide_turn(column, number)
    cell = cell_of(column, number)
    if cell != NULL:
        cell[0] = plus(cell[0], 1)
        column.total = plus(column.total, 1)
    return column.total


cdef int64_t active_end(WideColumn* column, Millis window, Millis now, Millis began) noexcept nogil:
    cdef uint32_t* cell
    cdef uint32_t slot
    wide_turn(column, number_of(window, now))
    if column.total == 0:
        return 0
    if began:
        cell = cell_of(column, number_of(window, began))
    else:
        slot = column.epoch % SUB_BUCKETS
        cell = NULL
        while cell == NULL:                     # the total says that one is there
            slot = slot + 1 if slot < SUB_BUCKETS - 1 else 0
            if column.ring[slot]:
                cell = &column.ring[slot]
    if cell != NULL and cell[0]:
        cell[0] -= 1
        column.total = wide_sum(column, 0)
    return column.total


# -- times -----------------------------------------------------------------------------------------------------------

# From 1 on, for 0 is "never".
cdef inline Millis moment(Millis now) noexcept nogil:
    return now if now > 0 else 1


cdef inline Millis since(Millis then, Millis now) noexcept nogil:
    return now - then if now > then else 0


cdef int64_t first_note(FirstColumn* column, Millis window, Millis now) noexcept nogil:
    cdef Millis at = moment(now)
    if column.last == 0 or since(column.last, at) >= window:
        column.first = column.last = at
    column.last = max(column.last, at)
    return since(column.first, at) // 1000


cdef int64_t first_read(const FirstColumn* column, Millis window, Millis now) noexcept nogil:
    cdef Millis at = moment(now)
    if column.last == 0 or since(column.last, at) >= window:
        return 0
    return since(column.first, at) // 1000


cdef int64_t last_note(LastColumn* column, Millis window, Millis now) noexcept nogil:
    cdef int64_t value = last_read(column, window, now)
    column.last = max(column.last, moment(now))
    return value


cdef int64_t last_read(const LastColumn* column, Millis window, Millis now) noexcept nogil:
    if column.last == 0:
        return window // 1000
    return min(since(column.last, moment(now)), window) // 1000
