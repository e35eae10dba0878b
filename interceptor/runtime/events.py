"""The engine's rings drained: the decision log, a file of JSON lines, and whoever else wants to know of decisions."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.delivery.rotation import RotatingFile
from interceptor.engine.engine import Engine
from interceptor.engine.types import BlockClass, NumberStatus, Verdict
from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.logs import Log
from interceptor.runtime.masking import masked
from interceptor.runtime.niceness import step_back
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.runtime.recent import RecentCalls
from interceptor.runtime.tally import Tally

#: takes a batch of events
Listener = Callable[[npt.NDArray[np.void]], None]

PERIOD = 0.05  # seconds between looks into the ring
TAKE = 4096  # events taken at once

CLASSES = {
    each.value: each.name.removeprefix("CLASS_").lower()
    for each in BlockClass
    if each != BlockClass.CLASS_NONE
}
VERDICTS = {each.value: each.name.lower() for each in Verdict}


class DecisionLog:
    """Writes events as JSON lines: warned and blocked calls, shadow matches and a sample of what passed.

    Parameters
    ----------
    path : Path
        The file; it rotates by size.
    outcomes : RecentOutcomes
        What the rules of the last policies say.
    show_numbers : bool
        False: telephone numbers, IMEIs and what may hold one are masked.
    """

    def __init__(self, path: Path, outcomes: RecentOutcomes, *, show_numbers: bool) -> None:
        self._file = RotatingFile(path)
        self._outcomes = outcomes
        self._show = show_numbers

    def write(self, events: npt.NDArray[np.void]) -> None:
        """Appends one line an event. Raises OSError when the file cannot be written."""
        self._file.write(self._lines(events))

    def close(self) -> None:
        self._file.close()

    def _lines(self, events: npt.NDArray[np.void]) -> Iterator[bytes]:
        for event in rows(events, events["trial"] == 0):  # the others are no decisions
            yield json.dumps(self._line(event), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def _line(self, event: dict[str, Any]) -> dict[str, Any]:
        policy = self._outcomes[event["revision"]]
        outcome = policy.at(event["rule"])
        time = datetime.fromtimestamp(event["time_ms"] / 1000, UTC)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sequence": event["sequence"],
            "decision_id": f"{event['decision']:016x}",
            "verdict": VERDICTS[event["verdict"]],
            "rule": outcome.rule,
            "reason": outcome.reason,
            "policy_revision": event["revision"],
            "caller": self._number(event["caller"], event["caller_status"]),
            "callee": self._number(event["callee"], event["callee_status"]),
        }
        if event["block_class"]:
            line["block_class"] = CLASSES[event["block_class"]]
        for name in ("call_id", "imei", "imsi"):
            if event[name]:
                line[name] = self._shown(text(event[name]))
        for name in ("switch", "trunk", "cell"):
            if event[name]:
                line[name] = text(event[name])
        if event["shadow"]:
            line["shadow_rules"] = policy.shadow(event["shadow"])
        for name in ("repeated", "emergency", "added"):
            if event[name]:
                line[name] = True
        if event["errors"]:
            line["rule_errors"] = event["errors"]
        return line

    def _number(self, number: bytes, status: int) -> str | None:
        if status == NumberStatus.NUMBER_ABSENT:
            return None
        return self._shown(text(number))

    def _shown(self, number: str) -> str:
        return number if self._show else masked(number)


def text(data: bytes) -> str:
    """A text of an event, which may have been cut."""
    return data.decode(errors="replace")


class EventDrain(Background):
    """Empties the engine's rings on a thread of its own, at nice 19.

    Events go to the decision log if there is one, and to every listener, which takes a batch and raises nothing;
    samples of calls go to `recent`. After each look into the rings come the `looks` of those who write now and then
    what they have heard. A listener may be slow: the ring is large, and what it loses is counted.
    """

    def __init__(
        self,
        engine: Engine,
        sink: DecisionLog | None,
        *,
        recent: RecentCalls,
        listeners: Sequence[Listener],
        looks: Sequence[Callable[[], None]],
        clock: Clock,
        tally: Tally,
        log: Log,
    ) -> None:
        super().__init__("events")
        self._engine = engine
        self._sink = sink
        self._recent = recent
        self._listeners = listeners
        self._looks = looks
        self._clock = clock
        self._tally = tally
        self._log = log
        self._failing = False

    def stop(self) -> None:
        """Ends the thread, drains what is left and closes the log.

        It is drained here, for who stops: the thread has stepped back, and on a busy machine would take its time.
        """
        super().stop()
        self._drain()
        if self._sink is not None:
            self._sink.close()

    def _run(self) -> None:
        step_back()
        while not self._stopping.wait(PERIOD):
            self._drain()

    def _drain(self) -> None:
        while len(events := self._engine.drain_events(TAKE)):
            self._write(events)
            for listener in self._listeners:
                self._guarded(listener, events)
        while samples := self._engine.drain_samples():
            self._recent.add(samples, self._clock.now_ms())
        for look in self._looks:
            self._guarded(look)

    def _guarded(self, call: Callable[..., None], *events: npt.NDArray[np.void]) -> None:
        """Whatever goes wrong with one of them, the ring is emptied."""
        try:
            call(*events)
        except Exception:
            self._log.exception("a listener of decisions failed", events=sum(map(len, events)))

    def _write(self, events: npt.NDArray[np.void]) -> None:
        if self._sink is None:
            return
        try:
            self._sink.write(events)
        except OSError as error:
            self._tally.log_failed(len(events))
            if not self._failing:
                self._log.error("decision log cannot be written, decisions go on", problem=str(error))
            self._failing = True
        else:
            self._tally.logged(len(events))
            self._failing = False


def rows(events: npt.NDArray[np.void], which: npt.NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    """Some of a batch of events, by name of their fields."""
    names = events.dtype.names or ()
    for row in events[which].tolist():
        yield dict(zip(names, row, strict=True))
