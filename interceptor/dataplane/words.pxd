# The words of the data plane: methods, statuses, bounds, a request on its way, what a thread counts. Structs only.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.spares cimport Spares
from interceptor.engine.types cimport Text

cpdef enum Method:
    METHOD_DECIDE = 0
    METHOD_DECIDE_STREAM = 1
    METHOD_REPORT_CALL = 2
    METHOD_REPORT_SUBSCRIPTION = 3
    METHOD_HEALTH_CHECK = 4
    METHOD_HEALTH_WATCH = 5
    METHOD_UNKNOWN = 6
    N_METHODS = 7

cpdef enum Code:                # status codes of gRPC
    CODE_OK = 0
    CODE_CANCELLED = 1
    CODE_INVALID_ARGUMENT = 3
    CODE_DEADLINE_EXCEEDED = 4
    CODE_NOT_FOUND = 5
    CODE_PERMISSION_DENIED = 7
    CODE_RESOURCE_EXHAUSTED = 8
    CODE_UNIMPLEMENTED = 12
    CODE_INTERNAL = 13
    CODE_UNAVAILABLE = 14
    N_CODES = 17

cpdef enum Serving:             # grpc.health.v1.HealthCheckResponse.ServingStatus
    HEALTH_SERVING = 1
    HEALTH_NOT_SERVING = 2
    HEALTH_SERVICE_UNKNOWN = 3

cpdef enum Ending:              # why a connection went
    ENDED_BY_CLIENT = 0         # it closed, or reset
    ENDED_DRAINED = 1           # the service stops
    ENDED_IDLE = 2
    ENDED_AGE = 3               # its maximum age
    ENDED_STALLED = 4           # it took nothing of what we had to write, or did not finish its handshake or preface
    ENDED_PROTOCOL = 5          # no HTTP/2, or HTTP/2 that broke the rules
    ENDED_ABUSE = 6             # rapid resets, floods of PING, SETTINGS or CONTINUATION
    ENDED_TLS = 7
    ENDED_EXCESS = 8            # one more than the maximum
    N_ENDINGS = 9

cdef enum:
    LATENCY_CELLS = 24          # RPC latency: 10 us, and doubling
    BATCH_CELLS = 8             # 1, 2, 4, ... 64, more
    BATCH = 1024                # requests of one batch

cdef struct Bounds:             # what one client may take of us; fixed from the start
    uint32_t max_message        # bytes of one message
    uint32_t max_headers        # bytes of one header list (RFC 9113 section 6.5.2 counts 32 more a field)
    uint32_t max_streams        # open at once on a connection
    uint32_t window             # bytes a stream may send ahead of what we have taken
    uint32_t max_unsent         # bytes of replies that wait on one stream before its messages wait too
    uint32_t max_resets         # streams a client may reset in one go; ...
    uint32_t resets_a_second    # ... and in the long run
    uint64_t idle_ns            # of a connection without an open stream
    uint64_t age_ns             # of a connection; then it is drained
    uint64_t stall_ns           # for a handshake, a preface, the rest of a request, the taking of a reply

cdef struct Peer:               # who is at the other end of a connection
    Text name                   # authenticated; empty when nobody asked
    uint8_t denied              # has a certificate, but its name is not on the allow-list

cdef struct Exchange            # one HTTP/2 stream; http2.pyx alone looks inside

cdef struct Request:            # one complete message, waiting for its turn
    Exchange* exchange          # NULL: its stream closed while it waited
    const Peer* peer
    const uint8_t* data         # valid until its batch is answered
    uint32_t length
    uint8_t method
    uint64_t arrived_ns         # CLOCK_MONOTONIC, when it reached the socket, as far as one can tell
    uint64_t deadline_ns        # the same clock; 0: none. Of a unary call; a streamed one carries its own

cdef struct Batch:              # the complete requests of what one thread has read, in order of arrival
    uint32_t n
    uint32_t kept               # bytes of `room` in use
    Request[1024] request
    uint8_t* room               # where messages that came in pieces are put together
    uint32_t room_bytes
    Spares* spares              # the thread's; NULL: none
    uint64_t now                # CLOCK_MONOTONIC, when what is being received was read; it may have come before
    uint32_t speaking           # connections that had something to say when the thread looked last
    void (*answer)(Batch* batch, void* desk) noexcept nogil     # answers all and empties it; called when it is full
    void* desk

cdef struct Traffic:            # what one data-plane thread counts; written by it alone, relaxed
    uint64_t[7][17] requests    # by Method and gRPC status
    uint64_t messages_in        # of streams
    uint64_t[17] call_errors    # by gRPC status: messages of streams that were answered by an error
    uint64_t bytes_in
    uint64_t bytes_out
    uint64_t opened             # connections
    uint64_t[9] ended           # by Ending
    uint64_t streams_refused    # REFUSED_STREAM
    uint64_t oversize           # messages and header lists over the bound
    uint64_t shed               # calls refused unread: too many before them for their deadline
    uint64_t expired            # deadline had passed when its turn came: not decided
    uint64_t tls_failed
    uint64_t[8] batches         # by size: BATCH_CELLS
    uint64_t[25] latency        # LATENCY_CELLS and +Inf: first byte read to reply written
    uint64_t latency_sum_ns
    uint64_t latency_max_ns
    uint64_t wakes              # returns of epoll_wait with something to do
