# The engine's Python face: the one border at which a Python thread enters the kernels. The way of a call: decide.pyx.
import os
import threading

import cython

from libc.stdint cimport uint8_t, uint64_t

from interceptor.engine.atomics cimport ic_store64
from interceptor.engine.batch cimport Batch, batch_decide, nanoseconds
from interceptor.engine.border cimport load_mapping
from interceptor.engine.changes cimport ListChanges
from interceptor.engine.decide cimport Worker, decide_chunk, explain_call, raise_to, take_up
from interceptor.engine.events cimport EventRing
from interceptor.engine.explaining cimport decision, entries_met, number_read
from interceptor.engine.inflight cimport FlightTable
from interceptor.engine.intake cimport resolve
from interceptor.engine.live cimport Beside
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.plan cimport NumberingPlan
from interceptor.engine.publication cimport (
    Publication, publication_enter, publication_leave, publication_point,
)
from interceptor.engine.recent cimport RecentTable
from interceptor.engine.reporting cimport follow, replay_rows, take_report, take_subscription
from interceptor.engine.samples cimport SampleRing
from interceptor.engine.seats cimport Seat, Seats
from interceptor.engine.snapshot cimport Companion, Snapshot, SnapshotHolder
from interceptor.engine.stats cimport stats_latency
from interceptor.engine.types cimport CHUNK, N_NUMBERS, Call, Decision as CDecision, Millis

from interceptor.engine import entity, residents, trace
from interceptor.engine.answers import (
    Answer, CallError, CounterTrace, Decision, Differing, Explanation, Flip, Judgement, ListTrace, NumberTrace,
    RuleTrace, TrialState,
)
from interceptor.engine.batch import DECISION_DTYPE
from interceptor.engine.border import CALL_DTYPE
from interceptor.engine.judging import asked, judge
from interceptor.engine.spec import ListContent
from interceptor.engine.trials import Trials

__all__ = ["CALL_DTYPE", "DECISION_DTYPE", "Answer", "CallError", "CounterTrace", "Decision", "Differing", "Engine",
           "Explanation", "Flip", "Judgement", "ListContent", "ListTrace", "NumberTrace", "RuleTrace", "TrialState"]

# A repeat comes within 32 s: as many reloads in that time are none of an operator's.
SPECS_KEPT = 16
LAST = (1 << 63) - 1
NO_POLICY = "the engine has no policy yet: publish one first"


@cython.no_gc_clear         # a thread that decides without the GIL may outlive whoever lost it
cdef class Engine:
    cdef readonly NumberingPlan plan
    cdef readonly str home
    cdef readonly bytes secret
    cdef SnapshotHolder current
    cdef RecentTable repeats
    cdef RecentTable grace
    cdef RecentTable added
    cdef FlightTable flights        # None until a policy counts what is reported
    cdef uint64_t calls_in_flight
    cdef EventRing events
    cdef SampleRing samples
    cdef object trials
    cdef uint64_t grace_until
    cdef uint64_t added_until
    cdef Publication* publication
    cdef Seats seats
    cdef ListChanges changes        # of the lists of the current snapshot
    cdef object lock                # its lock too: which snapshots there are, and who decides with them
    cdef list past                  # replaced snapshots that Python threads may still be deciding with
    cdef object totals
    cdef object state               # a StateDirectory; None: memory of the process's own
    cdef list earlier               # tables that an earlier process has left
    cdef dict specs                 # by revision: the last policies, one of which gave the answer that is repeated
    cdef set fed                    # lists that a rule of some policy since the start may have added to

    def __cinit__(self, *_, **__):
        self.publication = <Publication*> reserve(sizeof(Publication))
        if self.publication is NULL:
            raise MemoryError("no memory for an engine")

    def __dealloc__(self):
        release(self.publication, sizeof(Publication))

    def __init__(self, NumberingPlan plan not None, *, str home="CN", secret=None, long long boot_ms=0,
                 int repeats=1 << 20, int events=1 << 16, int pass_sample=1000, int added=1 << 16,
                 calls_in_flight=1 << 20, state=None):
        if secret is not None and len(secret) != 16:
            raise ValueError(f"secret: give 16 bytes, not {len(secret)}")
        plan.region_index(home)
        self.plan, self.home = plan, home
        self.secret = os.urandom(16) if secret is None else bytes(secret)
        seed = int.from_bytes(self.secret[:8], "little")
        self.state, self.earlier = state, residents.earlier(state, self.secret)
        self.repeats = residents.recent(state, "repeats", repeats, seed)
        self.grace = residents.recent(state, "grace", 1 << 16, seed)
        # another process may enter some that this one does not hear of
        self.grace_until = LAST if state is not None and state.beside else self.grace.last_end
        self.added = RecentTable(added, seed, by_a=True)
        FlightTable.bytes_for(calls_in_flight)      # a size that cannot be is said now
        self.calls_in_flight = calls_in_flight
        self.events = EventRing(events)
        self.samples, self.trials = SampleRing(), Trials(plan, home)
        self.seats = Seats(self.events, self.samples, (<uint64_t> boot_ms << 13) & ((<uint64_t> 1 << 54) - 1),
                           pass_sample)
        self.lock = threading.Lock()
        self.changes = ListChanges(seed, self.seats, threading.Lock(), self.lock)
        self.changes.publication = self.publication
        self.past, self.totals, self.fed, self.specs = [], trace.Totals(), set(), {}

    # --- policy

    def publish(self, spec, lists, *, int revision, Companion companion=None):
        cdef SnapshotHolder snapshot
        with self.changes.building, Beside(self.changes.lists, self.lock) as beside:
            previous = self.earlier if self.current is None else self.current.residents
            # entries outlive the rule that made them, as long as a policy has the list
            fed = self.fed | {spec.lists[rule.add_to.list].name for rule in spec.rules if rule.add_to is not None}
            fed &= {described.name for described in spec.lists}
            with residents.publishing(self.state, previous):
                snapshot = SnapshotHolder(spec, beside.lists(spec.lists, lists), self.plan, self.home, self.secret,
                                          previous, self.repeats, self.grace, self.added, fed, revision, companion,
                                          self.state)
            if snapshot.c.n_feeds and self.flights is None:
                self.flights = residents.in_flight(self.state, self.calls_in_flight,
                                                   int.from_bytes(self.secret[:8], "little"))
            follow(snapshot, self.flights)
            snapshot.c.grace_until, snapshot.c.added_until = &self.grace_until, &self.added_until
            trial = self.trials.beside(snapshot, fed)
            with self.lock:
                self.seats.enrol(snapshot)
                beside.finish()
                if self.current is not None:
                    self.past.append(self.current)
                self.specs = dict(list({**self.specs, revision: spec}.items())[-SPECS_KEPT:])
                self.current, self.changes.lists, self.fed = snapshot, snapshot.lists, fed
                self.trials.follow(snapshot, *trial)
                publication_point(self.publication, &snapshot.c)
                self.changes.wait()
                _swept = self.trials.sweep()
                _folded = self._fold()  # they go when the lock is free again: large tables take their time
            self.earlier = residents.keep(self.state, snapshot.residents)

    def succeed(self, *, bint died):
        with self.changes.building:
            residents.succeed(self.state, self._snapshot().residents, (self.repeats, self.grace, self.flights), died)
        ic_store64(&self.grace_until, self.grace.last_end)
        raise_to(&self.grace_until, self.grace.last_end)    # what was entered meanwhile

    def enlist(self):
        return Enlisted(self)

    @property
    def spec(self):
        return self._snapshot().spec

    @property
    def revision(self):
        return self._snapshot().revision

    cdef SnapshotHolder _snapshot(self):
        if self.current is None:
            raise RuntimeError(NO_POLICY)
        return self.current

    # --- calls

    cdef Seat _seat(self):
        cdef Seat seat
        self._snapshot()
        seat = self.seats.free()
        try:
            seat.take(self.current, self.changes.replaced)      # not a moment before: `free` may have waited
        except MemoryError:
            self.seats.leave(seat)
            raise
        return seat

    cdef object _load(self, Seat seat, call, list keep):
        cdef SnapshotHolder snapshot = seat.snapshot
        problem = load_mapping(call, snapshot.spec.tags, &seat.calls[0], keep)
        if problem is not None:
            resolve(&snapshot.c.intake, &seat.w.trunks, &seat.calls[0])
            if not seat.calls[0].emergency:     # an emergency call goes through whatever else is malformed
                raise problem

    def decide(self, call, long long now_ms):
        cdef Millis now = now_ms
        cdef CDecision out
        cdef uint64_t begun
        cdef list keep = []
        cdef Seat seat = self._seat()
        cdef SnapshotHolder snapshot = seat.snapshot
        try:
            self._load(seat, call, keep)
            with nogil:
                begun = nanoseconds()
                decide_chunk(&snapshot.c, &seat.w, seat.calls, 1, &now, &out)
                stats_latency(seat.w.stats, nanoseconds() - begun, 1)
            return decision(self.specs.get(out.revision), out)
        finally:
            self.seats.leave(seat)

    def decide_batch(self, calls, now_ms, *, int chunk=CHUNK):
        cdef Batch batch = Batch(calls, now_ms)
        cdef Seat seat
        if not 1 <= chunk <= CHUNK:
            raise ValueError(f"chunk: {chunk} is not in 1..{CHUNK}")
        seat = self._seat()
        try:
            with nogil:
                batch_decide(batch, &seat.snapshot.c, &seat.w, seat.calls, 0, batch.n, chunk)
            return batch.answers
        finally:
            self.seats.leave(seat)

    def explain(self, call, long long now_ms):
        cdef CDecision out
        cdef int i
        cdef bint graced = False
        cdef list keep = []
        cdef Seat seat = self._seat()
        cdef SnapshotHolder snapshot = seat.snapshot
        cdef Call* c = &seat.calls[0]
        spec = snapshot.spec
        outcomes = bytearray(b"\xff" * max(len(spec.rules), 1))
        try:
            self._load(seat, call, keep)
            explain_call(&snapshot.c, &seat.w, c, now_ms, &out, <uint8_t*> <char*> outcomes, &graced)
            counters = [CounterTrace(spec.counters[i].name, bool(seat.w.readable[i]),
                                     seat.w.counter[i] if seat.w.readable[i] else 0, bool(seat.w.counted[i]))
                        for i in range(len(spec.counters))]
            numbers = [number_read(self.plan, c, i) for i in range(<int> N_NUMBERS) if c.number[i].status]
            on = entries_met(snapshot, self.added, &seat.w, c, now_ms)
            return Explanation(decision(self.specs.get(out.revision), out), trace.rules(spec, outcomes, out.rule),
                               tuple(counters), tuple(on), tuple(numbers), bool(c.emergency), bool(graced))
        finally:
            self.seats.leave(seat)

    # --- what happens to calls and cards

    def report(self, report, long long now_ms):
        cdef Seat seat = self._seat()
        try:
            return take_report(seat, report, now_ms)
        finally:
            self.seats.leave(seat)

    def report_subscription(self, event, card, long long now_ms):
        cdef Seat seat = self._seat()
        try:
            return take_subscription(seat, event, card, now_ms)
        finally:
            self.seats.leave(seat)

    def replay_batch(self, calls, now_ms, happening, row, duration_ms=None):
        cdef Seat seat = self._seat()
        try:
            return replay_rows(seat, calls, now_ms, happening, row, duration_ms)
        finally:
            self.seats.leave(seat)

    # --- lists

    def add(self, str name, entries):
        return self._lists().change(name, entries, True)

    def remove(self, str name, entries):
        return self._lists().change(name, entries, False)

    def apply(self, str name, add, remove):
        return self._lists().apply(name, add, remove)

    def replace(self, str name, content):
        self._lists().replace(name, content)

    def contains(self, str name, entry):
        lists = self._snapshot().lists
        return bool(lists.tables.bitmap(entry) >> lists.place(name) & 1)

    cdef ListChanges _lists(self):
        self._snapshot()
        return self.changes

    # --- entities

    def entity_kinds(self):
        return entity.kinds(self._snapshot().spec)

    def entity(self, str kind, texts, long long now_ms):
        return entity.show(self._snapshot(), kind, texts, now_ms)

    def reset_entity(self, str kind, texts):
        return entity.reset(self._snapshot(), kind, texts)

    # --- candidates

    def drain_samples(self, int limit=256):
        return self.samples.drain(limit)

    def judge(self, samples, *, spec=None, changes=None):
        cdef SnapshotHolder live = self._snapshot()
        other = None if spec is None else self.trials.candidate(spec, live, self.fed)
        return judge(live, samples, other, changes or {})

    def asked(self, samples):
        return asked(self._snapshot(), samples)

    def start_trial(self, spec, *, str name="", int number=1):
        with self.changes.building:
            run = self.trials.run(spec, self._snapshot(), self.fed, number)
            with self.lock:
                self.trials.begin(name, run, self.current, self.seats.made)
                self.changes.wait()
                _swept = self.trials.sweep()

    def stop_trial(self):
        with self.lock:
            self.trials.end()
            self.changes.wait()
            _swept = self.trials.sweep()
            return self.trials.state()

    def trial(self):
        with self.lock:
            _swept = self.trials.sweep()
            return self.trials.state()

    def demote(self, str rule):
        with self.lock:
            self.trials.demote(rule, self._snapshot())

    def promote(self, str rule):
        with self.lock:
            self.trials.promote(rule, self._snapshot())

    @property
    def demoted(self):
        return frozenset(self.trials.demotions.of(self._snapshot().spec))

    # --- what happened

    def drain_events(self, int limit=4096):
        return self.events.drain(limit)

    @property
    def events_entered(self):
        return self.events.entered

    cdef list _fold(self):
        """Adds what replaced snapshots counted to the totals once nobody decides with them any more; gives them."""
        cdef SnapshotHolder snapshot
        folded = [s for s in self.past if (<SnapshotHolder> s).readers == 0]
        for snapshot in folded:
            self.totals.add(snapshot.spec, snapshot.counted())
            self.past.remove(snapshot)
        self.totals.forget(self.current.spec)
        return folded

    def stats(self):
        """Totals since the start, by name. Counters of a rule go on across reloads for as long as its id is kept."""
        cdef SnapshotHolder snapshot
        self.changes.sweep()
        with self.lock:
            _folded = self._fold()
            totals = self.totals.copy()
            for snapshot in [*self.past, self._snapshot()]:
                totals.add(snapshot.spec, snapshot.counted())
            snapshot = self._snapshot()
            tables = snapshot.lists.tables
            return totals.report(snapshot.spec) | {
                "revision": snapshot.revision,
                "list_sizes": {d.name: tables.count(i) for i, d in enumerate(snapshot.spec.lists)},
                "list_bytes": tables.nbytes,
                "entities": [trace.entity_stats(resident) for resident in snapshot.residents],
                "recent": trace.recent_stats(repeats=self.repeats, grace=self.grace, added=self.added),
                "in_flight": trace.flight_stats(self.flights, self.calls_in_flight),
                "events": {
                    "next_sequence": self.events.next_sequence, "dropped": self.events.dropped,
                    "waiting": len(self.events),
                },
            }


@cython.no_gc_clear
cdef class Enlisted:
    def __cinit__(self, Engine engine not None):
        self.worker = <Worker*> reserve(sizeof(Worker))
        if self.worker is NULL:
            raise MemoryError("no memory for a thread that decides")
        with engine.lock:
            engine.seats.enlist(self.worker, engine.current)
        self.engine, self.index, self.publication = engine, self.worker.index, engine.publication

    def __dealloc__(self):
        release(self.worker, sizeof(Worker))

    def decide_batch(self, calls, now_ms, *, int rounds=1):
        cdef Batch batch = Batch(calls, now_ms)
        cdef Seat room = Seat()
        cdef const Snapshot* snapshot = NULL
        cdef size_t first
        cdef int _
        with nogil:
            for _ in range(rounds):
                first = 0
                while first < batch.n:
                    snapshot = publication_enter(self.publication, self.worker.index)
                    if snapshot is NULL:
                        break
                    take_up(self.worker, snapshot)
                    batch_decide(batch, snapshot, self.worker, room.calls, first, min(first + CHUNK, batch.n), CHUNK)
                    first += CHUNK
            publication_leave(self.publication, self.worker.index)
        if batch.n and snapshot is NULL:
            raise RuntimeError(NO_POLICY)
        return batch.answers
