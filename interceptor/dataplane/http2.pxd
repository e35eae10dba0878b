# gRPC over HTTP/2 for one connection, on libnghttp2 or whatever stands behind this interface: bytes in, complete
# requests out; replies in, bytes out. No socket, no clock: `now` is CLOCK_MONOTONIC in nanoseconds.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.words cimport Batch, Bounds, Exchange, Method, Peer, Request, Traffic

cdef struct Session             # one connection's HTTP/2 state

cdef Session* session_new(const Bounds* bounds, const Peer* peer, Traffic* traffic, uint64_t now) noexcept nogil   # NULL: no memory
cdef void session_free(Session* session, Batch* batch) noexcept nogil       # its requests still in the batch lose their exchange

# Takes all of `data`; appends complete requests to the batch, and answers the batch when it is full. What needs no
# decision (a wrong content type, an unknown method, an oversize message, ...) is answered here. Returns 0, or -1: the
# connection is beyond help; write what session_gather has and close (`session_ending` says why).
cdef int session_receive(Session* session, const uint8_t* data, size_t n, uint64_t now, Batch* batch) noexcept nogil
cdef uint32_t session_ending(const Session* session) noexcept nogil         # Ending

# Bytes to be written next, at most `room` (>= 32 KiB); 0: none for now. Stop calling while the socket takes no more.
cdef size_t session_gather(Session* session, uint8_t* out, size_t room) noexcept nogil

# After replies have left a stream, messages that were held back because of them are appended to the batch.
cdef void session_resume(Session* session, uint64_t now, Batch* batch) noexcept nogil

cdef bint session_finished(const Session* session) noexcept nogil           # nothing more to read or write: close
cdef uint32_t session_open_streams(const Session* session) noexcept nogil
cdef void session_goaway(Session* session, bint final) noexcept nogil       # first a warning, then the last stream's number
cdef void session_turn_away(Session* session) noexcept nogil                # GOAWAY before anything: one connection too many
# Resets streams whose request has been incomplete since before `since`. Returns how many.
cdef uint32_t session_expire(Session* session, uint64_t since) noexcept nogil

# Replies. A request is answered once (a streamed message too), and is then gone. `message` is copied.
cdef void reply(Request* request, const uint8_t* message, uint32_t length) noexcept nogil
cdef void refuse(Request* request, uint32_t code, const char* message, uint32_t length) noexcept nogil
# Health/Watch: further messages of the stream, until it closes. The Watch itself is a Request that is never `refuse`d.
cdef void watch_all(Session* session, bint serving) noexcept nogil
