# A bounded table of what happened lately: 128-bit key -> 32 bytes, until a time. It serves the repeated call_id
# (its first Decision), the emergency grace time, and the entries that rules put on lists. Set-associative with a
# short lock per set; full means that the entry nearest its end goes, counted.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport LockWaits
from interceptor.engine.memory cimport Region
from interceptor.engine.types cimport Millis

cdef enum:
    RECENT_WAYS = 15

cdef struct RecentSet:      # two lines: what a lookup reads before it knows which entry to read
    uint32_t lock
    uint32_t unused
    int64_t[15] end         # until << 16 | 16 bits of the key's hash; 0: never used

cdef struct RecentEntry:    # a line
    uint64_t a
    uint64_t b
    uint64_t[4] value
    uint64_t[2] unused

cdef struct Recent:
    RecentSet* sets
    RecentEntry* entries    # RECENT_WAYS of each set, side by side
    uint64_t n_sets
    uint64_t seed
    bint by_a               # all entries of one `a` are in one set: recent_any may be asked
    uint64_t[3] unused      # what follows is written by everyone: kept off the line above
    uint64_t evicted        # live entries that made room
    uint64_t refused        # puts that were `bounded` and found no room
    uint64_t used           # ways that hold an entry, live or ended
    LockWaits waited        # for the sets' locks

# What a find and a put will need, to be fetched ahead: the set, two lines; then the entry a put would take, a hint
cdef const void* recent_set(const Recent* table, uint64_t a, uint64_t b) noexcept nogil
cdef const void* recent_entry(const Recent* table, uint64_t a, uint64_t b) noexcept nogil
# Whether an entry of this `a` may be there, whatever its `b`: nearly always False where none is. Of a table `by_a`.
cdef bint recent_any(const Recent* table, uint64_t a) noexcept nogil
# True and a copy of the 32 bytes (if value is not NULL) when the entry is there and its end is after now.
cdef bint recent_find(Recent* table, uint64_t a, uint64_t b, Millis now, void* value) noexcept nogil
# The end of the entry; 0 when it is not there, or its end is not after now.
cdef Millis recent_until(Recent* table, uint64_t a, uint64_t b, Millis now) noexcept nogil
# Puts an entry, overwriting an older one of the same key (value NULL: 32 zero bytes). False when `fresh_only` and a
# live one is there, or when `bounded` and only by evicting a live entry could room be made (counted as refused), or
# when `until` is not after now: then the entry of that key, if any, ends. Ends are kept up to the year 6429.
cdef bint recent_put(Recent* table, uint64_t a, uint64_t b, Millis now, Millis until, const void* value,
                     bint fresh_only, bint bounded) noexcept nogil

# __cinit__(entries: int, seed: int, region: Region = None, alive: bool = False, by_a: bool = False)
cdef class RecentTable:
    cdef Recent* table
    cdef Recent own
    cdef readonly Region region
    cdef readonly uint64_t torn     # entries that were being changed when an earlier process died
