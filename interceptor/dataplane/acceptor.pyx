# Accepting: who is one too many, who gets the next connection, and what to do when there are no more files.
from libc.errno cimport EMFILE, ENFILE, ENOBUFS, ENOMEM, errno
from libc.stdint cimport uint32_t, uint64_t
from posix.unistd cimport close, write

from interceptor.dataplane.loop cimport Arrival, Loop, loop_hand
from interceptor.dataplane.system cimport (
    EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLIN, O_CLOEXEC, O_RDONLY, SOCK_CLOEXEC,
    SOCK_NONBLOCK, accept4, epoll_create1, epoll_ctl, epoll_event, epoll_wait, eventfd, open as open_file,
    pause_ms,
)
from interceptor.engine.atomics cimport ic_add64, ic_load64
from interceptor.engine.stats cimport stats_bump

cdef enum:
    IN_A_ROW = 64               # of one listener, before the others have their turn
    STARVED_MS = 50             # a rest when accepting cannot go on


cdef bint acceptor_begin(Acceptor* acceptor, const int* listeners, uint32_t n) noexcept nogil:
    cdef epoll_event event
    cdef uint32_t i
    acceptor.epoll, acceptor.wake = epoll_create1(EPOLL_CLOEXEC), eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    acceptor.spare = _spare()
    if acceptor.epoll < 0 or acceptor.wake < 0 or acceptor.spare < 0:
        return False
    event.events, event.data.fd = EPOLLIN, acceptor.wake
    if epoll_ctl(acceptor.epoll, EPOLL_CTL_ADD, acceptor.wake, &event) != 0:
        return False
    for i in range(n):
        event.data.fd = listeners[i]
        if epoll_ctl(acceptor.epoll, EPOLL_CTL_ADD, listeners[i], &event) != 0:
            return False
    return True


cdef void acceptor_end(Acceptor* acceptor) noexcept nogil:
    if acceptor.epoll >= 0:
        close(acceptor.epoll)
    if acceptor.wake >= 0:
        close(acceptor.wake)
    if acceptor.spare >= 0:
        close(acceptor.spare)
    acceptor.epoll = acceptor.wake = acceptor.spare = -1


cdef void acceptor_stop(Acceptor* acceptor) noexcept nogil:
    cdef uint64_t one = 1
    write(acceptor.wake, &one, sizeof(uint64_t))


cdef inline int _spare() noexcept nogil:
    return open_file("/dev/null", O_RDONLY | O_CLOEXEC)


# Hands a connection to the thread that has the fewest.
cdef void _place(Acceptor* acceptor, int fd) noexcept nogil:
    cdef Arrival arrival
    cdef uint64_t all_open = 0, here, fewest = 0
    cdef uint32_t i
    cdef Loop* chosen = NULL
    for i in range(acceptor.n_loops):
        here = ic_load64(&acceptor.loops[i].open)
        all_open += here
        if chosen is NULL or here < fewest:
            chosen, fewest = acceptor.loops[i], here
    if chosen is not NULL and all_open < acceptor.max_connections + TURNED_AWAY:
        arrival.fd, arrival.excess = fd, all_open >= acceptor.max_connections
        ic_add64(&chosen.open, 1)
        if loop_hand(chosen, arrival):
            return
        ic_add64(&chosen.open, <uint64_t> -1)
    stats_bump(&acceptor.refused, 1)
    close(fd)


# No file is left for a connection that waits: the spare one is given up to take it, and it is closed at once, rather
# than woken for again and again.
cdef void _starve(Acceptor* acceptor, int listener, int error) noexcept nogil:
    cdef int fd
    stats_bump(&acceptor.starved, 1)
    if (error == EMFILE or error == ENFILE) and acceptor.spare >= 0:
        close(acceptor.spare)
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)
        if fd >= 0:
            stats_bump(&acceptor.refused, 1)
            close(fd)
        acceptor.spare = _spare()
    if acceptor.spare < 0:
        acceptor.spare = _spare()
    pause_ms(STARVED_MS)


cdef void* acceptor_run(void* of) noexcept nogil:
    cdef Acceptor* acceptor = <Acceptor*> of
    cdef epoll_event[16] events
    cdef int n, i, _, fd
    while True:
        n = epoll_wait(acceptor.epoll, events, 16, -1)
        for i in range(n):
            if events[i].data.fd == acceptor.wake:
                return NULL
            for _ in range(IN_A_ROW):
                fd = accept4(events[i].data.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
                if fd >= 0:
                    _place(acceptor, fd)
                    continue
                if errno == EMFILE or errno == ENFILE or errno == ENOBUFS or errno == ENOMEM:
                    _starve(acceptor, events[i].data.fd, errno)
                break       # none left, or one that was gone before we came
