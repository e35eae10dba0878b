# Fuzz target: one connection of the data plane. Bytes in, whatever requests come out are answered, bytes out.
#
# Input: a byte that says how it is read, a seed for what chance decides (how the bytes are cut, what is answered how,
# when a reply is written), then the bytes of the connection themselves, or a script out of which frames are made: most
# random bytes are no frame, most frames are of no stream, and nothing behind a header block's second byte would be met.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport abort, free, malloc
from libc.string cimport memcpy, memset, strlen

from interceptor.dataplane.http2 cimport (
    Session, refuse, reply, session_expire, session_finished, session_free, session_gather, session_goaway,
    session_new, session_open_streams, session_receive, session_resume, session_turn_away, watch_all,
)
from interceptor.dataplane.words cimport METHOD_HEALTH_WATCH, Batch, Bounds, Peer, Request, Traffic

cdef enum:
    ROOM = 32 << 10             # of what a script makes; of a message in pieces; of one gather
    SCRIPT = 1                  # the first byte's bits
    PREFACE = 2
    DENIED = 4

cdef enum Op:                   # of a script; what follows it is its argument
    OP_REQUEST = 0
    OP_MESSAGE = 1
    OP_DATA = 2
    OP_RESET = 3
    OP_SETTINGS = 4
    OP_PING = 5
    OP_WINDOW = 6
    OP_GOAWAY = 7
    OP_HEADERS = 8
    OP_FRAME = 9
    N_OPS = 10

cdef struct Line:               # the state of one execution
    uint64_t chance
    uint64_t now
    Session* session
    uint32_t answered

cdef struct Script:
    const uint8_t* data
    size_t n
    size_t at
    uint8_t* out
    uint32_t written
    uint32_t last               # the client's newest stream

cdef Bounds bounds
cdef Batch batch
cdef uint8_t* output = NULL
cdef uint8_t* written = NULL
cdef const char* OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"    # and an empty SETTINGS

cdef const char* PATHS[8]
PATHS = [
    b"/interceptor.v1.InterceptionService/Decide", b"/interceptor.v1.InterceptionService/DecideStream",
    b"/interceptor.v1.InterceptionService/ReportCall", b"/grpc.health.v1.Health/Check",
    b"/grpc.health.v1.Health/Watch", b"/interceptor.v1.InterceptionService/DecideStream", b"/nobody/knows", b"",
]
# Headers a request has besides, by bit of its argument: ours to be read, or to be refused.
cdef const char* NAMES[16]
NAMES = [
    b"te", b"content-type", b"grpc-timeout", b"grpc-encoding", b"content-type", b"grpc-timeout", b"user-agent",
    b"x-bin",
    b"grpc-encoding", b"content-length", b"grpc-accept-encoding", b"connection", b":path", b"grpc-timeout", b"te", b"X",
]
cdef const char* VALUES[16]
VALUES = [
    b"trailers", b"application/grpc", b"1S", b"gzip", b"application/grpc+proto", b"100000000m", b"fuzz", b"AAAA",
    b"identity", b"5", b"identity,gzip", b"close", b"/again", b"0n", b"gzip", b"upper",
]


def prepare():
    global output, written
    bounds.max_message, bounds.max_headers, bounds.max_streams = 4096, 4096, 8
    bounds.window, bounds.max_unsent, bounds.max_resets, bounds.resets_a_second = 16384, 8192, 20, 10
    bounds.idle_ns = bounds.age_ns = bounds.stall_ns = 1_000_000_000
    output, written = <uint8_t*> malloc(ROOM), <uint8_t*> malloc(ROOM)
    batch.room, batch.room_bytes = <uint8_t*> malloc(ROOM), ROOM
    batch.answer = answer
    if output == NULL or written == NULL or batch.room == NULL:
        raise MemoryError


cdef inline void holds(bint statement) noexcept nogil:
    if not statement:
        abort()


cdef inline uint32_t chance(Line* line, uint32_t n) noexcept nogil:
    line.chance = line.chance * <uint64_t> 6364136223846793005 + <uint64_t> 1442695040888963407
    return <uint32_t> (line.chance >> 33) % n


# ------------------------------------------------------------------------------------- the server's side

# Reads every byte of every message (one that is gone would be found), and answers it in one way or another.
cdef void answer(Batch* of, void* desk) noexcept nogil:
    cdef Line* line = <Line*> desk
    cdef Request* request
    cdef uint32_t i, j, sum, size
    for i in range(of.n):
        request = &of.request[i]
        if request.exchange == NULL:
            continue
        holds(request.length <= bounds.max_message)
        sum = 0
        for j in range(request.length):
            sum += request.data[j]
        line.answered += 1
        if chance(line, 8) == 0 and request.method != METHOD_HEALTH_WATCH:
            refuse(request, 3 + (sum & 1), b"no\r\n%\xff", chance(line, 7))
        else:
            size = (chance(line, 16) * 37) if chance(line, 4) else bounds.max_message
            reply(request, written, size)
    of.n = of.kept = 0


cdef void gather(Line* line) noexcept nogil:
    cdef size_t n
    cdef uint32_t calls = 0
    while True:
        n = session_gather(line.session, output, ROOM)
        holds(n <= ROOM)
        if n == 0:
            break
        calls += 1
        holds(calls < 10_000)
        if chance(line, 8) == 0:        # the socket takes no more
            break
    session_resume(line.session, line.now, &batch)


# Feeds all of it, cut by chance. False when the connection is beyond help.
cdef bint feed(Line* line, const uint8_t* data, size_t n) noexcept nogil:
    cdef size_t piece, at = 0
    cdef uint8_t* own
    cdef int status
    cdef uint32_t act
    while at < n:
        piece = 1 + (chance(line, 4096) if chance(line, 4) else chance(line, 16))
        if piece > n - at:
            piece = n - at
        own = <uint8_t*> malloc(piece)          # of that size, and gone when the batch is answered
        holds(own != NULL)
        memcpy(own, data + at, piece)
        batch.now = line.now + <uint64_t> chance(line, 4) * 400_000_000     # calls that have waited are refused unread
        status = session_receive(line.session, own, piece, line.now, &batch)
        at += piece
        if at == n and chance(line, 4) == 0:    # it ends with requests still waiting
            free(own)
            return False
        answer(&batch, line)
        free(own)
        if status != 0:
            gather(line)
            answer(&batch, line)
            return False
        act = chance(line, 64)
        if act < 32:
            gather(line)
            answer(&batch, line)
        elif act == 32:
            session_goaway(line.session, False)
        elif act == 33:
            session_goaway(line.session, True)
        elif act == 34:
            watch_all(line.session, chance(line, 2))
        elif act == 35:
            session_expire(line.session, line.now - chance(line, 3) * 1_000_000)
        elif act == 36:
            session_turn_away(line.session)
        line.now += chance(line, 4) * 1_000_000
        holds(session_open_streams(line.session) <= bounds.max_streams)
        if session_finished(line.session):
            return False
    return True


# ------------------------------------------------------------------------------------- the client's script

cdef inline uint32_t take(Script* script) noexcept nogil:
    if script.at >= script.n:
        return 0
    script.at += 1
    return script.data[script.at - 1]


cdef inline void put(Script* script, const void* data, size_t n) noexcept nogil:
    if script.written + n <= ROOM:
        memcpy(script.out + script.written, data, n)
        script.written += <uint32_t> n


cdef inline void put_byte(Script* script, uint32_t value) noexcept nogil:
    cdef uint8_t byte = <uint8_t> value
    put(script, &byte, 1)


cdef inline void put_word(Script* script, uint32_t value) noexcept nogil:
    put_byte(script, value >> 24)
    put_byte(script, value >> 16)
    put_byte(script, value >> 8)
    put_byte(script, value)


# Literal without indexing, new name (RFC 7541 section 6.2.2), no Huffman code.
cdef void put_header(Script* script, const char* name, const void* value, size_t n) noexcept nogil:
    put_byte(script, 0)
    put_byte(script, <uint32_t> strlen(name))
    put(script, name, strlen(name))
    put_byte(script, <uint32_t> n & 127)
    put(script, value, n & 127)


# A frame's head, its length still open; -> where it began.
cdef uint32_t begin_frame(Script* script, uint32_t kind, uint32_t flags, uint32_t stream) noexcept nogil:
    cdef uint32_t began = script.written
    put_word(script, kind)
    put_byte(script, flags)
    put_word(script, stream)
    return began


cdef void end_frame(Script* script, uint32_t began) noexcept nogil:
    cdef uint32_t length = script.written - began - 9
    if script.written < began + 9:
        return
    script.out[began] = <uint8_t> (length >> 16)
    script.out[began + 1] = <uint8_t> (length >> 8)
    script.out[began + 2] = <uint8_t> length


# Bytes out of the script itself, as many as its next byte says.
cdef void put_some(Script* script) noexcept nogil:
    cdef size_t n = take(script)
    if n > script.n - script.at:
        n = script.n - script.at
    put(script, script.data + script.at, n)
    script.at += n


cdef void put_request(Script* script) noexcept nogil:
    cdef uint32_t flags = take(script), path = take(script), besides = take(script) | take(script) << 8
    cdef uint32_t began, i
    script.last += 2
    began = begin_frame(script, 1, 0x04 | (flags & 0x01), script.last)
    put_header(script, b":method", b"POST", 4 if flags & 2 == 0 else 3)
    put_header(script, b":scheme", b"http", 4)
    put_header(script, b":path", PATHS[path & 7], strlen(PATHS[path & 7]))
    if flags & 4 == 0:
        put_header(script, b":authority", b"fuzz", 4)
    if flags & 8 == 0:                      # as a decent client
        besides = besides & 0xff00 if flags & 16 else 0
        besides |= 3
    for i in range(16):
        if besides >> i & 1:
            put_header(script, NAMES[i], VALUES[i], strlen(VALUES[i]))
    if flags & 32:                          # one whose value is the fuzzer's
        put_header(script, NAMES[path >> 3 & 15], script.data + script.at, min(script.n - script.at, besides & 15))
    end_frame(script, began)
    if path & 128 == 0:
        put_message(script, script.last)


# A gRPC message, whole or in two frames; its length told truly or not.
cdef void put_message(Script* script, uint32_t stream) noexcept nogil:
    cdef uint32_t flags = take(script), length, began, at
    began = begin_frame(script, 0, flags & 1, stream)
    at = script.written
    put_byte(script, flags >> 1 & 1)        # compressed
    put_word(script, 0)
    put_some(script)
    length = script.written - at - 5 if script.written >= at + 5 else 0
    if length and flags & 4:
        length = take(script) << 4
    if script.written >= at + 5:
        script.out[at + 3], script.out[at + 4] = <uint8_t> (length >> 8), <uint8_t> length
    end_frame(script, began)


cdef void run_script(Script* script) noexcept nogil:
    cdef uint32_t op, began, stream, kind
    while script.at < script.n and script.written < ROOM - 2048:
        op = take(script)
        stream = script.last - 2 * (op >> 4 & 7)
        op = op & 15
        if op == OP_REQUEST or op >= N_OPS:
            put_request(script)
            continue
        if op == OP_MESSAGE:
            put_message(script, stream)
            continue
        kind = take(script)
        if op == OP_DATA:
            began = begin_frame(script, 0, kind, stream)
        elif op == OP_RESET:
            began = begin_frame(script, 3, 0, stream)
            put_word(script, kind)
        elif op == OP_SETTINGS:
            began = begin_frame(script, 4, kind & 1, 0)
        elif op == OP_PING:
            began = begin_frame(script, 6, kind & 1, 0)
            put(script, OPENING, 8)
        elif op == OP_WINDOW:
            began = begin_frame(script, 8, 0, stream if kind & 1 else 0)
            put_word(script, kind << 8)
        elif op == OP_GOAWAY:
            began = begin_frame(script, 7, 0, 0)
            put_word(script, 0)
            put_word(script, kind)
        elif op == OP_HEADERS:
            began = begin_frame(script, 1 if kind & 128 else 9, kind, stream)
        else:
            began = begin_frame(script, kind, take(script), stream)
        if op not in (OP_RESET, OP_PING, OP_WINDOW) or kind & 128:
            put_some(script)
        end_frame(script, began)


cdef public int fuzz_one(const uint8_t* data, size_t n) noexcept nogil:
    cdef Line line
    cdef Script script
    cdef Peer peer
    cdef Traffic traffic
    cdef uint32_t i
    cdef uint8_t mode
    if n < 3:
        return 0
    mode = data[0]
    memset(&line, 0, sizeof(line))
    memset(&peer, 0, sizeof(peer))
    memset(&traffic, 0, sizeof(traffic))
    line.chance, line.now = data[1] | <uint64_t> data[2] << 8, 10_000_000_000
    batch.n, batch.kept, batch.desk = 0, 0, &line
    peer.denied = mode & DENIED != 0
    line.session = session_new(&bounds, &peer, &traffic, line.now)
    holds(line.session != NULL)
    gather(&line)
    if mode & PREFACE == 0 or feed(&line, <const uint8_t*> OPENING, 33):
        if mode & SCRIPT:
            memset(&script, 0, sizeof(script))
            script.data, script.n, script.out, script.last = data + 3, n - 3, written, <uint32_t> -1
            run_script(&script)
            feed(&line, written, script.written)
        else:
            feed(&line, data + 3, n - 3)
    session_free(line.session, &batch)
    for i in range(batch.n):
        holds(batch.request[i].exchange == NULL)
    return 0
