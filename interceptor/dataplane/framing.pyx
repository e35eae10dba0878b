# Length-prefixed messages of DATA frames (contract: framing.pxd). A stream holds at most one incomplete message, of as
# many bytes as have come, and, when its replies wait, one window of what has come since.
from interceptor.dataplane.exchanges cimport Session, Stream, keep, unsent
from interceptor.dataplane.grpc cimport PREFIX, length_of
from interceptor.dataplane.nghttp2 cimport NGHTTP2_INTERNAL_ERROR, nghttp2_session_consume_stream
from interceptor.dataplane.replies cimport conclude, reset
from interceptor.dataplane.words cimport (
    BATCH,
    CODE_INTERNAL,
    CODE_OK,
    CODE_RESOURCE_EXHAUSTED,
    CODE_UNIMPLEMENTED,
    METHOD_DECIDE_STREAM,
    Batch,
    Exchange,
    Request,
)
from interceptor.engine.stats cimport stats_bump
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memmove, strlen


cdef void queue(Stream* stream, const uint8_t* message, uint32_t length, bint copied) noexcept nogil:
    cdef Session* session = stream.session
    cdef Batch* batch = session.batch
    cdef Request* request
    if batch.n == BATCH or (copied and length > batch.room_bytes - batch.kept):
        batch.answer(batch, batch.desk)
    if copied:
        memcpy(batch.room + batch.kept, message, length)
        message = batch.room + batch.kept
        batch.kept += length
    if stream.queued == 0:
        stream.first = batch.n
    stream.queued += 1
    request = &batch.request[batch.n]
    batch.n += 1
    request.exchange = <Exchange*>stream
    request.peer = session.peer
    request.data = message
    request.length = length
    request.method = stream.method
    request.arrived_ns = stream.arrived_ns
    request.deadline_ns = stream.deadline_ns
    session.idle_frames = 0


cdef void give_up(Stream* stream, uint8_t code, const char* why) noexcept nogil:
    conclude(stream, code, why, <uint32_t>strlen(why))


cdef bint acceptable(Stream* stream, const uint8_t* prefix) noexcept nogil:
    cdef Session* session = stream.session
    cdef char[128] text
    if prefix[0] != 0:
        if prefix[0] == 1:      # with a grpc-encoding the call would not have come this far
            give_up(stream, CODE_INTERNAL, b"a message is marked as compressed, but the call has no grpc-encoding")
        else:
            give_up(stream, CODE_INTERNAL, b"the first byte of a message must be 0 or 1 (is it compressed?)")
        return False
    if length_of(prefix) > session.bounds.max_message:
        stats_bump(&session.traffic.oversize, 1)
        snprintf(text, sizeof(text), b"a message of %u bytes is larger than the maximum of %u bytes",
                 length_of(prefix), session.bounds.max_message)
        give_up(stream, CODE_RESOURCE_EXHAUSTED, text)
        return False
    return True


cdef inline void complete(Stream* stream, const uint8_t* message, uint32_t length, bint copied) noexcept nogil:
    # A unary call's message waits for the end of the stream, so that a call with two is not half decided.
    if stream.method == METHOD_DECIDE_STREAM:
        stats_bump(&stream.session.traffic.messages_in, 1)
        queue(stream, message, length, copied)
    elif stream.message != NULL:
        give_up(stream, CODE_UNIMPLEMENTED, b"the method takes one message, the client sent more")
    else:
        stream.message = message
        stream.length = length


cdef inline bint full(const Stream* stream) noexcept nogil:
    return unsent(stream) > stream.session.bounds.max_unsent


cdef inline void keep_or_reset(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil:
    if not keep(stream, data, n):
        reset(stream, NGHTTP2_INTERNAL_ERROR)


cdef void hold(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil:
    if not stream.holding:
        stream.holding = True
        stream.session.n_holding += 1
    stream.arrived_ns = stream.session.now
    stream.owed += n
    keep_or_reset(stream, data, n)


cdef uint32_t take_kept(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil:
    # Completes what is kept with as much of the data as it lacks. Returns how much that was.
    cdef uint32_t used, lacking = 0
    if stream.kept_n < PREFIX:
        lacking = min(n, PREFIX - stream.kept_n)
        keep_or_reset(stream, data, lacking)
        if stream.abandoned or stream.kept_n < PREFIX or not acceptable(stream, stream.kept):
            return n
    used = lacking
    lacking = min(n - used, PREFIX + length_of(stream.kept) - stream.kept_n)
    keep_or_reset(stream, data + used, lacking)
    used += lacking
    if stream.abandoned:
        return n
    if stream.kept_n == PREFIX + length_of(stream.kept):
        complete(stream, stream.kept + PREFIX, stream.kept_n - PREFIX, True)
        if stream.method == METHOD_DECIDE_STREAM:
            stream.kept_n = 0
    return used


cdef void take(Stream* stream, const uint8_t* data, uint32_t n) noexcept nogil:
    cdef Session* session = stream.session
    cdef uint32_t length, used, left = n
    if stream.concluding or stream.abandoned:
        return
    if session.borrowing != NULL:
        stop_borrowing(session)
    while left:
        if stream.holding or (stream.method == METHOD_DECIDE_STREAM and full(stream)):
            hold(stream, data, left)
            break
        if stream.message != NULL:
            give_up(stream, CODE_UNIMPLEMENTED, b"the method takes one message, the client sent more")
            break
        if stream.kept_n:
            used = take_kept(stream, data, left)
        else:
            if stream.method == METHOD_DECIDE_STREAM:
                stream.arrived_ns = session.now
            if left < PREFIX:
                keep_or_reset(stream, data, left)
                break
            if not acceptable(stream, data):
                break
            length = length_of(data)
            if left - PREFIX < length:
                keep_or_reset(stream, data, left)
                break
            used = PREFIX + length
            complete(stream, data + PREFIX, length, False)
            if stream.method != METHOD_DECIDE_STREAM:
                session.borrowing = stream
        if stream.concluding or stream.abandoned:
            break
        data += used
        left -= used
    if stream.concluding or stream.abandoned:
        return
    if not stream.holding:
        left = 0
    if n > left and stream.message == NULL:     # a complete unary call asks for no more
        nghttp2_session_consume_stream(session.http, stream.id, n - left)


cdef void stop_borrowing(Session* session) noexcept nogil:
    cdef Stream* stream = session.borrowing
    session.borrowing = NULL
    if stream.message == NULL:
        return
    keep_or_reset(stream, stream.message - PREFIX, PREFIX + stream.length)
    stream.message = stream.kept + PREFIX if not stream.abandoned else NULL


cdef void take_end(Stream* stream) noexcept nogil:
    cdef Session* session = stream.session
    stream.ended = True
    if stream.concluding or stream.abandoned or stream.holding:
        return
    if stream.method == METHOD_DECIDE_STREAM:
        if stream.kept_n:
            give_up(stream, CODE_INTERNAL, b"the call ends in the middle of a message")
        else:
            conclude(stream, CODE_OK, NULL, 0)
    elif stream.message != NULL:
        queue(stream, stream.message, stream.length, session.borrowing != stream)
        stream.message = NULL
        stream.kept_n = 0
        if session.borrowing == stream:
            session.borrowing = NULL
    elif stream.kept_n:
        give_up(stream, CODE_INTERNAL, b"the call ends in the middle of a message")
    else:
        give_up(stream, CODE_UNIMPLEMENTED, b"the method takes one message, the client sent none")


cdef void take_held(Stream* stream) noexcept nogil:
    cdef uint32_t left, length, freed, at = 0
    cdef bint all_taken = False
    while not full(stream):
        left = stream.kept_n - at
        all_taken = left < PREFIX
        if all_taken:
            break
        if not acceptable(stream, stream.kept + at):
            return
        length = length_of(stream.kept + at)
        all_taken = left - PREFIX < length
        if all_taken:
            break
        complete(stream, stream.kept + at + PREFIX, length, True)
        if stream.concluding or stream.abandoned:
            return
        at += PREFIX + length
    stream.kept_n -= at
    memmove(stream.kept, stream.kept + at, stream.kept_n)
    freed = stream.owed if all_taken else min(stream.owed, at)
    stream.owed -= freed
    if all_taken:
        stream.holding = False
        stream.session.n_holding -= 1
        if stream.ended:
            take_end(stream)
            return
    if freed:
        nghttp2_session_consume_stream(stream.session.http, stream.id, freed)


cdef void session_resume(Session* session, uint64_t now, Batch* batch) noexcept nogil:
    cdef Stream* stream = session.open
    session.now = now
    session.batch = batch
    while stream != NULL and session.n_holding:
        if stream.holding and not stream.abandoned:
            take_held(stream)
        stream = stream.after
