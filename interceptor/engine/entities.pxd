# The bounded table of one kind of entity (callers, handsets, (caller, callee) pairs, ...) and one column group:
# every counter of the group side by side in the entity's record.
#
# Set-associative: a set is one cache line (lock, 14 tags, ages, a protected bit each), its 14 records lie beside it.
# A newcomer replaces the stalest entity on probation of its set; a second touch promotes; at most 12 of 14 are
# protected, so that a flood of strangers evicts nobody who was seen twice. Nothing is ever moved or rehashed.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.types cimport Key, Millis

cdef enum:
    WAYS = 14
    PROTECTED = 12
    MAX_COLUMNS = 32

cdef struct Entities        # opaque

# What the present call means for one column of a group.
cdef struct Touch:
    uint16_t column         # index within the group
    uint8_t counts          # the call is to be counted here (its `where` held and its element is there)
    uint8_t unused
    uint32_t counter        # index of the policy's counter: where the value goes
    uint64_t element        # key of the element, for distinct

cdef void entities_prefetch(const Entities* table, Key a, Key b) noexcept nogil          # the set
cdef void entities_prefetch_record(const Entities* table, Key a, Key b) noexcept nogil   # reads the set's tags
# Finds or makes the entity (it is made only if some touch counts), applies the touches, and writes
# values[touch.counter] for each. With peek: answers the same and changes nothing.
cdef void entities_touch(Entities* table, Key a, Key b, Millis now, const Touch* touches, uint32_t n,
                         int64_t* values, bint peek) noexcept nogil

cdef class EntityTable:     # __cinit__(slots: int, columns: list[tuple[Measure, window_ms]], sketches: int, seed: int)
    cdef Entities* table
