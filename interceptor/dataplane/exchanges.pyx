# Streams of a connection: input that is incomplete, output that waits (contract: exchanges.pxd).
from interceptor.dataplane.exchanges cimport INLINE, Session, Stream, no_length, spares_of, unsent
from interceptor.dataplane.spares cimport spare_free, spare_malloc, spare_realloc
from interceptor.dataplane.words cimport CODE_CANCELLED, METHOD_UNKNOWN, Batch, Exchange
from interceptor.engine.stats cimport stats_bump
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

cdef enum:
    SMALLEST = 256              # bytes first asked for

if sizeof((<Stream*>NULL).inline) != INLINE:
    raise ImportError("interceptor.dataplane.exchanges: struct layout differs from what the kernel was written for")


cdef inline size_t head_size() noexcept nogil:
    return sizeof(Stream) - INLINE


cdef Stream* stream_open(Session* session, int32_t identity) noexcept nogil:
    cdef Stream* stream = <Stream*>spare_malloc(spares_of(session), sizeof(Stream))
    if stream == NULL:
        return NULL
    memset(stream, 0, head_size())
    stream.session = session
    stream.id = identity
    stream.method = METHOD_UNKNOWN
    stream.refused_media = True
    stream.announced = no_length()
    stream.arrived_ns = session.now
    stream.out = stream.inline
    stream.out_room = INLINE
    stream.after = session.open
    if session.open != NULL:
        session.open.before = stream
    session.open = stream
    session.n_open += 1
    return stream


cdef void withdraw(Stream* stream) noexcept nogil:
    cdef Batch* batch = stream.session.batch
    cdef Exchange* exchange = <Exchange*>stream
    cdef uint32_t i
    for i in range(stream.first, batch.n):
        if batch.request[i].exchange == exchange:
            batch.request[i].exchange = NULL
            stream.queued -= 1
            if stream.queued == 0:
                return


cdef void stream_close(Stream* stream) noexcept nogil:
    cdef Session* session = stream.session
    if stream.queued:
        withdraw(stream)
    if not stream.settled:
        stats_bump(&session.traffic.requests[stream.method][<int>CODE_CANCELLED], 1)
    session.n_holding -= stream.holding
    if session.current == stream:
        session.current = NULL
    if session.borrowing == stream:
        session.borrowing = NULL
    if stream.before != NULL:
        stream.before.after = stream.after
    else:
        session.open = stream.after
    if stream.after != NULL:
        stream.after.before = stream.before
    session.n_open -= 1
    spare_free(spares_of(session), stream.kept)
    spare_free(spares_of(session), stream.text)
    if stream.out != stream.inline:
        spare_free(spares_of(session), stream.out)
    spare_free(spares_of(session), stream)


cdef inline uint32_t grown(uint32_t room, uint64_t wanted) noexcept nogil:
    # Twice as much as before, or what is wanted: what comes in small pieces is not copied for each. 0: too much.
    cdef uint64_t size = max(2 * <uint64_t>room, wanted)
    return <uint32_t>max(size, <uint64_t>SMALLEST) if size < <uint64_t>1 << 32 else 0


cdef bint keep(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil:
    cdef uint64_t wanted = <uint64_t>stream.kept_n + n
    cdef uint32_t room
    cdef void* moved
    if wanted > stream.kept_room:
        room = grown(stream.kept_room, wanted)
        moved = spare_realloc(spares_of(stream.session), stream.kept, room) if room else NULL
        if moved == NULL:
            return False
        stream.kept = <uint8_t*>moved
        stream.kept_room = room
    memcpy(stream.kept + stream.kept_n, data, n)
    stream.kept_n += n
    return True


cdef uint8_t* room_for(Stream* stream, uint32_t n) noexcept nogil:
    cdef uint32_t held = unsent(stream), room
    cdef uint8_t* larger
    if stream.out_n + <uint64_t>n > stream.out_room:
        if held + <uint64_t>n <= stream.out_room:
            memmove(stream.out, stream.out + stream.out_at, held)
        else:
            room = grown(stream.out_room, held + <uint64_t>n)
            larger = <uint8_t*>spare_malloc(spares_of(stream.session), room) if room else NULL
            if larger == NULL:
                return NULL
            memcpy(larger, stream.out + stream.out_at, held)
            if stream.out != stream.inline:
                spare_free(spares_of(stream.session), stream.out)
            stream.out = larger
            stream.out_room = room
        stream.out_at = 0
        stream.out_n = held
    if held == 0:
        stream.unsent_ns = stream.session.now
    stream.out_n += n
    return stream.out + stream.out_n - n
