# gRPC over HTTP/2 for one connection, on libnghttp2 or whatever stands behind this interface: bytes in, complete
# requests out; replies in, bytes out. No socket, no clock: `now` is CLOCK_MONOTONIC in nanoseconds.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.exchanges cimport Session     # opaque
from interceptor.dataplane.framing cimport session_resume
from interceptor.dataplane.replies cimport refuse, reply, watch_all
from interceptor.dataplane.words cimport Batch, Bounds, Peer, Traffic

# What it points to outlives it. NULL: no memory.
cdef Session* session_new(const Bounds* bounds, const Peer* peer, Traffic* traffic, uint64_t now) noexcept nogil
# Its requests that still are in the batch lose their exchange.
cdef void session_free(Session* session, Batch* batch) noexcept nogil

# Takes all of `data`, which came between `since` and batch.now; appends complete requests to the batch, and answers the
# batch when it is full, or its room (which holds at least one message of max_message bytes). What needs no decision (a
# wrong content type, an unknown method, an oversize message, ...) is answered here. Returns 0, or -1: the connection is
# beyond help; write what session_gather has and close (session_ending says why).
cdef int session_receive(Session* session, const uint8_t* data, size_t n, uint64_t since, Batch* batch) noexcept nogil
cdef uint32_t session_ending(const Session* session) noexcept nogil         # Ending

# Bytes to be written next, at most `room` (>= 32 KiB); 0: none for now. Stop calling while the socket takes no more.
cdef size_t session_gather(Session* session, uint8_t* out, size_t room) noexcept nogil

# session_resume(session, now, batch): after replies have left a stream, messages that were held back because of them
# are appended to the batch. Costs nothing when there are none.

cdef bint session_finished(const Session* session) noexcept nogil           # nothing more to read or write: close
cdef uint32_t session_open_streams(const Session* session) noexcept nogil
# First a warning, then the last stream's id: Health/Watches end, all else goes on to its own end.
cdef void session_goaway(Session* session, bint final) noexcept nogil
cdef void session_turn_away(Session* session) noexcept nogil                # GOAWAY at once: one connection too many

# Resets streams that have kept us waiting since before `since`: for the rest of a request, or for the taking of a
# reply. Returns how many.
cdef uint32_t session_expire(Session* session, uint64_t since) noexcept nogil

# reply(request, message, length), refuse(request, code, message, length): a request is answered once (a streamed
# message too), and is then gone. The message is copied. A batch's `answer` may be called from within session_receive
# and session_resume: it may reply to requests of any session, and calls nothing else of theirs.
#
# watch_all(session, serving): Health/Watch hears it as a further message. The Watch itself is a request that is
# answered with `reply`.
