# The calls' way into HTTP/2 and back.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.dataplane.nghttp2 cimport nghttp2_session_callbacks
from interceptor.loadtest.connection cimport Connection

cdef nghttp2_session_callbacks* callbacks_new() noexcept nogil      # NULL: no memory
cdef bint session_open(Connection* c) noexcept nogil                # false: no memory
# Asks one call; false: the session takes no more calls at all, nothing happened.
cdef bint session_ask(Connection* c, uint64_t due_ns, uint64_t number, uint32_t request) noexcept nogil
