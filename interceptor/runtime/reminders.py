"""Reminders: what a person reads whose call was warned about. One message a person, category and day."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import yaml

from interceptor.delivery.envelope import Record, record, rfc3339
from interceptor.delivery.settings import RemindersEntry
from interceptor.engine.plan import NumberingPlan, NumberType
from interceptor.engine.types import NumberStatus, RuleIndex, Verdict
from interceptor.policy.zones import zone
from interceptor.runtime.events import rows, text
from interceptor.runtime.hours import Hours, When
from interceptor.runtime.once import Once
from interceptor.runtime.outcomes import RecentOutcomes

SHIPPED = Path(__file__).resolve().parent.parent / "policies" / "messages" / "reminders.yaml"
#: the category of a rule that gives no reason
UNNAMED = "none"
#: in place of a number that there is not: in languages that the shipped file has no word in
NO_NUMBER = "–"
#: what a message may quote: anything else is the caller's own words
QUOTED = (NumberStatus.NUMBER_E164, NumberStatus.NUMBER_SHORT)
#: nobody reads messages there
SILENT = [
    NumberType.TYPE_FIXED_LINE,
    NumberType.TYPE_TOLL_FREE,
    NumberType.TYPE_PREMIUM_RATE,
    NumberType.TYPE_SHARED_COST,
    NumberType.TYPE_UAN,
    NumberType.TYPE_VOICEMAIL,
]


class Wording:
    """What reminders say: the operator's words before the shipped ones.

    Parameters
    ----------
    said
        The operator's section.
    """

    def __init__(self, said: RemindersEntry) -> None:
        shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        self.language = said.language
        self.to_caller = frozenset(shipped["to_caller"]).union(said.to_caller)
        self._withheld: str = shipped["withheld"].get(said.language, NO_NUMBER)
        self._texts: dict[str, str | None] = {}
        for category in [*shipped["templates"], *said.templates]:
            theirs = said.templates.get(category, {})
            words = None if theirs is None else shipped["templates"].get(category, {}) | theirs
            self._texts[category] = words.get(said.language) if words else None

    def has(self, category: str) -> bool:
        """Whether there are words for it."""
        return self._texts.get(category) is not None

    def text(self, category: str, number: str, time: str) -> str:
        """The message; `number` is "" when nobody knows it."""
        template = self._texts[category]
        assert template is not None
        return template.format(number=number or self._withheld, time=time)


class _Wanted(NamedTuple):
    """A reminder before it is known whether it was sent already."""

    event: Mapping[str, Any]
    rule: str
    category: str
    reader: str
    when: When


class Reminders:
    """Makes them of the engine's events: of each first answer in which a rule warned. On the drain's thread.

    The reader is the called party, and in categories in which the caller is in danger (he calls back a listed
    number), the caller: the other one is the fraudster.
    """

    def __init__(
        self, said: RemindersEntry, outcomes: RecentOutcomes, once: Once, plan: NumberingPlan, home_zone: str
    ) -> None:
        self._wording = Wording(said)
        self._outcomes = outcomes
        self._once = once
        self._plan = plan
        self._hours = Hours(zone(said.timezone or home_zone), said.quiet_hours)
        self._minute = (-1, "")
        self._made: Counter[str] = Counter()
        self.counts: Counter[tuple[str, str]] = Counter()  #: by category and outcome

    def made(self, events: npt.NDArray[np.void]) -> list[Record]:
        """Reminders for a batch off the ring, as `Maker`."""
        which = (events["verdict"] == Verdict.WARN) & (events["rule"] < RuleIndex.RULE_EMERGENCY)
        for flag in ("trial", "repeated", "emergency"):
            which &= events[flag] == 0
        self._made = Counter()
        wanted: dict[bytes, _Wanted] = {}
        for each in self._wanted(events[which]):
            key = self._once.key("reminder", each.reader, each.category, str(each.when.period))
            if key in wanted:
                self.counts[each.category, "repeated"] += 1
            else:
                wanted[key] = each
        new = self._once.new({key: each.when.until_ms for key, each in wanted.items()})
        records = []
        for key, each in wanted.items():
            if key in new:
                records.append(self._record(key, each))
                self._made[each.category] += 1
            else:
                self.counts[each.category, "repeated"] += 1
        return records

    def spooled(self) -> None:
        """They are in the spool, as `Maker`."""
        self._once.spooled()
        for category, count in self._made.items():
            self.counts[category, "made"] += count

    def _wanted(self, events: npt.NDArray[np.void]) -> Iterator[_Wanted]:
        reads = {who: self._reads(events, who) for who in ("caller", "callee")}
        for i, event in enumerate(rows(events, np.ones(len(events), bool))):
            outcome = self._outcomes[event["revision"]].at(event["rule"])
            category = outcome.reason or UNNAMED
            reader = "caller" if category in self._wording.to_caller else "callee"
            if not self._wording.has(category):
                self.counts[category, "no_template"] += 1
            elif not reads[reader][i]:
                self.counts[category, "unreachable"] += 1
            else:
                when = self._hours.at(event["time_ms"])
                yield _Wanted(event, outcome.rule, category, text(event[reader]), when)

    def _reads(self, events: npt.NDArray[np.void], who: str) -> npt.NDArray[np.bool_]:
        """Whose number is one that messages can be sent to. What the numbering plan does not know yet may be."""
        whole: npt.NDArray[np.bool_] = events[f"{who}_status"] == NumberStatus.NUMBER_E164
        digits = np.char.lstrip(events[who], b"+").astype("S16")
        digits[~whole] = b"0"
        return whole & ~np.isin(self._plan.classify_many(digits)[2], SILENT)

    def _record(self, key: bytes, wanted: _Wanted) -> Record:
        event, category, when = wanted.event, wanted.category, wanted.when
        sides = {
            who: text(event[who]) if event[f"{who}_status"] in QUOTED else "" for who in ("callee", "caller")
        }
        other = sides["callee" if category in self._wording.to_caller else "caller"]
        data = {
            "to": wanted.reader,
            **{who: number for who, number in sides.items() if number},
            "category": category,
            "language": self._wording.language,
            "text": self._wording.text(category, other, self._shown(event["time_ms"])),
            "decision_id": f"{event['decision']:016x}",
            "rule": wanted.rule,
        }
        if when.not_before_ms is not None:
            data["not_before"] = rfc3339(when.not_before_ms)
        return record("reminder", key.hex(), event["time_ms"], data)

    def _shown(self, time_ms: int) -> str:
        """A time as people there read it. Most calls of a batch are of one minute."""
        minute = time_ms // 60_000
        if self._minute[0] != minute:
            self._minute = (minute, self._hours.local(time_ms).strftime("%m-%d %H:%M"))
        return self._minute[1]
