# The way of a request from its bytes to its reply, for a thread that holds no GIL.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from interceptor.dataplane.faults cimport Fault
from interceptor.dataplane.phrasebook cimport Phrases
from interceptor.dataplane.words cimport Batch, Request, Traffic
from interceptor.engine.decide cimport Worker
from interceptor.engine.publication cimport Publication
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport Call, Decision, Millis

cdef struct Desk:               # what one data-plane thread answers at. The first six: its maker sets them
    Worker* worker              # an Enlisted's, which outlives the desk
    Publication* publication
    Traffic* traffic
    const uint64_t* opened      # atomic; 0: calls are not decided yet
    const uint64_t* serving     # atomic; what health says. While the service ends, calls that still come are decided
    int64_t wall_ns             # the service's wall clock less CLOCK_MONOTONIC
    const Snapshot* snapshot    # of this round
    const Phrases* phrases      # what it says; NULL: no call is decided in this round
    uint32_t n                  # calls of this chunk
    (Request*)[64] asked
    uint64_t[64] identity       # of a streamed one
    Call[64] calls
    Millis[64] times
    Decision[64] decisions
    Fault fault                 # of the call that is being read
    uint8_t[8192] reply         # MAX_REPLY

# A round: everything answered between `sit_down` and the next `sit_down` or `get_up` is answered by one policy.
# A thread gets up before it sleeps.
cdef void sit_down(Desk* desk) noexcept nogil
cdef void get_up(Desk* desk) noexcept nogil

# Answers every request of the batch whose stream still is there, and empties it. A Batch's `answer`; `desk`: a Desk*.
cdef void answer(Batch* batch, void* desk) noexcept nogil
