# The bounded table of one kind of entity (callers, handsets, (caller, callee) pairs, ...) and one column group:
# every counter of the group side by side in the entity's record.
#
# Set-associative: a set is one cache line (lock, 14 tags, ages, a protected bit each), its 14 records lie beside it.
# A newcomer replaces the stalest entity on probation of its set; a second touch promotes; at most 12 of 14 are
# protected, so that a flood of strangers evicts nobody who was seen twice (entity_sets.pxd).
# Nothing is ever moved or rehashed.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.atomics cimport LockWaits
from interceptor.engine.entity_records cimport Entities
from interceptor.engine.memory cimport Region
from interceptor.engine.sketches cimport SketchStats
from interceptor.engine.types cimport Key, Millis

cdef enum:
    MAX_COLUMNS = 32
    MAX_LARGE = 1024        # sets of any size that a table keeps at a time, 15 KiB each
    SPARE = 256             # whoever passes `values` has room for one more than there are counters

# What happens to one column of a group.
cdef struct Touch:
    uint16_t column         # index within the group
    uint8_t act             # Act: it is only read; or counted (its `where` held and its element is there); or it ends
    uint8_t follows         # of the first: all are of a call counted here before, and the entity is seen no second time
    uint32_t counter        # where the value goes: index of the policy's counter; SPARE when nobody reads it
    uint64_t element        # key of the element, for distinct and large
    int64_t amount          # for sum and max, in seconds; of an end: when what ends began, in ms, or 0 when unknown

# Finds or makes the entity (it is made only if some touch counts), applies the touches, and writes
# values[touch.counter] for each. With peek: answers the same and changes nothing. hashed: hash_of(table, a, b); acts:
# the acts of all touches, joined by "or".
cdef void entities_touch(Entities* table, Key a, Key b, uint64_t hashed, Millis now, const Touch* touches, uint32_t n,
                         uint32_t acts, int64_t* values, bint peek) noexcept nogil


cdef struct Measured:       # one column of a group, as the policy's counters ask for it
    uint32_t measure        # Measure
    Millis window

cdef struct EntityStats:
    uint64_t slots
    uint64_t used               # slots with an entity, expired ones that nobody has swept yet included
    uint64_t evicted_probation  # within their window, seen once
    uint64_t evicted_protected  # within their window, seen twice or more
    uint64_t nbytes             # reserved, sketches included
    SketchStats sketches
    SketchStats large
    LockWaits waited            # the sketches' included

# The table lives in memory of so many bytes, which must outlive it: all zero, or what an earlier process has left
# there, then it is attached first. NULL when the system has no memory. 1 <= n <= MAX_COLUMNS, windows >= 1. So many
# distinct columns may borrow at a time, and as many large ones, but of those MAX_LARGE at most.
cdef size_t entities_bytes(uint64_t slots, const Measured* columns, uint32_t n, uint32_t sketches) noexcept nogil
cdef Entities* entities_new(uint64_t slots, const Measured* columns, uint32_t n, uint32_t sketches, uint64_t seed,
                            void* memory) noexcept nogil
# How many torn records were dropped; none while the other process is alive, for what is locked is at work
cdef uint64_t entities_attach(Entities* table, bint alive) noexcept nogil
cdef void entities_free(Entities* table) noexcept nogil     # NULL is allowed
cdef EntityStats entities_stats(Entities* table) noexcept nogil
cdef uint64_t entities_live(Entities* table, Millis now) noexcept nogil     # scans every set

# __cinit__(slots, columns: list[tuple[Measure, window_ms]], sketches, seed, region: Region = None, alive: bool = False)
cdef class EntityTable:
    cdef Entities* table
    cdef readonly Region region
    cdef readonly uint64_t torn     # records that were being changed when an earlier process died
    cdef readonly tuple columns
