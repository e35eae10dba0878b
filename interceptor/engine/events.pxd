# A bounded lock-free ring of decisions: many engine threads put, one Python thread drains. Putting never blocks;
# what finds the ring full is counted and shows as a gap in the sequence numbers.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.engine.types cimport Call, Decision, Millis

cdef struct Ring                # opaque

cdef void ring_put(Ring* ring, const Call* call, const Decision* decision, Millis now) noexcept nogil

cdef class EventRing:           # __cinit__(capacity: int): a power of two
    cdef Ring* ring
