# How a snapshot reaches threads that hold no GIL, and how the writer learns that none of them looks at the old one any
# more: by quiescent points. A thread that is outside (asleep in epoll) holds nothing up.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine.snapshot cimport Snapshot

cdef struct Reader:             # one cache line, written by its thread alone
    uint64_t epoch              # at which it came in; 0: outside
    uint64_t[7] apart

cdef struct Publication:
    const Snapshot* snapshot    # NULL until the first is published
    uint64_t epoch              # goes up with every wait
    uint64_t[6] apart
    Reader[64] readers          # by worker (MAX_WORKERS)

# Comes in, or passes a quiescent point: whatever was read before may be gone, the result holds until the next enter or
# leave. NULL: nothing is published yet.
cdef const Snapshot* publication_enter(Publication* publication, uint32_t worker) noexcept nogil
cdef void publication_leave(Publication* publication, uint32_t worker) noexcept nogil
# Puts a snapshot in force: who comes in from now on gets it. What the others look at must stay until the wait is over.
cdef void publication_point(Publication* publication, const Snapshot* snapshot) noexcept nogil
# Waits until every thread that is inside now has left or come in anew. Not for a thread that is inside.
cdef void publication_wait(Publication* publication) noexcept nogil
