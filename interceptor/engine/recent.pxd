# A bounded table of what happened lately: 128-bit key -> 32 bytes, until a time. It serves the repeated call_id
# (its first Decision), the emergency grace time, and the entries that rules put on lists. Set-associative with a
# short lock per set; full means that the entry nearest its end goes, counted.
from libc.stdint cimport uint64_t

from interceptor.engine.types cimport Millis

cdef struct Recent          # opaque

cdef void recent_prefetch(const Recent* table, uint64_t a, uint64_t b) noexcept nogil
# True and a copy of the 32 bytes (if value is not NULL) when the entry is there and its end is after now.
cdef bint recent_find(Recent* table, uint64_t a, uint64_t b, Millis now, void* value) noexcept nogil
# Puts an entry, overwriting an older one of the same key. False when `fresh_only` and a live one is there,
# or when `bounded` and only by evicting a live entry could room be made (counted as refused).
cdef bint recent_put(Recent* table, uint64_t a, uint64_t b, Millis now, Millis until, const void* value,
                     bint fresh_only, bint bounded) noexcept nogil

cdef class RecentTable:     # __cinit__(entries: int, seed: int)
    cdef Recent* table
