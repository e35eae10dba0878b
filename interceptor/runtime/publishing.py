"""Decisions made into events for the spool, and what else is made of them: reminders, early warnings."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from interceptor.delivery.envelope import Record, encoded, quoted, record, record_of
from interceptor.delivery.outlets import Outlets
from interceptor.delivery.settings import Sinks
from interceptor.runtime.clock import Clock
from interceptor.runtime.demotion import Jump
from interceptor.runtime.events import CLASSES, VERDICTS, text
from interceptor.runtime.logs import Log
from interceptor.runtime.masking import masked
from interceptor.runtime.niceness import step_back
from interceptor.runtime.outcomes import RecentOutcomes

#: where the spool lies in the service's --data, if the sinks file names no place
FOLDER = "events"
#: what is told of an event besides its id and time: what its rule and policy say
SAID = ("revision", "rule", "verdict", "block_class", "shadow", "emergency")
#: and its texts, where there are any
TEXTS = ("caller", "callee", "trunk", "switch", "call_id", "imei", "imsi", "cell")
_STARTS = [f',"{name}":' for name in TEXTS]
#: sayings of rules that are kept
KNOWN = 4096


class Maker(Protocol):
    """Makes further events of what the engine decided. On the drain's thread."""

    def made(self, events: npt.NDArray[np.void]) -> list[Record]:
        """Events of a batch off the ring, which has answers that repeat one and those of a trial in it as well."""

    def spooled(self) -> None:
        """What `made` gave last is in the spool, and may be remembered as sent: not before, for a crash in between
        shall send it again."""

    def look(self) -> None:
        """Every now and then: time to write what is remembered."""

    def stop(self) -> None:
        """There is no more: what is remembered is written."""


class Publishing:
    """Puts what the sinks ask for into their spool; they deliver it on threads of their own.

    Raises SinksError, SpoolError.
    """

    def __init__(
        self,
        settings: Sinks,
        outcomes: RecentOutcomes,
        makers: Sequence[Maker],
        *,
        data: Path,
        identity: str,
        secret: bytes,
        clock: Clock,
        log: Log,
    ) -> None:
        self.outlets = Outlets(
            settings,
            directory=data / FOLDER,
            source=f"interceptor/{identity}",
            masked=masked,
            key=secret,
            begin=step_back,
            clock=clock.now_ms,
            log=log,
        )
        self._outcomes = outcomes
        self._makers = makers
        self._clock = clock
        self._log = log
        told = [sink.verdicts for sink in settings.sinks if "decision" in sink.events]
        self._verdicts = [value for value, name in VERDICTS.items() if any(name in said for said in told)]
        self._next = 0  # number of the ring's next event
        self._failing = False
        self._rules: dict[tuple[int, ...], str] = {}

    def start(self) -> None:
        """Begins to deliver, what an earlier process has left first."""
        self.outlets.start()

    def stop(self) -> None:
        """After the last `take`. What is not delivered yet is when the service runs again."""
        for maker in self._makers:
            maker.stop()
        self.outlets.stop()

    def look(self) -> None:
        """On the drain's thread, as `Maker`."""
        for maker in self._makers:
            maker.look()

    def take(self, events: npt.NDArray[np.void]) -> None:
        """A batch of the engine's events. What the ring had no room for leaves numbers out."""
        behind = int(events["sequence"][-1]) + 1
        if lost := behind - self._next - len(events):
            self.outlets.spool.skip(lost)
        self._next = behind
        which = (
            (events["trial"] == 0) & (events["repeated"] == 0) & np.isin(events["verdict"], self._verdicts)
        )
        self._append(list(self._decisions(events[which])))
        if self._append([record for maker in self._makers for record in maker.made(events)]):
            for maker in self._makers:
                maker.spooled()

    def demoted(self, jump: Jump) -> None:
        """A rule has turned itself into a warning. From any thread."""
        now = self._clock.now_ms()
        data = {
            "rule": jump.rule,
            "blocked": jump.blocked,
            "calls": jump.calls,
            "window_ms": jump.window_ms,
            "usual_share": jump.usual,
        }
        self._append([record("rule-demoted", f"{jump.rule}@{now}", now, data)])

    def _append(self, records: list[Record]) -> bool:
        try:
            self.outlets.spool.append(records)
        except OSError as error:
            if not self._failing:
                self._log.error("events cannot be kept for their sinks, calls go on", problem=str(error))
            self._failing = True
            return False
        self._failing = False
        return True

    def _decisions(self, events: npt.NDArray[np.void]) -> Iterator[Record]:
        sayings = zip(*[events[name].tolist() for name in SAID], strict=True)
        texts = zip(*[events[name].tolist() for name in TEXTS], strict=True)
        columns = (events["decision"].tolist(), events["time_ms"].tolist(), sayings, texts)
        for number, time_ms, asked, values in zip(*columns, strict=True):
            decision = f"{number:016x}"
            told = [
                start + quoted(text(value)) for start, value in zip(_STARTS, values, strict=True) if value
            ]
            data = f'{{"decision_id":"{decision}",{self._rule(asked)}{"".join(told)}}}'
            yield record_of("decision", decision, time_ms, data)

    def _rule(self, asked: tuple[int, ...]) -> str:
        """What many decisions have in common, by what is SAID: the inside of an object of JSON."""
        if (known := self._rules.get(asked)) is not None:
            return known
        revision, rule, verdict, block_class, shadow, emergency = asked
        policy = self._outcomes[revision]
        outcome = policy.at(rule)
        said: dict[str, Any] = {
            "verdict": VERDICTS[verdict],
            "rule": outcome.rule,
            "reason": outcome.reason,
            "policy_revision": revision,
        }
        if block_class:
            said["block_class"] = CLASSES[block_class]
        if shadow:
            said["shadow_rules"] = policy.shadow(shadow)
        if emergency:
            said["emergency"] = True
        if len(self._rules) >= KNOWN:
            self._rules.clear()
        self._rules[asked] = encoded(said)[1:-1]
        return self._rules[asked]
