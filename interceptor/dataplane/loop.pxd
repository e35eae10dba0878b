# One data-plane thread: its epoll, its connections, and the rounds in which it reads, decides and writes.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.answering cimport Desk
from interceptor.dataplane.connection cimport Connection, Terms
from interceptor.dataplane.words cimport Batch, Traffic

cdef enum:
    INPUT_ROOM = 256 * 1024     # what is read before it is answered: some milliseconds of work
    OUTPUT_ROOM = 128 * 1024    # also the most that is kept for a connection that does not read
    BATCH_ROOM = 1 << 20        # for messages that come in pieces
    ANSWERED = 1024             # (connection, arrival) pairs of a round

cdef struct Orders:             # from Python to all threads; atomic
    uint64_t opened             # calls are decided
    uint64_t serving            # what health says
    uint64_t drain_by           # no new connections, and all is over by then (CLOCK_MONOTONIC, ns); 0: go on

cdef struct Arrival:            # what the acceptor writes into a thread's pipe
    int fd
    uint32_t excess             # one connection too many: to be turned away

cdef struct Answered:           # that many requests of one connection came at once and have been answered
    Connection* connection
    uint64_t arrived
    uint64_t count

cdef struct Loop:
    Desk desk
    Batch batch
    Traffic traffic
    Answered[ANSWERED] answered     # of this round
    uint32_t n_answered
    uint64_t open               # connections it has or is about to get; atomic
    uint64_t streams            # open on them; written by the thread
    const Terms* terms
    const Orders* orders
    uint64_t spin_ns
    int epoll
    int[2] pipe
    Connection* connections
    Connection* touched         # something may be written to these
    Connection* closed          # to be freed when the round is over
    uint64_t told               # what its watchers know of `serving`
    uint64_t gone               # connections, since their memory was last given back
    uint64_t woke               # when it last slept: what came then woke it
    uint64_t looked             # when the clock was last looked at for its connections
    uint8_t* input
    size_t input_used
    uint8_t* output

# NULL: the system gives no more memory or no more files; errno says which.
cdef Loop* loop_new(const Terms* terms, const Orders* orders, uint64_t spin_ns) noexcept nogil
cdef void loop_free(Loop* loop) noexcept nogil              # of a thread that has ended, or never began
cdef void* loop_run(void* loop) noexcept nogil              # a thread's whole life; its desk is set up
cdef bint loop_hand(Loop* loop, Arrival arrival) noexcept nogil     # from any thread; False: its pipe is full
