"""How well a policy tells offenders from others, where the recorded calls say who is which."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.spec import Spec
from interceptor.engine.trace import rule_id
from interceptor.engine.types import Verdict

Counts = npt.NDArray[np.int64]

#: columns that say who is which
WANTED = ("label", "instance", "fraud")
#: labels of calls that are no fraud, where the file does not say it
HONEST = frozenset(("ordinary", "business", "courier", "call-centre"))
NEVER = -1
_WARNED, _BLOCKED = 0, 1


@dataclass(frozen=True, eq=False)
class KindScore:
    """What was said to calls of one kind."""

    label: str
    fraud: bool
    calls: int
    warned: int
    blocked: int
    callers: int  #: different ones
    callers_warned: int  #: warned or blocked at least once
    callers_blocked: int
    #: by offender: how many calls it had made when it was first warned (or blocked), that one included; NEVER
    until_warned: Counts
    until_blocked: Counts

    @property
    def instances(self) -> int:
        """How many offenders."""
        return len(self.until_warned)

    def caught(self, within: int | None = None, *, blocked: bool = False) -> float:
        """Share of the offenders warned (or blocked) within so many calls; NaN when there are none."""
        until = self.until_blocked if blocked else self.until_warned
        good = (until != NEVER) & (True if within is None else until <= within)
        return float(good.mean()) if len(until) else float("nan")

    def recall(self, *, blocked: bool = False) -> float:
        """Share of the calls that were warned about or blocked (or blocked alone)."""
        hit = self.blocked if blocked else self.warned + self.blocked
        return hit / self.calls if self.calls else float("nan")


@dataclass(frozen=True)
class RuleScore:
    """Whom a rule hit, enforced or in shadow."""

    rule: str
    shadow: bool
    by_label: Mapping[str, int]  #: calls
    right: int  #: of these, calls of offenders
    wrong: int

    @property
    def precision(self) -> float:
        """Share of the calls it hit that are an offender's; NaN when it hit none."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else float("nan")


@dataclass(frozen=True)
class Score:
    """How well a policy did."""

    kinds: tuple[KindScore, ...]  #: honest ones first
    rules: tuple[RuleScore, ...]  #: those that hit any call

    def precision(self, *, blocked: bool = False) -> float:
        """Share of the calls warned about or blocked (or blocked alone) that are an offender's; NaN: none were."""
        right, hit = (self._hit(kinds, blocked) for kinds in (self.offenders, self.kinds))
        return right / hit if hit else float("nan")

    def recall(self, *, blocked: bool = False) -> float:
        """Share of the calls of offenders that were warned about or blocked (or blocked alone); NaN likewise."""
        calls = sum(kind.calls for kind in self.offenders)
        return self._hit(self.offenders, blocked) / calls if calls else float("nan")

    @property
    def offenders(self) -> tuple[KindScore, ...]:
        """The kinds that are fraud."""
        return tuple(kind for kind in self.kinds if kind.fraud)

    @staticmethod
    def _hit(kinds: tuple[KindScore, ...], blocked: bool) -> int:
        return sum(kind.blocked if blocked else kind.warned + kind.blocked for kind in kinds)


class _Different:
    """Keys seen, each once: arrays that are joined when they have grown as long as what was joined before."""

    def __init__(self) -> None:
        self._joined: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._waiting: list[npt.NDArray[np.uint64]] = []
        self._more = 0

    def add(self, keys: npt.NDArray[np.uint64]) -> None:
        self._waiting.append(np.unique(keys))
        self._more += len(self._waiting[-1])
        if self._more > len(self._joined) + (1 << 16):
            self._join()

    def _join(self) -> None:
        self._joined = np.unique(np.concatenate([self._joined, *self._waiting]))
        self._waiting, self._more = [], 0

    def __len__(self) -> int:
        self._join()
        return int(np.count_nonzero(self._joined))  # key 0 is nobody


@dataclass
class _Kind:
    fraud: bool = False
    calls: int = 0
    hit: list[int] = field(default_factory=lambda: [0, 0])
    callers: tuple[_Different, _Different, _Different] = field(
        default_factory=lambda: (_Different(), _Different(), _Different())
    )
    #: by instance: calls so far, and how many at the first warning and block
    made: dict[int, int] = field(default_factory=dict)
    first: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))


class Scoring:
    """Adds up what one policy said to labelled calls."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._kinds: dict[str, _Kind] = {}
        #: (rule index, or -1 - shadow bit; label) -> calls of offenders and others
        self._rules: dict[tuple[int, str], list[int]] = {}
        self._shadows = [rule.id for rule in spec.rules if rule.shadow]

    def add(self, columns: Mapping[str, Any], answers: npt.NDArray[np.void]) -> None:
        """Adds a stretch. Without the column `label` there is nothing to add."""
        if "label" not in columns:
            return
        labels = columns["label"]
        coded = labels if hasattr(labels, "indices") else labels.dictionary_encode()
        names = coded.dictionary.to_pylist()
        asked = answers["verdict"] > 0
        code = np.where(asked, np.asarray(coded.indices.fill_null(-1), dtype=np.int64), -1)
        fraud = self._fraud(columns, code, names)
        for k in np.unique(code[code >= 0]).tolist():
            rows = np.flatnonzero(code == k)
            self._add_kind(names[k], rows, columns, answers, fraud)

    @staticmethod
    def _fraud(columns: Mapping[str, Any], code: Counts, names: list[str]) -> npt.NDArray[np.bool_]:
        if "fraud" in columns:
            return np.asarray(columns["fraud"].fill_null(False), dtype=bool)
        honest = np.array([name in HONEST for name in names] + [True])
        return ~honest[code]

    def _add_kind(
        self,
        label: str,
        rows: npt.NDArray[np.intp],
        columns: Mapping[str, Any],
        answers: npt.NDArray[np.void],
        fraud: npt.NDArray[np.bool_],
    ) -> None:
        kind = self._kinds.setdefault(label, _Kind())
        said, whose = answers[rows], fraud[rows]
        verdict = said["verdict"]
        kind.calls += len(rows)
        kind.fraud |= bool(whose.any())
        kind.hit[_WARNED] += int((verdict == Verdict.WARN).sum())
        kind.hit[_BLOCKED] += int((verdict == Verdict.BLOCK).sum())
        for kept, among in zip(
            kind.callers, (verdict > 0, verdict > Verdict.PASS, verdict == Verdict.BLOCK), strict=True
        ):
            kept.add(said["caller"][among])
        hit = verdict > Verdict.PASS
        for index in np.unique(said["rule"][hit]).tolist():
            self._hit(index, label, whose[hit & (said["rule"] == index)])
        for bit in range(len(self._shadows)):
            matched = (said["shadow"] >> np.uint64(bit) & np.uint64(1)) != 0
            if matched.any():
                self._hit(-1 - bit, label, whose[matched])
        if "instance" in columns:
            instance = columns["instance"].take(rows)
            known = np.asarray(instance.is_valid())
            self._until(kind, np.asarray(instance.fill_null(0), dtype=np.int64)[known], verdict[known])

    def _hit(self, rule: int, label: str, fraud: npt.NDArray[np.bool_]) -> None:
        counts = self._rules.setdefault((rule, label), [0, 0])
        counts[0] += int(fraud.sum())
        counts[1] += int((~fraud).sum())

    @staticmethod
    def _until(kind: _Kind, instance: Counts, verdict: npt.NDArray[np.uint8]) -> None:
        order = np.argsort(instance, kind="stable")
        who, said = instance[order], verdict[order]
        begins = np.flatnonzero(np.diff(who, prepend=who[0] - 1)) if len(who) else np.zeros(0, int)
        ends = np.append(begins[1:], len(who)) if len(who) else begins
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            one = int(who[begin])
            before = kind.made.get(one, 0)
            kind.made[one] = before + end - begin
            for first, least in zip(kind.first, (Verdict.WARN, Verdict.BLOCK), strict=True):
                if one not in first:
                    found = np.flatnonzero(said[begin:end] >= least)
                    if len(found):
                        first[one] = before + int(found[0]) + 1

    def score(self) -> Score | None:
        """None when no call was labelled."""
        if not self._kinds:
            return None
        kinds = tuple(
            _kind_score(label, kind)
            for label, kind in sorted(self._kinds.items(), key=lambda item: (item[1].fraud, item[0]))
        )
        rules = []
        for index in sorted({index for index, _ in self._rules}):
            found = {label: counts for (rule, label), counts in self._rules.items() if rule == index}
            name = self._shadows[-1 - index] if index < 0 else rule_id(self.spec, index)
            right, wrong = (sum(counts[i] for counts in found.values()) for i in (0, 1))
            rules.append(
                RuleScore(name, index < 0, {k: sum(v) for k, v in sorted(found.items())}, right, wrong)
            )
        return Score(kinds, tuple(rules))


def _kind_score(label: str, kind: _Kind) -> KindScore:
    warned, blocked = (
        np.array([first.get(one, NEVER) for one in sorted(kind.made)], np.int64) for first in kind.first
    )
    callers, callers_warned, callers_blocked = map(len, kind.callers)
    return KindScore(
        label=label,
        fraud=kind.fraud,
        calls=kind.calls,
        warned=kind.hit[_WARNED],
        blocked=kind.hit[_BLOCKED],
        callers=callers,
        callers_warned=callers_warned,
        callers_blocked=callers_blocked,
        until_warned=warned,
        until_blocked=blocked,
    )
