"""Early warnings: a number that newly becomes highly suspected, told while others can yet be warned of it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.delivery.envelope import Record, record, rfc3339
from interceptor.delivery.settings import EarlyWarningsEntry
from interceptor.engine.keys import KeyKind
from interceptor.engine.types import BlockClass, NumberStatus, RuleIndex, Verdict
from interceptor.policy.zones import zone
from interceptor.runtime.events import rows, text
from interceptor.runtime.hours import Hours
from interceptor.runtime.once import Once
from interceptor.runtime.outcomes import Outcome, RecentOutcomes


class EarlyWarnings:
    """Makes them of the engine's events. On the drain's thread.

    Highly suspected is a caller whom an analytics rule blocks, and one who is put on a list, himself or his card,
    device or place, by a rule that warns or blocks. A rule that lets the call pass suspects nobody by what it notes.
    """

    def __init__(
        self, said: EarlyWarningsEntry, outcomes: RecentOutcomes, once: Once, home_zone: str
    ) -> None:
        self._outcomes = outcomes
        self._once = once
        self._hours = Hours(zone(said.timezone or home_zone), days=said.days)
        self._made: Counter[str] = Counter()
        self.counts: Counter[tuple[str, str]] = Counter()  #: by reason and outcome

    def made(self, events: npt.NDArray[np.void]) -> list[Record]:
        """Early warnings of a batch off the ring, as `Maker`."""
        self._made = Counter()
        wanted: dict[bytes, dict[str, Any]] = {}
        ends: dict[bytes, int] = {}
        for event in rows(events, _suspecting(events)):
            when = self._hours.at(event["time_ms"])
            key = self._once.key(b"early-warning", event["caller"], b"%d" % when.period)
            if key in wanted:
                self.counts[self._outcome(event).reason, "repeated"] += 1
            else:
                wanted[key], ends[key] = event, when.until_ms
        new = self._once.new(ends)
        records = []
        for key, event in wanted.items():
            outcome = self._outcome(event)
            if key in new:
                records.append(_record(key, event, outcome))
                self._made[outcome.reason] += 1
            else:
                self.counts[outcome.reason, "repeated"] += 1
        return records

    def spooled(self) -> None:
        """They are in the spool, as `Maker`."""
        self._once.spooled()
        for reason, count in self._made.items():
            self.counts[reason, "made"] += count

    def look(self) -> None:
        """As `Maker`."""
        self._once.look()

    def stop(self) -> None:
        """As `Maker`."""
        self._once.write()

    def _outcome(self, event: Mapping[str, Any]) -> Outcome:
        return self._outcomes[event["revision"]].at(event["rule"])


def _suspecting(events: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Which events suspect the number that calls."""
    blocked = (events["verdict"] == Verdict.BLOCK) & (events["block_class"] == BlockClass.CLASS_ANALYTICS)
    kind = events["added_key"] >> np.uint64(58)
    another = np.isin(kind, (KeyKind.KEY_NUMBER, KeyKind.KEY_SHORT)) & (
        events["added_text"] != events["caller"]
    )
    listed = (events["added"] != 0) & (events["verdict"] != Verdict.PASS) & ~another  # not the called party
    which: npt.NDArray[np.bool_] = (blocked | listed) & (events["rule"] < RuleIndex.RULE_EMERGENCY)
    which &= events["caller_status"] == NumberStatus.NUMBER_E164  # else nobody knows whose it is
    for flag in ("trial", "repeated", "emergency"):
        which &= events[flag] == 0
    return which


def _record(key: bytes, event: Mapping[str, Any], outcome: Outcome) -> Record:
    blocked = event["verdict"] == Verdict.BLOCK and event["block_class"] == BlockClass.CLASS_ANALYTICS
    data = {
        "caller": text(event["caller"]),
        "since": rfc3339(event["time_ms"]),
        "rule": outcome.rule,
        "reason": outcome.reason,
        "why": "analytics-block" if blocked else "rule-listed",
        "verified": bool(event["verified"]),  # else the number may be another's
        "decision_id": f"{event['decision']:016x}",
    }
    return record("early-warning", key.hex(), event["time_ms"], data)
