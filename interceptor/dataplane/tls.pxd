# TLS over OpenSSL on a non-blocking socket: server contexts that can be replaced while they serve, client contexts, and
# what a certificate calls its owner.
from libc.stddef cimport size_t

from interceptor.dataplane.openssl cimport SSL

cdef enum:
    TLS_AGAIN_READ = -1         # wait until the socket can be read
    TLS_AGAIN_WRITE = -2        # ... written
    TLS_FAILED = -3
    TLS_CLOSED = 0              # the other side said goodbye, or just went

cdef struct Front               # an SSL_CTX behind a lock, held while a connection takes it or a reload swaps it

# A dead socket raises SIGPIPE in the thread that writes: it is ignored (Python's default) or blocked there.
# NULL: no memory. The socket stays the caller's.
cdef SSL* tls_begin(Front* front, int fd) noexcept nogil
# 1: done and ALPN is h2 (read at once: a request may have come along); else one of the above.
cdef int tls_handshake(SSL* ssl) noexcept nogil
# Bytes, or one of the above. Fewer than `room`, and nothing is left but what the socket or `tls_holds` will tell of.
cdef ssize_t tls_read(SSL* ssl, void* out, size_t room) noexcept nogil
# Whether the SSL object has what no socket announces again: bytes, or an ending that came with the last ones.
cdef bint tls_holds(const SSL* ssl) noexcept nogil
# Bytes taken, or one of the above. Fewer than `n`: the socket is full. What is left comes first in the next call.
cdef ssize_t tls_write(SSL* ssl, const void* data, size_t n) noexcept nogil
cdef void tls_end(SSL* ssl) noexcept nogil                                  # says goodbye if it can; frees
# The other side's certificate's name (see certificate.pxd); 0: none.
cdef size_t tls_peer_name(SSL* ssl, char* out, size_t room) noexcept nogil

cdef class TlsServer:           # __init__(certificate: str, key: str, clients: str | None); reload() -> None
    cdef object certificate, key, clients
    cdef Front* front

cdef class TlsClient:           # __init__(ca: str | None, certificate: str | None, key: str | None, name: str)
    cdef Front* front
