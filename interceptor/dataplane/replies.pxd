# Replies on a stream: messages, its status, a plain HTTP status, a reset.
from libc.stdint cimport uint8_t, uint32_t

from interceptor.dataplane.exchanges cimport Session, Stream
from interceptor.dataplane.words cimport Request

# Of http2's contract.
cdef void reply(Request* request, const uint8_t* message, uint32_t length) noexcept nogil
cdef void refuse(Request* request, uint32_t code, const char* message, uint32_t length) noexcept nogil
cdef void watch_all(Session* session, bint serving) noexcept nogil

# Nothing more is taken of the client; once what is queued is answered, the status goes out behind the last reply.
cdef void conclude(Stream* stream, uint8_t code, const char* message, uint32_t length) noexcept nogil
# An HTTP status instead of a gRPC one: 405 or 415; `code` is what is counted.
cdef void conclude_plainly(Stream* stream, uint32_t status, uint8_t code) noexcept nogil
# Every Watch is over: it would never end of itself.
cdef void watch_end(Session* session) noexcept nogil
cdef void reset(Stream* stream, uint32_t error_code) noexcept nogil
