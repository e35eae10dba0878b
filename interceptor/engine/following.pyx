# What the reports do to the counters (contract: following.pxd), top to bottom: a report, which call it is about, what
# of it is new, what that feeds.
from interceptor.engine.ahead cimport ahead_fetch, ahead_note
from interceptor.engine.decide cimport on_lists
from interceptor.engine.feeding cimport (
    Telling, feed, keep_call, note_records, note_sets, talked, tell_call, tell_flight,
)
from interceptor.engine.inflight cimport (
    EARLY_DURATION, EARLY_ENDED, FLIGHT_ANSWERED, FLIGHT_BLOCKED, FLIGHT_COUNTED, FLIGHT_ENDED, FLIGHT_KNOWN,
    FLIGHT_SETUP, FOUND_ENTRY, FOUND_NOTHING, Flight, FlightFound, flights_entry, flights_glance, flights_report,
    flights_set,
)
from interceptor.engine.intake cimport name_call, resolve
from interceptor.engine.stats cimport stats_bump
from interceptor.engine.types cimport Field, Happening, Scalar
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

# A card's report and a call have each their own names.
cdef uint64_t OF_CARDS = 0x9e3779b97f4a7c15
cdef Millis LONGEST_MS = <Millis> 31 * 86400 * 1000


# In four steps, each of which says where the next one looks: the entries' sets, the entries, the sets of the tables
# they feed, the records.
cdef void prepare_reports(const Snapshot* s, Worker* w, const Report* reports, uint32_t n) noexcept nogil:
    cdef Flight[SOON] seen
    cdef Telling telling
    cdef uint32_t i
    if s.flights is NULL or s.n_parts == 0:
        return
    for i in range(n):
        ahead_note(&w.ahead, flights_set(s.flights.flights, reports[i].a, reports[i].b), 2)
    ahead_fetch(&w.ahead)
    for i in range(n):
        ahead_note(&w.ahead, flights_entry(s.flights.flights, reports[i].a, reports[i].b), 2)
    ahead_fetch(&w.ahead)
    for i in range(n):
        if flights_glance(s.flights.flights, reports[i].a, reports[i].b, &seen[i]):
            telling = tell_flight(s.flights, &seen[i])
            note_sets(s, w, reports[i].event, &telling)
    ahead_fetch(&w.ahead)
    for i in range(n):
        if seen[i].state:
            telling = tell_flight(s.flights, &seen[i])
            note_records(s, w, reports[i].event, &telling)
    ahead_fetch(&w.ahead)


cdef ReportOutcome report_call(const Snapshot* s, Worker* w, const Report* report, Millis now) noexcept nogil:
    cdef ReportOutcome outcome = REPORT_UNKNOWN
    if s.flights is not NULL and s.n_parts:
        outcome = take_report(s, w, report, now)
    stats_bump(&w.stats.reports[<int> outcome], 1)
    return outcome


cdef ReportOutcome take_report(const Snapshot* s, Worker* w, const Report* report, Millis now) noexcept nogil:
    cdef Flight entry, before
    cdef FlightFound found = FOUND_NOTHING
    cdef uint8_t bits = FLIGHT_ANSWERED if report.event == Happening.H_ANSWERED else FLIGHT_ENDED
    cdef bint carries
    memset(&entry, 0, sizeof(Flight))
    name_report(s, w, report, &entry)
    if report.event == Happening.H_ANSWERED:
        entry.answered_switch = report.time_ms
    elif report.duration_ms >= 0:
        bits |= FLIGHT_ANSWERED
    entry.setup = now
    if entry.b and report.call is not NULL:     # what it carries is read only where there is nothing to join
        found = flights_report(s.flights.flights, &entry, bits, True, now, &before)
        if found == FOUND_ENTRY:
            return join(s, w, report, bits, &before, now)
    carries = report.call is not NULL and carry(s, w, report, &entry, now)
    if entry.b:
        if not carries:
            entry.key[<int> EARLY_DURATION] = <uint64_t> (report.duration_ms + 1)
            entry.key[<int> EARLY_ENDED] = <uint64_t> report.time_ms
        found = flights_report(s.flights.flights, &entry, bits, False, now, &before)
        if found == FOUND_ENTRY and before.state & (FLIGHT_SETUP | FLIGHT_COUNTED):
            return join(s, w, report, bits, &before, now)
        if not carries:
            if found == FOUND_ENTRY:
                return REPORT_EARLY if bits & ~before.state else REPORT_REPEATED
            return REPORT_EARLY if found == FOUND_NOTHING else REPORT_UNKNOWN
    if not carries:
        return REPORT_UNKNOWN
    count_carried(s, w, report, bits, &entry, &before if found == FOUND_ENTRY else NULL, now)
    return REPORT_CARRIED


cdef void name_report(const Snapshot* s, Worker* w, const Report* report, Flight* entry) noexcept nogil:
    if report.b:
        entry.a, entry.b = report.a, report.b
    elif report.call is not NULL:
        report.call.text[<int> Field.F_SWITCH] = report.on_switch
        if report.call_id.length:
            report.call.text[<int> Field.F_CALL_ID] = report.call_id
        name_call(&s.intake, &w.switches, report.on_switch, report.call.text[<int> Field.F_CALL_ID], &entry.a, &entry.b)
    else:
        name_call(&s.intake, &w.switches, report.on_switch, report.call_id, &entry.a, &entry.b)


# --- joined to its decision, or to what an earlier report carried

cdef ReportOutcome join(const Snapshot* s, Worker* w, const Report* report, uint8_t bits, const Flight* before,
                        Millis now) noexcept nogil:
    cdef Telling telling
    cdef uint8_t fresh = bits & ~before.state
    if before.state & FLIGHT_BLOCKED:
        return REPORT_BLOCKED
    if fresh == 0:
        return REPORT_REPEATED
    telling = tell_flight(s.flights, before)
    telling.fetched = report.fetched
    if fresh & FLIGHT_ANSWERED:
        feed(s, w, Happening.H_ANSWERED, &telling, now)
    if fresh & FLIGHT_ENDED:
        telling.talked = talked(report.duration_ms, before.state & FLIGHT_ANSWERED, before.answered_switch,
                                report.time_ms, now - before.setup - before.answered)
        feed(s, w, Happening.H_ENDED, &telling, now)
    return REPORT_JOINED


# --- by the keys it carries

# What an entry keeps of the call that is carried. False: there is nothing to count it by, or it was an emergency.
cdef bint carry(const Snapshot* s, Worker* w, const Report* report, Flight* entry, Millis now) noexcept nogil:
    cdef Call* call = report.call
    cdef int64_t since
    cdef uint32_t i
    cdef bint keyed = False
    resolve(&s.intake, &w.trunks, call)
    if call.emergency:
        return False
    on_lists(s, s, w, call, now)
    keep_call(s, w, call, entry)
    entry.state = FLIGHT_COUNTED
    if report.time_ms and (call.present >> <int> Scalar.S_EVENT_TIME_MS) & 1:
        since = report.time_ms - call.scalar[<int> Scalar.S_EVENT_TIME_MS]
        if 0 <= since <= LONGEST_MS:
            entry.setup = now - since
            entry.state |= FLIGHT_KNOWN
    for i in range(s.n_parts):
        keyed |= entry.key[i] != 0
    if not keyed:
        entry.state = 0
    return keyed


# `before`: early reports of the call, which waited for keys; NULL: none.
cdef void count_carried(const Snapshot* s, Worker* w, const Report* report, uint8_t bits, const Flight* entry,
                        const Flight* before, Millis now) noexcept nogil:
    cdef Telling telling = tell_flight(s.flights, entry)
    cdef int64_t duration = report.duration_ms, answered = entry.answered_switch, ended = report.time_ms
    if before is not NULL:
        bits |= before.state
        answered = before.answered_switch if before.state & FLIGHT_ANSWERED else answered
        if before.state & FLIGHT_ENDED:
            duration, ended = <int64_t> before.key[<int> EARLY_DURATION] - 1, <int64_t> before.key[<int> EARLY_ENDED]
    if bits & FLIGHT_ANSWERED:
        feed(s, w, Happening.H_ANSWERED, &telling, now)
    if bits & FLIGHT_ENDED:
        telling.talked = talked(duration, bits & FLIGHT_ANSWERED, answered, ended, 0)
        feed(s, w, Happening.H_ENDED, &telling, now)


# --- a card

cdef ReportOutcome report_subscription(const Snapshot* s, Worker* w, uint8_t event, Call* call,
                                       Millis now) noexcept nogil:
    cdef ReportOutcome outcome = REPORT_UNKNOWN
    if s.feeds_of[event] != s.feeds_of[event + 1]:
        outcome = take_subscription(s, w, event, call, now)
    stats_bump(&w.stats.reports[<int> outcome], 1)
    return outcome


cdef ReportOutcome take_subscription(const Snapshot* s, Worker* w, uint8_t event, Call* call,
                                     Millis now) noexcept nogil:
    cdef Flight entry, before
    cdef Telling telling
    memset(&entry, 0, sizeof(Flight))
    name_call(&s.intake, &w.switches, call.text[<int> Field.F_SWITCH], call.text[<int> Field.F_CALL_ID],
              &entry.a, &entry.b)
    if entry.b:
        entry.a ^= OF_CARDS
        entry.setup, entry.state = now, FLIGHT_COUNTED
        if flights_report(s.flights.flights, &entry, FLIGHT_ENDED, False, now, &before) == FOUND_ENTRY:
            return REPORT_REPEATED
    memset(&call.text[<int> Field.F_CALL_ID], 0, sizeof(Text))      # a card has none
    resolve(&s.intake, &w.trunks, call)
    on_lists(s, s, w, call, now)
    telling = tell_call(call)
    feed(s, w, event, &telling, now)
    return REPORT_CARRIED
