# One side of a connected, non-blocking socket, plain or under TLS: bytes in and out, in one set of words.
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stddef cimport size_t

from interceptor.dataplane.system cimport MSG_NOSIGNAL, recv, send
from interceptor.dataplane.tls cimport SSL, tls_holds, tls_read, tls_write

cdef enum:                      # instead of a number of bytes; the values are those of tls.pxd
    GONE = 0                    # the other side has closed
    AGAIN_READ = -1             # when the socket can be read
    AGAIN_WRITE = -2            # when it can be written
    FAILED = -3


# At least one byte, or one of the above. Epoll tells whether there is more, but for what TLS `holds`.
cdef inline ssize_t transport_read(int fd, SSL* ssl, void* out, size_t room) noexcept nogil:
    cdef ssize_t n
    if ssl is not NULL:
        return tls_read(ssl, out, room)
    n = recv(fd, out, room, 0)
    if n >= 0:
        return n
    return AGAIN_READ if errno == EAGAIN or errno == EINTR else FAILED


# Bytes taken: fewer than n when the socket is full.
cdef inline ssize_t transport_write(int fd, SSL* ssl, const void* data, size_t n) noexcept nogil:
    cdef ssize_t taken
    if ssl is not NULL:
        taken = tls_write(ssl, data, n)
        return FAILED if taken == GONE else taken
    taken = send(fd, data, n, MSG_NOSIGNAL)
    if taken >= 0:
        return taken
    return AGAIN_WRITE if errno == EAGAIN or errno == EINTR else FAILED


# Whether what has left the socket waits inside TLS: bytes, or an ending.
cdef inline bint transport_holds(SSL* ssl) noexcept nogil:
    return ssl is not NULL and tls_holds(ssl)
