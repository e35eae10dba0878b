# What feeds the counters beside a setup (contract: feeding.pxd). No state of its own; no lock is held while a table is
# visited.
from interceptor.engine.ahead cimport ahead_fetch, ahead_note
from interceptor.engine.columns cimport ACT_COUNT, ACT_END
from interceptor.engine.counting cimport holds, part_key
from interceptor.engine.entities cimport SPARE, Entities, entities_touch
from interceptor.engine.entity_records cimport hash_of, note_record, set_of
from interceptor.engine.inflight cimport (
    EARLY_DURATION, EARLY_ENDED, FLIGHT_ANSWERED, FLIGHT_BLOCKED, FLIGHT_COUNTED, FLIGHT_ENDED, FLIGHT_KNOWN,
    FLIGHT_LAYOUTS, FLIGHT_SETUP, FOUND_ENTRY, NO_SLOT, flights_begin,
)
from interceptor.engine.pairing cimport RING, Pairing, pairing_ended, pairing_note, pairing_set
from interceptor.engine.snapshot cimport ANY_CALL, NO_BIT, NO_FIELD, NO_PAIRING, NO_PART, Fed, Feed, Paired, Part
from interceptor.engine.types cimport Happening, Key, Verdict
from libc.stdint cimport uint16_t, uint64_t
from libc.string cimport memset

cdef int64_t LONGEST_MS = <int64_t> 31 * 86400 * 1000


# --- what is known of it

cdef Telling tell_call(const Call* call) noexcept nogil:
    cdef Telling telling
    memset(&telling, 0, sizeof(Telling))
    telling.call, telling.talked = call, -1
    return telling


cdef Telling tell_flight(const FlightPlan* plan, const Flight* flight) noexcept nogil:
    cdef Telling telling
    cdef const FlightMap* map = &plan.map[flight.layout % FLIGHT_LAYOUTS]
    memset(&telling, 0, sizeof(Telling))
    telling.flight, telling.talked, telling.follows = flight, -1, True
    if <uint16_t> map.generation == flight.layout:
        telling.map = map
    if flight.state & (FLIGHT_SETUP | FLIGHT_KNOWN):
        telling.setup = flight.setup
    return telling


cdef int64_t talked(int64_t duration, bint answered, int64_t answered_switch, int64_t ended_switch,
                    Millis since_answer) noexcept nogil:
    if duration < 0:
        if not answered:
            return -1
        duration = ended_switch - answered_switch if answered_switch and ended_switch else since_answer
    return min(max(duration, <int64_t> 0), LONGEST_MS)


cdef inline Key key_of(const Telling* telling, const Part* part) noexcept nogil:
    if telling.call is not NULL:
        return part_key(part, telling.call)
    if telling.map is NULL or part.kept == NO_PART or telling.map.part[part.kept] == NO_SLOT:
        return 0
    return telling.flight.key[telling.map.part[part.kept]]


cdef bint wanted(const Snapshot* s, Worker* w, const Telling* telling, const Fed* fed) noexcept nogil:
    # Its `where`: as it was at setup, or, of what carries its keys itself, now.
    cdef uint8_t bit = fed.where_bit
    if telling.call is not NULL:
        return holds(s, w, fed.where_start, fed.where_end)
    if bit == NO_BIT:
        return True
    if telling.map is NULL or telling.map.where[bit] == NO_SLOT:
        return False
    return (telling.flight.where >> telling.map.where[bit]) & 1


cdef bint counts(const Snapshot* s, Worker* w, const Telling* telling, const Fed* fed) noexcept nogil:
    if fed.answered != ANY_CALL and fed.answered != (telling.talked >= 0):
        return False
    if fed.under_ms and telling.talked >= fed.under_ms:
        return False
    return wanted(s, w, telling, fed)


# --- the visits

cdef void feed(const Snapshot* s, Worker* w, uint8_t happening, const Telling* telling, Millis now) noexcept nogil:
    cdef uint32_t f, p, first = s.feeds_of[happening], last = s.feeds_of[happening + 1]
    if last - first > 1 and not telling.fetched:
        note_sets(s, w, happening, telling)
        ahead_fetch(&w.ahead)
        note_records(s, w, happening, telling)
        ahead_fetch(&w.ahead)
    for f in range(first, last):
        visit(s, w, f, telling, now, False)
    if happening == Happening.H_ENDED and telling.setup:
        for p in range(s.n_pairings):
            pair_up(s, w, p, telling, now)


cdef void note_sets(const Snapshot* s, Worker* w, uint8_t happening, const Telling* telling) noexcept nogil:
    cdef uint32_t f, p
    cdef Key a, b
    for f in range(s.feeds_of[happening], s.feeds_of[happening + 1]):
        if visits(s, w, telling, &s.feeds[f]) and keys_of(telling, &s.feeds[f], &a, &b):
            ahead_note(&w.ahead, set_of(s.feeds[f].table, hash_of(s.feeds[f].table, a, b)), 1)
    if happening == Happening.H_ENDED and telling.setup:
        for p in range(s.n_pairings):
            if s.pairings[p].pairing is not NULL:
                ahead_note(&w.ahead, pairing_set(s.pairings[p].pairing, key_of(telling, &s.pairings[p].place)), 1)


cdef void note_records(const Snapshot* s, Worker* w, uint8_t happening, const Telling* telling) noexcept nogil:
    cdef uint32_t f, p
    cdef Key a, b
    for f in range(s.feeds_of[happening], s.feeds_of[happening + 1]):
        if visits(s, w, telling, &s.feeds[f]) and keys_of(telling, &s.feeds[f], &a, &b):
            note_record(&w.ahead, s.feeds[f].table, hash_of(s.feeds[f].table, a, b), s.feeds[f].lines)
    if happening == Happening.H_ENDED and telling.setup:
        for p in range(s.n_pairings):
            if s.pairings[p].pairing is not NULL:
                pairing_note(s.pairings[p].pairing, key_of(telling, &s.pairings[p].place), &w.ahead)


# Whether a feed may count something: of a call, as its conditions were at setup.
cdef inline bint visits(const Snapshot* s, Worker* w, const Telling* telling, const Feed* one) noexcept nogil:
    cdef uint32_t k
    for k in range(one.first, one.last):
        if s.fed[k].pairing == NO_PAIRING and (telling.call is not NULL or wanted(s, w, telling, &s.fed[k])):
            return True
    return False


# The entity a feed is about; False: there is none.
cdef inline bint keys_of(const Telling* telling, const Feed* one, Key* a, Key* b) noexcept nogil:
    a[0], b[0] = key_of(telling, &one.a), 0
    if one.b.field == NO_FIELD:
        return a[0] != 0
    b[0] = key_of(telling, &one.b)
    return a[0] != 0 and b[0] != 0


# With `only_ends` what is active ends, and nothing is counted.
cdef void visit(const Snapshot* s, Worker* w, uint32_t f, const Telling* telling, Millis now,
                bint only_ends) noexcept nogil:
    cdef const Feed* one = &s.feeds[f]
    cdef Key a, b
    cdef bint follows = telling.follows and (f >= 64 or (s.flights.sighted >> f) & 1)
    cdef const Fed* fed
    cdef uint32_t k, n = 0, acts = 0
    if not keys_of(telling, one, &a, &b):
        return
    for k in range(one.first, one.last):
        fed = &s.fed[k]
        if fed.pairing != NO_PAIRING or (only_ends and fed.act != ACT_END) or not counts(s, w, telling, fed):
            continue
        w.touches[n].element = 0
        if fed.element.field != NO_FIELD:
            w.touches[n].element = key_of(telling, &fed.element)
            if w.touches[n].element == 0:
                continue
        w.touches[n].column, w.touches[n].act, w.touches[n].counter = fed.column, fed.act, SPARE
        w.touches[n].follows = follows
        w.touches[n].amount = telling.setup if fed.act == ACT_END else (max(telling.talked, <int64_t> 0) + 500) // 1000
        acts |= fed.act
        n += 1
    if n:
        entities_touch(one.table, a, b, hash_of(one.table, a, b), now, w.touches, n, acts, w.counter, False)


cdef void take_off(const Snapshot* s, Worker* w, const Telling* telling, Millis now) noexcept nogil:
    cdef uint32_t f
    for f in range(s.feeds_of[<int> Happening.H_ENDED], s.feeds_of[<int> Happening.H_ENDED + 1]):
        visit(s, w, f, telling, now, True)


# --- calls of one place that began and ended together

cdef void pair_up(const Snapshot* s, Worker* w, uint32_t p, const Telling* telling, Millis now) noexcept nogil:
    cdef Paired* paired = &s.pairings[p]
    cdef Key who = key_of(telling, &paired.who), place = key_of(telling, &paired.place)
    cdef Key[RING] partners
    cdef int64_t[RING] together
    cdef int64_t most = 0
    cdef uint64_t anew = 0
    cdef uint32_t f, k, j, n
    cdef const Feed* one
    if paired.pairing is NULL or who == 0 or place == 0 or not compared(s, w, p, telling):
        return
    n = pairing_ended(<Pairing*> paired.pairing, place, who, telling.setup, now, partners, RING, &anew)
    for j in range(n):
        together[j] = touch_one(w, paired.pairs, min(who, partners[j]), max(who, partners[j]), 0, 0, now)
        most = max(most, together[j])
    if n == 0:
        return
    for f in range(s.feeds_of[<int> Happening.H_ENDED], s.feeds_of[<int> Happening.H_ENDED + 1]):
        one = &s.feeds[f]
        for k in range(one.first, one.last):
            if s.fed[k].pairing != p:
                continue
            touch_one(w, one.table, who, 0, s.fed[k].column, most, now)
            for j in range(n):
                if s.fed[k].partner or (anew >> j) & 1:
                    touch_one(w, one.table, partners[j], 0, s.fed[k].column, together[j], now)


# All counters of one pairing have one `where`.
cdef bint compared(const Snapshot* s, Worker* w, uint32_t p, const Telling* telling) noexcept nogil:
    cdef uint32_t f, k
    for f in range(s.feeds_of[<int> Happening.H_ENDED], s.feeds_of[<int> Happening.H_ENDED + 1]):
        for k in range(s.feeds[f].first, s.feeds[f].last):
            if s.fed[k].pairing == p:
                return counts(s, w, telling, &s.fed[k])
    return False


cdef int64_t touch_one(Worker* w, Entities* table, Key a, Key b, uint16_t column, int64_t amount,
                       Millis now) noexcept nogil:
    w.touches[0].column, w.touches[0].act, w.touches[0].counter = column, ACT_COUNT, SPARE
    w.touches[0].element, w.touches[0].amount, w.touches[0].follows = 0, amount, True
    entities_touch(table, a, b, hash_of(table, a, b), now, w.touches, 1, ACT_COUNT, w.counter, False)
    return w.counter[SPARE]


# --- a call is decided

cdef void keep_call(const Snapshot* s, Worker* w, const Call* call, Flight* flight) noexcept nogil:
    cdef uint32_t i
    flight.layout = s.flights.layout
    for i in range(s.n_parts):
        flight.key[i] = part_key(&s.parts[i], call)
    for i in range(s.n_wheres):
        if holds(s, w, s.wheres[i].start, s.wheres[i].end):
            flight.where |= <uint64_t> 1 << i


cdef void note_decided(const Snapshot* s, Worker* w, const Call* call, uint32_t i, Millis now,
                       const Decision* out) noexcept nogil:
    cdef Flight flight, before
    cdef Telling telling
    if s.flights is NULL or s.n_parts == 0:
        return
    memset(&flight, 0, sizeof(Flight))
    flight.a, flight.b, flight.setup, flight.state = w.repeat_a[i], w.repeat_b[i], now, FLIGHT_SETUP
    keep_call(s, w, call, &flight)
    if out.verdict == Verdict.BLOCK:
        flight.state |= FLIGHT_BLOCKED
        telling = tell_flight(s.flights, &flight)
        take_off(s, w, &telling, now)
    if w.repeat_b[i] and flights_begin(s.flights.flights, &flight, w.parties[i], now, &before) == FOUND_ENTRY:
        catch_up(s, w, &flight, &before, now)


# What came before the decision: the same call long ago, whose end is lost; or its own reports.
cdef void catch_up(const Snapshot* s, Worker* w, const Flight* flight, const Flight* before,
                   Millis now) noexcept nogil:
    cdef Telling telling
    if before.state & FLIGHT_SETUP:
        if not before.state & (FLIGHT_BLOCKED | FLIGHT_ENDED):
            telling = tell_flight(s.flights, before)
            take_off(s, w, &telling, now)
        return
    if flight.state & FLIGHT_BLOCKED:
        return
    telling = tell_flight(s.flights, flight)
    if before.state & FLIGHT_COUNTED:
        if before.state & FLIGHT_ENDED:
            take_off(s, w, &telling, now)
        return
    if before.state & FLIGHT_ANSWERED:
        feed(s, w, Happening.H_ANSWERED, &telling, now)
    if before.state & FLIGHT_ENDED:
        telling.talked = talked(
            <int64_t> before.key[<int> EARLY_DURATION] - 1, before.state & FLIGHT_ANSWERED, before.answered_switch,
            <int64_t> before.key[<int> EARLY_ENDED], 0)
        feed(s, w, Happening.H_ENDED, &telling, now)
