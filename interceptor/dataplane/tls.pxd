# TLS over OpenSSL on a non-blocking socket: server contexts that can be replaced while they serve, client contexts, and
# what a certificate calls its owner.
from libc.stddef cimport size_t

cdef extern from "openssl/ssl.h" nogil:
    ctypedef struct SSL

cdef enum:
    TLS_AGAIN_READ = -1         # wait until the socket can be read
    TLS_AGAIN_WRITE = -2        # ... written
    TLS_FAILED = -3
    TLS_CLOSED = 0              # the other side said goodbye

cdef struct Front               # an SSL_CTX behind a lock; the lock is held while a connection begins or a context is replaced

cdef SSL* tls_begin(Front* front, int fd) noexcept nogil                    # NULL: no memory
cdef int tls_handshake(SSL* ssl) noexcept nogil                             # 1: done and ALPN is h2; else one of the above
cdef ssize_t tls_read(SSL* ssl, void* out, size_t room) noexcept nogil      # bytes, or one of the above
cdef ssize_t tls_write(SSL* ssl, const void* data, size_t n) noexcept nogil
cdef void tls_end(SSL* ssl) noexcept nogil                                  # says goodbye if it can; frees
# The client certificate's first subject alternative name (DNS, URI, IP or e-mail), else its common name. 0: none.
cdef size_t tls_peer_name(SSL* ssl, char* out, size_t room) noexcept nogil

cdef class TlsServer:           # __init__(certificate: str, key: str, clients: str | None); reload() -> None
    cdef Front* front

cdef class TlsClient:           # __init__(ca: str | None, certificate: str | None, key: str | None, name: str)
    cdef Front* front
