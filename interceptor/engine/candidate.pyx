# Builds a policy beside the one in force (contract: candidate.pxd). Holds the GIL; nothing here runs for a call.
import cython

from interceptor.engine.keys cimport siphash
from interceptor.engine.plan cimport NumberingPlan
from interceptor.engine.program cimport CompiledProgram
from interceptor.engine.snapshot cimport SnapshotHolder
from interceptor.engine.types cimport MAX_COUNTERS, Verdict
from libc.stdint cimport uint32_t, uint64_t

from interceptor.engine import layout, visits


@cython.no_gc_clear         # as a snapshot
cdef class Candidate(SnapshotHolder):
    def __init__(self, spec, SnapshotHolder live not None, NumberingPlan plan, str home, fed, demoted, previous=None):
        cdef uint32_t i, k
        cdef uint64_t seed
        if len(spec.counters) > MAX_COUNTERS:
            raise ValueError(f"a policy has at most {MAX_COUNTERS} counters; this one has {len(spec.counters)}")
        self.owned = []
        self.spec, self.revision = spec, live.revision
        beside = layout.beside(spec, live.spec)
        self.places = layout.places_beside(spec, live.spec)
        self.c.intake.secret = live.c.intake.secret
        self.c.intake.plan = plan.plan
        self.c.revision, self.c.default_verdict, self.c.grace_ms = live.revision, spec.default, spec.emergency_grace_ms
        seed = siphash(&self.c.intake.secret, b"tables", 6)
        self._fields(layout.fields_read(beside))

        spans = [r.when for r in spec.rules] + [c.where for c in spec.counters if c.where is not None]
        program = CompiledProgram(beside.code, spans, len(spec.counters), len(beside.lists))
        self.c.program = (<CompiledProgram> program).program
        self.c.added, self.c.added_until = live.c.added, live.c.added_until

        self._trunks(beside, plan, home)
        self._emergency(beside, plan)
        self._lookups(beside, fed)
        self._rules(beside)
        for index in demoted:
            self.say(index, Verdict.WARN)
        self._meanings(spec)
        for i in range(self.c.meanings.counters):
            self.source[i] = -1
            for k in range(live.c.meanings.counters):
                if live.c.meanings.counter[k] == self.c.meanings.counter[i]:
                    self.source[i] = <short> k
                    break
        own = () if previous is None else [i for i, counter in enumerate(spec.counters)
                                           if self.source[i] < 0 and visits.fed_by_setups(counter)]
        self._counters(spec, visits.place_counters(spec, previous or (), seed, own))
        names = self._names(plan)
        self.c.stats = self.stats
        self.keep = (plan, program, names, live.keep)
