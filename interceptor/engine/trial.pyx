# A policy in shadow beside a snapshot (contract: trial.pxd): one call, and what was counted.
import cython

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from interceptor.engine.atomics cimport ic_load64, ic_load64_relaxed, ic_store64
from interceptor.engine.candidate cimport Candidate
from interceptor.engine.decide cimport Trial, Worker, decide_beside, take_up
from interceptor.engine.events cimport Aside, ring_put
from interceptor.engine.memory cimport release, reserve
from interceptor.engine.samples cimport SAMPLE_MS
from interceptor.engine.snapshot cimport MAX_WORKERS, Snapshot, SnapshotHolder
from interceptor.engine.types cimport F_TAG, MAX_TAGS, Call, Decision, Millis, Verdict

from interceptor.engine.visits import fed_by_setups


# --- one call, right after the live policy has decided it

cdef inline void copy_call(const Beside* beside, const Call* call, Call* to) noexcept nogil:
    cdef uint32_t i
    memcpy(to.text, call.text, sizeof(call.text))
    memcpy(to.scalar, call.scalar, sizeof(call.scalar))
    to.present = call.present
    for i in range(MAX_TAGS):
        if beside.tag[i] < 0:
            to.text[F_TAG + i].data, to.text[F_TAG + i].length = NULL, 0
        else:
            to.text[F_TAG + i] = call.text[F_TAG + beside.tag[i]]


# What is an emergency call to the live policy, it has not counted.
cdef inline void copy_counters(const Beside* beside, const Worker* w, bint counted, Worker* to) noexcept nogil:
    cdef uint32_t i
    cdef int k
    for i in range(beside.s.meanings.counters):
        k = beside.source[i]
        if k >= 0:
            to.readable[i] = counted and w.readable[k]
            to.counter[i] = w.counter[k]


cdef inline uint64_t kind_of(const Decision* was, const Decision* would) noexcept nogil:
    return (<uint64_t> was.verdict << 40 | <uint64_t> would.verdict << 32 | <uint64_t> was.rule << 16 | would.rule)


# In this order for who reads: a call is counted before that it differs, and that before its kind.
cdef inline void bump(uint64_t* counter) noexcept nogil:
    ic_store64(counter, ic_load64_relaxed(counter) + 1)


cdef void count_kind(Shade* shade, uint64_t key) noexcept nogil:
    cdef uint32_t i, at = <uint32_t> ((key * <uint64_t> 0x9e3779b97f4a7c15) >> 54)
    cdef Kind* kind
    for i in range(<uint32_t> KINDS):
        kind = &shade.kind[(at + i) % KINDS]
        if kind.key == 0:
            ic_store64(&kind.key, key)
        if kind.key == key:
            bump(&kind.count)
            return
    bump(&shade.untold)


cdef void tell(Shade* shade, uint8_t number, const Worker* w, const Call* call, const Decision* was,
               const Decision* would, Millis now) noexcept nogil:
    cdef Decision repeated = was[0]
    cdef Aside aside
    if shade.tick != now // <Millis> SAMPLE_MS:
        shade.tick, shade.told = now // <Millis> SAMPLE_MS, 0
    if shade.told == TOLD:
        return
    shade.told += 1
    repeated.added = 0              # it was told with the decision
    aside.added_field, aside.trial = 0, number
    aside.would_verdict, aside.would_rule = would.verdict, would.rule
    ring_put(w.ring, call, &repeated, &aside, now)


cdef void decide_in_shadow(Trial* trial, const Snapshot* s, Worker* w, const Call* call, Millis now, bint graced,
                           const Decision* out) noexcept nogil:
    cdef Beside* beside = <Beside*> trial
    cdef Shade* shade = <Shade*> <size_t> ic_load64(<const uint64_t*> <const void*> &beside.shade[w.index])
    cdef Decision would
    if shade is NULL:
        return
    copy_call(beside, call, &shade.call)
    copy_counters(beside, w, not call.emergency, &shade.w)
    decide_beside(s, beside.s, &shade.w, &shade.call, now, graced, True, &would, shade.outcome)
    bump(&shade.calls)
    if would.verdict != out.verdict:
        bump(&shade.differing)
        count_kind(shade, kind_of(out, &would))
        tell(shade, beside.number, w, call, out, &would, now)


# --- before and after

@cython.no_gc_clear                 # a thread that decides without the GIL may look at it
cdef class ShadowRun:
    def __init__(self, Candidate candidate not None, SnapshotHolder live not None, uint8_t number):
        cdef uint32_t i
        if number == 0:
            raise ValueError("a trial's number is 1 to 255")
        self.candidate, self.live = candidate, live.spec
        self.c.trial.decide = decide_in_shadow
        self.c.s, self.c.source, self.c.number = &candidate.c, candidate.source, number
        for i in range(MAX_TAGS):
            self.c.tag[i] = -1
        for i, tag in enumerate(candidate.spec.tags):
            if tag in live.spec.tags:
                self.c.tag[i] = live.spec.tags.index(tag)
        self.room = sizeof(Shade) + len(candidate.spec.rules)

    def __dealloc__(self):
        cdef int i
        for i in range(MAX_WORKERS):
            release(self.c.shade[i], self.room)

    def enrol(self, uint32_t worker):
        cdef Shade* shade
        if self.c.shade[worker] is not NULL:
            return
        shade = <Shade*> reserve(self.room)
        if shade is NULL:
            raise MemoryError("no memory for a worker's part in a trial")
        shade.outcome = <uint8_t*> (shade + 1)
        take_up(&shade.w, &self.candidate.c)
        ic_store64(<uint64_t*> <void*> &self.c.shade[worker], <uint64_t> <size_t> shade)

    @property
    def number(self):
        return self.c.number

    @property
    def unknown_tags(self):
        return tuple([tag for i, tag in enumerate(self.candidate.spec.tags) if self.c.tag[i] < 0])

    @property
    def unknown_counters(self):
        return tuple([counter.name for i, counter in enumerate(self.candidate.spec.counters)
                      if self.c.source[i] < 0 and not fed_by_setups(counter)])

    def counted(self):
        cdef int i, k
        cdef Shade* shade
        cdef uint64_t key
        calls = differing = untold = 0
        kinds = {}
        for i in range(MAX_WORKERS):
            shade = self.c.shade[i]
            if shade is NULL:
                continue
            for k in range(KINDS):      # the last that is counted of a call is read first: no sum is above its whole
                key = ic_load64(&shade.kind[k].key)
                if key:
                    told = (key >> 40 & 0xff, key >> 16 & 0xffff, key >> 32 & 0xff, key & 0xffff)
                    kinds[told] = kinds.get(told, 0) + ic_load64(&shade.kind[k].count)
            untold += ic_load64(&shade.untold)
            differing += ic_load64(&shade.differing)
            calls += ic_load64(&shade.calls)
        return calls, differing, untold, kinds

    def warn(self, demoted):
        for i, rule in enumerate(self.candidate.spec.rules):
            if rule.verdict == Verdict.BLOCK:
                self.candidate.say(i, Verdict.WARN if rule.id in demoted else Verdict.BLOCK)


def attach(SnapshotHolder live not None, ShadowRun run):
    cdef void* trial = NULL
    live.trial = run
    if run is not None:
        trial = &run.c
    ic_store64(<uint64_t*> <void*> &live.c.trial, <uint64_t> <size_t> trial)
