# A bounded lock-free ring of decisions: many engine threads put, one Python thread drains. Putting never blocks;
# what finds the ring full is counted and shows as a gap in the sequence numbers.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from interceptor.engine.types cimport Call, Decision, Key, Millis

cdef struct Event:              # 376 bytes; with its slot's turn six cache lines
    uint64_t sequence
    int64_t time_ms
    uint64_t decision           # Decision.id
    uint64_t shadow
    Key added_key               # what the deciding rule put on its list: the key, and its text below; 0: nothing
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
    char[48] trunk
    char[24] switch
    char[64] call_id
    char[16] imei
    char[16] imsi
    char[48] cell
    char[52] added_text         # the number, the digits of the IMEI (14) or IMSI, the trunk's name
    uint16_t would_rule         # index in the policy on trial, or RuleIndex
    uint8_t would_verdict
    uint8_t trial               # number of a trial: no decision of its own, but one that it differs from: would_*

cdef struct Aside:              # what an event says that is not in the decision
    uint8_t added_field         # whose key was added, if decision.added
    uint8_t trial
    uint8_t would_verdict
    uint16_t would_rule

cdef struct Ring                # opaque

cdef void ring_put(Ring* ring, const Call* call, const Decision* decision, const Aside* aside,
                   Millis now) noexcept nogil

cdef class EventRing:           # __cinit__(capacity: int): a power of two
    cdef Ring* ring
