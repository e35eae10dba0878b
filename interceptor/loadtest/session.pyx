# The calls' way into HTTP/2 and back: requests, nghttp2's callbacks, the messages of a stream.
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy

from interceptor.dataplane.grpc cimport PREFIX, length_of, put_prefix
from interceptor.dataplane.nghttp2 cimport *
from interceptor.dataplane.wire cimport put_varint
from interceptor.loadtest.connection cimport MAX_MESSAGE, OPEN, OPENING, Asking, Connection, leave_place, take_place
from interceptor.loadtest.histogram cimport counts_bump
from interceptor.loadtest.tally cimport (
    ERROR_BYTES, NO_STATUS, STATUS_UNKNOWN, Call, tally_answer, tally_sent, tally_unanswered,
)
from interceptor.loadtest.wire cimport Field, read_field, varint_field, write_digits

cdef enum:
    WINDOW = 1 << 30            # the server may send so many bytes ahead: the generator reads all there is


# ------------------------------------------------------------------------------------------------- a session

cdef nghttp2_session_callbacks* callbacks_new() noexcept nogil:
    cdef nghttp2_session_callbacks* callbacks = NULL
    if nghttp2_session_callbacks_new(&callbacks) != 0:
        return NULL
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data)
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close)
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame)
    return callbacks


cdef bint session_open(Connection* c) noexcept nogil:
    cdef Asking* a = c.asking
    cdef nghttp2_settings_entry[2] settings
    cdef nghttp2_data_provider body
    settings[0].settings_id, settings[0].value = NGHTTP2_SETTINGS_ENABLE_PUSH, 0
    settings[1].settings_id, settings[1].value = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW
    if nghttp2_session_client_new2(&c.session, a.callbacks, c, a.option) != 0 \
            or nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, settings, 2) != 0 \
            or nghttp2_session_set_local_window_size(c.session, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0:
        return False
    if not a.streaming:
        return True
    body.source.ptr = NULL
    body.read_callback = give_staged
    c.stream = nghttp2_submit_request(c.session, NULL, a.header, a.headers, &body, NULL)
    return c.stream > 0


# ------------------------------------------------------------------------------------------------- asking

cdef inline uint32_t put_call(const Asking* a, const Call* call, uint8_t* out) noexcept nogil:
    cdef int64_t begin = a.offsets[call.request]
    cdef uint32_t size = <uint32_t>(a.offsets[call.request + 1] - begin)
    cdef int i
    memcpy(out, a.data + begin, size)
    for i in range(a.serials):
        write_digits(out + a.serial_at[i], a.serial_digits[i], call.number)
    return size


cdef inline uint32_t left_ms(const Asking* a, const Call* call) noexcept nogil:
    # of its deadline, rounded up; a call is not sent when there is nothing left
    cdef uint64_t taken_ms = (a.now - call.due_ns) // 1_000_000
    return <uint32_t>(a.deadline_ms - taken_ms) if taken_ms < a.deadline_ms else 1


cdef void keep_error(Asking* a, uint8_t status, const char* text, uint64_t n) noexcept nogil:
    if a.tally.error_status:
        return
    if n:
        a.tally.error_bytes = <uint32_t>min(n, <uint64_t>ERROR_BYTES)
        memcpy(a.tally.error, text, a.tally.error_bytes)
    a.tally.error_status = status


cdef bint session_ask(Connection* c, uint64_t due_ns, uint64_t number, uint32_t request) noexcept nogil:
    cdef Asking* a = c.asking
    cdef Call* call = take_place(c)
    cdef nghttp2_data_provider body
    cdef uint8_t* timeout
    cdef int32_t stream
    call.due_ns, call.number, call.request = due_ns, number, request
    call.measured = due_ns >= a.measured_from
    if a.streaming:
        stage_call(c, call)
    else:
        if a.deadline_ms:
            timeout = a.timeouts + 8 * left_ms(a, call)
            a.header[a.headers - 1].value = timeout + 1
            a.header[a.headers - 1].valuelen = timeout[0]
        body.source.ptr = call
        body.read_callback = give_call
        stream = nghttp2_submit_request(c.session, NULL, a.header, a.headers, &body, call)
        if stream < 0:          # its 2**30 stream numbers are used up, or there is no memory
            leave_place(c, call)
            c.leaving = True
            return False
        c.recent, c.recent_stream = call, stream
    tally_sent(a.tally, call, a.now)
    return True


cdef void stage_call(Connection* c, const Call* call) noexcept nogil:
    cdef uint8_t* begin = c.staged + c.staged_to
    cdef uint8_t* p = begin + PREFIX
    cdef const Asking* a = c.asking
    cdef int64_t size = a.offsets[call.request + 1] - a.offsets[call.request]
    p[0] = 0x08                 # id: the place, and its turn
    p = put_varint(p + 1, <uint64_t>(call - c.call) << 8 | call.turn)
    if a.deadline_ms:
        p[0] = 0x10
        p = put_varint(p + 1, left_ms(a, call))
    p[0] = 0x1A
    p = put_varint(p + 1, <uint64_t>size)
    p += put_call(a, call, p)
    put_prefix(begin, <uint32_t>(p - begin - PREFIX))
    c.staged_to += <size_t>(p - begin)
    if c.paused:
        c.paused = False
        nghttp2_session_resume_data(c.session, c.stream)


# ------------------------------------------------------------------------------------------------- callbacks of nghttp2

cdef ssize_t give_call(nghttp2_session* session, int32_t stream, uint8_t* out, size_t room, uint32_t* flags,
                       nghttp2_data_source* source, void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Asking* a = c.asking
    cdef Call* call = <Call*>source.ptr
    cdef uint32_t total = <uint32_t>(PREFIX + a.offsets[call.request + 1] - a.offsets[call.request])
    cdef uint32_t n = <uint32_t>min(room, <size_t>(total - call.written))
    cdef uint8_t* whole = out if n == total else a.scratch
    put_call(a, call, whole + PREFIX)
    put_prefix(whole, total - PREFIX)
    if whole != out:
        memcpy(out, whole + call.written, n)
    call.written += n
    if call.written == total:
        flags[0] |= NGHTTP2_DATA_FLAG_EOF
    return n


cdef ssize_t give_staged(nghttp2_session* session, int32_t stream, uint8_t* out, size_t room, uint32_t* flags,
                         nghttp2_data_source* source, void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef size_t n = min(room, c.staged_to - c.staged_from)
    if n == 0:
        c.paused = True
        return NGHTTP2_ERR_DEFERRED
    memcpy(out, c.staged + c.staged_from, n)
    c.staged_from += n
    if c.staged_from == c.staged_to:
        c.staged_from = c.staged_to = 0
    return <ssize_t>n


cdef inline Call* call_of(Connection* c, int32_t stream) noexcept nogil:    # unary; NULL: none of ours
    if stream != c.recent_stream:
        c.recent_stream = stream
        c.recent = <Call*>nghttp2_session_get_stream_user_data(c.session, stream)
    return c.recent


cdef int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_bytes,
                   const uint8_t* value, size_t value_bytes, uint8_t flags, void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Call* call
    cdef size_t i
    cdef uint32_t status = 0
    if name_bytes == 11 and memcmp(name, b"grpc-status", 11) == 0:
        for i in range(min(value_bytes, <size_t>3)):
            status = status * 10 + <uint32_t>(value[i] - 48)
        status = min(status, <uint32_t>NO_STATUS - 1)
        c.asking.told_status = <uint8_t>status
        call = NULL if c.asking.streaming else call_of(c, frame.hd.stream_id)
        if call != NULL:
            call.status = <uint8_t>status
    elif name_bytes == 12 and memcmp(name, b"grpc-message", 12) == 0:
        c.asking.told_bytes = <uint32_t>min(value_bytes, <size_t>ERROR_BYTES)
        memcpy(c.asking.told, value, c.asking.told_bytes)
    return 0


cdef int on_data(nghttp2_session* session, uint8_t flags, int32_t stream, const uint8_t* chunk, size_t n,
                 void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Call* call
    if c.asking.streaming:
        read_replies(c, chunk, n)
        return 0
    call = call_of(c, stream)
    if call != NULL and call.seen < sizeof(call.head):
        n = min(n, sizeof(call.head) - call.seen)
        memcpy(call.head + call.seen, chunk, n)
        call.seen += <uint8_t>n
    return 0


cdef int on_stream_close(nghttp2_session* session, int32_t stream, uint32_t code, void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Asking* a = c.asking
    cdef Call* call
    if a.streaming:
        c.broken = True         # the one stream it is for
        return 0
    call = call_of(c, stream)
    c.recent, c.recent_stream = NULL, 0
    if call == NULL:
        return 0
    if call.status == NO_STATUS and code == NGHTTP2_NO_ERROR:
        call.status = STATUS_UNKNOWN    # an answer of HTTP, not of gRPC
    if call.status == NO_STATUS:
        tally_unanswered(a.tally, call, &a.tally.reset)
    else:
        # Every encoder writes the verdict, field 1, first.
        tally_answer(a.tally, call, call.status,
                     <uint8_t>varint_field(call.head + min(PREFIX, call.seen), call.head + call.seen, 1), a.now)
        if call.status:
            keep_error(a, call.status, a.told, a.told_bytes)
    a.told_bytes = 0
    leave_place(c, call)
    return 0


cdef int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    if c.asking.streaming and frame.hd.stream_id and frame.hd.flags & NGHTTP2_FLAG_END_STREAM:
        keep_error(c.asking, c.asking.told_status, c.asking.told, c.asking.told_bytes)
        c.broken = True         # the server wants no more of the one stream the connection is for
    elif frame.hd.type == NGHTTP2_GOAWAY:
        c.leaving = True
    elif frame.hd.type == NGHTTP2_SETTINGS and not frame.hd.flags & NGHTTP2_FLAG_ACK:
        c.room = c.asking.in_flight
        if not c.asking.streaming:
            c.room = min(c.room, nghttp2_session_get_remote_settings(
                session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
        if c.stage == OPENING:
            c.stage = OPEN
            counts_bump(&c.asking.tally.opened, 1)
    return 0


# ------------------------------------------------------------------------------------------------- replies of a stream

cdef void read_replies(Connection* c, const uint8_t* p, size_t n) noexcept nogil:
    cdef size_t need, take
    while n and not c.broken:
        if c.piece_bytes == 0 and n >= PREFIX and n - PREFIX >= length_of(p):
            need = <size_t>PREFIX + length_of(p)
            read_reply(c, p + PREFIX, p + need)
            p += need
            n -= need
            continue
        need = PREFIX
        if c.piece_bytes >= PREFIX:
            need += length_of(c.piece)
        take = min(n, need - c.piece_bytes)
        memcpy(c.piece + c.piece_bytes, p, take)
        c.piece_bytes += <uint32_t>take
        p += take
        n -= take
        if c.piece_bytes < PREFIX:
            return
        need = <size_t>PREFIX + length_of(c.piece)
        if need > MAX_MESSAGE:
            c.broken = True
        elif c.piece_bytes == need:
            c.piece_bytes = 0
            read_reply(c, c.piece + PREFIX, c.piece + need)


cdef void read_reply(Connection* c, const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef Asking* a = c.asking
    cdef Field field, text
    cdef uint64_t identity = 0, verdict = 0, status = STATUS_UNKNOWN    # an answer that holds nothing
    cdef Call* call
    text.data, text.value = NULL, 0
    while p < end:
        p = read_field(p, end, &field)
        if p == NULL:
            c.broken = True
            return
        if field.tag == 0x08:
            identity = field.value
        elif field.tag == 0x12:
            status = 0
            verdict = varint_field(field.data, p, 1)
        elif field.tag == 0x1A:
            status = varint_field(field.data, p, 1)
            text = field
    if identity >> 8 >= c.fresh:
        counts_bump(&a.tally.unexpected, 1)
        return
    call = &c.call[identity >> 8]
    if not call.open or call.turn != (identity & 255):
        counts_bump(&a.tally.unexpected, 1)
        return
    tally_answer(a.tally, call, <uint8_t>min(status, <uint64_t>NO_STATUS), <uint8_t>min(verdict, <uint64_t>255), a.now)
    if status:
        keep_call_error(a, <uint8_t>min(status, <uint64_t>NO_STATUS), text)
    leave_place(c, call)


cdef void keep_call_error(Asking* a, uint8_t status, Field error) noexcept nogil:
    cdef const uint8_t* p = error.data
    cdef const uint8_t* end = p + error.value
    cdef Field field
    while p != NULL and p < end:
        p = read_field(p, end, &field)
        if p != NULL and field.tag == 0x12:
            keep_error(a, status, <const char*>field.data, field.value)
            return
    keep_error(a, status, NULL, 0)
