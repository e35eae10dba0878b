# A connection from its first byte to its last: handshake, reading, writing, leaving. No epoll, no list, no thread.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy
from posix.unistd cimport close

from interceptor.dataplane.http2 cimport (
    session_ending, session_expire, session_finished, session_free, session_gather, session_goaway, session_new,
    session_open_streams, session_receive, session_turn_away,
)
from interceptor.dataplane.system cimport EPOLLIN, EPOLLOUT, SHUT_WR, reset_when_closed, shutdown
from interceptor.dataplane.tls cimport tls_begin, tls_end, tls_handshake, tls_peer_name
from interceptor.dataplane.transport cimport (
    AGAIN_READ, AGAIN_WRITE, FAILED, GONE, transport_holds, transport_read, transport_write,
)
from interceptor.dataplane.words cimport Batch, Bounds, Ending, Traffic
from interceptor.engine.stats cimport stats_bump

cdef enum:
    LEAVE_NS = 1000000000       # how long the other side has for reading our last words
    WARNING_NS = 100000000      # between a warning and the last stream's number: more than a round trip


cdef Connection* connection_new(int fd, const Terms* terms, Traffic* traffic, bint excess,
                                uint64_t now) noexcept nogil:
    cdef Connection* c = <Connection*> calloc(1, sizeof(Connection))
    if c is NULL:
        return NULL
    c.fd, c.terms, c.traffic, c.excess = fd, terms, traffic, excess
    c.opened = c.heard = c.emptied = now
    c.interest = EPOLLIN
    if terms.front is not NULL:
        c.ssl = tls_begin(terms.front, fd)
        if c.ssl is NULL:
            free(c)
            return NULL
    elif not _open(c, now):
        free(c)
        return NULL
    stats_bump(&traffic.opened, 1)
    return c


cdef void connection_free(Connection* c, Batch* batch) noexcept nogil:
    _end_session(c, batch)
    if c.ssl is not NULL:
        tls_end(c.ssl)
    free(c.unsent)
    close(c.fd)
    free(c)


cdef void _end_session(Connection* c, Batch* batch) noexcept nogil:
    if c.session is not NULL:
        session_free(c.session, batch)
        c.session = NULL
        c.streams = 0


cdef bint _open(Connection* c, uint64_t now) noexcept nogil:
    c.session = session_new(&c.terms.bounds, &c.peer, c.traffic, now)
    if c.session is NULL:
        return False
    c.state = State.OPEN
    if c.excess:
        session_turn_away(c.session)
        c.last_words, c.ending = True, Ending.ENDED_EXCESS
    return True


# --- the other side's name

cdef bint _on_list(const Connection* c) noexcept nogil:
    cdef size_t low = 0, high = c.terms.n_names, middle, shorter
    cdef int order
    while low < high:
        middle = (low + high) // 2
        shorter = min(<size_t> c.terms.names[middle].length, <size_t> c.peer.name.length)
        order = memcmp(c.terms.names[middle].data, c.peer.name.data, shorter)
        if order == 0:
            if c.terms.names[middle].length == c.peer.name.length:
                return True
            order = -1 if c.terms.names[middle].length < c.peer.name.length else 1
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return False


cdef void _shake_hands(Connection* c, uint64_t now, Batch* batch) noexcept nogil:
    cdef int done = tls_handshake(c.ssl)
    if done == AGAIN_READ or done == AGAIN_WRITE:
        c.interest = EPOLLIN if done == AGAIN_READ else EPOLLOUT
        return
    c.interest = EPOLLIN
    if done == GONE:                # whoever asks whether a port is open says no more
        connection_end(c, Ending.ENDED_BY_CLIENT, batch)
        return
    if done == 1:
        c.peer.name.data = c.name
        c.peer.name.length = <uint32_t> tls_peer_name(c.ssl, c.name, NAME_ROOM)
        c.peer.denied = c.terms.guarded and not _on_list(c)
        if not _open(c, now):
            connection_end(c, Ending.ENDED_STALLED, batch)
        return
    stats_bump(&c.traffic.tls_failed, 1)
    connection_leave(c, Ending.ENDED_TLS, now, batch)


# --- reading

cdef size_t connection_read(Connection* c, uint8_t* slice, uint64_t since, Batch* batch) noexcept nogil:
    cdef ssize_t n
    cdef uint64_t now = batch.now
    cdef size_t room = READ_ROOM, taken = 0
    if c.state == State.LEAVING:
        n = transport_read(c.fd, NULL, slice, READ_ROOM)
        if n == GONE or n == FAILED:
            c.state = State.CLOSED
        return 0
    if c.state == State.HANDSHAKE:
        _shake_hands(c, now, batch)
    while c.state == State.OPEN and not c.last_words and room > 0:
        n = transport_read(c.fd, c.ssl, slice + taken, room)
        if n == GONE or n == FAILED:
            connection_end(c, Ending.ENDED_BY_CLIENT, batch)
        if n <= 0:
            c.interest = EPOLLOUT if n == AGAIN_WRITE else EPOLLIN
            break
        if session_receive(c.session, slice + taken, <size_t> n, since, batch) != 0:
            c.last_words, c.ending = True, <uint8_t> session_ending(c.session)
        taken += <size_t> n
        room -= <size_t> n
        if not transport_holds(c.ssl):      # what is left is for the next round: epoll reports it again
            break
        if room == 0:
            c.interest = EPOLLIN | EPOLLOUT     # a socket that takes bytes wakes us for those that it knows nothing of
    if taken:
        stats_bump(&c.traffic.bytes_in, taken)
        c.received += taken
        c.heard = now
        if c.session is not NULL:
            c.streams = session_open_streams(c.session)
    return taken


# --- writing

cdef void _keep(Connection* c, const uint8_t* data, size_t n, uint64_t now, Batch* batch) noexcept nogil:
    c.unsent = <uint8_t*> malloc(n)
    if c.unsent is NULL:
        connection_end(c, Ending.ENDED_STALLED, batch)
        return
    memcpy(c.unsent, data, n)
    c.unsent_from, c.unsent_to, c.moved = 0, n, now


# Writes data[:n]: returns how much of it was taken, fewer than n when the socket is full; or FAILED.
cdef ssize_t _write(Connection* c, const uint8_t* data, size_t n) noexcept nogil:
    cdef size_t done = 0
    cdef ssize_t taken
    while done < n:
        taken = transport_write(c.fd, c.ssl, data + done, n - done)
        if taken <= 0:
            if taken == FAILED:
                return FAILED
            c.interest = EPOLLIN if taken == AGAIN_READ else EPOLLOUT
            break
        done += <size_t> taken
    stats_bump(&c.traffic.bytes_out, done)
    return <ssize_t> done


# Writes what was kept. Returns whether nothing is left of it.
cdef bint _write_unsent(Connection* c, uint64_t now, Batch* batch) noexcept nogil:
    cdef ssize_t taken
    if c.unsent is NULL:
        return True
    taken = _write(c, c.unsent + c.unsent_from, c.unsent_to - c.unsent_from)
    if taken == FAILED:
        connection_end(c, Ending.ENDED_BY_CLIENT, batch)
        return False
    if taken > 0:
        c.moved = now
    c.unsent_from += <size_t> taken
    if c.unsent_from < c.unsent_to:
        return False
    free(c.unsent)
    c.unsent = NULL
    c.interest = EPOLLIN if c.ssl is NULL else EPOLLIN | EPOLLOUT      # for what TLS held back when we stopped reading
    return True


cdef void connection_flush(Connection* c, uint8_t* out, size_t room, uint64_t now, Batch* batch) noexcept nogil:
    cdef size_t n
    cdef ssize_t taken
    if c.state != State.OPEN or not _write_unsent(c, now, batch):
        return
    while True:
        n = session_gather(c.session, out, room)
        if n == 0:
            break
        taken = _write(c, out, n)
        if taken == FAILED:
            connection_end(c, Ending.ENDED_BY_CLIENT, batch)
            return
        if <size_t> taken < n:
            _keep(c, out + taken, n - <size_t> taken, now, batch)
            return
    c.streams = session_open_streams(c.session)
    if c.last_words or session_finished(c.session):
        connection_leave(c, c.ending or session_ending(c.session), now, batch)


# --- leaving

cdef void connection_end(Connection* c, uint32_t ending, Batch* batch) noexcept nogil:
    if c.state >= State.LEAVING:
        return
    _end_session(c, batch)
    c.state, c.ending = State.CLOSED, <uint8_t> ending
    stats_bump(&c.traffic.ended[ending], 1)
    if c.unsent is not NULL:
        reset_when_closed(c.fd)     # else the kernel keeps for a while what nobody takes


cdef void connection_leave(Connection* c, uint32_t ending, uint64_t now, Batch* batch) noexcept nogil:
    if c.state >= State.LEAVING:
        return
    connection_end(c, ending, batch)
    if c.ssl is not NULL:
        tls_end(c.ssl)
        c.ssl = NULL
    if shutdown(c.fd, SHUT_WR) == 0:    # a socket closed with bytes unread takes back what it has sent
        c.state, c.moved, c.interest = State.LEAVING, now, EPOLLIN


# --- the clock

cdef inline uint64_t _since(uint64_t now, uint64_t then) noexcept nogil:
    return now - then if now > then else 0


# Switches that came together do not leave together: up to a tenth more, by the lowest bits of when they came.
cdef inline uint64_t _age_of_leaving(const Connection* c) noexcept nogil:
    return c.terms.bounds.age_ns + c.opened % 1024 * (c.terms.bounds.age_ns // 10240)


cdef void _warn(Connection* c, uint32_t ending, uint64_t now) noexcept nogil:
    c.drain, c.drained, c.ending = Drain.WARNED, now, <uint8_t> ending
    session_goaway(c.session, False)


cdef bint connection_look(Connection* c, bint stopping, uint64_t now, Batch* batch) noexcept nogil:
    cdef const Bounds* bounds = &c.terms.bounds
    cdef bint late = _since(now, c.opened) > bounds.stall_ns
    if c.state == State.LEAVING:
        if _since(now, c.moved) <= LEAVE_NS:
            return False
        c.state = State.CLOSED
    elif c.state == State.HANDSHAKE:
        if not late:                # nor ended by a drain: it was accepted, and a call is about to come
            return False
        connection_end(c, Ending.ENDED_STALLED, batch)
    elif c.state == State.CLOSED:
        return False
    elif (late and c.received < GREETING) or (c.unsent is not NULL and _since(now, c.moved) > bounds.stall_ns):
        connection_end(c, Ending.ENDED_STALLED, batch)
    elif stopping and (c.drain == Drain.STAYS or c.ending != Ending.ENDED_DRAINED):
        _warn(c, Ending.ENDED_DRAINED, now)
    elif c.drain == Drain.WARNED and _since(now, c.drained) > WARNING_NS:
        c.drain, c.drained = Drain.LAST_STREAM_NAMED, now
        session_goaway(c.session, True)
    elif c.drain == Drain.LAST_STREAM_NAMED and not stopping and _since(now, c.drained) > bounds.stall_ns:
        connection_leave(c, c.ending, now, batch)
    elif c.drain == Drain.STAYS and bounds.age_ns and _since(now, c.opened) > _age_of_leaving(c):
        _warn(c, Ending.ENDED_AGE, now)
    elif c.drain == Drain.STAYS and bounds.idle_ns and c.streams == 0 and _since(now, c.heard) > bounds.idle_ns:
        c.last_words, c.ending = True, Ending.ENDED_IDLE
        session_goaway(c.session, True)
    else:
        return c.streams > 0 and session_expire(c.session, now - min(now, bounds.stall_ns)) > 0
    return True
