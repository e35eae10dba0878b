"""Reminders: what a person reads whose call was warned about. One message a person, category and day."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import yaml

from interceptor.delivery.envelope import Record, quoted, record_of, rfc3339
from interceptor.delivery.settings import RemindersEntry
from interceptor.engine.plan import NumberingPlan, NumberType
from interceptor.engine.types import NumberStatus, RuleIndex, Verdict
from interceptor.policy.zones import zone
from interceptor.runtime.events import text
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
#: stands for a number
_HERE = "\0"
_COLUMNS = (
    *("revision", "rule", "time_ms", "decision"),
    *("caller", "callee", "caller_status", "callee_status"),
)


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
        self.withheld: str = shipped["withheld"].get(said.language, NO_NUMBER)
        self._texts: dict[str, str | None] = {}
        for category in [*shipped["templates"], *said.templates]:
            theirs = said.templates.get(category, {})
            words = None if theirs is None else shipped["templates"].get(category, {}) | theirs
            self._texts[category] = words.get(said.language) if words else None

    @property
    def categories(self) -> list[str]:
        """Those that there are words for."""
        return [category for category in self._texts if self.has(category)]

    def has(self, category: str) -> bool:
        """Whether there are words for it."""
        return self._texts.get(category) is not None

    def text(self, category: str, number: str, time: str) -> str:
        """The message; `number` is "" when nobody knows it."""
        template = self._texts[category]
        assert template is not None
        return template.format(number=number or self.withheld, time=time)


class _Saying(NamedTuple):
    """What reminders of one rule have in common."""

    category: str
    has_words: bool
    to_caller: bool
    key: bytes  #: the category
    before: str  #: members of the data before the message, and behind it, as JSON
    behind: str


#: a reminder before it is known whether it was sent already: what it says, time, decision, caller and callee ("": none
#: that may be quoted), when
_Wanted = tuple[_Saying, int, int, str, str, When]


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
        self._sayings: dict[tuple[int, int], _Saying] = {}
        #: what was said in this minute, by category, as JSON: what stands between the numbers
        self._words: dict[str, list[str]] = {}
        self._minute = -1
        self._made: Counter[str] = Counter()
        self.counts: Counter[tuple[str, str]] = Counter()  #: by category and outcome

    @property
    def told(self) -> dict[tuple[str, str], int]:
        """The counts for metrics: what may be made is there from the start, or a rate would miss the first of it."""
        return {(category, "made"): 0 for category in self._wording.categories} | self.counts

    def made(self, events: npt.NDArray[np.void]) -> list[Record]:
        """Reminders for a batch off the ring, as `Maker`."""
        which = (events["verdict"] == Verdict.WARN) & (events["rule"] < RuleIndex.RULE_EMERGENCY)
        for flag in ("trial", "repeated", "emergency"):
            which &= events[flag] == 0
        self._made = Counter()
        wanted: dict[bytes, _Wanted] = {}
        for key, each in self._wanted(events[which]):
            if key in wanted:
                self.counts[each[0].category, "repeated"] += 1
            else:
                wanted[key] = each
        new = self._once.new({key: each[-1].until_ms for key, each in wanted.items()})
        records = []
        for key, each in wanted.items():
            category = each[0].category
            if key in new:
                records.append(self._record(key, each))
                self._made[category] += 1
            else:
                self.counts[category, "repeated"] += 1
        return records

    def spooled(self) -> None:
        """They are in the spool, as `Maker`."""
        self._once.spooled()
        for category, count in self._made.items():
            self.counts[category, "made"] += count

    def look(self) -> None:
        """As `Maker`."""
        self._once.look()

    def stop(self) -> None:
        """As `Maker`."""
        self._once.write()

    def _wanted(self, events: npt.NDArray[np.void]) -> Iterator[tuple[bytes, _Wanted]]:
        """Each with what it is known by."""
        reads = [self._reads(events, who).tolist() for who in ("caller", "callee")]
        columns = [events[name].tolist() for name in _COLUMNS]
        self._sayings.clear()
        for each in zip(*columns, *reads, strict=True):
            revision, rule, time_ms, decision, caller, callee, caller_status, callee_status, calls, called = (
                each
            )
            saying = self._sayings.get((revision, rule)) or self._saying(revision, rule)
            if not saying.has_words:
                self.counts[saying.category, "no_template"] += 1
            elif not (calls if saying.to_caller else called):
                self.counts[saying.category, "unreachable"] += 1
            else:
                when = self._hours.at(time_ms)
                reader = caller if saying.to_caller else callee
                key = self._once.key(b"reminder", reader, saying.key, b"%d" % when.period)
                caller = text(caller) if caller_status in QUOTED else ""
                callee = text(callee) if callee_status in QUOTED else ""
                yield key, (saying, time_ms, decision, caller, callee, when)

    def _saying(self, revision: int, rule: int) -> _Saying:
        outcome = self._outcomes[revision].at(rule)
        category = outcome.reason or UNNAMED
        self._sayings[revision, rule] = saying = _Saying(
            category,
            self._wording.has(category),
            category in self._wording.to_caller,
            category.encode(),
            f'"category":{quoted(category)},"language":"{self._wording.language}","text":"',
            f',"rule":{quoted(outcome.rule)}',
        )
        return saying

    def _reads(self, events: npt.NDArray[np.void], who: str) -> npt.NDArray[np.bool_]:
        """Whose number is one that messages can be sent to. What the numbering plan does not know yet may be."""
        whole: npt.NDArray[np.bool_] = events[f"{who}_status"] == NumberStatus.NUMBER_E164
        signs = np.ascontiguousarray(events[who]).view("S1").reshape(len(events), events.dtype[who].itemsize)
        digits = signs[:, 1:17].copy().view("S16").ravel()  # without the + that such a number begins with
        digits[~whole] = b"0"
        return whole & ~np.isin(self._plan.classify_many(digits)[2], SILENT)

    def _record(self, key: bytes, wanted: _Wanted) -> Record:
        saying, time_ms, decision, caller, callee, when = wanted
        reader, other = (caller, callee) if saying.to_caller else (callee, caller)
        words = quoted(other or self._wording.withheld)[1:-1].join(self._between(saying.category, time_ms))
        called = f'"callee":{quoted(callee)},' if callee else ""
        calls = f'"caller":{quoted(caller)},' if caller else ""
        later = "" if when.not_before_ms is None else f',"not_before":"{rfc3339(when.not_before_ms)}"'
        data = (
            f'{{"to":{quoted(reader)},{called}{calls}{saying.before}{words}",'
            f'"decision_id":"{decision:016x}"{saying.behind}{later}}}'
        )
        return record_of("reminder", key.hex(), time_ms, data)

    def _between(self, category: str, time_ms: int) -> list[str]:
        """A message as JSON, in pieces between which the number stands. Most calls of a batch are of one minute."""
        minute = time_ms // 60_000
        if self._minute != minute:
            self._minute = minute
            self._words.clear()
        if (found := self._words.get(category)) is None:
            shown = self._hours.local(time_ms).strftime("%m-%d %H:%M")
            found = quoted(self._wording.text(category, _HERE, shown))[1:-1].split(quoted(_HERE)[1:-1])
            self._words[category] = found
        return found
