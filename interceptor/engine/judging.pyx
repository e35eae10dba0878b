# What another policy, or other lists, would have answered to recent calls: both answers are made now, as calls are.
import numpy as np

from libc.stddef cimport size_t
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from interceptor.engine.candidate cimport Candidate
from interceptor.engine.decide cimport MOST_ASKED, Worker, decide_beside, keys_asked, take_up
from interceptor.engine.intake cimport resolve
from interceptor.engine.lists cimport ListTable
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.samples cimport UNREADABLE, Sample, sample_counters, sample_read, sample_values
from interceptor.engine.snapshot cimport Snapshot, SnapshotHolder
from interceptor.engine.tables cimport ListTables, Tables
from interceptor.engine.types cimport MAX_LISTS, Call, Decision, Field, Key, Number, NumberStatus

from interceptor.engine import trace
from interceptor.engine.answers import Answer, Flip, Judgement
from interceptor.engine.spec import ListContent
from interceptor.engine.types import Verdict

cdef enum:
    NOWHERE = -1                # of a counter: the sample does not have it
    BLOCK = 1024                # samples whose keys are gathered at a time
    PIECE = 1 << 18             # keys of a change that are looked for at a time

cdef struct Record:
    const char* data
    size_t size

cdef struct Turned:             # a call with another verdict
    uint32_t index
    uint16_t was_rule
    uint16_t would_rule
    uint8_t was
    uint8_t would
    uint8_t callers             # bytes of the texts
    uint8_t callees
    char[24] caller
    char[24] callee
    uint64_t decision
    int64_t time

cdef struct Side:               # one of the two policies
    const Snapshot* s
    const Snapshot* tables
    Worker* w
    uint8_t* outcome
    const Sample* like          # the sample whose counters `place` is about
    int16_t[256] place          # by counter: its place in a sample, or NOWHERE
    uint8_t[256] unknown        # by counter: some sample did not have it
    uint32_t unknown_tags
    Call call


# Where this policy's counters are in the sample. Most samples have those of the one before.
cdef void learn(Side* side, const Sample* sample) noexcept nogil:
    cdef const uint64_t* known = sample_counters(sample)
    cdef uint32_t i, k
    if (side.like is not NULL and side.like.counters == sample.counters
            and memcmp(sample_counters(side.like), known, 8 * <size_t> sample.counters) == 0):
        return
    side.like = sample
    for i in range(side.s.meanings.counters):
        side.place[i] = NOWHERE
        for k in range(sample.counters):
            if known[k] == side.s.meanings.counter[i]:
                side.place[i] = <int16_t> k
                break
        if side.place[i] == NOWHERE:
            side.unknown[i] = True


cdef const Sample* answer(Side* side, const Record* record, Decision* out) noexcept nogil:
    cdef uint32_t i, unknown
    cdef const Sample* sample = sample_read(record.data, record.size, &side.s.meanings, &side.call, &unknown)
    cdef const int64_t* value
    if sample is NULL:
        return NULL
    side.unknown_tags |= unknown
    memset(side.w.readable, 0, sizeof(side.w.readable))
    if not sample.emergency:
        learn(side, sample)
        value = sample_values(sample)
        for i in range(side.s.meanings.counters):
            if side.place[i] != NOWHERE and value[side.place[i]] != UNREADABLE:
                side.w.counter[i], side.w.readable[i] = value[side.place[i]], True
    decide_beside(side.tables, side.s, side.w, &side.call, sample.time, sample.graced, False, out, side.outcome)
    return sample


cdef uint8_t number_text(const Call* call, uint32_t field, char* out) noexcept nogil:
    cdef const Number* number = &call.number[field]
    cdef uint32_t n
    if number.status == NumberStatus.NUMBER_E164 or number.status == NumberStatus.NUMBER_SHORT:
        memcpy(out, number.text, number.length)
        return number.length
    n = min(call.text[field].length, <uint32_t> 24)
    if n:
        memcpy(out, call.text[field].data, n)
    return <uint8_t> n


# How many were turned; or, of a record that is none, -1 - its index.
cdef int64_t compare(Side* live, Side* other, const Record* records, size_t n, Turned* turned) noexcept nogil:
    cdef size_t i
    cdef int64_t found = 0
    cdef Decision was, would
    cdef const Sample* sample
    cdef Turned* one
    for i in range(n):
        sample = answer(live, &records[i], &was)
        if sample is NULL:
            return -1 - <int64_t> i
        answer(other, &records[i], &would)
        if was.verdict == would.verdict:
            continue
        one = &turned[found]
        found += 1
        one.index, one.decision, one.time = <uint32_t> i, sample.decision, sample.time
        one.was, one.was_rule, one.would, one.would_rule = was.verdict, was.rule, would.verdict, would.rule
        one.callers = number_text(&live.call, Field.F_CALLER, one.caller)
        one.callees = number_text(&live.call, Field.F_CALLEE, one.callee)
    return found


# The keys that these calls' lists are asked for, into out: at most MOST_ASKED each; counts: how many of each call.
cdef size_t gather(Side* side, const Record* records, size_t n, Key* out, uint32_t* counts) noexcept nogil:
    cdef size_t i, found = 0
    cdef uint32_t unknown
    for i in range(n):
        counts[i] = 0
        if sample_read(records[i].data, records[i].size, &side.s.meanings, &side.call, &unknown) is not NULL:
            resolve(&side.s.intake, &side.w.trunks, &side.call)
            counts[i] = keys_asked(side.s, &side.call, &out[found])
            found += counts[i]
    return found


cdef class Bench:
    """The samples, and both policies with room to decide them in."""

    cdef Side live
    cdef Side other
    cdef Record* records
    cdef Turned* turned
    cdef size_t n
    cdef list owned
    cdef object keep

    def __init__(self, SnapshotHolder live, SnapshotHolder other, samples):
        cdef bytes sample
        samples = tuple(samples)    # whoever keeps them goes on to drop old ones
        self.owned, self.n = [], len(samples)
        self.records = <Record*> self.room(sizeof(Record) * self.n)
        self.turned = <Turned*> self.room(sizeof(Turned) * self.n)
        for i, sample in enumerate(samples):
            self.records[i].data, self.records[i].size = sample, len(sample)
        self.seat(&self.live, live)
        self.seat(&self.other, other)
        self.keep = (live, other, samples)

    cdef int seat(self, Side* side, SnapshotHolder holder) except -1:
        side.s = side.tables = &holder.c
        side.w = <Worker*> self.room(sizeof(Worker))
        side.outcome = <uint8_t*> self.room(len(holder.spec.rules))
        take_up(side.w, side.s)
        return 0

    cdef void* room(self, size_t size) except NULL:
        cdef void* p = reserve(size + 1)        # an empty mapping cannot be had
        if p is NULL:
            raise MemoryError(f"no memory for {size} bytes to judge a candidate in")
        self.owned.append((<size_t> p, size + 1))
        return p

    def __dealloc__(self):
        for address, size in self.owned or ():
            release(<void*> <size_t> address, size)

    cdef tuple asked(self):
        """Every key that the other policy's lists are asked for, call by call, and how many each call asks for."""
        cdef Key* keys = <Key*> self.room(sizeof(Key) * MOST_ASKED * BLOCK)
        cdef uint32_t* counts = <uint32_t*> self.room(sizeof(uint32_t) * self.n)
        cdef size_t first = 0, found, some
        gathered = [np.empty(0, np.uint64)]
        while first < self.n:
            some = min(<size_t> BLOCK, self.n - first)
            with nogil:
                found = gather(&self.other, &self.records[first], some, keys, &counts[first])
            if found:
                gathered.append(np.array(<uint64_t[:found]> keys))
            first += some
        return np.concatenate(gathered), np.array(<uint32_t[:self.n]> counts if self.n else [], np.uint32)

    cdef int64_t compare(self):
        cdef int64_t found
        with nogil:
            found = compare(&self.live, &self.other, self.records, self.n, self.turned)
        return found

    cdef tuple flips(self, int64_t found):
        cdef int64_t i
        cdef Turned* one
        was, would = self.live_spec(), self.other_spec()
        made = []
        for i in range(found):
            one = &self.turned[i]
            made.append(Flip(
                one.index, Answer(Verdict(one.was), trace.rule_id(was, one.was_rule)),
                Answer(Verdict(one.would), trace.rule_id(would, one.would_rule)), f"{one.decision:016x}", one.time,
                one.caller[:one.callers].decode(errors="replace"), one.callee[:one.callees].decode(errors="replace")))
        return tuple(made)

    cdef object live_spec(self):
        return (<SnapshotHolder> self.keep[0]).spec

    cdef object other_spec(self):
        return (<SnapshotHolder> self.keep[1]).spec


cdef ListTables changed(Bench bench, SnapshotHolder live, ListTables tables, places, changes):
    """Of the lists' tables what the samples ask for, as it would be after the changes."""
    cdef uint64_t seed = live.c.intake.secret.k0
    asked = np.unique(bench.asked()[0])
    bitmaps = np.empty(len(asked), np.uint64)
    wanted, table = ListTable(len(asked), seed), ListTable(len(asked), seed)
    wanted.add_many(asked, 0)
    tables.table.find_many(asked, bitmaps)
    for i in range(len(live.spec.lists)):
        table.add_many(asked[bitmaps >> np.uint64(i) & np.uint64(1) != 0], i)
    done = []
    for name, (added, removed) in changes.items():
        if name not in places:
            raise KeyError(f"no list {name!r}; there are {', '.join(places) or 'none'}")
        for content, on in ((removed, False), (added, True)):
            some = ListContent(only(wanted, content.keys), content.prefixes, content.pairs, content.networks)
            done.append((places[name], some, on))
    pairs = tables.pairs
    if any(len(content.pairs) for _, content, _ in done):
        pairs = pairs.remapped({i: i for i in range(MAX_LISTS)})       # not those that calls look at
    return ListTables(table, tables.trie, pairs, tables.networks).changed(done)[0]


cdef object only(ListTable wanted, keys):
    keys = np.ascontiguousarray(keys, dtype=np.uint64)
    parts = [keys[:0]]
    for start in range(0, len(keys), PIECE):
        piece = keys[start:start + PIECE]
        found = np.empty(len(piece), np.uint64)
        wanted.find_many(piece, found)
        parts.append(piece[found != 0])
    return np.concatenate(parts)


def asked(SnapshotHolder live not None, samples):
    cdef Bench bench = Bench(live, live, samples)
    return bench.asked()


def judge(SnapshotHolder live not None, samples, Candidate candidate, changes):
    cdef Bench bench
    cdef SnapshotHolder other = live if candidate is None else candidate
    cdef int64_t found
    cdef uint32_t i
    cdef ListTables running = live.lists.tables, asked = running        # both sides decide with these to the end
    cdef Snapshot now, then
    bench = Bench(live, other, samples)
    if changes:
        places = ({described.name: i for i, described in enumerate(live.spec.lists)} if candidate is None
                  else candidate.places)
        asked = changed(bench, live, running, places, changes)
    memset(&now, 0, sizeof(Snapshot))
    memset(&then, 0, sizeof(Snapshot))
    now.tables, then.tables = <const Tables**> &running.tables, <const Tables**> &asked.tables
    bench.live.tables, bench.other.tables = &now, &then
    found = bench.compare()
    if found < 0:
        raise ValueError(f"samples[{-1 - found}]: no sample of this version")
    spec = other.spec
    return Judgement(
        bench.n, bench.flips(found),
        tuple([counter.name for i, counter in enumerate(spec.counters) if bench.other.unknown[i]]),
        tuple([tag for i, tag in enumerate(spec.tags) if bench.other.unknown_tags >> i & 1]))
