# The way of a call, top to bottom: resolve, prefetch, emergency, repeated?, lists, counters, rules, verdict.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from interceptor.engine.ahead cimport ahead_fetch, ahead_note
from interceptor.engine.atomics cimport ic_cas64, ic_load8, ic_load64, ic_load64_relaxed, ic_lowest_bit
from interceptor.engine.counting cimport count, look_at, name_entities, read_all, read_counter
from interceptor.engine.domains cimport domains_find, domains_keys
from interceptor.engine.entity_records cimport note_record, set_of
from interceptor.engine.events cimport Aside, ring_put
from interceptor.engine.feeding cimport note_decided
from interceptor.engine.inflight cimport flights_entry, flights_set
from interceptor.engine.intake cimport name_call, name_parties, resolve
from interceptor.engine.keys cimport key_digits
from interceptor.engine.lists cimport lists_find, lists_group
from interceptor.engine.networks cimport networks_find
from interceptor.engine.pairs cimport pairs_find, pairs_group
from interceptor.engine.prefixes cimport PrefixRoot, prefixes_find
from interceptor.engine.program cimport Outcome, evaluate, glance
from interceptor.engine.recent cimport recent_any, recent_entry, recent_find, recent_put, recent_set
from interceptor.engine.samples cimport sample_due, sample_put
from interceptor.engine.snapshot cimport Lookup, Rule
from interceptor.engine.stats cimport stats_bump
from interceptor.engine.tables cimport Tables
from interceptor.engine.types cimport (
    ADDED_PER_MINUTE, REPEAT_MS, BlockClass, Field, NumberStatus, RuleIndex, Verdict,
)


cdef void take_up(Worker* w, const Snapshot* s) noexcept nogil:
    w.stats = s.stats[w.index]
    w.frame.regions, w.frame.types = s.regions, s.types
    w.frame.counter, w.frame.readable = w.counter, w.readable
    w.frame.read, w.frame.reader = read_counter, w


# --- 1. decode and prefetch: what the call will touch is on its way while its neighbours are decoded

cdef void decide_chunk(const Snapshot* s, Worker* w, Call* calls, uint32_t n, const Millis* now,
                       Decision* out) noexcept nogil:
    cdef uint32_t i
    prepare_chunk(s, w, calls, n)
    for i in range(n):
        decide_one(s, w, &calls[i], i, now[i], &out[i])


cdef void prepare_chunk(const Snapshot* s, Worker* w, Call* calls, uint32_t n) noexcept nogil:
    cdef uint32_t i, k
    cdef const Lookup* look
    cdef const Tables* tables = load_tables(s)
    cdef bint added = ic_load64_relaxed(s.added_until) != 0
    for i in range(n):
        resolve(&s.intake, &w.trunks, &calls[i])
        name_repeat(s, w, &calls[i], i)
        name_entities(s, w, &calls[i], i)
        for k in range(s.n_lookups):
            look = &s.lookups[k]
            if not look.domain | look.network:
                ahead_note(&w.ahead, lists_group(&tables.lists, calls[i].key[look.field]), 1)
            if look.dynamic and added:
                ahead_note(&w.ahead, recent_set(s.added, calls[i].key[look.field], 0), 2)
            if look.pairs:
                ahead_note(&w.ahead, pairs_group(tables.pairs, calls[i].key[<int> Field.F_CALLEE],
                                                 calls[i].key[<int> Field.F_CALLER]), 1)
        for k in range(s.n_groups):
            if w.entity[i][k].a:
                ahead_note(&w.ahead, set_of(s.groups[k].table, w.entity[i][k].hashed), 1)
        if w.repeat_b[i]:
            ahead_note(&w.ahead, recent_set(s.repeats, w.repeat_a[i] ^ w.parties[i], w.repeat_b[i]), 2)
            if s.n_parts:
                ahead_note(&w.ahead, flights_set(s.flights.flights, w.repeat_a[i], w.repeat_b[i]), 2)
    ahead_fetch(&w.ahead)
    for i in range(n):          # the sets say where the records are
        for k in range(s.n_groups):
            if w.entity[i][k].a:
                note_record(&w.ahead, s.groups[k].table, w.entity[i][k].hashed, s.groups[k].lines)
        if w.repeat_b[i]:
            ahead_note(&w.ahead, recent_entry(s.repeats, w.repeat_a[i] ^ w.parties[i], w.repeat_b[i]), 1)
            if s.n_parts:
                ahead_note(&w.ahead, flights_entry(s.flights.flights, w.repeat_a[i], w.repeat_b[i]), 2)
    ahead_fetch(&w.ahead)


cdef void name_repeat(const Snapshot* s, Worker* w, const Call* call, uint32_t i) noexcept nogil:
    name_call(&s.intake, &w.switches, call.text[<int> Field.F_SWITCH], call.text[<int> Field.F_CALL_ID],
              &w.repeat_a[i], &w.repeat_b[i])
    w.parties[i] = name_parties(&s.intake, call) if w.repeat_b[i] else 0


# --- 2. one call

cdef inline Trial* trial_of(const Snapshot* s) noexcept nogil:
    return <Trial*> <size_t> ic_load64(<const uint64_t*> <const void*> &s.trial)


cdef void decide_one(const Snapshot* s, Worker* w, Call* call, uint32_t i, Millis now, Decision* out) noexcept nogil:
    cdef bint graced
    cdef Trial* trial = trial_of(s)         # the same one from here to the end
    if call.emergency:
        start(s, out, new_id(w))
        out.verdict, out.rule = Verdict.PASS, RuleIndex.RULE_EMERGENCY
        remember_emergency(s, call, now)
        stats_bump(&w.stats.emergency, 1)
        stats_bump(&w.stats.verdict[<int> Verdict.PASS], 1)
        look_back(s, w, call, False, out, trial, now)
        return
    if w.repeat_b[i] and recent_find(s.repeats, w.repeat_a[i] ^ w.parties[i], w.repeat_b[i], now, out):
        out.repeated = 1
        stats_bump(&w.stats.repeated, 1)
        return
    start(s, out, new_id(w))
    count_hits(w, on_lists(s, s, w, call, now))
    count(s, w, call, i, now, False)
    graced = in_grace(s, call, now)
    enforce(s, w, call, now, graced, out, NULL)
    shadow(s, w, out, NULL)
    if trial is not NULL or sample_due(w.sampled, now):
        read_all(w)
    if w.repeat_b[i]:
        recent_put(s.repeats, w.repeat_a[i] ^ w.parties[i], w.repeat_b[i], now, now + REPEAT_MS, out, False, False)
    note_decided(s, w, call, i, now, out)
    stats_bump(&w.stats.verdict[out.verdict], 1)
    report(w, call, out, now)
    look_back(s, w, call, graced, out, trial, now)


cdef void explain_call(const Snapshot* s, Worker* w, Call* call, Millis now, Decision* out,
                       uint8_t* outcome, bint* graced) noexcept nogil:
    resolve(&s.intake, &w.trunks, call)
    memset(w.readable, 0, sizeof(w.readable))
    memset(w.counted, 0, sizeof(w.counted))
    start(s, out, 0)
    graced[0] = False
    on_lists(s, s, w, call, now)
    if call.emergency:
        out.verdict, out.rule = Verdict.PASS, RuleIndex.RULE_EMERGENCY
        return
    name_repeat(s, w, call, 0)
    name_entities(s, w, call, 0)
    count(s, w, call, 0, now, True)
    graced[0] = in_grace(s, call, now)
    enforce(s, w, call, now, graced[0], out, outcome)
    shadow(s, w, out, outcome)
    if w.repeat_b[0] and recent_find(s.repeats, w.repeat_a[0] ^ w.parties[0], w.repeat_b[0], now, out):
        out.repeated = 1


cdef void decide_beside(const Snapshot* tables, const Snapshot* s, Worker* w, Call* call, Millis now,
                        bint graced, bint counting, Decision* out, uint8_t* outcome) noexcept nogil:
    resolve(&s.intake, &w.trunks, call)
    start(s, out, 0)
    if call.emergency:
        out.verdict, out.rule = Verdict.PASS, RuleIndex.RULE_EMERGENCY
        return
    on_lists(tables, s, w, call, now)
    if counting:
        name_entities(s, w, call, 0)
        count(s, w, call, 0, now, False)
    enforce(s, w, call, now, graced and s.grace_ms > 0, out, outcome)


cdef inline void start(const Snapshot* s, Decision* out, uint64_t identity) noexcept nogil:
    memset(out, 0, sizeof(Decision))
    out.id, out.revision = identity, s.revision


cdef inline uint64_t new_id(Worker* w) noexcept nogil:
    w.next_id += 1
    return (<uint64_t> w.index << 54) | w.next_id


# --- 3. the lists: which of them each field that conditions ask about is on

cdef inline const Tables* load_tables(const Snapshot* s) noexcept nogil:
    return <const Tables*> <size_t> ic_load64(<const uint64_t*> <const void*> s.tables)


cdef uint64_t on_lists(const Snapshot* whose, const Snapshot* s, Worker* w, const Call* call,
                       Millis now) noexcept nogil:
    cdef const Tables* tables = load_tables(whose)      # once: all that is on lists, as of one moment
    cdef const Lookup* look
    cdef uint32_t k
    cdef uint64_t bitmap, dynamic, hits = 0
    cdef int one
    cdef char[16] digits
    cdef bint added = <Millis> ic_load64_relaxed(s.added_until) > now
    look_at(s, w, call, now)
    for k in range(s.n_lookups):
        look = &s.lookups[k]
        w.frame.bitmap[look.field] = 0
        if call.key[look.field] == 0:
            continue
        if look.domain:
            bitmap = domains_find(&tables.lists, &s.intake.secret, call.text[look.field])
        elif look.network:
            bitmap = networks_find(tables.networks, call.text[look.field])
        else:
            bitmap = lists_find(&tables.lists, call.key[look.field])
        if look.pairs:
            bitmap |= pairs_find(tables.pairs, call.key[<int> Field.F_CALLEE], call.key[<int> Field.F_CALLER])
        if look.root == PrefixRoot.ROOT_NUMBER:
            if call.number[look.field].status == NumberStatus.NUMBER_E164:
                bitmap |= prefixes_find(tables.prefixes, look.root, call.number[look.field].text + 1,
                                        call.number[look.field].length - 1)
        elif look.root != PrefixRoot.N_ROOTS:
            bitmap |= prefixes_find(tables.prefixes, look.root, digits, key_digits(call.key[look.field], digits))
        dynamic = look.dynamic & ~bitmap if added else 0
        if dynamic and not recent_any(s.added, call.key[look.field]):
            dynamic = 0
        while dynamic:
            one = ic_lowest_bit(dynamic)
            dynamic &= dynamic - 1
            if recent_find(s.added, call.key[look.field], s.list_identity[one], now, NULL):
                bitmap |= <uint64_t> 1 << one
        w.frame.bitmap[look.field] = bitmap
        hits |= bitmap
    return hits


cdef uint32_t keys_asked(const Snapshot* s, const Call* call, Key* out) noexcept nogil:
    cdef const Lookup* look
    cdef uint32_t k, n = 0
    for k in range(s.n_lookups):
        look = &s.lookups[k]
        if look.domain:
            n += domains_keys(&s.intake.secret, call.text[look.field], &out[n])
        elif call.key[look.field]:
            out[n] = call.key[look.field]
            n += 1
    return n


# --- 4. the rules: the first enforced match decides; every shadow rule is looked at

# `outcome` is NULL for a call that is decided, and by rule for one that is explained: then nothing is counted.
cdef void enforce(const Snapshot* s, Worker* w, const Call* call, Millis now, bint graced, Decision* out,
                  uint8_t* outcome) noexcept nogil:
    cdef uint32_t i = 0
    cdef Rule* rule
    cdef uint8_t verdict
    while i < s.n_enforced:
        rule = &s.enforced[i]
        if rule.alike and outcome is NULL and glance(&rule.common, &w.frame) == Outcome.NO_MATCH:
            i += rule.alike
            continue
        i += 1
        if not matches(s, w, rule, out, outcome):
            continue
        verdict = ic_load8(&rule.verdict)
        if graced and verdict == Verdict.BLOCK and rule.block_class == BlockClass.CLASS_ANALYTICS:
            if outcome is not NULL:
                outcome[rule.index] = GRACED
            else:
                stats_bump(&w.stats.graced, 1)
            continue
        out.verdict, out.block_class, out.rule = verdict, rule.block_class, rule.index
        if outcome is NULL:
            stats_bump(&w.stats.rule[rule.index].decided, 1)
            if verdict == Verdict.BLOCK:
                stats_bump(&w.stats.rule[rule.index].blocked, 1)
            if rule.add_ms:
                add_to(s, w, rule, call, now, out)
        return
    out.verdict, out.rule = s.default_verdict, RuleIndex.RULE_DEFAULT
    if outcome is NULL:
        stats_bump(&w.stats.defaulted, 1)


cdef void shadow(const Snapshot* s, Worker* w, Decision* out, uint8_t* outcome) noexcept nogil:
    cdef uint32_t i
    cdef Rule* rule
    for i in range(s.n_shadow):
        rule = &s.shadow[i]
        if matches(s, w, rule, out, outcome):
            out.shadow |= <uint64_t> 1 << rule.shadow_bit
            if outcome is NULL:
                stats_bump(&w.stats.rule[rule.index].shadow, 1)


# A rule that ends in an error does not match, and is counted.
cdef inline bint matches(const Snapshot* s, Worker* w, const Rule* rule, Decision* out,
                         uint8_t* outcome) noexcept nogil:
    cdef uint8_t result = evaluate(&s.program, rule.start, rule.end, &w.frame)
    if outcome is not NULL:
        outcome[rule.index] = result
    if result == Outcome.NO_MATCH or result == Outcome.MATCH:
        return result == Outcome.MATCH
    out.errors += 1
    if outcome is NULL:
        if result == Outcome.OUTCOME_ABSENT:
            stats_bump(&w.stats.rule[rule.index].absent, 1)
        else:
            stats_bump(&w.stats.rule[rule.index].failed, 1)
    return False


# Bounded: ADDED_PER_MINUTE for a rule, the table's entries for all; an entry that is there keeps its end.
cdef void add_to(const Snapshot* s, Worker* w, Rule* rule, const Call* call, Millis now, Decision* out) noexcept nogil:
    cdef Key key = call.key[rule.add_field]
    cdef uint64_t minute = <uint64_t> (now // 60000), was, wanted
    if key == 0 or (rule.add_verified and not call.verified):
        stats_bump(&w.stats.rule[rule.index].not_added, 1)
        return
    if recent_find(s.added, key, rule.add_list, now, NULL):
        return
    was = ic_load64_relaxed(&rule.added)
    while True:
        wanted = was + 1 if was >> 16 == minute else (minute << 16) | 1
        if (wanted & 0xffff) > ADDED_PER_MINUTE:
            stats_bump(&w.stats.rule[rule.index].not_added, 1)
            return
        if ic_cas64(&rule.added, &was, wanted):
            break
    if recent_put(s.added, key, rule.add_list, now, now + rule.add_ms, NULL, True, True):
        raise_to(s.added_until, now + rule.add_ms)
        stats_bump(&w.stats.rule[rule.index].added, 1)
        out.added, w.added_field = 1, rule.add_field
    else:
        stats_bump(&w.stats.rule[rule.index].not_added, 1)


# --- 5. the emergency grace time

cdef void remember_emergency(const Snapshot* s, const Call* call, Millis now) noexcept nogil:
    if call.key[<int> Field.F_CALLER] and s.grace_ms > 0:
        recent_put(s.grace, call.key[<int> Field.F_CALLER], 0, now, now + s.grace_ms, NULL, False, False)
        raise_to(s.grace_until, now + s.grace_ms)


cdef inline bint in_grace(const Snapshot* s, const Call* call, Millis now) noexcept nogil:
    return (<Millis> ic_load64_relaxed(s.grace_until) > now and call.key[<int> Field.F_CALLEE] != 0
            and recent_find(s.grace, call.key[<int> Field.F_CALLEE], 0, now, NULL))


# --- 6. what is counted and told about it

cdef inline void count_hits(Worker* w, uint64_t hits) noexcept nogil:
    while hits:
        stats_bump(&w.stats.list_hits[ic_lowest_bit(hits)], 1)
        hits &= hits - 1


cdef inline void report(Worker* w, const Call* call, const Decision* out, Millis now) noexcept nogil:
    cdef Aside aside
    if out.verdict == Verdict.PASS and out.shadow == 0 and out.added == 0:
        if w.pass_sample == 0:
            return
        w.passes += 1
        if w.passes < w.pass_sample:
            return
        w.passes = 0
    aside.added_field, aside.trial, aside.would_verdict, aside.would_rule = w.added_field, 0, 0, 0
    ring_put(w.ring, call, out, &aside, now)


# A call that others may decide again: a sample for later, and a policy on trial now.
cdef inline void look_back(const Snapshot* s, Worker* w, const Call* call, bint graced, const Decision* out,
                           Trial* trial, Millis now) noexcept nogil:
    if sample_due(w.sampled, now):
        sample_put(w.samples, &w.sampled, call, out, graced, now, &s.meanings, w.counter, w.readable)
    if trial is not NULL:
        trial.decide(trial, s, w, call, now, graced, out)
