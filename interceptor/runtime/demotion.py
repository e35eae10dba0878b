"""Rules that demote themselves: an analytics rule that suddenly blocks far more calls than usual only warns then.

It waits for a person. Blocks of lists and of subscribers are never touched: an attacker who makes a listed number call
more must find no off switch.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interceptor.engine.engine import Engine
from interceptor.engine.spec import Guard, Rule, Spec
from interceptor.engine.types import BlockClass, Verdict
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.logs import Log
from interceptor.store.demotions import Demotion
from interceptor.store.words import StoreError, StoreRefusedError

#: milliseconds between two looks at what a rule usually blocks
BUCKET_MS = 5_000
#: what counts as now: an onset shows in the short window, what grows slowly in the long one
WINDOWS = (2, 6)
#: buckets with calls in them before a rule's usual share is known
KNOWN = 3
#: buckets whose average the usual share is: half an hour
MEMORY = 360
#: who demotes
GUARD = "guard"


@dataclass(frozen=True)
class Jump:
    """A rule that blocks far more than usual."""

    rule: str
    blocked: int  #: calls in the window
    calls: int
    usual: float  #: share of calls
    window_ms: int


@dataclass
class _Usual:
    share: float = 0.0
    buckets: int = 0

    def learn(self, share: float) -> None:
        self.buckets = min(self.buckets + 1, MEMORY)
        self.share += (share - self.share) / self.buckets


class BlockRates:
    """What share of calls each rule blocks, now and usually. Fed with totals; knows no clock."""

    def __init__(self) -> None:
        self._usual: dict[str, _Usual] = {}
        self._buckets: deque[tuple[int, int, Mapping[str, int]]] = deque(maxlen=max(WINDOWS) + 1)

    def take(self, now_ms: int, calls: int, blocked: Mapping[str, int], guard: Guard) -> list[Jump]:
        """Totals since the start, of all calls and of what the rules in question blocked; the rules that jumped.

        A rule has jumped when it blocked at least guard.minimum calls within a window, and of all calls a share that
        is more than guard.factor times its usual one and more than guard.share.
        """
        if self._buckets and now_ms - self._buckets[-1][0] < BUCKET_MS:
            return []
        self._usual = {rule: self._usual.get(rule, _Usual()) for rule in blocked}
        jumps = [jump for rule in blocked if (jump := self._jump(rule, now_ms, calls, blocked[rule], guard))]
        jumped = {jump.rule for jump in jumps}
        if len(self._buckets) > max(WINDOWS):  # what may be an onset is no habit yet
            (_, before, then), (_, after, later) = self._buckets[0], self._buckets[1]
            for rule, usual in self._usual.items():
                if after > before and rule not in jumped and rule in then and rule in later:
                    usual.learn(max(later[rule] - then[rule], 0) / (after - before))
        self._buckets.append((now_ms, calls, dict(blocked)))
        return jumps

    @property
    def usual(self) -> Mapping[str, float]:
        """The share of calls a rule usually blocks, of those for which it is known."""
        return {rule: usual.share for rule, usual in self._usual.items() if usual.buckets >= KNOWN}

    def _jump(self, rule: str, now_ms: int, calls: int, blocked: int, guard: Guard) -> Jump | None:
        usual = self._usual[rule]
        if usual.buckets < KNOWN:
            return None
        for window in WINDOWS:
            if len(self._buckets) < window or rule not in self._buckets[-window][2]:
                continue
            begun_ms, before, theirs = self._buckets[-window]
            jump = Jump(rule, blocked - theirs[rule], calls - before, usual.share, now_ms - begun_ms)
            share = jump.blocked / jump.calls if jump.calls > 0 else 0.0
            if jump.blocked >= guard.minimum and share > max(guard.factor * usual.share, guard.share):
                return jump
        return None


class Demotions:
    """Demotes rules of one engine, remembers it in the store, promotes them again when a person says so."""

    def __init__(
        self,
        engine: Engine,
        desk: Desk,
        clock: Clock,
        log: Log,
        *,
        heard: Callable[[Jump], None] | None = None,
    ) -> None:
        """`heard` is told of each rule that demoted itself."""
        self._engine = engine
        self._desk = desk
        self._clock = clock
        self._log = log
        self._heard = heard
        self.rates = BlockRates()
        self._unwritten: dict[str, dict[str, object]] = {}  # demoted while the store was away
        self.total = 0

    def look(self) -> None:
        """Looks at the totals of the engine, and demotes what has jumped. To be called about once a second."""
        spec, stats = self._engine.spec, self._engine.stats()
        blocked = {rule.id: stats["rules"][rule.id]["blocked"] for rule in spec.rules if demotable(rule)}
        calls = sum(stats["verdicts"].values())
        for jump in self.rates.take(self._clock.now_ms(), calls, blocked, spec.guard):
            if jump.rule not in self._engine.demoted:
                self._demote(jump, spec)
        self._write()

    def restore(self) -> None:
        """After a policy came into force: what the store says is demoted is, unless the rule is another one now."""
        spec = self._engine.spec
        conditions = {rule.id: rule.source for rule in spec.rules if demotable(rule)}
        for each in self._desk.store.demotions.all():
            if conditions.get(each.rule) == each.detail.get("condition"):
                self._engine.demote(each.rule)
            elif each.rule in conditions:
                self.promote(each.rule, actor=GUARD, comment="the rule has another condition now")

    def promote(self, rule: str, *, actor: str, comment: str) -> int:
        """Lets a rule block again; returns the revision. StoreRefusedError when it is not demoted."""
        with self._desk.open() as store:
            revision = store.demotions.clear(rule, actor=actor, comment=comment, now_ms=self._clock.now_ms())
            if not revision and rule not in self._engine.demoted:
                raise StoreRefusedError(
                    f"rule {rule} is not demoted; `interceptor policy history` shows what was done"
                )
            self._unwritten.pop(rule, None)
            self._engine.promote(rule)
        self._log.warning("rule blocks again", rule=rule, actor=actor)
        return revision

    def all(self) -> list[Demotion]:
        """Those that the store has."""
        return self._desk.store.demotions.all()

    def _demote(self, jump: Jump, spec: Spec) -> None:
        condition = next(rule.source for rule in spec.rules if rule.id == jump.rule)
        try:
            self._engine.demote(jump.rule)
        except (KeyError, ValueError):  # another policy came into force
            return
        self.total += 1
        seen = {
            "blocked": jump.blocked,
            "calls": jump.calls,
            "usual_share": round(jump.usual, 6),
            "window_ms": jump.window_ms,
        }
        self._unwritten[jump.rule] = {**seen, "condition": condition}
        self._log.error(
            "rule blocks far more than usual: it only warns until somebody promotes it",
            rule=jump.rule,
            **seen,
        )
        if self._heard is not None:
            self._heard(jump)

    def _write(self) -> None:
        for rule, detail in list(self._unwritten.items()):
            try:
                with self._desk.open() as store:
                    if self._unwritten.pop(rule, None) is not None:
                        store.demotions.set(rule, detail, actor=GUARD, now_ms=self._clock.now_ms())
            except StoreError:  # it stays demoted, and is written once the store is back
                self._unwritten[rule] = detail
                return


def demotable(rule: Rule) -> bool:
    """Whether a rule is of those that demote themselves."""
    return (
        rule.verdict == Verdict.BLOCK and rule.block_class == BlockClass.CLASS_ANALYTICS and not rule.shadow
    )
