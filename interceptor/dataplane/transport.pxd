# One side of a connected, non-blocking socket, plain or under TLS: bytes in and out, in one set of words.
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from posix.uio cimport iovec

from interceptor.dataplane.system cimport (
    CMSG_DATA, CMSG_FIRSTHDR, MSG_NOSIGNAL, SCM_TIMESTAMPNS, SOL_SOCKET, cmsghdr, msghdr, nanoseconds, recv, recvmsg,
    send, timespec,
)
from interceptor.dataplane.tls cimport SSL, tls_read, tls_write

cdef extern from "openssl/ssl.h" nogil:
    int SSL_has_pending(const SSL* ssl)

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


# The same for a plain socket; `came` gets when the last of those bytes reached this machine (CLOCK_REALTIME, ns), or 0:
# it is no TCP socket, or the kernel did not note it (SO_TIMESTAMPNS).
cdef inline ssize_t transport_read_stamped(int fd, void* out, size_t room, uint64_t* came) noexcept nogil:
    cdef iovec part
    cdef msghdr message
    cdef uint64_t[8] control
    cdef cmsghdr* note
    cdef timespec t
    cdef ssize_t n
    part.iov_base, part.iov_len = out, room
    memset(&message, 0, sizeof(msghdr))
    message.msg_iov, message.msg_iovlen = &part, 1
    message.msg_control, message.msg_controllen = control, sizeof(control)
    n = recvmsg(fd, &message, 0)
    came[0] = 0
    if n < 0:
        return AGAIN_READ if errno == EAGAIN or errno == EINTR else FAILED
    note = CMSG_FIRSTHDR(&message)
    if note is not NULL and note.cmsg_level == SOL_SOCKET and note.cmsg_type == SCM_TIMESTAMPNS:
        memcpy(&t, CMSG_DATA(note), sizeof(timespec))
        came[0] = nanoseconds(&t)
    return n


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


# Whether bytes that have left the socket wait inside TLS.
cdef inline bint transport_holds(SSL* ssl) noexcept nogil:
    return ssl is not NULL and SSL_has_pending(ssl) != 0
