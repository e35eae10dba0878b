"""Warned and blocked decisions, remembered for those who ask why."""

from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.types import Verdict
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import Desk
from interceptor.runtime.events import CLASSES, rows, text
from interceptor.runtime.logs import Log
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.store.decisions import Remembered
from interceptor.store.words import StoreError


class Remembering:
    """Takes the engine's events, and keeps those in which a call was warned about or blocked."""

    def __init__(self, desk: Desk, outcomes: RecentOutcomes, clock: Clock, log: Log) -> None:
        self._desk = desk
        self._outcomes = outcomes
        self._clock = clock
        self._log = log
        self._failing = False
        self.kept = 0
        self.lost = 0

    def take(self, events: npt.NDArray[np.void]) -> None:
        """A batch of events."""
        which = (events["verdict"] != Verdict.PASS) & (events["trial"] == 0) & (events["repeated"] == 0)
        batch = [self._remembered(event) for event in rows(events, which)]
        if not batch:
            return
        try:
            self._desk.store.decisions.remember(batch, self._clock.now_ms())
        except StoreError as error:
            self.lost += len(batch)
            if not self._failing:
                self._log.error(
                    "decisions are not remembered, calls are decided all the same", problem=str(error)
                )
            self._failing = True
        else:
            self.kept += len(batch)
            self._failing = False

    def _remembered(self, event: dict[str, Any]) -> Remembered:
        policy = self._outcomes[event["revision"]]
        outcome = policy.at(event["rule"])
        return Remembered(
            decision_id=f"{event['decision']:016x}",
            time_ms=event["time_ms"],
            verdict=Verdict(event["verdict"]).name,
            rule=outcome.rule,
            reason=outcome.reason,
            block_class=CLASSES.get(event["block_class"], ""),
            policy_revision=event["revision"],
            caller=text(event["caller"]),
            callee=text(event["callee"]),
            trunk=text(event["trunk"]),
            imei=text(event["imei"]),
            imsi=text(event["imsi"]),
            cell=text(event["cell"]),
            shadow_rules=",".join(policy.shadow(event["shadow"])),
        )
