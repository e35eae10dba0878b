# What a certificate calls its owner: the same name that gRPC gives its peer's identity.
from libc.stddef cimport size_t

from interceptor.dataplane.openssl cimport X509

# The first subject alternative name (DNS, URI, IP or e-mail), else the common name: UTF-8. 0: there is none, or it may
# not be what it shows: it has control characters, is no text, or is longer than `room`.
cdef size_t owner(const X509* certificate, char* out, size_t room) noexcept nogil
