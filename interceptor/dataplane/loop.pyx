# The rounds of one data-plane thread: wake, read, decide, write, look at the clock. It never takes the GIL.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from posix.unistd cimport close, read, write

from interceptor.dataplane.answering cimport answer, get_up, sit_down
from interceptor.dataplane.connection cimport (
    READ_ROOM, Connection, State, connection_end, connection_flush, connection_free, connection_look,
    connection_new, connection_read,
)
from interceptor.dataplane.http2 cimport session_resume, watch_all
from interceptor.dataplane.spares cimport spares_empty, spares_free, spares_new
from interceptor.dataplane.system cimport (
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, O_CLOEXEC, O_NONBLOCK, epoll_create1,
    epoll_ctl, epoll_event, epoll_wait, ic_be_brief, malloc_trim, monotonic_ns, pipe2,
)
from interceptor.dataplane.words cimport BATCH_CELLS, LATENCY_CELLS, Batch, Ending, Request, Traffic
from interceptor.engine.atomics cimport ic_add64, ic_load64, ic_prefetch_read, ic_store64_relaxed
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.stats cimport stats_bump
from interceptor.engine.types cimport CHUNK

cdef enum:
    EVENTS = 256                # of one epoll_wait
    LOOK_NS = 250000000         # between two looks at the clock for every connection
    DRAIN_LOOK_NS = 20000000    # the same while everybody is to go
    MANY_GONE = 256             # connections after which a thread with nothing to do gives memory back
    FIRST_LATENCY_NS = 10000


cdef Loop* loop_new(const Terms* terms, const Orders* orders, uint64_t spin_ns) noexcept nogil:
    cdef epoll_event event
    cdef Loop* loop = <Loop*> reserve(sizeof(Loop))
    if loop is NULL:
        return NULL
    loop.terms, loop.orders, loop.spin_ns = terms, orders, spin_ns
    loop.pipe[0] = loop.pipe[1] = -1
    loop.epoll = epoll_create1(EPOLL_CLOEXEC)
    loop.input = <uint8_t*> reserve(INPUT_ROOM)
    loop.output = <uint8_t*> reserve(OUTPUT_ROOM)
    loop.batch.room, loop.batch.room_bytes = <uint8_t*> reserve(BATCH_ROOM), BATCH_ROOM
    loop.batch.answer, loop.batch.desk = _answer, loop
    loop.batch.spares = spares_new()
    event.events, event.data.ptr = EPOLLIN, NULL
    if (
        loop.input is NULL or loop.output is NULL or loop.batch.room is NULL or loop.epoll < 0
        or pipe2(loop.pipe, O_CLOEXEC | O_NONBLOCK) != 0
        or epoll_ctl(loop.epoll, EPOLL_CTL_ADD, loop.pipe[0], &event) != 0
    ):
        loop_free(loop)
        return NULL
    return loop


cdef void loop_free(Loop* loop) noexcept nogil:
    cdef Arrival arrival
    if loop.pipe[0] >= 0:
        while read(loop.pipe[0], &arrival, sizeof(Arrival)) == sizeof(Arrival):
            if arrival.fd >= 0:
                close(arrival.fd)
        close(loop.pipe[0])
        close(loop.pipe[1])
    if loop.epoll >= 0:
        close(loop.epoll)
    release(loop.input, INPUT_ROOM)
    release(loop.output, OUTPUT_ROOM)
    release(loop.batch.room, BATCH_ROOM)
    spares_free(loop.batch.spares)
    release(loop, sizeof(Loop))


cdef bint loop_hand(Loop* loop, Arrival arrival) noexcept nogil:
    return write(loop.pipe[1], &arrival, sizeof(Arrival)) == sizeof(Arrival)


cdef inline void _touch(Loop* loop, Connection* c) noexcept nogil:
    if not c.touched:
        c.touched, c.next_touched = True, loop.touched
        loop.touched = c


# --- answering

# A Batch's `answer`: whom what was answered belongs to, and when it came, is noted first.
cdef void _answer(Batch* batch, void* of) noexcept nogil:
    cdef Loop* loop = <Loop*> of
    cdef Connection* c
    cdef Request* request
    cdef Answered* last = NULL
    cdef uint32_t i
    if batch.n == 0:
        return
    stats_bump(&loop.traffic.batches[_cell(batch.n, BATCH_CELLS - 1)], 1)
    for i in range(batch.n):
        request = &batch.request[i]
        if request.exchange is NULL:
            continue
        c = <Connection*> request.peer      # its first member
        _touch(loop, c)
        if last is not NULL and last.connection is c and last.arrived == request.arrived_ns:
            last.count += 1
        elif loop.n_answered < ANSWERED:
            last = &loop.answered[loop.n_answered]
            loop.n_answered += 1
            last.connection, last.arrived, last.count = c, request.arrived_ns, 1
        else:
            _owe(c, request.arrived_ns, 1)
    answer(batch, &loop.desk)
    batch.now = monotonic_ns()


# The smallest i with n <= 2**i, at most `last`.
cdef inline size_t _cell(uint64_t n, size_t last) noexcept nogil:
    cdef size_t i = 0
    while i < last and n > (<uint64_t> 1 << i):
        i += 1
    return i


cdef inline void _owe(Connection* c, uint64_t arrived, uint64_t count) noexcept nogil:
    if c.owed == 0 or arrived < c.owed_since:
        c.owed_since = arrived
    c.owed += count


cdef void _record(Traffic* traffic, uint64_t ns, uint64_t count) noexcept nogil:
    stats_bump(&traffic.latency[_cell(ns // FIRST_LATENCY_NS + (ns % FIRST_LATENCY_NS != 0), LATENCY_CELLS)], count)
    stats_bump(&traffic.latency_sum_ns, ns * count)
    if ns > traffic.latency_max_ns:
        ic_store64_relaxed(&traffic.latency_max_ns, ns)


# After the writing: one look at the clock for all that was answered.
cdef void _settle(Loop* loop) noexcept nogil:
    cdef Answered* each
    cdef uint64_t now
    cdef uint32_t i
    if loop.n_answered == 0:
        return
    now = monotonic_ns()
    for i in range(loop.n_answered):
        each = &loop.answered[i]
        if each.connection.unsent is not NULL:
            _owe(each.connection, each.arrived, each.count)
        elif each.connection.state != State.CLOSED:
            _record(&loop.traffic, now - min(now, each.arrived), each.count)
    loop.n_answered = 0


# What was owed to a connection has been written.
cdef void _settle_owed(Loop* loop, Connection* c) noexcept nogil:
    cdef uint64_t now = monotonic_ns()
    _record(&loop.traffic, now - min(now, c.owed_since), c.owed)
    c.owed = 0


# --- connections

cdef void _adopt(Loop* loop, uint64_t now) noexcept nogil:
    cdef Arrival arrival
    cdef Connection* c
    cdef epoll_event event
    while read(loop.pipe[0], &arrival, sizeof(Arrival)) == sizeof(Arrival):
        if arrival.fd < 0:              # a nudge: orders have changed
            continue
        c = connection_new(arrival.fd, loop.terms, &loop.traffic, arrival.excess, now)
        if c is NULL:
            close(arrival.fd)
            ic_add64(&loop.open, <uint64_t> -1)
            continue
        c.next = loop.connections
        if c.next is not NULL:
            c.next.previous = c
        loop.connections = c
        event.events, event.data.ptr = c.interest, c
        c.told = c.interest
        if epoll_ctl(loop.epoll, EPOLL_CTL_ADD, c.fd, &event) != 0:
            connection_end(c, Ending.ENDED_STALLED, &loop.batch)
        _touch(loop, c)


cdef void _let_go(Loop* loop, Connection* c) noexcept nogil:
    if c.previous is NULL:
        loop.connections = c.next
    else:
        c.previous.next = c.next
    if c.next is not NULL:
        c.next.previous = c.previous
    # Closing does not do it while another process has the socket too: one that was forked and has not executed yet.
    epoll_ctl(loop.epoll, EPOLL_CTL_DEL, c.fd, NULL)
    connection_free(c, &loop.batch)
    loop.gone += 1
    ic_add64(&loop.open, <uint64_t> -1)


# At a round's end: until then epoll's events, the batch and what was answered may still lead to it.
cdef void _bury(Loop* loop) noexcept nogil:
    cdef Connection* c
    while loop.closed is not NULL:
        c = loop.closed
        loop.closed = c.next_touched
        _let_go(loop, c)


# --- a round

# Takes what one connection has. No more than that: the next has its turn.
cdef void _hear(Loop* loop, Connection* c) noexcept nogil:
    cdef size_t taken
    if c.state == State.CLOSED:
        return
    _touch(loop, c)
    if c.unsent is not NULL:        # who does not take our answers is not asked for more
        return
    if loop.batch.n >= CHUNK or INPUT_ROOM - loop.input_used < READ_ROOM:
        _speak(loop)
        _touch(loop, c)
    loop.batch.now = monotonic_ns()
    taken = connection_read(c, loop.input + loop.input_used, max(c.emptied, loop.woke), &loop.batch)
    if taken < READ_ROOM:           # else there may be more that is as old
        c.emptied = loop.batch.now
    if loop.batch.n:                # else nothing points there
        loop.input_used += taken


# Answers the batch and writes whatever there is to be written, each connection once.
cdef void _speak(Loop* loop) noexcept nogil:
    cdef Connection* c
    cdef Connection* following
    cdef uint64_t now = monotonic_ns()
    _answer(&loop.batch, loop)
    loop.input_used = 0
    c = loop.touched
    while c is not NULL:
        connection_flush(c, loop.output, OUTPUT_ROOM, now, &loop.batch)
        c = c.next_touched
    _settle(loop)
    following, loop.touched = loop.touched, NULL
    while following is not NULL:
        c = following
        following = c.next_touched
        c.touched = False
        if c.state == State.CLOSED:
            c.touched, c.next_touched = True, loop.closed
            loop.closed = c
            continue
        if c.owed and c.unsent is NULL:
            _settle_owed(loop, c)
        if c.interest != c.told:
            _tell_epoll(loop, c)
        if c.state == State.OPEN and c.unsent is NULL:
            session_resume(c.session, now, &loop.batch)     # what that brings is answered in the next round


cdef void _tell_epoll(Loop* loop, Connection* c) noexcept nogil:
    cdef epoll_event event
    event.events, event.data.ptr = c.interest, c
    epoll_ctl(loop.epoll, EPOLL_CTL_MOD, c.fd, &event)
    c.told = c.interest


cdef void _look(Loop* loop, uint64_t now) noexcept nogil:
    cdef Connection* c = loop.connections
    cdef bint draining = ic_load64(&loop.orders.drain_by) != 0
    cdef uint64_t streams = 0
    loop.looked = now
    while c is not NULL:
        if c.next is not NULL:
            ic_prefetch_read(c.next)
        if connection_look(c, draining, now, &loop.batch):
            _touch(loop, c)
        streams += c.streams
        c = c.next
    ic_store64_relaxed(&loop.streams, streams)


cdef void _obey(Loop* loop) noexcept nogil:
    cdef Connection* c = loop.connections
    cdef uint64_t serving = ic_load64(&loop.orders.serving)
    if serving == loop.told:
        return
    loop.told = serving
    while c is not NULL:
        if c.state == State.OPEN:
            watch_all(c.session, serving != 0)
            _touch(loop, c)
        c = c.next


# Until the clock is to be looked at again.
cdef inline uint64_t _until_look(const Loop* loop, uint64_t now) noexcept nogil:
    cdef uint64_t every = DRAIN_LOOK_NS if ic_load64(&loop.orders.drain_by) else LOOK_NS
    return every - min(now - min(now, loop.looked), every)


# Milliseconds a thread that has nothing to do may sleep; -1: until something comes.
cdef inline int _sleep(const Loop* loop, uint64_t now) noexcept nogil:
    return -1 if loop.connections is NULL and loop.gone < MANY_GONE else <int> (_until_look(loop, now) // 1000000) + 1


cdef void* loop_run(void* of) noexcept nogil:
    cdef Loop* loop = <Loop*> of
    cdef epoll_event[EVENTS] events
    cdef uint64_t now = monotonic_ns(), spin_until = 0, drain_by = 0
    cdef int n, i
    ic_be_brief()
    while drain_by == 0 or (loop.connections is not NULL and now < drain_by):
        n = epoll_wait(loop.epoll, events, EVENTS, 0)
        if n == 0 and loop.batch.n == 0 and loop.touched is NULL and now >= spin_until:
            get_up(&loop.desk)
            n = epoll_wait(loop.epoll, events, EVENTS, _sleep(loop, now))
            loop.woke = monotonic_ns()
        sit_down(&loop.desk)
        now = monotonic_ns()
        loop.batch.speaking = <uint32_t> max(n, 0)
        if n > 0:
            stats_bump(&loop.traffic.wakes, 1)
            spin_until = now + loop.spin_ns
        elif loop.gone >= MANY_GONE:
            spares_empty(loop.batch.spares)
            malloc_trim(0)
            loop.gone = 0
        for i in range(n):
            if events[i].data.ptr is NULL:
                _adopt(loop, now)
            else:
                _hear(loop, <Connection*> events[i].data.ptr)
        _obey(loop)
        drain_by = ic_load64(&loop.orders.drain_by)
        if drain_by and loop.connections is NULL:
            _adopt(loop, now)       # what was accepted before that was said is all in the pipe by now
        if _until_look(loop, now) == 0:
            _look(loop, now)
        _speak(loop)
        _bury(loop)
    while loop.connections is not NULL:
        connection_end(loop.connections, Ending.ENDED_DRAINED, &loop.batch)
        _let_go(loop, loop.connections)
    get_up(&loop.desk)
    return NULL
