"""Warned and blocked decisions, remembered for those who ask why."""

import time

import numpy as np
import numpy.typing as npt

from interceptor.engine.types import Verdict
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.events import CLASSES, text
from interceptor.runtime.logs import Log
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.store.decisions import Remembered
from interceptor.store.words import StoreError

#: seconds after which, and decisions at which, what was noted is written, at the latest
PERIOD, MANY = 1.0, 8192

_VERDICTS = {each.value: each.name for each in Verdict}
_SAYINGS = ["revision", "rule", "block_class", "shadow"]
_TEXTS = ["caller", "callee", "trunk", "imei", "imsi", "cell"]


class Remembering:
    """Takes the engine's events, and keeps those in which a call was warned about or blocked. On the drain's thread."""

    def __init__(self, desk: Desk, outcomes: RecentOutcomes, clock: Clock, log: Log) -> None:
        self._desk = desk
        self._outcomes = outcomes
        self._clock = clock
        self._log = log
        self._failing = False
        self._noted = 0  # since it was written last
        self._due = 0.0
        self.kept = 0
        self.lost = 0

    def take(self, events: npt.NDArray[np.void]) -> None:
        """A batch of events."""
        which = (events["verdict"] != Verdict.PASS) & (events["trial"] == 0) & (events["repeated"] == 0)
        batch = self._remembered(events[which])
        if not batch:
            return
        if not self._noted:
            self._due = time.monotonic() + PERIOD
        self._noted += len(batch)
        self._desk.store.decisions.note(batch)
        if self._noted >= MANY:
            self._write()

    def look(self) -> None:
        """Writes what was noted when its time has come."""
        if self._noted and time.monotonic() >= self._due:
            self._write()

    def _write(self) -> None:
        try:
            self._desk.store.decisions.remember((), self._clock.now_ms())
        except StoreError as error:
            self.lost += self._noted
            if not self._failing:
                self._log.error(
                    "decisions are not remembered, calls are decided all the same", problem=str(error)
                )
            self._failing = True
        else:
            self.kept += self._noted
            self._failing = False
        self._noted = 0

    def _remembered(self, events: npt.NDArray[np.void]) -> list[Remembered]:
        sayings: dict[tuple[int, ...], tuple[str, str, str, str]] = {}
        batch = []
        columns = [events[name].tolist() for name in ("decision", "time_ms", "verdict", *_SAYINGS, *_TEXTS)]
        for decision, time_ms, verdict, *said in zip(*columns, strict=True):
            asked, texts = tuple(said[: len(_SAYINGS)]), said[len(_SAYINGS) :]
            if (saying := sayings.get(asked)) is None:
                saying = sayings[asked] = self._saying(*asked)
            rule, reason, block_class, shadows = saying
            caller, callee, trunk, imei, imsi, cell = [text(value) if value else "" for value in texts]
            batch.append(
                Remembered(
                    f"{decision:016x}",
                    time_ms,
                    _VERDICTS[verdict],
                    rule,
                    reason,
                    block_class,
                    asked[0],
                    caller,
                    callee,
                    trunk,
                    imei,
                    imsi,
                    shadows,
                    cell,
                )
            )
        return batch

    def _saying(self, revision: int, rule: int, block_class: int, shadow: int) -> tuple[str, str, str, str]:
        policy = self._outcomes[revision]
        outcome = policy.at(rule)
        return (
            outcome.rule,
            outcome.reason,
            CLASSES.get(block_class, ""),
            ",".join(policy.shadow(shadow)),
        )
