# One HTTP/2 connection of the generator: opened without waiting, full of calls, opened anew when it breaks.
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from interceptor.dataplane.nghttp2 cimport (
    nghttp2_data_provider, nghttp2_nv, nghttp2_option, nghttp2_session, nghttp2_session_callbacks,
)
from interceptor.dataplane.tls cimport SSL, Front
from interceptor.loadtest.tally cimport NO_STATUS, Call, Tally

cdef enum:
    MAX_MESSAGE = 65536         # bytes of a DecideRequest
    IN_BYTES = 256 << 10        # read at once
    OUT_BYTES = 256 << 10       # gathered for one write
    RETRY_NS = 100_000_000      # between two attempts at a connection

cdef enum Stage:
    DOWN = 0
    CONNECTING = 1              # TCP's handshake
    SECURING = 2                # TLS's
    OPENING = 3                 # until the server's SETTINGS are there
    OPEN = 4

cdef enum Trouble:              # why a connection did not come about; else an errno
    REFUSED_TLS = -1
    CLOSED_EARLY = -2
    NOT_HTTP2 = -3
    TURNED_AWAY = -4

cdef struct Asking:             # what is asked, of whom, and how: the same for all connections of a generator
    const uint8_t* data
    const int64_t* offsets
    int serials
    uint32_t[2] serial_at
    int[2] serial_digits
    bint streaming
    uint32_t deadline_ms
    uint32_t in_flight
    nghttp2_nv[8] header
    size_t headers              # with a deadline the last is grpc-timeout
    uint8_t* timeouts           # 8 bytes for each number of milliseconds up to the deadline: its text
    const void* peer            # sockaddr
    unsigned int peer_bytes
    int family
    Front* front                # NULL: plaintext
    nghttp2_session_callbacks* callbacks
    nghttp2_option* option
    Tally* tally
    uint64_t now
    uint64_t measured_from      # calls due from then on are measured
    int epoll
    int trouble                 # the last one
    uint8_t* input              # IN_BYTES
    uint8_t* scratch            # one message, put together
    uint8_t told_status         # grpc-status and grpc-message that came last
    uint32_t told_bytes
    char[256] told

cdef struct Connection:
    Asking* asking
    nghttp2_session* session
    SSL* ssl
    int fd
    uint8_t stage               # Stage
    bint full                   # the socket takes no more for now
    bint leaving                # no more calls on this session: GOAWAY came, or its stream numbers are used up
    bint broken                 # something came that cannot be: drop it when nghttp2 has returned
    bint queued                 # to be flushed in this round
    uint32_t events             # epoll waits for
    uint64_t begun_ns
    uint64_t retry_ns           # when it is down
    uint32_t room               # calls it may have open
    uint32_t n_open
    uint32_t fresh              # places from here on were never used
    uint32_t free               # first of the free places + 1
    Call* call                  # places: asking.in_flight
    Call* recent                # the call of the last callback, ...
    int32_t recent_stream       # ... and its stream
    uint8_t* out                # OUT_BYTES
    size_t out_from
    size_t out_to
    # of a streaming one
    int32_t stream
    bint paused                 # nghttp2 asks for no more bytes until it is told that there are some
    uint8_t* staged             # messages on their way into DATA frames, OUT_BYTES
    size_t staged_from
    size_t staged_to
    uint8_t* piece              # of a reply that came in pieces
    uint32_t piece_bytes

# Begins to connect: `stage` tells how that goes. What was open is dropped before.
cdef void connection_begin(Connection* c) noexcept nogil
# epoll says something about its socket. Takes all there is to read.
cdef void connection_attend(Connection* c, uint32_t events) noexcept nogil
cdef void connection_flush(Connection* c) noexcept nogil        # writes what there is to write
cdef void connection_drop(Connection* c, bint failed) noexcept nogil    # its open calls are lost


cdef inline bint connection_takes(const Connection* c) noexcept nogil:
    return c.stage == OPEN and c.n_open < c.room and not c.full and not c.leaving \
        and c.staged_to < OUT_BYTES - MAX_MESSAGE - 64


cdef inline Call* take_place(Connection* c) noexcept nogil:     # n_open < room <= in_flight
    cdef Call* call
    if c.free:
        call = &c.call[c.free - 1]
        c.free = call.next_free
    else:
        call = &c.call[c.fresh]
        c.fresh += 1
    c.n_open += 1
    call.open = 1
    call.turn += 1
    call.written = 0
    call.seen = 0
    call.status = NO_STATUS
    return call


cdef inline void leave_place(Connection* c, Call* call) noexcept nogil:
    call.open = 0
    call.next_free = c.free
    c.free = <uint32_t>(call - c.call) + 1
    c.n_open -= 1
