# Header fields of a request (RFC 9113 sections 8.2 and 8.3): which are malformed, and what gRPC reads of the others.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

from interceptor.dataplane.exchanges cimport Stream

# Takes one field of a request's header list or trailer.
cdef void read_field(Stream* stream, const uint8_t* name, size_t n, const uint8_t* value, size_t length) noexcept nogil
# The header list is complete. False: it is malformed, or was from some field on.
cdef bint well_formed(const Stream* stream) noexcept nogil
