"""A policy on trial: it runs in shadow beside the one in force, and what it would decide otherwise is reported."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import Answer, Engine
from interceptor.engine.spec import Spec
from interceptor.engine.types import Verdict
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.events import rows
from interceptor.runtime.guard import Flip, said
from interceptor.runtime.loader import Fault, LoadError
from interceptor.runtime.logs import Log
from interceptor.runtime.masking import masked
from interceptor.runtime.outcomes import Outcomes, RecentOutcomes
from interceptor.store.words import Action, StoreError, StoreRefusedError

#: differing calls that are told one by one
TOLD = 100
#: seconds its end waits for the last of them, where the events are behind
PATIENCE = 10.0
#: how long a trial may run
SHORTEST_MS, LONGEST_MS = 1_000, 31 * 24 * 3600 * 1000


@dataclass(frozen=True)
class TrialState:
    """How a trial stands, or stood when it ended."""

    running: bool
    origin: str
    digest: str
    begun_ms: int
    ends_ms: int  #: ends, or ended
    calls: int  #: both have decided
    differing: int
    kinds: Mapping[str, int] = field(default_factory=dict)  #: "PASS -> BLOCK sim-box" -> calls
    last: Sequence[Flip] = ()  #: of those that differ, the last 100
    unknown_counters: Sequence[str] = ()  #: its own that reports feed: it cannot read them
    unknown_tags: Sequence[str] = ()  #: that the policy in force does not have: absent for it
    stopped: str = ""  #: why it ended before its time, when nobody ended it


@dataclass(frozen=True)
class _Order:
    number: int  #: in its events
    outcomes: Outcomes
    digest: str
    origin: str
    begun_ms: int
    ends_ms: int
    last: deque[Flip] = field(default_factory=lambda: deque(maxlen=TOLD))


class Trials:
    """The trial of one engine. Any number of threads."""

    def __init__(
        self,
        engine: Engine,
        desk: Desk,
        outcomes: RecentOutcomes,
        clock: Clock,
        log: Log,
        *,
        show_numbers: bool,
    ) -> None:
        self._engine = engine
        self._desk = desk
        self._outcomes = outcomes
        self._clock = clock
        self._log = log
        self._show = show_numbers
        self._lock = threading.Lock()
        self._order: _Order | None = None
        self._begun = 0
        self._orders: dict[int, _Order] = {}  # whose events are wanted: also of one that is about to begin
        self._taken = 0  # events
        self._told = threading.Condition()

    def start(self, spec: Spec, *, origin: str, for_ms: int, actor: str) -> TrialState:
        """Begins it. Raises LoadError when the policy cannot be tried, StoreRefusedError for a time out of range."""
        if not SHORTEST_MS <= for_ms <= LONGEST_MS:
            raise StoreRefusedError(f"a trial runs for 1 second to 31 days, not for {for_ms} ms")
        now = self._clock.now_ms()
        with self._lock:
            self._note(actor, origin, {"digest": spec.digest, "for_ms": for_ms, "begins": True})
            number = self._begun % 255 + 1
            order = _Order(number, Outcomes(spec), spec.digest, origin, now, now + for_ms)
            self._orders[number] = order
            try:
                self._engine.start_trial(spec, name=origin, number=number)
            except (ValueError, MemoryError) as error:
                del self._orders[number]
                raise LoadError(Fault.BUILD, f"{origin}: {error or 'not enough memory'}") from error
            self._begun += 1
            self._order, self._orders = order, {number: order}
        self._log.info("trial begins", policy=origin, digest=spec.digest, seconds=for_ms // 1000)
        state = self.state()
        assert state is not None
        return state

    def stop(self, *, actor: str) -> TrialState:
        """Ends it, and has every difference told that it counted. StoreRefusedError when none was started."""
        with self._lock:
            order = self._order
            found = self._engine.trial() if order is not None else None
            if order is None or found is None:
                raise StoreRefusedError("no policy is on trial: `interceptor policy trial FILE` starts one")
            if found.running:
                found = self._engine.stop_trial() or found
                now = min(self._clock.now_ms(), order.ends_ms)
                self._order = replace(order, ends_ms=now)
                self._log.info(
                    "trial ends", policy=order.origin, calls=found.calls, differing=found.differing
                )
                self._note(actor, order.origin, {"differing": found.differing, "calls": found.calls})
        self._catch_up()
        state = self.state()
        assert state is not None
        return state

    def state(self) -> TrialState | None:
        """How it stands; None when there was none since the start."""
        order = self._order
        found = self._engine.trial() if order is not None else None
        if order is None or found is None:
            return None
        kinds: Counter[str] = Counter()
        for kind, calls in found.kinds.items():
            kinds[f"{kind.was.verdict.name} -> {said(kind.would)}"] += calls
        return TrialState(
            found.running,
            order.origin,
            order.digest,
            order.begun_ms,
            order.ends_ms,
            found.calls,
            found.differing,
            kinds,
            list(order.last),
            found.unknown_counters,
            found.unknown_tags,
            found.stopped,
        )

    def look(self) -> None:
        """Ends it when its time has come."""
        order = self._order
        if order is None or self._clock.now_ms() < order.ends_ms:
            return
        found = self._engine.trial()
        if found is not None and found.running:
            self.stop(actor="expiry")

    def take(self, events: npt.NDArray[np.void]) -> None:
        """Events of the engine, some of which are calls that the policy on trial would have answered otherwise."""
        try:
            for event in rows(events, events["trial"] != 0):
                order = self._orders.get(event["trial"])
                if order is not None:
                    self._tell(order, event)
        finally:
            with self._told:
                self._taken += len(events)
                self._told.notify_all()

    def _catch_up(self) -> None:
        """Waits for the events that are in the ring now: every call a trial has counted is in it when it has ended."""
        entered = self._engine.events_entered
        with self._told:
            if not self._told.wait_for(lambda: self._taken >= entered, PATIENCE):
                behind = entered - self._taken
                self._log.warning(
                    "events are behind: calls of the trial are counted that are not told", events=behind
                )

    def _tell(self, order: _Order, event: Mapping[str, Any]) -> None:
        was = Answer(Verdict(event["verdict"]), self._outcomes[event["revision"]].at(event["rule"]).rule)
        would = Answer(Verdict(event["would_verdict"]), order.outcomes.at(event["would_rule"]).rule)
        caller, callee = (event[side].decode(errors="replace") for side in ("caller", "callee"))
        if not self._show:
            caller, callee = masked(caller), masked(callee)
        order.last.append(Flip(f"{event['decision']:016x}", caller, callee, said(was), said(would)))

    def _note(self, actor: str, origin: str, detail: Mapping[str, object]) -> None:
        store, now = self._desk.store, self._clock.now_ms()
        try:
            store.audit.note(at_ms=now, actor=actor, action=Action.TRIAL, subject=origin, detail=detail)
        except StoreError as error:
            if "begins" in detail:  # what cannot be audited does not begin; but it ends
                raise
            self._log.error("end of a trial is not in the audit trail", problem=str(error))
