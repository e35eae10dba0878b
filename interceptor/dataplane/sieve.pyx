# Frames are told apart and handed on (contract: sieve.pxd). A call may be left out when its header block changes no
# compression table: nothing of the connection's state then depends on it but windows, and the order of its streams.
from interceptor.dataplane.exchanges cimport Session
from interceptor.dataplane.frames cimport beyond_help
from interceptor.dataplane.nghttp2 cimport (
    NGHTTP2_DATA,
    NGHTTP2_ENHANCE_YOUR_CALM,
    NGHTTP2_FLAG_END_HEADERS,
    NGHTTP2_FLAG_END_STREAM,
    NGHTTP2_HEADERS,
    NGHTTP2_PRIORITY,
    NGHTTP2_RST_STREAM,
    NGHTTP2_WINDOW_UPDATE,
    nghttp2_session_mem_recv,
)
from interceptor.engine.stats cimport stats_bump
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memmove

cdef enum:
    HEAD = 9                    # bytes of a frame's head (RFC 9113 section 4.1)
    PACE = 10                   # bits
    REFUSAL = HEAD + 4          # RST_STREAM, and WINDOW_UPDATE
    MOST = 1 << 20              # bytes of refusals that wait to be written
    PATIENCE = 5                # of what a call's like are given for their answers, two such parts may go by unread
    FEW = 2048                  # bytes that wait, all connections together: a dozen calls, answered in one go
    CREDIT = 16384              # bytes of DATA left out after which the connection's window is mended


cdef inline uint32_t big(const uint8_t* at, uint32_t n) noexcept nogil:
    cdef uint32_t i, value = 0
    for i in range(n):
        value = value << 8 | at[i]
    return value


cdef inline uint32_t stream_in(const uint8_t* head) noexcept nogil:
    return big(head + 5, 4) & 0x7fffffff


cdef inline size_t behind_integer(const uint8_t* block, size_t at, size_t n, uint8_t prefix,
                                  uint32_t* value) noexcept nogil:
    # RFC 7541 section 5.1, of at most 14 bits more than its prefix; 0: it is longer, or not all there.
    value[0] = block[at] & prefix
    if value[0] < prefix:
        return at + 1
    if n - at < 3:
        return 0
    value[0] += block[at + 1] & 0x7f
    if block[at + 1] < 0x80:
        return at + 2
    value[0] += <uint32_t>block[at + 2] << 7
    return at + 3 if block[at + 2] < 0x80 else 0


cdef inline size_t behind_text(const uint8_t* block, size_t at, size_t n) noexcept nogil:
    # 0: it does not end in the block.
    cdef uint32_t length = 0
    at = behind_integer(block, at, n, 0x7f, &length) if at < n else 0
    return at + length if at and length <= n - at else 0


cdef bint changes_no_table(const uint8_t* block, size_t n) noexcept nogil:
    # Only fields that are in the compression tables, or are never to be (RFC 7541 sections 6.1, 6.2.2 and 6.2.3).
    cdef size_t at = 0
    cdef uint32_t name
    while at < n:
        if block[at] & 0x80:
            if block[at] == 0x80 or block[at] == 0xff:
                return False
            at += 1
        elif block[at] & 0xe0:
            return False
        else:
            at = behind_integer(block, at, n, 0x0f, &name)
            if at and name == 0:
                at = behind_text(block, at, n)
            at = behind_text(block, at, n) if at else 0
            if at == 0:
                return False
    return n != 0


cdef inline bint can_be_left_out(const Session* session, const uint8_t* frame, size_t room) noexcept nogil:
    cdef uint32_t length = big(frame, 3), stream = stream_in(frame)
    return (frame[3] == NGHTTP2_HEADERS and frame[4] & ~<int>NGHTTP2_FLAG_END_STREAM == NGHTTP2_FLAG_END_HEADERS
            and length <= room - HEAD and stream % 2 == 1 and stream > session.passed and stream > session.skipped
            and changes_no_table(frame + HEAD, length))


cdef inline void put_frame(uint8_t* out, uint8_t kind, uint32_t stream, uint32_t value) noexcept nogil:
    cdef int i
    out[0], out[1], out[2], out[3], out[4] = 0, 0, 4, kind, 0
    for i in range(4):
        out[5 + i] = <uint8_t>(stream >> (24 - 8 * i))
        out[9 + i] = <uint8_t>(value >> (24 - 8 * i))


cdef bint say(Session* session, uint8_t kind, uint32_t stream, uint32_t value) noexcept nogil:
    cdef uint32_t room
    cdef void* moved
    if session.refusals_n + REFUSAL > session.refusals_room:
        room = max(2 * session.refusals_room, <uint32_t>64 * REFUSAL)
        moved = realloc(session.refusals, room) if room <= MOST else NULL
        if moved == NULL:
            return False
        session.refusals = <uint8_t*>moved
        session.refusals_room = room
    put_frame(session.refusals + session.refusals_n, kind, stream, value)
    session.refusals_n += REFUSAL
    return True


cdef bint refuse_unread(Session* session, uint32_t stream) noexcept nogil:
    if not say(session, NGHTTP2_RST_STREAM, stream, NGHTTP2_ENHANCE_YOUR_CALM):
        return False
    session.skipped = stream
    stats_bump(&session.traffic.shed, 1)
    return True


cdef inline bint is_about_skipped(const Session* session, const uint8_t* head) noexcept nogil:
    # To nghttp2 its stream would be one that nobody has opened. Those before `passed` it takes for closed.
    return (session.passed < stream_in(head) <= session.skipped
            and (head[3] == NGHTTP2_DATA or head[3] == NGHTTP2_RST_STREAM or head[3] == NGHTTP2_WINDOW_UPDATE
                 or head[3] == NGHTTP2_PRIORITY))


cdef inline void enter(Session* session, const uint8_t* head) noexcept nogil:
    # A frame begins. What is in the middle of one cannot be left out.
    session.left = big(head, 3)
    session.dropping = is_about_skipped(session, head)
    if session.dropping and head[3] == NGHTTP2_DATA:
        session.credit += session.left      # nghttp2 will not know of these bytes, and the client is to have them back
        if session.credit >= CREDIT and say(session, NGHTTP2_WINDOW_UPDATE, 0, session.credit):
            session.credit = 0
    if head[3] == NGHTTP2_HEADERS and stream_in(head) > session.passed:
        session.passed = stream_in(head)


cdef ssize_t hand_on(Session* session, const uint8_t* data, size_t n) noexcept nogil:
    if n == 0:
        return 0
    return nghttp2_session_mem_recv(session.http, data, n)


cdef ssize_t sift(Session* session, const uint8_t* data, size_t n, uint64_t since) noexcept nogil:
    # Where few wait, it was not calls that held them up, and nobody is answered any sooner for a refusal.
    cdef bint few = n * max(session.batch.speaking, <uint32_t>1) <= FEW
    cdef uint64_t read = session.batch.now, pace, patience = 0 if few else session.usual_ns // PATIENCE * 2
    cdef size_t at = 0, begun = 0
    cdef uint32_t size
    cdef ssize_t status
    session.now = since
    # what is read at once came one after the other, at an even pace as far as one can tell
    pace = ((read - since) << PACE) // n if n and read > since else 0
    while at < n:
        if session.left:
            size = <uint32_t>min(<size_t>session.left, n - at)
            at += size
            session.left -= size
            if session.dropping:
                begun = at
            continue
        if session.head_n or n - at < HEAD:     # a head in pieces waits here until it is whole
            status = hand_on(session, data + begun, at - begun)
            size = <uint32_t>min(<size_t>(HEAD - session.head_n), n - at)
            memcpy(session.head + session.head_n, data + at, size)
            session.head_n += <uint8_t>size
            at += size
            begun = at
            if status >= 0 and session.head_n == HEAD:
                session.head_n = 0
                enter(session, session.head)
                if not session.dropping:
                    status = hand_on(session, session.head, HEAD)
            if status < 0 or beyond_help(session):
                return status
            continue
        if (patience and read - since > patience and read - since - ((at * pace) >> PACE) > patience
                and can_be_left_out(session, data + at, n - at)):
            status = hand_on(session, data + begun, at - begun)
            begun = at
            if status < 0 or beyond_help(session):
                return status
            if refuse_unread(session, stream_in(data + at)):
                at += HEAD + big(data + at, 3)
                begun = at
                session.now = since + ((at * pace) >> PACE)
                continue
        enter(session, data + at)
        if session.dropping:
            status = hand_on(session, data + begun, at - begun)
            if status < 0 or beyond_help(session):
                return status
            begun = at + HEAD
        at += HEAD
    return hand_on(session, data + begun, n - begun)


cdef size_t sieve_gather(Session* session, uint8_t* out, size_t room) noexcept nogil:
    cdef size_t n = min(<size_t>session.refusals_n, room // REFUSAL * REFUSAL)
    if n == 0:
        return 0
    memcpy(out, session.refusals, n)
    session.refusals_n -= <uint32_t>n
    memmove(session.refusals, session.refusals + n, session.refusals_n)
    return n
