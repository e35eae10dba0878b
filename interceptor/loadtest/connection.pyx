# Connecting, reading and writing of one connection of the generator.
from libc.errno cimport EINPROGRESS, errno
from libc.string cimport memcpy
from posix.unistd cimport close

from interceptor.dataplane.nghttp2 cimport (
    nghttp2_session_del, nghttp2_session_mem_recv, nghttp2_session_mem_send, nghttp2_session_want_read,
    nghttp2_session_want_write,
)
from interceptor.dataplane.system cimport (
    EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET,
    epoll_ctl, epoll_event, monotonic_ns, setsockopt,
)
from interceptor.dataplane.tls cimport TLS_AGAIN_READ, TLS_AGAIN_WRITE, tls_begin, tls_end, tls_handshake
from interceptor.dataplane.transport cimport AGAIN_READ, AGAIN_WRITE, transport_holds, transport_read, transport_write
from interceptor.loadtest.histogram cimport counts_bump
from interceptor.loadtest.session cimport session_open
from interceptor.loadtest.tally cimport tally_unanswered

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNIX
        SOCK_STREAM
        SO_ERROR
    int socket(int family, int kind, int protocol)
    int connect(int fd, const void* address, unsigned int length)
    int getsockopt(int fd, int level, int option, void* value, unsigned int* n)

cdef extern from "<netinet/in.h>" nogil:
    enum:
        IPPROTO_TCP

cdef extern from "<netinet/tcp.h>" nogil:
    enum:
        TCP_NODELAY

cdef enum:
    FRAME_ROOM = 32 << 10       # nghttp2's next frame fits


cdef void watch(Connection* c, uint32_t events) noexcept nogil:
    cdef epoll_event event
    if events == c.events:
        return
    event.events = events
    event.data.ptr = c
    epoll_ctl(c.asking.epoll, EPOLL_CTL_MOD if c.events else EPOLL_CTL_ADD, c.fd, &event)
    c.events = events


cdef void fail(Connection* c, int trouble) noexcept nogil:
    c.asking.trouble = trouble
    connection_drop(c, True)


cdef void connection_begin(Connection* c) noexcept nogil:
    cdef Asking* a = c.asking
    cdef int on = 1
    c.begun_ns = a.now
    c.fd = socket(a.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if c.fd < 0:
        fail(c, errno)
        return
    if a.family != AF_UNIX:
        setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))
    c.stage = CONNECTING
    if connect(c.fd, a.peer, a.peer_bytes) == 0:
        connected(c)
    elif errno == EINPROGRESS:
        watch(c, EPOLLOUT)
    else:                       # EAGAIN: the queue of a Unix socket is full
        fail(c, errno)


cdef void connected(Connection* c) noexcept nogil:
    if c.asking.front == NULL:
        open_session(c)
        return
    c.stage = SECURING
    c.ssl = tls_begin(c.asking.front, c.fd)
    if c.ssl == NULL:
        fail(c, REFUSED_TLS)
    else:
        secure(c)


cdef void secure(Connection* c) noexcept nogil:
    cdef int done = tls_handshake(c.ssl)
    if done == 1:
        open_session(c)
    elif done == TLS_AGAIN_READ or done == TLS_AGAIN_WRITE:
        watch(c, EPOLLIN if done == TLS_AGAIN_READ else EPOLLOUT)
    else:
        fail(c, REFUSED_TLS)


cdef void open_session(Connection* c) noexcept nogil:
    c.stage = OPENING
    if not session_open(c):
        fail(c, NOT_HTTP2)
        return
    watch(c, EPOLLIN)
    connection_flush(c)


cdef void connection_drop(Connection* c, bint failed) noexcept nogil:
    cdef Asking* a = c.asking
    cdef uint32_t i
    if failed:
        counts_bump(&a.tally.failed, 1)
    for i in range(c.fresh):
        if c.call[i].open:
            tally_unanswered(a.tally, &c.call[i], &a.tally.lost)
            leave_place(c, &c.call[i])
    if c.session != NULL:
        nghttp2_session_del(c.session)
        c.session = NULL
    if c.ssl != NULL:
        tls_end(c.ssl)
        c.ssl = NULL
    if c.fd >= 0:
        close(c.fd)             # epoll forgets it
        c.fd = -1
    c.stage = DOWN
    c.retry_ns = max(a.now, c.begun_ns + RETRY_NS)
    c.events = 0
    c.room = c.piece_bytes = 0
    c.full = c.leaving = c.broken = c.paused = False
    c.recent, c.recent_stream = NULL, 0
    c.out_from = c.out_to = c.staged_from = c.staged_to = 0


cdef void connection_attend(Connection* c, uint32_t events) noexcept nogil:
    cdef int error = 0
    cdef unsigned int n = sizeof(error)
    if c.stage == CONNECTING:
        getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &n)
        if error:
            fail(c, error)
        else:
            connected(c)
    elif c.stage == SECURING:
        secure(c)
    elif c.stage != DOWN:
        if events & EPOLLOUT:
            c.full = False
        if events & (EPOLLIN | EPOLLERR | EPOLLHUP):
            receive(c)


cdef void receive(Connection* c) noexcept nogil:
    cdef Asking* a = c.asking
    cdef ssize_t n
    while True:
        n = transport_read(c.fd, c.ssl, a.input, IN_BYTES)
        if n == AGAIN_READ or n == AGAIN_WRITE:
            break
        if n <= 0:
            fail(c, CLOSED_EARLY)
            return
        a.now = monotonic_ns()
        counts_bump(&a.tally.bytes_in, <uint64_t>n)
        if nghttp2_session_mem_recv(c.session, a.input, <size_t>n) < 0 or c.broken:
            fail(c, NOT_HTTP2)
            return
        if n < IN_BYTES and not transport_holds(c.ssl):
            break


cdef void connection_flush(Connection* c) noexcept nogil:
    cdef Asking* a = c.asking
    cdef const uint8_t* frame
    cdef ssize_t n
    while not c.full:
        if c.out_from == c.out_to:
            c.out_from = c.out_to = 0
            while c.out_to <= OUT_BYTES - FRAME_ROOM:
                n = nghttp2_session_mem_send(c.session, &frame)
                if n < 0:
                    fail(c, NOT_HTTP2)
                    return
                if n == 0:
                    break
                memcpy(c.out + c.out_to, frame, <size_t>n)
                c.out_to += <size_t>n
            if c.out_to == 0:
                break
        n = transport_write(c.fd, c.ssl, c.out + c.out_from, c.out_to - c.out_from)
        if n > 0:
            c.out_from += <size_t>n
            counts_bump(&a.tally.bytes_out, <uint64_t>n)
        elif n == AGAIN_WRITE or n == AGAIN_READ:
            c.full = True
        else:
            fail(c, CLOSED_EARLY)
            return
    watch(c, EPOLLIN | EPOLLOUT if c.full else EPOLLIN)
    if c.leaving and c.n_open == 0:
        a.trouble = TURNED_AWAY
        connection_drop(c, False)
    elif not nghttp2_session_want_read(c.session) and not nghttp2_session_want_write(c.session):
        fail(c, NOT_HTTP2)      # nghttp2 has said GOAWAY: the server broke the rules
