"""What the answers add up to: verdicts by rule and hour, and the numbers hit hardest."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.spec import Spec
from interceptor.engine.trace import rule_id
from interceptor.engine.types import Verdict

HOUR_MS = 3_600_000
VERDICTS = {Verdict.PASS: "pass", Verdict.WARN: "warn", Verdict.BLOCK: "block"}
#: callers of whom it is kept how often they were hit: beyond, the least hit ones make room
CALLERS_KEPT = 1 << 17


@dataclass
class RuleTally:
    """How often a rule decided."""

    rule: str
    verdict: str
    calls: int = 0
    shadow: int = 0  #: matched in shadow
    by_hour: dict[int, int] = field(default_factory=dict)  #: hours since 1970 -> calls


@dataclass(frozen=True)
class Hit:
    """A caller, and what it was answered."""

    caller: str
    warned: int
    blocked: int


class Tally:
    """Adds up the answers of one policy."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.calls = self.repeated = self.errors = 0
        self.verdicts: dict[str, int] = dict.fromkeys(VERDICTS.values(), 0)
        #: verdict -> hours since 1970 -> calls
        self.hours: dict[str, Counter[int]] = {name: Counter() for name in VERDICTS.values()}
        self._rules: dict[tuple[int, int], Counter[int]] = {}
        self._shadow: Counter[str] = Counter()
        self._warned: Counter[str] = Counter()
        self._blocked: Counter[str] = Counter()
        self._shadows = [rule.id for rule in spec.rules if rule.shadow]

    def add(self, columns: Mapping[str, Any], answers: npt.NDArray[np.void]) -> None:
        """Adds a stretch."""
        asked = answers["verdict"] > 0
        self.calls += int(asked.sum())
        self.repeated += int(answers["repeated"].sum())
        self.errors += int(np.count_nonzero(answers["errors"]))
        hours = np.asarray(columns["time_ms"].fill_null(0), dtype=np.int64) // HOUR_MS
        first = int(hours.min(initial=0 if len(hours) == 0 else hours[0]))
        kinds = (answers["rule"].astype(np.int64) << 2 | answers["verdict"]) << 32 | np.maximum(
            hours - first, 0
        )
        for kind, n in zip(
            *(each.tolist() for each in np.unique(kinds[asked], return_counts=True)), strict=True
        ):
            rule, verdict, hour = kind >> 34, kind >> 32 & 3, first + (kind & 0xFFFFFFFF)
            self._rules.setdefault((rule, verdict), Counter())[hour] += n
            self.verdicts[VERDICTS[Verdict(verdict)]] += n
            self.hours[VERDICTS[Verdict(verdict)]][hour] += n
        matched = answers["shadow"][answers["shadow"] != 0]
        if len(matched):
            for bit, name in enumerate(self._shadows):
                self._shadow[name] += int(np.count_nonzero(matched >> np.uint64(bit) & np.uint64(1)))
        for verdict, found in ((Verdict.WARN, self._warned), (Verdict.BLOCK, self._blocked)):
            rows = np.flatnonzero(answers["verdict"] == verdict)
            if len(rows):
                found.update(texts(columns["caller"], rows))
                if len(found) > 2 * CALLERS_KEPT:
                    kept = Counter(dict(found.most_common(CALLERS_KEPT)))
                    found.clear()
                    found.update(kept)

    def rules(self) -> list[RuleTally]:
        """Every rule of the policy in its order, then `default` and `emergency` where they decided."""
        made: dict[str, RuleTally] = {
            rule.id: RuleTally(rule.id, VERDICTS[rule.verdict] + (", shadow" if rule.shadow else ""))
            for rule in self.spec.rules
        }
        for (index, verdict), hours in sorted(self._rules.items()):
            name = rule_id(self.spec, index)
            tally = made.setdefault(name, RuleTally(name, VERDICTS[Verdict(verdict)]))
            tally.calls += sum(hours.values())
            for hour, n in hours.items():
                tally.by_hour[hour] = tally.by_hour.get(hour, 0) + n
        for name, n in self._shadow.items():
            made[name].shadow = n
        return list(made.values())

    def hit_hardest(self, most: int = 20) -> list[Hit]:
        """Callers by how often they were blocked, then warned."""
        best = {name for found in (self._blocked, self._warned) for name, _ in found.most_common(most)}
        hits = [Hit(name, self._warned[name], self._blocked[name]) for name in best]
        return sorted(hits, key=lambda hit: (-hit.blocked, -hit.warned, hit.caller))[:most]


def texts(column: Any, rows: npt.NDArray[np.intp]) -> list[str]:
    """Texts of some rows; an absent one is empty."""
    return [text or "" for text in column.take(rows).to_pylist()]
