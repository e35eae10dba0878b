# A bounded lock-free ring of decisions: many engine threads put, one Python thread drains. Putting never blocks;
# what finds the ring full is counted and shows as a gap in the sequence numbers.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.types cimport Call, Decision, Millis

cdef struct Event:              # 248 bytes; with its slot's turn four cache lines
    uint64_t sequence
    int64_t time_ms
    uint64_t decision           # Decision.id
    uint64_t shadow
    uint32_t revision
    uint16_t rule
    uint8_t verdict
    uint8_t block_class
    uint8_t repeated
    uint8_t added
    uint8_t emergency
    uint8_t verified
    uint8_t caller_status       # NumberStatus
    uint8_t callee_status
    uint16_t errors
    # Texts end at the first NUL or at their size; a longer one is cut between two code points.
    char[24] caller             # normalised when it is a number, else as signalled
    char[24] callee
    char[24] trunk
    char[24] switch
    char[64] call_id
    char[16] imei
    char[24] cell

cdef struct Ring                # opaque

cdef void ring_put(Ring* ring, const Call* call, const Decision* decision, Millis now) noexcept nogil

cdef class EventRing:           # __cinit__(capacity: int): a power of two
    cdef Ring* ring
