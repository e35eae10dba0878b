# The way of a request, top to bottom: its turn, what it asks, a call read, decided, told. Nothing here waits.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, strlen

from interceptor.dataplane.faults cimport MAX_DESCRIPTION, Flaw, broken, describe
from interceptor.dataplane.http2 cimport refuse, reply
from interceptor.dataplane.messages cimport decode_call, decode_health, decode_streamed
from interceptor.dataplane.phrasebook cimport MAX_REPLY
from interceptor.dataplane.reports cimport decode_report, decode_subscription
from interceptor.dataplane.responses cimport encode_call_error, encode_decision, encode_health, encode_streamed
from interceptor.dataplane.system cimport monotonic_ns
from interceptor.dataplane.words cimport Code, Method, Serving
from interceptor.engine.atomics cimport ic_load64
from interceptor.engine.decide cimport decide_chunk, take_up
from interceptor.engine.following cimport Report, report_call, report_subscription
from interceptor.engine.intake cimport resolve
from interceptor.engine.publication cimport publication_enter, publication_leave
from interceptor.engine.stats cimport stats_bump, stats_latency
from interceptor.engine.types cimport CHUNK, Field, Text

cdef const Desk* A_DESK = NULL
if sizeof(A_DESK.reply) != MAX_REPLY:
    raise ImportError("interceptor.dataplane.answering: a desk has no room for the longest reply")

cdef const char* NAME = b"interceptor.v1.InterceptionService"
cdef const char* TOO_LATE = b"the deadline had passed: not decided"
cdef const char* NOT_READY = b"the service has no policy in force yet: ask again when health says SERVING"


# --- a round

cdef void sit_down(Desk* desk) noexcept nogil:
    desk.snapshot = publication_enter(desk.publication, desk.worker.index)
    desk.phrases = NULL
    if desk.snapshot is not NULL:
        take_up(desk.worker, desk.snapshot)
        if ic_load64(desk.opened):
            desk.phrases = <const Phrases*> desk.snapshot.companion


cdef void get_up(Desk* desk) noexcept nogil:
    publication_leave(desk.publication, desk.worker.index)


cdef void answer(Batch* batch, void* desk) noexcept nogil:
    cdef uint32_t first = 0
    while first < batch.n:
        answer_chunk(<Desk*> desk, &batch.request[first], min(batch.n - first, <uint32_t> CHUNK))
        first += CHUNK
    batch.n = batch.kept = 0


# What is no call, or none that can be decided, is answered where it stands; the calls are decided together.
cdef void answer_chunk(Desk* desk, Request* requests, uint32_t n) noexcept nogil:
    cdef uint64_t now = monotonic_ns()
    cdef uint32_t i
    desk.n = 0
    for i in range(n):
        if requests[i].exchange is not NULL:
            take_turn(desk, &requests[i], now)
    if desk.n == 0:
        return
    decide_chunk(desk.snapshot, desk.worker, desk.calls, desk.n, desk.times, desk.decisions)
    stats_latency(desk.worker.stats, (monotonic_ns() - now) // desk.n, desk.n)
    for i in range(desk.n):
        tell(desk, i)


# --- a request has its turn

cdef void take_turn(Desk* desk, Request* request, uint64_t now) noexcept nogil:
    if request.deadline_ns and request.deadline_ns <= now:
        stats_bump(&desk.traffic.expired, 1)
        turn_down(request, Code.CODE_DEADLINE_EXCEEDED, TOO_LATE)
    elif request.peer.denied:
        turn_away(request)
    elif request.method == Method.METHOD_DECIDE:
        read_call(desk, request, now)
    elif request.method == Method.METHOD_DECIDE_STREAM:
        read_streamed(desk, request, now)
    elif request.method == Method.METHOD_REPORT_CALL:
        take_report(desk, request, now)
    elif request.method == Method.METHOD_REPORT_SUBSCRIPTION:
        take_subscription(desk, request, now)
    else:
        tell_health(desk, request)


cdef inline Millis wall_ms(const Desk* desk, uint64_t now) noexcept nogil:
    return (<int64_t> now + desk.wall_ns) // 1000000


cdef void read_call(Desk* desk, Request* request, uint64_t now) noexcept nogil:
    desk.identity[desk.n] = 0
    decode_call(request.data, request.length, desk.phrases, &desk.calls[desk.n], &desk.fault)
    admit(desk, request, now)


cdef void read_streamed(Desk* desk, Request* request, uint64_t now) noexcept nogil:
    cdef uint32_t deadline_ms
    decode_streamed(request.data, request.length, desk.phrases, &desk.calls[desk.n], &desk.identity[desk.n],
                    &deadline_ms, &desk.fault)
    if deadline_ms and now > request.arrived_ns + <uint64_t> deadline_ms * 1000000:
        stats_bump(&desk.traffic.expired, 1)
        fail(desk, request, Code.CODE_DEADLINE_EXCEEDED, TOO_LATE)
    else:
        admit(desk, request, now)


# The call just read takes its place in the chunk, unless it cannot be decided. An emergency call goes through whatever
# else is malformed.
cdef void admit(Desk* desk, Request* request, uint64_t now) noexcept nogil:
    cdef Call* call = &desk.calls[desk.n]
    if broken(&desk.fault):
        fail_malformed(desk, request)
        return
    if desk.phrases is NULL:
        fail(desk, request, Code.CODE_UNAVAILABLE, NOT_READY)
        return
    call.text[<int> Field.F_SWITCH] = request.peer.name
    if desk.fault.flaw != Flaw.FLAW_NONE:
        resolve(&desk.snapshot.intake, &desk.worker.trunks, call)
        if not call.emergency:
            fail_malformed(desk, request)
            return
    desk.asked[desk.n] = request
    desk.times[desk.n] = wall_ms(desk, now)
    desk.n += 1


cdef void tell(Desk* desk, uint32_t i) noexcept nogil:
    cdef uint32_t n
    if desk.asked[i].method == Method.METHOD_DECIDE:
        n = encode_decision(desk.phrases, &desk.decisions[i], desk.reply)
    else:
        n = encode_streamed(desk.phrases, desk.identity[i], &desk.decisions[i], desk.reply)
    reply(desk.asked[i], desk.reply, n)


# --- what is no call

# A report is taken where it stands: of a call that waits in this chunk to be decided it is an early one.
cdef void take_report(Desk* desk, Request* request, uint64_t now) noexcept nogil:
    cdef Report report
    decode_report(request.data, request.length, desk.phrases, &desk.calls[desk.n], &report, &desk.fault)
    if reportable(desk, request):
        report.on_switch = request.peer.name
        report_call(desk.snapshot, desk.worker, &report, wall_ms(desk, now))
        reply(request, desk.reply, 0)


cdef void take_subscription(Desk* desk, Request* request, uint64_t now) noexcept nogil:
    cdef uint8_t event
    cdef Call* card = &desk.calls[desk.n]
    decode_subscription(request.data, request.length, desk.phrases, card, &event, &desk.fault)
    if reportable(desk, request):
        card.text[<int> Field.F_SWITCH] = request.peer.name
        report_subscription(desk.snapshot, desk.worker, event, card, wall_ms(desk, now))
        reply(request, desk.reply, 0)


cdef bint reportable(Desk* desk, Request* request) noexcept nogil:
    if desk.fault.flaw != Flaw.FLAW_NONE:
        fail_malformed(desk, request)
    elif desk.phrases is NULL:
        turn_down(request, Code.CODE_UNAVAILABLE, NOT_READY)
    else:
        return True
    return False


# Check and Watch (grpc/health/v1/health.proto): the service as a whole is "".
cdef void tell_health(Desk* desk, Request* request) noexcept nogil:
    cdef Text name
    cdef bint known
    decode_health(request.data, request.length, &name, &desk.fault)
    known = name.length == 0 or (name.length == strlen(NAME) and memcmp(name.data, NAME, name.length) == 0)
    if desk.fault.flaw != Flaw.FLAW_NONE:
        fail_malformed(desk, request)
    elif known:
        reply(request, desk.reply, encode_health(
            Serving.HEALTH_SERVING if ic_load64(desk.serving) else Serving.HEALTH_NOT_SERVING, desk.reply))
    elif request.method == Method.METHOD_HEALTH_WATCH:
        reply(request, desk.reply, encode_health(Serving.HEALTH_SERVICE_UNKNOWN, desk.reply))
    else:
        turn_down(request, Code.CODE_NOT_FOUND, b"no such service here")


# --- errors

cdef void fail_malformed(Desk* desk, Request* request) noexcept nogil:
    cdef char[MAX_DESCRIPTION + 1] text
    cdef Text field
    cdef uint32_t n = describe(&desk.fault, desk.phrases, text, &field)
    fail_saying(desk, request, Code.CODE_INVALID_ARGUMENT, text, n, field)


cdef void fail(Desk* desk, Request* request, uint32_t code, const char* message) noexcept nogil:
    cdef Text none
    none.data, none.length = NULL, 0
    fail_saying(desk, request, code, message, <uint32_t> strlen(message), none)


# A message of a stream is answered by a CallError, and costs its stream nothing.
cdef void fail_saying(Desk* desk, Request* request, uint32_t code, const char* message, uint32_t n,
                      Text field) noexcept nogil:
    if request.method == Method.METHOD_DECIDE_STREAM:
        stats_bump(&desk.traffic.call_errors[code], 1)
        reply(request, desk.reply, encode_call_error(desk.identity[desk.n], code, message, n, field, desk.reply))
    else:
        refuse(request, code, message, n)


cdef void turn_down(Request* request, uint32_t code, const char* message) noexcept nogil:
    refuse(request, code, message, <uint32_t> strlen(message))


cdef void turn_away(Request* request) noexcept nogil:
    cdef char[512] text
    cdef int n = snprintf(
        text, sizeof(text), b"client \"%.*s\" is not on the list of clients (--tls-allow)",
        <int> min(request.peer.name.length, <uint32_t> 400), request.peer.name.data)
    refuse(request, Code.CODE_PERMISSION_DENIED, text, <uint32_t> n)
