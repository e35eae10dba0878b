"""The policy on trial beside an engine's own, or the last one: what was counted, across the live policies it saw."""

from collections import Counter
from collections.abc import Collection, Iterable

from interceptor.engine.answers import Answer, Differing, TrialState
from interceptor.engine.candidate import Candidate
from interceptor.engine.demotions import Demotions
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.residents import Resident
from interceptor.engine.snapshot import SnapshotHolder
from interceptor.engine.spec import Spec
from interceptor.engine.trace import rule_id
from interceptor.engine.trial import ShadowRun, attach
from interceptor.engine.types import Verdict

#: a trial beside one snapshot
Beside = tuple[ShadowRun, SnapshotHolder]


class Trials:
    """One trial at a time, and the demoted rules. But for `candidate`, `run` and `beside` under the engine's lock.

    Whoever begins, ends or follows then waits for a quiescent point, and sweeps.
    """

    def __init__(self, plan: NumberingPlan, home: str) -> None:
        self.demotions = Demotions()
        self._plan, self._home = plan, home
        self._now: Beside | None = None
        self._leaving: list[Beside] = []  # a Python thread may still be deciding with these
        self._forgotten: list[Beside] = []  # and with these, whose counts are wanted no more
        self._name: str | None = None
        self._stopped = ""
        self._unknown: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # tags and counters
        self._clear()

    def _clear(self) -> None:
        self._calls = self._differing = self._untold = 0
        self._kinds: Counter[Differing] = Counter()

    # --- policies beside the live one

    def candidate(
        self,
        spec: Spec,
        live: SnapshotHolder,
        fed: Collection[str],
        residents: Iterable[Resident] | None = None,
    ) -> Candidate:
        """A policy that is given its counters, but for those in tables of its own, if any. Raises as it does."""
        demoted = self.demotions.beside(spec, live.spec).values()
        return Candidate(spec, live, self._plan, self._home, fed, demoted, residents)

    def run(self, spec: Spec, live: SnapshotHolder, fed: Collection[str], number: int) -> ShadowRun:
        """A trial that has counted nothing yet."""
        return ShadowRun(self.candidate(spec, live, fed, ()), live, number)

    def beside(self, live: SnapshotHolder, fed: Collection[str]) -> tuple[ShadowRun | None, str]:
        """The trial that runs, beside a policy that is to come into force; or why it cannot."""
        if self._now is None:
            return None, ""
        now, number = self._now[0].candidate, self._now[0].number
        try:
            run = ShadowRun(self.candidate(now.spec, live, fed, now.residents), live, number)
        except (ValueError, MemoryError) as error:
            return None, f"a policy came into force that it cannot run beside: {error}"
        attach(live, run)
        return run, ""

    # --- beginning and ending

    def begin(self, name: str, run: ShadowRun, live: SnapshotHolder, workers: int) -> None:
        """Another trial. Raises MemoryError, and the one that runs goes on."""
        for worker in range(workers):
            run.enrol(worker)
        self.end()
        self._forgotten += self._leaving
        self._leaving = []
        self._clear()
        self._name, self._stopped = name, ""
        self._take(run, live)
        attach(live, run)

    def follow(self, live: SnapshotHolder, run: ShadowRun | None, problem: str) -> None:
        """Another policy comes into force."""
        for rule in self.demotions.keep(live.spec).values():
            live.say(rule, Verdict.WARN)
        if self._now is None:
            if run is not None:  # it was stopped while this policy was being built
                attach(live, None)
            return
        self._leaving.append(self._now)
        self._now, self._stopped = None, problem
        if run is not None:
            self._take(run, live)
            self._warn()

    def _take(self, run: ShadowRun, live: SnapshotHolder) -> None:
        self._now, self._unknown = (run, live), (run.unknown_tags, run.unknown_counters)

    def end(self) -> None:
        """The trial is over."""
        if self._now is not None:
            attach(self._now[1], None)
            self._leaving.append(self._now)
            self._now = None

    def sweep(self) -> list[Beside]:
        """What nobody decides with any more, to be let go of when the lock is free: it may be large."""
        gone = [one for one in self._leaving if one[1].readers == 0]
        swept = gone + [one for one in self._forgotten if one[1].readers == 0]
        self._forgotten = [one for one in self._forgotten if one[1].readers]
        for beside in gone:
            self._leaving.remove(beside)
            calls, differing, untold, kinds = counted(beside[0])
            self._calls += calls
            self._differing += differing
            self._untold += untold
            self._kinds += kinds
        return swept

    # --- demoted rules

    def demote(self, rule: str, live: SnapshotHolder) -> None:
        """Raises KeyError, ValueError."""
        live.say(self.demotions.add(live.spec, rule), Verdict.WARN)
        self._warn()

    def promote(self, rule: str, live: SnapshotHolder) -> None:
        """Raises KeyError."""
        index = self.demotions.remove(live.spec, rule)
        if index is not None:
            live.say(index, Verdict.BLOCK)
            self._warn()

    def _warn(self) -> None:
        if self._now is not None:
            run, live = self._now
            run.warn(self.demotions.beside(run.candidate.spec, live.spec))

    # --- what was counted

    def state(self) -> TrialState | None:
        """How it stands."""
        if self._name is None:
            return None
        calls, differing, untold, kinds = self._calls, self._differing, self._untold, Counter(self._kinds)
        for run, _ in [*self._leaving, *([self._now] if self._now else [])]:
            more = counted(run)
            calls, differing, untold = calls + more[0], differing + more[1], untold + more[2]
            kinds += more[3]
        running = self._now is not None
        return TrialState(self._name, running, self._stopped, calls, differing, kinds, untold, *self._unknown)


def counted(run: ShadowRun) -> tuple[int, int, int, Counter[Differing]]:
    """What was counted beside one snapshot: calls, differing ones, those not told apart, kinds by name."""
    calls, differing, untold, told = run.counted()
    live, own = run.live, run.candidate.spec
    kinds: Counter[Differing] = Counter()
    for (was, was_rule, would, would_rule), count in told.items():
        before = Answer(Verdict(was), rule_id(live, was_rule))
        kinds[Differing(before, Answer(Verdict(would), rule_id(own, would_rule)))] += count
    return calls, differing, untold, kinds
