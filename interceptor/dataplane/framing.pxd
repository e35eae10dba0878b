# Length-prefixed messages out of DATA frames, into the batch; messages that wait because replies do.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.exchanges cimport Session, Stream
from interceptor.dataplane.words cimport Batch

# Takes a piece of a stream's DATA. A message that lies in it whole is not copied.
cdef void take(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil
# The client has ended its side of the stream.
cdef void take_end(Stream* stream) noexcept nogil
# The bytes being received go: what has been borrowed of them is kept.
cdef void stop_borrowing(Session* session) noexcept nogil
# Of http2's contract.
cdef void session_resume(Session* session, uint64_t now, Batch* batch) noexcept nogil
