# Calls that began and ended together: of every place (a cell) the calls that ended there lately, and whose they were.
# Two handsets side by side that pass one caller's voice on to another make such calls again and again.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.ahead cimport Ahead
from interceptor.engine.types cimport Key, Millis

cdef enum:
    RING = 64                   # calls remembered of a place: the most that one call may be told to go with

cdef struct Pairing             # opaque

# Reserves all the memory there will ever be, for so many places; NULL when the system has no more.
cdef Pairing* pairing_new(uint64_t places, Millis apart, uint64_t seed) noexcept nogil
cdef void pairing_free(Pairing* pairing) noexcept nogil     # NULL is allowed

# To be fetched ahead: the set a place falls into, one line; then what its next call will touch, a hint
cdef const void* pairing_set(const Pairing* pairing, Key place) noexcept nogil
cdef void pairing_note(const Pairing* pairing, Key place, Ahead* ahead) noexcept nogil

# A call of `who` at `place` has ended; neither is 0. Writes to `partners` the subscribers of whom a call there began
# and ended within `apart` of it, each once and not `who`, at most `most` of them (64), and returns how many. Bit i of
# `anew`: that call of partners[i] went with no call until now, so it counts among its subscriber's that are paired.
cdef uint32_t pairing_ended(Pairing* pairing, Key place, Key who, Millis began, Millis ended, Key* partners,
                            uint32_t most, uint64_t* anew) noexcept nogil

cdef struct PairingStats:
    uint64_t places             # room for so many
    uint64_t used
    uint64_t evicted            # places that made room for others
    uint64_t crowded            # calls forgotten, for their place had more, while one could still have gone with them
    uint64_t nbytes

cdef PairingStats pairing_stats(Pairing* pairing) noexcept nogil

cdef class PairingTable:        # __cinit__(places: int, apart_ms: int, seed: int)
    cdef Pairing* pairing
