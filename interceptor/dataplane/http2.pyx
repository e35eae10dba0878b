# One connection's HTTP/2 over libnghttp2: its session (contract: http2.pxd).
from interceptor.dataplane.exchanges cimport Session, Stream, stream_close, unsent
from interceptor.dataplane.frames cimport abused, begin, beyond_help
from interceptor.dataplane.framing cimport stop_borrowing
from interceptor.dataplane.nghttp2 cimport (
    NGHTTP2_CANCEL,
    NGHTTP2_ERR_FLOODED,
    NGHTTP2_FLAG_NONE,
    NGHTTP2_NO_ERROR,
    NGHTTP2_PROTOCOL_ERROR,
    NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
    NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
    NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES,
    nghttp2_session_consume_connection,
    nghttp2_session_del,
    nghttp2_session_get_last_proc_stream_id,
    nghttp2_session_get_outbound_queue_size,
    nghttp2_session_mem_send,
    nghttp2_session_set_local_window_size,
    nghttp2_session_terminate_session,
    nghttp2_session_want_read,
    nghttp2_session_want_write,
    nghttp2_settings_entry,
    nghttp2_submit_goaway,
    nghttp2_submit_settings,
    nghttp2_submit_shutdown_notice,
)
from interceptor.dataplane.replies cimport reset, watch_end
from interceptor.dataplane.sieve cimport sieve_gather, sift
from interceptor.dataplane.words cimport (
    ENDED_BY_CLIENT,
    ENDED_EXCESS,
    ENDED_PROTOCOL,
    METHOD_DECIDE_STREAM,
    Batch,
    Bounds,
    Peer,
    Traffic,
)
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cdef enum:
    PREFACE = 24                    # bytes (RFC 9113 section 3.4)
    CONNECTION_WINDOW = 1 << 20     # DATA is taken at once or held back by its stream's window: this one never closes
    MAX_WAITING = 8192              # control frames that wait to be sent, beside those of the streams allowed


cdef Session* session_new(const Bounds* bounds, const Peer* peer, Traffic* traffic, uint64_t now) noexcept nogil:
    cdef nghttp2_settings_entry[4] settings
    cdef Session* session = <Session*>calloc(1, sizeof(Session))
    if session == NULL:
        return NULL
    if not begin(session):
        free(session)
        return NULL
    session.bounds = bounds
    session.peer = peer
    session.traffic = traffic
    session.now = now
    session.left = PREFACE
    session.last = 0x7fffffff
    session.interval_ns = 1000000000 // max(bounds.resets_a_second, <uint32_t>1)
    session.ending = ENDED_BY_CLIENT
    settings[0].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
    settings[0].value = bounds.max_streams
    settings[1].settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE
    settings[1].value = bounds.window
    settings[2].settings_id = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE
    settings[2].value = bounds.max_headers
    settings[3].settings_id = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES
    settings[3].value = 1
    if (nghttp2_submit_settings(session.http, NGHTTP2_FLAG_NONE, settings, 4) != 0
            or nghttp2_session_set_local_window_size(session.http, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) != 0):
        session_free(session, NULL)
        return NULL
    return session


cdef void session_free(Session* session, Batch* batch) noexcept nogil:
    session.batch = batch
    while session.open != NULL:
        stream_close(session.open)
    nghttp2_session_del(session.http)
    free(session.refusals)
    free(session)


cdef int session_receive(Session* session, const uint8_t* data, size_t n, uint64_t since, Batch* batch) noexcept nogil:
    cdef ssize_t received
    session.batch = batch
    if beyond_help(session):
        return -1
    received = sift(session, data, n, since)
    if session.borrowing != NULL:
        stop_borrowing(session)
    if session.taken:
        nghttp2_session_consume_connection(session.http, session.taken)
        session.taken = 0
    if received == NGHTTP2_ERR_FLOODED:
        abused(session)
    elif nghttp2_session_get_outbound_queue_size(session.http) > 4 * <size_t>session.bounds.max_streams + MAX_WAITING:
        abused(session)
    elif received < 0 and session.ending == ENDED_BY_CLIENT:
        session.ending = ENDED_PROTOCOL
        nghttp2_session_terminate_session(session.http, NGHTTP2_PROTOCOL_ERROR)
    return -1 if beyond_help(session) else 0


cdef uint32_t session_ending(const Session* session) noexcept nogil:
    # nghttp2 has said GOAWAY on its own: for HTTP/2 that broke the rules
    if session.ending == ENDED_BY_CLIENT and not session.leaving and not nghttp2_session_want_read(session.http):
        return ENDED_PROTOCOL
    return session.ending


cdef size_t session_gather(Session* session, uint8_t* out, size_t room) noexcept nogil:
    cdef size_t at = sieve_gather(session, out, room) if session.refusals_n else 0
    cdef ssize_t n
    while True:
        if session.frame_n == 0:
            n = nghttp2_session_mem_send(session.http, &session.frame)
            if n <= 0:
                return at
            session.frame_n = <uint32_t>n
        if session.frame_n > room - at:
            return at
        memcpy(out + at, session.frame, session.frame_n)
        at += session.frame_n
        session.frame_n = 0


cdef bint session_finished(const Session* session) noexcept nogil:
    return (session.frame_n == 0 and session.refusals_n == 0 and not nghttp2_session_want_read(session.http)
            and not nghttp2_session_want_write(session.http))


cdef uint32_t session_open_streams(const Session* session) noexcept nogil:
    return session.n_open


cdef void session_goaway(Session* session, bint final) noexcept nogil:
    if not final:
        nghttp2_submit_shutdown_notice(session.http)
        return
    session.leaving = True
    session.last = min(session.last, nghttp2_session_get_last_proc_stream_id(session.http))
    nghttp2_submit_goaway(session.http, NGHTTP2_FLAG_NONE, session.last, NGHTTP2_NO_ERROR, NULL, 0)
    watch_end(session)          # it would keep the connection for as long as its client likes


cdef void session_turn_away(Session* session) noexcept nogil:
    session.ending = ENDED_EXCESS
    nghttp2_session_terminate_session(session.http, NGHTTP2_NO_ERROR)


cdef inline bint keeps_us_waiting(const Stream* stream, uint64_t since) noexcept nogil:
    if unsent(stream):
        return stream.unsent_ns < since
    if stream.ended or stream.concluding or stream.arrived_ns >= since:
        return False
    if stream.method != METHOD_DECIDE_STREAM or not stream.begun:
        return True
    return stream.kept_n != 0 and not stream.holding        # half a message


cdef uint32_t session_expire(Session* session, uint64_t since) noexcept nogil:
    cdef Stream* stream = session.open
    cdef uint32_t n = 0
    while stream != NULL:
        if not stream.abandoned and keeps_us_waiting(stream, since):
            reset(stream, NGHTTP2_CANCEL)
            n += 1
        stream = stream.after
    return n
