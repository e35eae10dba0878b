# One switch's connection: a socket, TLS if there is any, the HTTP/2 state, and what the socket would not take yet.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from interceptor.dataplane.http2 cimport Session
from interceptor.dataplane.tls cimport SSL, Front
from interceptor.dataplane.words cimport Batch, Bounds, Peer, Traffic
from interceptor.engine.types cimport Text

cdef enum:
    READ_ROOM = 64 * 1024       # taken of one connection before the next has its turn
    NAME_ROOM = 256
    GREETING = 24 + 9           # bytes of a client's preface and its empty SETTINGS (RFC 9113 section 3.4)

cdef enum State:
    HANDSHAKE = 0
    OPEN = 1
    LEAVING = 2                 # all is said; what still comes is thrown away, so that our last words are read
    CLOSED = 3

cdef enum Drain:
    STAYS = 0
    WARNED = 1                  # has been told to open no more streams
    LAST_STREAM_NAMED = 2

cdef struct Terms:              # what holds for every connection of a data plane, from its start to its end
    Bounds bounds
    Front* front                # NULL: plain
    const Text* names           # clients that may ask, sorted by bytes
    size_t n_names
    uint8_t guarded             # whether `names` counts

cdef struct Connection:
    Peer peer                   # first: from a request's peer to its connection
    Connection* next            # of its thread
    Connection* previous
    Connection* next_touched    # of this round
    Session* session            # NULL unless OPEN
    SSL* ssl
    const Terms* terms
    Traffic* traffic
    int fd
    uint32_t interest           # what epoll is to report, ...
    uint32_t told               # ... and what it was told
    uint32_t streams            # open when last looked at
    uint8_t state
    uint8_t drain
    uint8_t touched
    uint8_t excess              # one too many: turned away
    uint8_t last_words          # it leaves when all is written
    uint8_t ending              # Ending: why it goes, or will
    uint64_t opened             # all times: CLOCK_MONOTONIC, ns
    uint64_t heard              # of it, at last
    uint64_t moved              # when `unsent` last became shorter; of one that is LEAVING, since when
    uint64_t drained            # when it entered its Drain
    uint64_t emptied            # when nothing was left to read
    uint64_t received           # bytes
    uint8_t* unsent             # allocated while there is something in it
    size_t unsent_from
    size_t unsent_to
    uint64_t owed               # answers in `unsent`, ...
    uint64_t owed_since         # ... and when the oldest of their requests came
    char[NAME_ROOM] name

cdef Connection* connection_new(int fd, const Terms* terms, Traffic* traffic, bint excess,
                                uint64_t now) noexcept nogil                # NULL: no memory; the fd stays the caller's
# Frees what is left of it and closes the socket.
cdef void connection_free(Connection* c, Batch* batch) noexcept nogil

# Takes what the socket has, at most READ_ROOM bytes, into `slice`; it came between `since` and batch.now. Not while
# something is unsent. Returns how many bytes it was.
cdef size_t connection_read(Connection* c, uint8_t* slice, uint64_t since, Batch* batch) noexcept nogil
# Writes what there is to say, by way of `out` (`room` bytes); what the socket does not take is kept in `unsent`.
cdef void connection_flush(Connection* c, uint8_t* out, size_t room, uint64_t now, Batch* batch) noexcept nogil
# It is CLOSED: to be freed. Of one that LEAVES the other side reads what was written before that.
cdef void connection_end(Connection* c, uint32_t ending, Batch* batch) noexcept nogil
cdef void connection_leave(Connection* c, uint32_t ending, uint64_t now, Batch* batch) noexcept nogil
# What a look at the clock brings: stalled, idle, too old, all are to go. Returns whether anything came of it.
cdef bint connection_look(Connection* c, bint stopping, uint64_t now, Batch* batch) noexcept nogil
