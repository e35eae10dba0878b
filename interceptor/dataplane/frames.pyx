# What each frame of a client does (contract: frames.pxd): what nghttp2 calls back with, and what a client may do to us
# before it has to go.
from interceptor.dataplane.exchanges cimport Session, Stream, no_length, spares_of, stream_close, stream_open
from interceptor.dataplane.fields cimport read_field, well_formed
from interceptor.dataplane.frames cimport beyond_help
from interceptor.dataplane.framing cimport take, take_end
from interceptor.dataplane.nghttp2 cimport (
    ic_leave_defence_to_us,
    NGHTTP2_CONTINUATION,
    NGHTTP2_DATA,
    NGHTTP2_ENHANCE_YOUR_CALM,
    NGHTTP2_ERR_CALLBACK_FAILURE,
    NGHTTP2_ERR_REFUSED_STREAM,
    NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE,
    NGHTTP2_FLAG_END_STREAM,
    NGHTTP2_FLAG_NONE,
    NGHTTP2_GOAWAY,
    NGHTTP2_HCAT_REQUEST,
    NGHTTP2_HEADERS,
    NGHTTP2_NO_ERROR,
    NGHTTP2_PROTOCOL_ERROR,
    NGHTTP2_RST_STREAM,
    nghttp2_frame,
    nghttp2_frame_hd,
    nghttp2_mem,
    nghttp2_option,
    nghttp2_option_new,
    nghttp2_option_set_max_outbound_ack,
    nghttp2_option_set_max_settings,
    nghttp2_option_set_no_auto_window_update,
    nghttp2_option_set_no_closed_streams,
    nghttp2_option_set_no_http_messaging,
    nghttp2_session,
    nghttp2_session_callbacks,
    nghttp2_session_callbacks_new,
    nghttp2_session_callbacks_set_on_begin_frame_callback,
    nghttp2_session_callbacks_set_on_begin_headers_callback,
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback,
    nghttp2_session_callbacks_set_on_frame_recv_callback,
    nghttp2_session_callbacks_set_on_frame_send_callback,
    nghttp2_session_callbacks_set_on_header_callback,
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback,
    nghttp2_session_callbacks_set_on_stream_close_callback,
    nghttp2_session_get_stream_user_data,
    nghttp2_session_server_new3,
    nghttp2_session_set_stream_user_data,
    nghttp2_session_terminate_session,
    nghttp2_submit_rst_stream,
)
from interceptor.dataplane.replies cimport conclude, conclude_plainly, reset
from interceptor.dataplane.spares cimport spare_calloc, spare_free, spare_malloc, spare_realloc
from interceptor.dataplane.words cimport (
    CODE_INTERNAL,
    CODE_INVALID_ARGUMENT,
    CODE_RESOURCE_EXHAUSTED,
    CODE_UNIMPLEMENTED,
    ENDED_ABUSE,
    METHOD_DECIDE_STREAM,
    METHOD_UNKNOWN,
)
from interceptor.engine.stats cimport stats_bump
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport strlen

cdef enum:
    FIELD_OVERHEAD = 32         # bytes a field counts beside its texts (RFC 9113 section 6.5.2)
    FRAGMENT = 256              # bytes a piece of a header block counts at least
    BLOCK_SLACK = 16384         # one frame of a header block that is over the bound is still answered in words
    SHORTEST_NS = 1000000       # a deadline below is nobody's
    MAX_IDLE_FRAMES = 1000      # empty DATA frames in a row
    MAX_ACKS = 1000             # of PING and SETTINGS, that wait to be sent
    MAX_SETTINGS = 32           # in one frame

cdef nghttp2_session_callbacks* CALLBACKS = NULL
cdef nghttp2_option* OPTIONS = NULL


cdef int abused(Session* session) noexcept nogil:
    if not beyond_help(session):
        session.ending = ENDED_ABUSE
        nghttp2_session_terminate_session(session.http, NGHTTP2_ENHANCE_YOUR_CALM)
    return NGHTTP2_ERR_CALLBACK_FAILURE


cdef int one_more(Session* session, uint64_t* until, uint32_t at_once) noexcept nogil:
    cdef uint64_t interval = session.interval_ns
    until[0] = max(until[0], session.batch.now) + interval
    return abused(session) if until[0] - session.batch.now > interval * at_once else 0


cdef int one_reset(Session* session) noexcept nogil:
    # Counts a stream that the client reset, or made us reset.
    return one_more(session, &session.resets_until, session.bounds.max_resets)


cdef int given_up(Stream* stream) noexcept nogil:
    # A client that gives up when its time is over does what it should; of resets it makes sooner there are few. Where
    # we did not run meanwhile, calls and their ends are read at once and nobody can tell: but then no more of them
    # come than may be open at once.
    cdef Session* session = stream.session
    cdef uint64_t had = stream.deadline_ns - stream.arrived_ns
    if stream.deadline_ns == 0 or had < SHORTEST_NS:
        return one_reset(session)
    if session.batch.now - stream.arrived_ns >= had // 4 * 3:
        return 0
    return one_more(session, &session.expired_until, session.bounds.max_streams)


cdef inline Stream* stream_of(Session* session, int32_t identity) noexcept nogil:
    # One HTTP/2 stream's frames tend to come together.
    if session.current == NULL or session.current.id != identity:
        session.current = <Stream*>nghttp2_session_get_stream_user_data(session.http, identity)
    return session.current


cdef int on_begin_frame(nghttp2_session* http, const nghttp2_frame_hd* hd, void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    if hd.type == NGHTTP2_HEADERS or hd.type == NGHTTP2_CONTINUATION:
        if hd.type == NGHTTP2_HEADERS:
            session.block = 0
        session.block += <uint32_t>max(hd.length, <size_t>FRAGMENT)
        if session.block > 2 * <uint64_t>session.bounds.max_headers + BLOCK_SLACK:
            return abused(session)
    elif hd.type == NGHTTP2_DATA and hd.length == 0 and not hd.flags & NGHTTP2_FLAG_END_STREAM:
        session.idle_frames += 1
        if session.idle_frames > MAX_IDLE_FRAMES:
            return abused(session)
    return 0


cdef int on_begin_headers(nghttp2_session* http, const nghttp2_frame* frame, void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    cdef Stream* stream
    if frame.headers.cat == NGHTTP2_HCAT_REQUEST:
        session.current = NULL
        if frame.hd.stream_id > session.last:       # GOAWAY will tell the client that it may ask elsewhere
            return 0
        stream = stream_open(session, frame.hd.stream_id)
        if stream == NULL:
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
        nghttp2_session_set_stream_user_data(http, frame.hd.stream_id, stream)
        session.current = stream
    else:
        stream = stream_of(session, frame.hd.stream_id)
        if stream != NULL:
            stream.trailing = True
            stream.fields = 0
    return 0


cdef int on_header(nghttp2_session* http, const nghttp2_frame* frame, const uint8_t* name, size_t n,
                   const uint8_t* value, size_t length, uint8_t flags, void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    cdef Stream* stream = stream_of(session, frame.hd.stream_id)    # others may have closed since its frame began
    if stream == NULL:
        return 0
    stream.fields += <uint32_t>(n + length + FIELD_OVERHEAD)
    if stream.fields > session.bounds.max_headers:
        stream.too_long = True
        if stream.fields > 4 * <uint64_t>session.bounds.max_headers:    # a bomb: the rest is not even looked at
            stats_bump(&session.traffic.oversize, 1)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    read_field(stream, name, n, value, length)
    return 0


cdef void judge(Stream* stream) noexcept nogil:
    # A call is refused for its headers, or not.
    cdef Session* session = stream.session
    cdef char[320] text
    cdef const char* why = text
    cdef uint8_t code = CODE_UNIMPLEMENTED
    if stream.too_long:
        stats_bump(&session.traffic.oversize, 1)
        code = CODE_RESOURCE_EXHAUSTED
        snprintf(text, sizeof(text), b"the header list is larger than the maximum of %u bytes",
                 session.bounds.max_headers)
    elif not stream.posted:
        conclude_plainly(stream, 405, CODE_INVALID_ARGUMENT)
        return
    elif stream.refused_media:
        conclude_plainly(stream, 415, CODE_INVALID_ARGUMENT)
        return
    elif stream.method == METHOD_UNKNOWN:
        snprintf(text, sizeof(text), b"unknown method %.*s", <int>stream.length, <char*>stream.inline)
    elif stream.bad_timeout:
        code = CODE_INTERNAL
        why = b"malformed grpc-timeout: it is 1 to 8 digits and one of H, M, S, m, u, n"
    elif stream.encoded:
        why = b"messages must not be compressed: grpc-encoding must be identity, or left out"
    else:
        if stream.method == METHOD_DECIDE_STREAM:
            stream.deadline_ns = 0      # its messages carry their own
        return
    conclude(stream, code, why, <uint32_t>strlen(why))


cdef int reject(Stream* stream) noexcept nogil:
    # A malformed request or trailer (RFC 9113 section 8.1.1).
    reset(stream, NGHTTP2_PROTOCOL_ERROR)
    return one_reset(stream.session)


cdef int on_frame_of(Stream* stream, const nghttp2_frame_hd* hd) noexcept nogil:
    # HEADERS or DATA, complete.
    if hd.type == NGHTTP2_HEADERS:
        if not well_formed(stream) or (stream.trailing and not hd.flags & NGHTTP2_FLAG_END_STREAM):
            return reject(stream)
        if not stream.trailing:
            stream.begun = True
            stream.ended = hd.flags & NGHTTP2_FLAG_END_STREAM
            judge(stream)
    if hd.flags & NGHTTP2_FLAG_END_STREAM:
        stream.ended = True
        if stream.announced != no_length() and stream.announced != stream.body:
            return reject(stream)
        take_end(stream)
    return 0


cdef int on_frame(nghttp2_session* http, const nghttp2_frame* frame, void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    cdef Stream* stream
    if frame.hd.type == NGHTTP2_DATA or frame.hd.type == NGHTTP2_HEADERS:
        stream = stream_of(session, frame.hd.stream_id)
        if stream != NULL and not stream.abandoned:
            return on_frame_of(stream, &frame.hd)
    elif frame.hd.type == NGHTTP2_RST_STREAM:
        stream = stream_of(session, frame.hd.stream_id)
        if stream != NULL and not stream.abandoned:
            stream.abandoned = True     # counted here, not when it closes
            return given_up(stream)
    elif frame.hd.type == NGHTTP2_GOAWAY:
        session.leaving = True
    return 0


cdef int on_invalid_frame(nghttp2_session* http, const nghttp2_frame* frame, int error,
                          void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    if error == NGHTTP2_ERR_REFUSED_STREAM:
        stats_bump(&session.traffic.streams_refused, 1)
    return 0


cdef int on_data(nghttp2_session* http, uint8_t flags, int32_t identity, const uint8_t* data, size_t n,
                 void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    cdef Stream* stream = stream_of(session, identity)
    session.taken += <uint32_t>n
    if stream != NULL and not stream.abandoned:
        stream.body += n
        if stream.body > stream.announced:
            return reject(stream)
        take(stream, data, <uint32_t>n)
    return 0


cdef int on_sent(nghttp2_session* http, const nghttp2_frame* frame, void* user_data) noexcept nogil:
    # A complete response to an incomplete request (RFC 9113 section 8.1): the client need not go on.
    cdef Stream* stream
    if frame.hd.type == NGHTTP2_HEADERS and frame.hd.flags & NGHTTP2_FLAG_END_STREAM:
        stream = <Stream*>nghttp2_session_get_stream_user_data(http, frame.hd.stream_id)
        if stream != NULL and not stream.ended:
            nghttp2_submit_rst_stream(http, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_NO_ERROR)
    return 0


cdef int on_stream_close(nghttp2_session* http, int32_t identity, uint32_t error, void* user_data) noexcept nogil:
    cdef Session* session = <Session*>user_data
    cdef Stream* stream = stream_of(session, identity)
    if stream == NULL:
        return 0
    if error != NGHTTP2_NO_ERROR and not stream.abandoned:
        one_reset(session)      # never fails here: nghttp2 would keep its stream, and close it once more
    stream_close(stream)
    return 0


cdef bint prepare() noexcept nogil:
    # What all sessions share.
    if nghttp2_session_callbacks_new(&CALLBACKS) != 0 or nghttp2_option_new(&OPTIONS) != 0:
        return False
    nghttp2_session_callbacks_set_on_begin_frame_callback(CALLBACKS, on_begin_frame)
    nghttp2_session_callbacks_set_on_begin_headers_callback(CALLBACKS, on_begin_headers)
    nghttp2_session_callbacks_set_on_header_callback(CALLBACKS, on_header)
    nghttp2_session_callbacks_set_on_frame_recv_callback(CALLBACKS, on_frame)
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(CALLBACKS, on_invalid_frame)
    nghttp2_session_callbacks_set_on_frame_send_callback(CALLBACKS, on_sent)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(CALLBACKS, on_data)
    nghttp2_session_callbacks_set_on_stream_close_callback(CALLBACKS, on_stream_close)
    nghttp2_option_set_no_auto_window_update(OPTIONS, 1)
    nghttp2_option_set_no_closed_streams(OPTIONS, 1)
    nghttp2_option_set_no_http_messaging(OPTIONS, 1)        # fields.pyx has its rules
    nghttp2_option_set_max_settings(OPTIONS, MAX_SETTINGS)
    nghttp2_option_set_max_outbound_ack(OPTIONS, MAX_ACKS)
    ic_leave_defence_to_us(OPTIONS)
    return True

if not prepare():
    raise MemoryError("no memory for the callbacks of nghttp2")


cdef void* on_malloc(size_t n, void* session) noexcept nogil:
    return spare_malloc(spares_of(<Session*>session), n)


cdef void on_free(void* block, void* session) noexcept nogil:
    spare_free(spares_of(<Session*>session), block)


cdef void* on_calloc(size_t n, size_t size, void* session) noexcept nogil:
    return spare_calloc(spares_of(<Session*>session), n, size)


cdef void* on_realloc(void* block, size_t n, void* session) noexcept nogil:
    return spare_realloc(spares_of(<Session*>session), block, n)


cdef bint begin(Session* session) noexcept nogil:
    cdef nghttp2_mem memory
    memory.mem_user_data = session
    memory.malloc = on_malloc
    memory.free = on_free
    memory.calloc = on_calloc
    memory.realloc = on_realloc
    return nghttp2_session_server_new3(&session.http, CALLBACKS, session, OPTIONS, &memory) == 0
