# Local time of a place: how far it is from UTC, change by change. Inline; no memory, no state of its own.
from libc.stdint cimport int64_t, uint32_t

from interceptor.engine.types cimport Millis

cdef enum:
    DAY_MS = 86400 * 1000
    THURSDAY = 3                # the Unix epoch began on one; Monday is 0

cdef struct Clock:
    const int64_t* starts       # ms since the epoch, ascending: offsets[i] holds from starts[i] on
    const int64_t* offsets      # ms, east of UTC positive; the first holds before its start too
    uint32_t n                  # at least 1


cdef inline int64_t local_ms(const Clock* clock, Millis now) noexcept nogil:
    cdef uint32_t low = 0, high = clock.n, middle
    while high - low > 1:
        middle = (low + high) >> 1
        if clock.starts[middle] <= now:
            low = middle
        else:
            high = middle
    return now + clock.offsets[low]


# Of a time before the epoch too: C divides towards zero.
cdef inline int64_t whole_days(int64_t local) noexcept nogil:
    return local // DAY_MS - (local % DAY_MS < 0)


cdef inline int64_t hour_of(int64_t local) noexcept nogil:
    return (local - whole_days(local) * DAY_MS) // (3600 * 1000)


cdef inline int64_t minute_of(int64_t local) noexcept nogil:
    return (local - whole_days(local) * DAY_MS) // (60 * 1000) % 60


# 1 is Monday, 7 is Sunday (ISO 8601)
cdef inline int64_t weekday_of(int64_t local) noexcept nogil:
    cdef int64_t day = (whole_days(local) + THURSDAY) % 7
    return day + 1 if day >= 0 else day + 8
