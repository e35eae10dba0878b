# Reports that come as Python objects or array rows (contract: reporting.pxd): checked here, once.
import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.border cimport load_mapping, load_row, row_problem
from interceptor.engine.decide cimport Worker, decide_one, prepare_chunk
from interceptor.engine.following cimport N_REPORT_OUTCOMES, Report, report_call, report_subscription
from interceptor.engine.inflight cimport FLIGHT_PARTS, FLIGHT_WHERES, FlightPlan
from interceptor.engine.keys cimport siphash
from interceptor.engine.snapshot cimport Snapshot
from interceptor.engine.types cimport CHUNK, N_HAPPENINGS, Call, Decision, Field, Happening

from interceptor.engine.answers import CallError
from interceptor.engine.batch import DECISION_DTYPE
from interceptor.engine.border import CALL_DTYPE
from interceptor.engine.spec import field_name

OUTCOMES = ("joined", "carried", "early", "repeated", "blocked", "unknown")
CALL_EVENTS = {"answered": Happening.H_ANSWERED, "ended": Happening.H_ENDED}
CARD_EVENTS = {"activated": Happening.H_ACTIVATED, "reactivated": Happening.H_REACTIVATED,
               "attached": Happening.H_ATTACHED, "sms": Happening.H_SMS}
REPORT_FIELDS = ("call_id", "switch", "event", "time_ms", "duration_ms", "cause", "call")
CARD_FIELDS = {"report_id": "call_id", "number": "caller"}      # as a report of a card calls them
LAST_CAUSE = 127                # ITU-T Q.850
LARGEST = 2**62 - 1

cdef size_t ROW = CALL_DTYPE.itemsize

if len(OUTCOMES) != N_REPORT_OUTCOMES:
    raise ImportError("interceptor.engine.reporting: an outcome has no name")


cdef int follow(SnapshotHolder snapshot, FlightTable flights) except -1:
    cdef FlightPlan* plan
    if flights is None or snapshot.c.n_feeds == 0:
        return 0
    parts, wheres = snapshot.kept.parts.values(), snapshot.kept.wheres
    if len(parts) > FLIGHT_PARTS or len(wheres) > FLIGHT_WHERES:
        raise ValueError(
            f"counters of what is reported of calls need {len(parts)} keys and {len(wheres)} conditions of each call, "
            f"and {FLIGHT_PARTS} and {FLIGHT_WHERES} are the most: use fewer")
    plan = <FlightPlan*> snapshot.array(sizeof(FlightPlan))
    flights.lay_out(plan, [identity(snapshot, meant) for meant in parts],
                    [identity(snapshot, meant) for meant in wheres])
    plan.sighted = sighted(&snapshot.c)
    snapshot.c.flights = plan
    return 0


cdef uint64_t sighted(const Snapshot* s):
    cdef uint64_t found = 0
    cdef uint32_t f, g
    cdef bint same
    for f in range(min(s.n_feeds, <uint32_t> 64)):
        for g in range(s.n_groups):
            same = (s.groups[g].table == s.feeds[f].table and s.counters[s.groups[g].first].feeds
                    and s.groups[g].a.field == s.feeds[f].a.field and s.groups[g].a.prefix == s.feeds[f].a.prefix
                    and s.groups[g].b.field == s.feeds[f].b.field and s.groups[g].b.prefix == s.feeds[f].b.prefix)
            found |= <uint64_t> same << f
    return found


cdef object identity(SnapshotHolder snapshot, bytes meant):
    return siphash(&snapshot.c.intake.secret, meant, len(meant)) | 1


# --- one by one

cdef int64_t whole(report, str name, int64_t absent, largest=LARGEST) except? -1:
    value = report.get(name)
    if value is None:
        return absent
    if isinstance(value, bool) or not isinstance(value, int):
        raise CallError(name, f"must be a whole number, not {type(value).__name__}")
    if not 0 <= value <= largest:
        raise CallError(name, f"{value} is out of range")
    return value


cdef uint8_t event_of(event, dict known) except 0:
    if isinstance(event, bytes):
        raise CallError("event", "must be a whole number, not bytes")
    if event not in known:
        *most, last = known
        raise CallError("event", f"must be {', '.join(most)} or {last}, not {event}")
    return known[event]


cdef str take_report(Seat seat, report, Millis now):
    cdef Call own
    cdef Report one
    cdef list keep = []
    cdef int outcome
    memset(&one, 0, sizeof(Report))
    for name in report:
        if name not in REPORT_FIELDS:
            raise CallError(str(name), f"no such field; a report has {', '.join(REPORT_FIELDS)}")
    problem = load_mapping({name: report.get(name) for name in ("call_id", "switch")}, (), &own, keep)
    if problem is not None:
        raise problem
    one.call_id, one.on_switch = own.text[<int> Field.F_CALL_ID], own.text[<int> Field.F_SWITCH]
    one.event = event_of(report.get("event", 0), CALL_EVENTS)
    one.time_ms, one.duration_ms = whole(report, "time_ms", 0), whole(report, "duration_ms", -1)
    whole(report, "cause", 0, LAST_CAUSE)
    call = report.get("call")
    if call is None and one.call_id.length == 0:
        raise CallError("call_id", "a report names its call, or carries it: give call_id or call")
    if call is not None:
        one.call = &seat.calls[0]
        problem = load_mapping(call, seat.snapshot.spec.tags, one.call, keep)
        if problem is not None:
            raise CallError(f"call.{problem.field}", str(problem).partition(": ")[2])
    with nogil:
        outcome = <int> report_call(&seat.snapshot.c, &seat.w, &one, now)
    return OUTCOMES[outcome]


cdef str take_subscription(Seat seat, event, card, Millis now):
    cdef Call* call = &seat.calls[0]
    cdef list keep = []
    cdef int outcome
    cdef uint8_t happening
    names = {CARD_FIELDS.get(name, name): name for name in card}
    problem = load_mapping({name: card[given] for name, given in names.items() if given != "time_ms"},
                           seat.snapshot.spec.tags, call, keep)
    if problem is None or problem.field != "call_id":   # the first that is malformed, in the contract's order
        happening = event_of(event, CARD_EVENTS)
        whole(card, "time_ms", 0)
    if problem is not None:
        raise CallError(names.get(problem.field, problem.field), str(problem).partition(": ")[2])
    with nogil:
        outcome = <int> report_subscription(&seat.snapshot.c, &seat.w, happening, call, now)
    return OUTCOMES[outcome]


# --- recorded: decisions and reports in one order

cdef struct Recorded:
    const char* rows            # of CALL_DTYPE
    const int64_t* now          # all others: by event
    const uint8_t* happening
    const int64_t* row
    const int64_t* duration     # NULL: none is known
    Decision* out


cdef object replay_rows(Seat seat, calls, now_ms, happening, row, duration_ms):
    cdef Recorded recorded
    cdef size_t n, i
    cdef int problem = -1
    if not (isinstance(calls, np.ndarray) and calls.dtype == CALL_DTYPE and calls.ndim == 1
            and calls.flags.c_contiguous):
        raise TypeError("calls: give a contiguous one-dimensional array of CALL_DTYPE")
    times, rows = np.ascontiguousarray(now_ms, dtype=np.int64), np.ascontiguousarray(row, dtype=np.int64)
    events = np.ascontiguousarray(happening, dtype=np.uint8)
    durations = None if duration_ms is None else np.ascontiguousarray(duration_ms, dtype=np.int64)
    for name, array in (("now_ms", times), ("row", rows), ("duration_ms", durations)):
        if array is not None and array.shape != events.shape or events.ndim != 1:
            raise ValueError(f"{name}: give one for each of {events.size} events")
    if len(events) and (events.max() >= N_HAPPENINGS or rows.min() < 0 or rows.max() >= len(calls)):
        raise ValueError("happening: give Happenings; row: give rows of calls")
    answers = np.zeros(len(events), dtype=DECISION_DTYPE)
    recorded.rows = <const char*> <size_t> calls.ctypes.data
    recorded.now = <const int64_t*> <size_t> times.ctypes.data
    recorded.row = <const int64_t*> <size_t> rows.ctypes.data
    recorded.happening = <const uint8_t*> <size_t> events.ctypes.data
    recorded.duration = NULL
    if durations is not None:
        recorded.duration = <const int64_t*> <size_t> durations.ctypes.data
    recorded.out = <Decision*> <size_t> answers.ctypes.data
    n = len(calls)
    with nogil:
        for i in range(n):
            problem = row_problem(recorded.rows + i * ROW)
            if problem >= 0:
                break
    if problem >= 0:
        raise CallError(field_name(problem),
                        f"row {i}: a control character, or not valid UTF-8; nothing was decided")
    n = len(events)
    with nogil:
        i = 0
        while i < n:
            replay_chunk(&recorded, i, min(n, i + CHUNK), &seat.snapshot.c, &seat.w, seat.calls)
            i += CHUNK
    return answers


# The calls among some events are prepared together; everything happens in order.
cdef void replay_chunk(Recorded* recorded, size_t first, size_t last, const Snapshot* s, Worker* w,
                       Call* calls) noexcept nogil:
    cdef size_t k
    cdef uint32_t n = 0
    cdef Call one
    cdef Report report
    for k in range(first, last):
        if recorded.happening[k] == Happening.H_CALL:
            load_row(recorded.rows + recorded.row[k] * ROW, &calls[n])
            n += 1
    prepare_chunk(s, w, calls, n)
    n = 0
    for k in range(first, last):
        if recorded.happening[k] == Happening.H_CALL:
            decide_one(s, w, &calls[n], n, recorded.now[k], &recorded.out[k])
            n += 1
            continue
        load_row(recorded.rows + recorded.row[k] * ROW, &one)
        if recorded.happening[k] > Happening.H_ENDED:
            report_subscription(s, w, recorded.happening[k], &one, recorded.now[k])
            continue
        memset(&report, 0, sizeof(Report))
        report.on_switch, report.event = one.text[<int> Field.F_SWITCH], recorded.happening[k]
        report.time_ms, report.call = recorded.now[k], &one
        report.duration_ms = -1 if recorded.duration is NULL else recorded.duration[k]
        report_call(s, w, &report, recorded.now[k])
