# The thread that accepts: from the listening sockets to the data-plane thread with the fewest connections.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.dataplane.loop cimport Loop

cdef enum:
    TURNED_AWAY = 64            # connections beyond the maximum that are told so; more are closed without a word
    MAX_LISTENERS = 64

cdef struct Acceptor:
    Loop** loops
    uint32_t n_loops
    uint64_t max_connections
    int epoll
    int wake                    # an eventfd; becomes readable when it is to end
    int spare                   # a file to give up when there are no more files
    uint64_t refused            # connections closed without a word; written by the thread
    uint64_t starved            # times the system had no file or no memory for a connection

cdef bint acceptor_begin(Acceptor* acceptor, const int* listeners, uint32_t n) noexcept nogil    # False: errno says why
cdef void acceptor_end(Acceptor* acceptor) noexcept nogil           # of a thread that has ended, or never began
cdef void* acceptor_run(void* acceptor) noexcept nogil
cdef void acceptor_stop(Acceptor* acceptor) noexcept nogil          # from any thread; it ends soon
