# Counts, sums, maxima and times inside an entity's record: plain bytes in, values out; the caller holds the record's
# lock. A window is a ring of 14 sub-buckets (stamps.pxd); a reading is off by at most one of them. A column of zeros
# is an empty one.
from libc.stdint cimport int64_t, uint16_t, uint32_t

from interceptor.engine.rings cimport RING, ic_ring_sum, ic_ring_sum_after, ic_ring_turn
from interceptor.engine.stamps cimport ahead, in_cycle, sub_bucket
from interceptor.engine.types cimport Millis

cdef enum:
    WIDE_MAX = 0xFFFFFFFF
    NARROW_MAX = 0xFFFF

cdef struct WideColumn:     # 64 bytes: one cache line
    uint32_t epoch          # sub-bucket number of the last change
    uint32_t total          # of the ring
    uint32_t[14] ring

cdef struct NarrowColumn:   # 32 bytes
    uint32_t epoch
    uint16_t[14] ring

cdef struct FirstColumn:    # 16 bytes
    Millis first            # 0: never
    Millis last

cdef struct LastColumn:     # 8 bytes
    Millis last             # 0: never

# A clock that goes backwards counts into the column's current sub-bucket. Whatever changes a column returns the reading
# after it. An amount below 0 is 0, and what has no room stays at the most that has.
cdef int64_t wide_add(WideColumn* column, Millis window, Millis now, int64_t amount) noexcept nogil
cdef int64_t wide_read(const WideColumn* column, Millis window, Millis now) noexcept nogil
# narrow_add, narrow_read: below, for they are what is called most
cdef int64_t max_note(NarrowColumn* column, Millis window, Millis now, int64_t amount) noexcept nogil
cdef int64_t max_read(const NarrowColumn* column, Millis window, Millis now) noexcept nogil

# What is in progress: each is in the sub-bucket it began in, and nowhere once that is gone. An end takes off one that
# began at `began`, or of the oldest there are when that is 0 (unknown); where there is none, nothing. So no end that is
# late, repeated or out of order takes off more than was there.
cdef int64_t active_begin(WideColumn* column, Millis window, Millis now) noexcept nogil
cdef int64_t active_end(WideColumn* column, Millis window, Millis now, Millis began) noexcept nogil

# Seconds, whole ones. An entity silent for the window was never seen.
cdef int64_t first_note(FirstColumn* column, Millis window, Millis now) noexcept nogil     # since the first; 0 of none
cdef int64_t first_read(const FirstColumn* column, Millis window, Millis now) noexcept nogil
cdef int64_t last_note(LastColumn* column, Millis window, Millis now) noexcept nogil       # since the one before
cdef int64_t last_read(const LastColumn* column, Millis window, Millis now) noexcept nogil  # the window's of none


cdef inline uint32_t number_of(Millis window, Millis now) noexcept nogil:
    return in_cycle(sub_bucket(window, now))


# Moves on to `number`, unless that is behind. An empty column takes any clock as it is.
cdef inline void narrow_turn(NarrowColumn* column, uint32_t number) noexcept nogil:
    cdef uint32_t d = ahead(number, column.epoch)
    if d:
        ic_ring_turn(column.ring, column.epoch % RING, d)
        column.epoch = number
    elif number != column.epoch and ic_ring_sum(column.ring) == 0:
        column.epoch = number


cdef inline int64_t narrow_add(NarrowColumn* column, Millis window, Millis now) noexcept nogil:
    cdef uint16_t* cell
    narrow_turn(column, number_of(window, now))
    cell = &column.ring[column.epoch % RING]
    cell[0] += cell[0] < NARROW_MAX
    return <int64_t>ic_ring_sum(column.ring)


cdef inline int64_t narrow_read(const NarrowColumn* column, Millis window, Millis now) noexcept nogil:
    cdef uint32_t d = ahead(number_of(window, now), column.epoch)
    return <int64_t>(ic_ring_sum_after(column.ring, column.epoch % RING, d) if d else ic_ring_sum(column.ring))
