# Rounds of the generator's thread: wait, read what came, ask what is due, write.
from libc.stdint cimport uint32_t, uint64_t

from interceptor.dataplane.system cimport epoll_event, monotonic_ns
from interceptor.engine.atomics cimport ic_load64_relaxed, ic_store64
from interceptor.loadtest.arrivals cimport next_gap
from interceptor.loadtest.connection cimport (
    CONNECTING, DOWN, OPEN, OPENING, Connection, connection_attend, connection_begin, connection_drop,
    connection_flush, connection_takes,
)
from interceptor.loadtest.session cimport session_ask
from interceptor.loadtest.tally cimport tally_unanswered, tally_unsent

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <stdint.h>
    #include <sys/epoll.h>
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    /* Waits to the nanosecond where the kernel can (5.11 and newer), else to the millisecond, rounded down. */
    static int ic_epoll_wait(int epoll, struct epoll_event* events, int most, uint64_t ns) {
    #ifdef SYS_epoll_pwait2
        static int missing;
        struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
        if (!missing) {
            int n = (int)syscall(SYS_epoll_pwait2, epoll, events, most, &t, NULL, 0);
            if (n >= 0 || errno != ENOSYS) return n;
            missing = 1;
        }
    #endif
        return epoll_wait(epoll, events, most, (int)(ns / 1000000u));
    }
    /* A sleeping thread wakes up to so much later than it asked for. Returns what it was. */
    static int ic_timer_slack(int ns) {
        int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
        prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0);
        return before;
    }
    """
    int ic_epoll_wait(int epoll, epoll_event* events, int most, uint64_t ns)
    int ic_timer_slack(int ns)

cdef enum:
    READY = 256                 # connections of one wake
    AT_ONCE = 256               # calls asked before it reads again: replies must not wait for all that is due
    NAP_NS = 50_000_000         # the longest sleep: `stop` is seen then, and what is down is tried again
    BLOCKED_NS = 1_000_000      # ... while calls wait for room, or for their deadline
    CONNECT_NS = 5_000_000_000  # for the first connections


# ------------------------------------------------------------------------------------------------- time

cdef inline void look_at_the_clock(Run* r) noexcept nogil:
    cdef uint64_t page
    r.asking.now = monotonic_ns()
    page = (r.asking.now - r.begun) // r.interval_ns if r.begun else 0
    r.asking.tally.interval = &r.interval[min(page, r.intervals - 1)]


cdef inline uint64_t next_due(const Run* r) noexcept nogil:
    return r.begun + <uint64_t>r.due


cdef uint64_t sleep_ns(const Run* r) noexcept nogil:
    cdef uint64_t now = r.asking.now, due
    if r.pressed or now - r.active_ns < r.spin_ns:
        return 0
    due = next_due(r)
    if r.begun == 0 or r.mean_gap_ns == 0 or due >= r.end:
        return NAP_NS
    if due <= now:
        return BLOCKED_NS
    return min(due - now - min(due - now, r.spin_ns), <uint64_t>NAP_NS)


# ------------------------------------------------------------------------------------------------- asking

cdef inline void queue(Run* r, Connection* c) noexcept nogil:
    if not c.queued:
        c.queued = True
        r.queue[r.queued] = c
        r.queued += 1


cdef Connection* next_connection(Run* r) noexcept nogil:        # in turn; NULL: none takes a call
    cdef Connection* c
    for _ in range(r.connections):
        c = &r.connection[r.turn]
        r.turn = r.turn + 1 if r.turn + 1 < r.connections else 0
        if connection_takes(c):
            return c
    return NULL


cdef inline void advance(Run* r) noexcept nogil:
    r.number += 1
    r.request = r.request + 1 if r.request + 1 < r.requests else 0
    if r.mean_gap_ns:
        r.due += next_gap(&r.random, r.mean_gap_ns)


cdef void give_up_next(Run* r) noexcept nogil:
    tally_unsent(r.asking.tally, next_due(r) >= r.asking.measured_from)
    advance(r)


# The calls that wait need no memory: they are those from r.due on, as the generator of their times will draw them.
cdef void ask_due(Run* r) noexcept nogil:
    cdef uint64_t due, deadline = r.asking.tally.deadline_ns
    cdef Connection* c
    cdef int asked = 0
    r.pressed = False
    while asked < AT_ONCE:
        due = next_due(r)
        if due > r.asking.now or due >= r.end:
            return
        if deadline and r.asking.now - due >= deadline:
            give_up_next(r)
            continue
        c = next_connection(r)
        if c == NULL:
            return
        queue(r, c)
        if session_ask(c, due, r.number, r.request):
            advance(r)
            asked += 1
    r.pressed = True


cdef void ask_more(Run* r, Connection* c) noexcept nogil:       # closed loop
    while connection_takes(c) and session_ask(c, r.asking.now, r.number, r.request):
        advance(r)


# ------------------------------------------------------------------------------------------------- rounds

cdef void attend(Run* r) noexcept nogil:
    cdef epoll_event[256] ready         # READY
    cdef Connection* c
    cdef int i, n = ic_epoll_wait(r.asking.epoll, ready, READY, sleep_ns(r))
    look_at_the_clock(r)
    for i in range(n):
        c = <Connection*>ready[i].data.ptr
        connection_attend(c, ready[i].events)
        queue(r, c)
    if n > 0:
        look_at_the_clock(r)
        r.active_ns = r.asking.now


cdef void flush(Run* r) noexcept nogil:
    cdef uint32_t i
    for i in range(r.queued):
        r.queue[i].queued = False
        if r.queue[i].stage >= OPENING:
            connection_flush(r.queue[i])
    r.queued = 0


cdef void revive(Run* r) noexcept nogil:
    cdef uint32_t i
    if r.asking.now < r.look_ns:
        return
    r.look_ns = r.asking.now + NAP_NS
    for i in range(r.connections):
        if r.connection[i].stage == DOWN and r.asking.now >= r.connection[i].retry_ns:
            connection_begin(&r.connection[i])


cdef uint32_t count_stage(const Run* r, bint is_open) noexcept nogil:  # open ones, or those on their way
    cdef uint32_t i, n = 0
    for i in range(r.connections):
        if r.connection[i].stage == OPEN if is_open else CONNECTING <= r.connection[i].stage < OPEN:
            n += 1
    return n


cdef bint connect_all(Run* r) noexcept nogil:
    cdef uint64_t until
    cdef uint32_t i
    look_at_the_clock(r)
    until = r.asking.now + CONNECT_NS
    for i in range(r.connections):
        connection_begin(&r.connection[i])
    while count_stage(r, False) and r.asking.now < until and not ic_load64_relaxed(&r.stop):
        attend(r)
        flush(r)
    return count_stage(r, True) > 0 or ic_load64_relaxed(&r.stop) != 0


cdef bint finished(Run* r) noexcept nogil:
    cdef uint32_t i
    if ic_load64_relaxed(&r.stop) and r.asking.now < r.end:
        r.end = r.asking.now
    if r.asking.now < r.end:
        return False
    if r.asking.now >= r.end + r.grace_ns:
        return True
    if r.mean_gap_ns and next_due(r) < r.end:
        return False
    for i in range(r.connections):
        if r.connection[i].n_open:
            return False
    return True


cdef void settle(Run* r) noexcept nogil:
    cdef Connection* c
    cdef uint32_t i, place
    while r.mean_gap_ns and next_due(r) < r.end:
        give_up_next(r)
    for i in range(r.connections):
        c = &r.connection[i]
        for place in range(c.fresh):
            if c.call[place].open:
                tally_unanswered(r.asking.tally, &c.call[place], &r.asking.tally.missing)
                c.call[place].open = 0
        connection_drop(c, False)


cdef bint drive(Run* r) noexcept nogil:
    cdef uint32_t i
    cdef int slack = ic_timer_slack(1)
    cdef bint connected = connect_all(r)
    if connected:
        look_at_the_clock(r)
        r.asking.measured_from = r.asking.now + r.warm_up_ns
        r.end += r.asking.measured_from
        ic_store64(&r.begun, r.asking.now)
        for i in range(r.connections):
            queue(r, &r.connection[i])
        while not finished(r):
            if r.mean_gap_ns:
                ask_due(r)
            elif r.asking.now < r.end:
                for i in range(r.queued):
                    ask_more(r, r.queue[i])
            flush(r)
            revive(r)
            attend(r)
    settle(r)
    ic_store64(&r.ended, r.asking.now)
    ic_timer_slack(slack)
    return connected
