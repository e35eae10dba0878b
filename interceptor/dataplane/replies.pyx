# Replies on a stream (contract: replies.pxd). What never changes is handed to nghttp2 without a copy.
from interceptor.dataplane.exchanges cimport Session, Stream, room_for, spares_of, unsent
from interceptor.dataplane.grpc cimport MAX_STATUS_MESSAGE, PREFIX, encode_message, put_prefix
from interceptor.dataplane.nghttp2 cimport (
    NGHTTP2_DATA_FLAG_EOF,
    NGHTTP2_DATA_FLAG_NO_END_STREAM,
    NGHTTP2_ERR_DEFERRED,
    NGHTTP2_FLAG_NONE,
    NGHTTP2_INTERNAL_ERROR,
    NGHTTP2_NV_FLAG_NO_COPY_NAME,
    NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    NGHTTP2_NV_FLAG_NO_INDEX,
    nghttp2_data_provider,
    nghttp2_data_source,
    nghttp2_nv,
    nghttp2_session,
    nghttp2_session_resume_data,
    nghttp2_submit_response,
    nghttp2_submit_rst_stream,
    nghttp2_submit_trailer,
)
from interceptor.dataplane.spares cimport spare_malloc
from interceptor.dataplane.words cimport (
    CODE_OK,
    CODE_UNAVAILABLE,
    HEALTH_NOT_SERVING,
    HEALTH_SERVING,
    METHOD_DECIDE_STREAM,
    METHOD_HEALTH_WATCH,
    N_CODES,
    Request,
)
from interceptor.engine.stats cimport stats_bump
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memcpy, strlen

ctypedef const char* Literal

cdef Literal[17] NUMBERS        # by Code
NUMBERS[:] = [
    b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"10", b"11", b"12", b"13", b"14", b"15", b"16",
]
if len(NUMBERS) != N_CODES:
    raise ImportError("interceptor.dataplane.replies: a status has no number")

cdef const char* LEAVING = b"this connection ends: watch on another"
cdef nghttp2_nv[2] RESPONSE
cdef nghttp2_nv[1] TRAILER_OK


cdef inline void put_field(nghttp2_nv* field, const char* name, const char* value) noexcept nogil:
    field.name = <uint8_t*>name
    field.namelen = strlen(name)
    field.value = <uint8_t*>value
    field.valuelen = strlen(value)
    field.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE

put_field(&RESPONSE[0], b":status", b"200")
put_field(&RESPONSE[1], b"content-type", b"application/grpc")
put_field(&TRAILER_OK[0], b"grpc-status", b"0")


cdef inline int put_status(const Stream* stream, nghttp2_nv* fields) noexcept nogil:
    # How many fields of 3.
    cdef int n = 1
    put_field(&fields[0], b"grpc-status", NUMBERS[stream.code])
    if stream.text_n:
        fields[n].name = <uint8_t*><char*>b"grpc-message"
        fields[n].namelen = 12
        fields[n].value = <uint8_t*>stream.text
        fields[n].valuelen = stream.text_n
        # copied, as the stream may be gone before its last frame; not indexed: it would push out what every reply has
        fields[n].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX
        n += 1
    if stream.encoded:
        put_field(&fields[n], b"grpc-accept-encoding", b"identity")
        n += 1
    return n


cdef void reset(Stream* stream, uint32_t error_code) noexcept nogil:
    stream.abandoned = True
    nghttp2_submit_rst_stream(stream.session.http, NGHTTP2_FLAG_NONE, stream.id, error_code)


cdef ssize_t send_replies(nghttp2_session* http, int32_t identity, uint8_t* buf, size_t length, uint32_t* flags,
                          nghttp2_data_source* source, void* user_data) noexcept nogil:
    cdef Stream* stream = <Stream*>source.ptr
    cdef nghttp2_nv[3] fields
    cdef uint32_t n = <uint32_t>min(length, <size_t>unsent(stream))
    cdef int submitted
    if n == 0 and not stream.settled:
        stream.waiting = True
        return NGHTTP2_ERR_DEFERRED
    memcpy(buf, stream.out + stream.out_at, n)
    stream.out_at += n
    if stream.out_at != stream.out_n:
        stream.unsent_ns = stream.session.now
        return n
    stream.out_at = stream.out_n = 0
    if stream.settled:
        flags[0] |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM
        if stream.code == CODE_OK:
            submitted = nghttp2_submit_trailer(http, identity, TRAILER_OK, 1)
        else:
            submitted = nghttp2_submit_trailer(http, identity, fields, put_status(stream, fields))
        if submitted != 0:
            reset(stream, NGHTTP2_INTERNAL_ERROR)
    return n


cdef void respond(Stream* stream) noexcept nogil:
    # The response begins, or goes on.
    cdef nghttp2_data_provider provider
    if not stream.responded:
        stream.responded = True
        provider.source.ptr = stream
        provider.read_callback = send_replies
        if nghttp2_submit_response(stream.session.http, stream.id, RESPONSE, 2, &provider) != 0:
            reset(stream, NGHTTP2_INTERNAL_ERROR)
    elif stream.waiting:
        stream.waiting = False
        nghttp2_session_resume_data(stream.session.http, stream.id)


cdef void settle(Stream* stream) noexcept nogil:
    # Its status is counted, and follows what is unsent.
    cdef nghttp2_nv[5] fields
    cdef int n
    stream.settled = True
    stats_bump(&stream.session.traffic.requests[stream.method][stream.code], 1)
    if stream.responded or unsent(stream):
        respond(stream)
        return
    stream.responded = True
    fields[0] = RESPONSE[0]
    fields[1] = RESPONSE[1]
    n = 2 + put_status(stream, fields + 2)
    if nghttp2_submit_response(stream.session.http, stream.id, fields, n, NULL) != 0:
        reset(stream, NGHTTP2_INTERNAL_ERROR)


cdef void conclude(Stream* stream, uint8_t code, const char* message, uint32_t length) noexcept nogil:
    if stream.settled or stream.abandoned:
        return
    if stream.code == CODE_OK:              # the first thing that is wrong is what the client hears
        stream.code = code
        if length:
            stream.text = <char*>spare_malloc(spares_of(stream.session), 3 * MAX_STATUS_MESSAGE)
            if stream.text != NULL:         # without memory the code has to say it all
                stream.text_n = encode_message(message, length, stream.text)
    stream.concluding = True
    stream.message = NULL
    stream.kept_n = 0
    stream.session.n_holding -= stream.holding
    stream.holding = False
    if stream.queued == 0:
        settle(stream)


cdef void conclude_plainly(Stream* stream, uint32_t status, uint8_t code) noexcept nogil:
    cdef nghttp2_nv[2] fields
    cdef int n = 1
    put_field(&fields[0], b":status", b"415")
    if status == 405:
        put_field(&fields[0], b":status", b"405")
        put_field(&fields[1], b"allow", b"POST")
        n = 2
    stream.concluding = stream.settled = stream.responded = True
    stats_bump(&stream.session.traffic.requests[stream.method][code], 1)
    if nghttp2_submit_response(stream.session.http, stream.id, fields, n, NULL) != 0:
        reset(stream, NGHTTP2_INTERNAL_ERROR)


cdef inline bint put_message(Stream* stream, const uint8_t* message, uint32_t length) noexcept nogil:
    cdef uint8_t* out = room_for(stream, PREFIX + length)
    if out == NULL:
        reset(stream, NGHTTP2_INTERNAL_ERROR)
        return False
    put_prefix(out, length)
    memcpy(out + PREFIX, message, length)
    return True


cdef inline Stream* answered(Request* request) noexcept nogil:
    # The stream of a request that is answered now; NULL: it is there no more.
    cdef Stream* stream = <Stream*>request.exchange
    if stream == NULL:
        return NULL
    request.exchange = NULL
    stream.queued -= 1
    return NULL if stream.abandoned else stream


cdef void reply(Request* request, const uint8_t* message, uint32_t length) noexcept nogil:
    cdef Stream* stream = answered(request)
    if stream == NULL or not put_message(stream, message, length):
        return
    if stream.method == METHOD_DECIDE_STREAM:
        if stream.concluding and stream.queued == 0:
            settle(stream)
        else:
            respond(stream)
    elif stream.method == METHOD_HEALTH_WATCH:
        stream.serving = message[length - 1] if length else 0
        respond(stream)
    else:
        stream.concluding = True
        settle(stream)


cdef void refuse(Request* request, uint32_t code, const char* message, uint32_t length) noexcept nogil:
    cdef Stream* stream = answered(request)
    if stream != NULL:
        conclude(stream, <uint8_t>code, message, length)


cdef void watch_all(Session* session, bint serving) noexcept nogil:
    cdef uint8_t status = HEALTH_SERVING if serving else HEALTH_NOT_SERVING
    cdef uint8_t[2] message
    cdef Stream* stream = session.open
    message[0] = 0x08                   # HealthCheckResponse.status, a varint
    message[1] = status
    while stream != NULL:
        # one of a service that is not here, or that takes nothing, hears nothing more
        if (stream.method == METHOD_HEALTH_WATCH and stream.serving != status and not stream.abandoned
                and stream.serving in (HEALTH_SERVING, HEALTH_NOT_SERVING)
                and unsent(stream) <= session.bounds.max_unsent and put_message(stream, message, 2)):
            stream.serving = status
            respond(stream)
        stream = stream.after


cdef void watch_end(Session* session) noexcept nogil:
    cdef Stream* stream = session.open
    while stream != NULL:
        if stream.method == METHOD_HEALTH_WATCH and stream.responded:
            conclude(stream, CODE_UNAVAILABLE, LEAVING, <uint32_t>strlen(LEAVING))
        stream = stream.after
