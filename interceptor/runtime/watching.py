"""How calls are being decided, second by second, for whoever watches: rates, latency, hottest rules, lists, callers.

While nobody does, nothing of it is kept and nothing computed. While somebody does, the engine's totals are read once a
second for all of them; each takes the difference to those of as many seconds ago as it wants, when it is ready to.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import Engine
from interceptor.engine.types import Verdict
from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.events import text
from interceptor.runtime.hottest import SLICES, Calling, Hottest
from interceptor.runtime.masking import masked
from interceptor.runtime.niceness import step_back
from interceptor.runtime.outcomes import RecentOutcomes

BEAT = 1.0  # seconds between looks at the engine
LONGEST = 60  # beats that rates are taken over, at most; callers are kept as long


class RuleRate(NamedTuple):
    """A rule and how often it decides, or matches in shadow; in the order of what is hottest."""

    per_second: float
    total: int
    rule: str
    verdict: Verdict
    reason: str
    shadow: bool
    demoted: bool


class ListRate(NamedTuple):
    """A list and how often it is hit; in the order of what is hottest."""

    per_second: float
    total: int
    name: str
    entries: int


class CallerCalls(NamedTuple):
    """A caller and what was seen of him: at least so many calls."""

    caller: str
    blocked: int
    warned: int
    passed: int
    rule: str  #: that warned or blocked last


@dataclass(frozen=True)
class Look:
    """What somebody wants to see."""

    span: int  #: seconds that rates are over, 1 to LONGEST
    rows: int  #: rules and lists, at most
    callers: int  #: at most
    whole: bool  #: their numbers, if they may be


@dataclass(frozen=True)
class Picture:
    """How it goes."""

    time_ms: int
    span_s: float
    revision: int
    policy: str
    decided: int
    per_second: dict[str, float]  #: decided, pass, warn, block, repeated
    p50_ns: int | None
    p99_ns: int | None
    rules: list[RuleRate]
    lists: list[ListRate]
    callers: list[CallerCalls]
    callers_span_s: float
    masked: bool
    unseen: int


class Reading(NamedTuple):
    """The engine's totals at a moment."""

    at: float  #: of the monotonic clock
    time_ms: int
    stats: dict[str, Any]


class Watching(Background):
    """Reads the engine once a second while somebody watches, and shows it to each who does."""

    def __init__(
        self, engine: Engine, outcomes: RecentOutcomes, clock: Clock, *, pass_sample: int, show_numbers: bool
    ) -> None:
        super().__init__("watching")
        self._engine = engine
        self._outcomes = outcomes
        self._clock = clock
        self._show = show_numbers
        self.pass_sample = pass_sample
        self._changed = threading.Condition()  # guards all that follows
        self._watchers = 0
        self._beats = 0  # readings ever made
        self._readings: deque[Reading] = deque(maxlen=LONGEST + 1)
        self._hottest = Hottest(0.0)

    def may_show(self, whole: bool) -> bool:
        """Whether numbers are whole where somebody wants them to be."""
        return whole and self._show

    def take(self, events: npt.NDArray[np.void]) -> None:
        """A batch of events. Costs nothing while nobody watches."""
        if not self._watchers:
            return
        with self._changed:
            self._hottest.add(events)

    @contextmanager
    def watched(self) -> Iterator["Watcher"]:
        """As long as somebody watches."""
        with self._changed:
            if not self._watchers:
                self._hottest = Hottest(time.monotonic())
            self._watchers += 1
            self._changed.notify_all()
            watcher = Watcher(self, self._beats)
        try:
            yield watcher
        finally:
            with self._changed:
                self._watchers -= 1
                if not self._watchers:  # what was seen is nobody's to keep
                    self._readings.clear()
                    self._hottest = Hottest(0.0)

    def stop(self) -> None:
        """Lets everybody go who watches, and ends the thread."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        super().stop()

    def await_beat(self, seen: int) -> int:
        """The number of the newest reading, once there is one after `seen` to compare with another; 0: it ends."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping.is_set() or (self._beats > seen and len(self._readings) > 1)
            )
            return 0 if self._stopping.is_set() else self._beats

    def picture(self, look: Look) -> Picture:
        """How it goes now, for one who watches."""
        with self._changed:
            newest = self._readings[-1]
            oldest = self._readings[-1 - min(look.span, len(self._readings) - 1)]
            since = newest.at - self._hottest.since
            callers = self._hottest.top(look.callers) if look.callers else []
        whole = self.may_show(look.whole)
        return Picture(
            callers=[self._caller(each, whole) for each in callers],
            callers_span_s=since,
            masked=not whole,
            **self._rates(look, oldest, newest),
        )

    def _rates(self, look: Look, oldest: Reading, newest: Reading) -> dict[str, Any]:
        was, now, spec = oldest.stats, newest.stats, self._engine.spec
        span = max(newest.at - oldest.at, 1e-3)

        def rate(total: int, before: int) -> float:
            return max(total - before, 0) / span  # a policy may have dropped a rule and taken it up again

        verdicts = {name: rate(total, was["verdicts"][name]) for name, total in now["verdicts"].items()}
        rules = [
            RuleRate(rate(total, before), total, *said)
            for total, before, said in self._decided(was, now, spec.rules)
        ]
        plain = (("default", spec.default), ("emergency", Verdict.PASS))
        rules += [
            RuleRate(rate(now[name], was[name]), now[name], name, verdict, "", False, False)
            for name, verdict in plain
        ]
        lists = [
            ListRate(rate(total, was["list_hits"].get(name, 0)), total, name, now["list_sizes"].get(name, 0))
            for name, total in now["list_hits"].items()
        ]
        taken = [
            total - before
            for total, before in zip(now["latency"]["counts"], was["latency"]["counts"], strict=True)
        ]
        bounds = now["latency"]["bounds_ns"]
        return {
            "time_ms": newest.time_ms,
            "span_s": span,
            "revision": now["revision"],
            "policy": spec.source,
            "decided": sum(now["verdicts"].values()),
            "per_second": {
                **verdicts,
                "decided": sum(verdicts.values()),
                "repeated": rate(now["repeated"], was["repeated"]),
            },
            "p50_ns": quantile(bounds, taken, 0.5),
            "p99_ns": quantile(bounds, taken, 0.99),
            "rules": sorted(rules, key=lambda each: each[:2], reverse=True)[: look.rows],
            "lists": sorted(lists, key=lambda each: each[:2], reverse=True)[: look.rows],
            "unseen": now["events"]["dropped"] - was["events"]["dropped"],
        }

    def _decided(
        self, was: dict[str, Any], now: dict[str, Any], rules: Sequence[Any]
    ) -> Iterator[tuple[int, int, tuple[str, Verdict, str, bool, bool]]]:
        """Each rule's calls now and before, and what it says; of a policy that came since then, what is there."""
        demoted = self._engine.demoted
        for rule in rules:
            if rule.id not in now["rules"]:
                continue
            what = "shadow" if rule.shadow else "decided"
            before = was["rules"].get(rule.id, {}).get(what, 0)
            verdict = Verdict.WARN if rule.id in demoted else rule.verdict
            said = (rule.id, verdict, rule.reason, rule.shadow, rule.id in demoted)
            yield now["rules"][rule.id][what], before, said

    def _caller(self, seen: Calling, whole: bool) -> CallerCalls:
        shown = text(seen.caller)
        rule = ""
        if seen.stopped is not None:
            revision, index = seen.stopped
            rule = self._outcomes[revision].at(index).rule
        return CallerCalls(shown if whole else masked(shown), seen.blocked, seen.warned, seen.passed, rule)

    def _run(self) -> None:
        step_back()
        while self._awaited():
            begun = time.monotonic()
            reading = Reading(begun, self._clock.now_ms(), self._engine.stats())
            with self._changed:
                if self._watchers:
                    self._readings.append(reading)
                    self._beats += 1
                    if self._beats % (LONGEST // SLICES) == 0:
                        self._hottest.turn(begun)
                    self._changed.notify_all()
            self._stopping.wait(max(begun + BEAT - time.monotonic(), 0))

    def _awaited(self) -> bool:
        """Waits until somebody watches; False when it ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._watchers or self._stopping.is_set())
            return not self._stopping.is_set()


class Watcher:
    """One who watches. He sees the newest picture whenever he asks: one who is slow holds up nobody."""

    def __init__(self, watching: Watching, seen: int) -> None:
        self._watching = watching
        self._seen = seen

    def wait(self) -> bool:
        """Until there is a picture that he has not seen; False when the service ends."""
        self._seen = self._watching.await_beat(self._seen)
        return self._seen > 0

    def picture(self, look: Look) -> Picture:
        """The newest."""
        return self._watching.picture(look)


def quantile(bounds: Sequence[int], counts: Sequence[int], share: float) -> int | None:
    """What that share of a histogram's values does not exceed, evenly spread within each bucket; None: there are none.

    bounds: upper ones, inclusive. counts: one more, of what is above the last; of these the last bound is told.
    """
    wanted = share * sum(counts)
    if not wanted:
        return None
    lower = below = 0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= wanted:
            return lower + round((bound - lower) * (wanted - below) / count)
        lower, below = bound, below + count
    return lower
