"""A conformance case: a folder with a policy, its lists and a sequence of calls with the answers they must get.

`calls.yaml` holds::

    statement: what the case shows, in a sentence
    policy: antifraud-cn            # a shipped policy; else policy.yaml beside it
    thresholds: {people_1h: 5}      # values that replace those of the shipped policy
    home: CN
    always: {trunk: access}         # fields of every call that does not name them
    calls:
      - at: 1m30s                   # since the start of the case; left out: with the call before it
        call: {caller: "+8613800138000", callee: "10086", sim_age_days: 3}
        expect: {verdict: warn, rule: new-sim, reason: fan-out, class: analytics, shadow: [trial]}
      - {repeat: 20, every: 100ms, call: {callee: "+86138{i:08}"}, last: {verdict: block}}
      - explain: {caller: anonymous}
        expect: {counters: {calls: 3}, rules: {new-sim: absent}, lists: [[caller, fraud]], graced: false}
      - {report: {call_id: a, event: ended, duration_ms: 9000}, expect: {outcome: joined}}
      - {card: {number: "+8613800138000", imsi: "460001234567890"}, event: attached}
      - publish: second.yaml        # the policy is replaced
      - {call: {...}, malformed: callee}    # the call is refused, naming the field
      - {call: {...}, estimated: true}      # a distinct count near a threshold: kernel and model may differ

Under a shipped policy, `lists/NAME.csv` is what its list NAME, which the store keeps, holds.
What an `expect` leaves out is not compared with it; kernel and model are compared in everything.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import interceptor
from interceptor.policy.duration import milliseconds

CASES = Path(__file__).parent / "cases"
POLICIES = Path(interceptor.__file__).parent / "policies"

#: when every case starts
START = 1_800_000_000_000


@dataclass(frozen=True)
class Step:
    """One call to be decided or explained, something reported, or a policy to be published."""

    what: str  #: "call", "explain", "report", "card" or "publish"
    now: int
    subject: Any  #: the fields of the call, report or card, or the policy's file name
    expect: Mapping[str, Any] = field(default_factory=dict)
    malformed: str | None = None
    estimated: bool = False
    place: str = ""
    event: str = ""  #: what happens to the card


@dataclass(frozen=True)
class Case:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def document(self) -> dict[str, Any]:
        return dict(yaml.safe_load((self.folder / "calls.yaml").read_text()))

    @property
    def home(self) -> str:
        return str(self.document.get("home", "CN"))

    @property
    def shipped(self) -> str | None:
        """Name of the shipped policy the case is about."""
        return self.document.get("policy")

    @cached_property
    def kept(self) -> dict[str, Path]:
        """What lists of the shipped policy hold that the store keeps, by list."""
        found = sorted((self.folder / "lists").glob("*.csv")) if self.shipped else []
        return {path.stem: path for path in found}

    def policy(self, file: str | None = None) -> tuple[Path, str]:
        """File and text of the case's policy (or of the one it publishes later)."""
        path = (
            POLICIES / f"{self.shipped}.yaml"
            if self.shipped and not file
            else self.folder / (file or "policy.yaml")
        )
        text = path.read_text()
        for name, value in self.document.get("thresholds", {}).items():
            text, found = re.subn(rf"(?m)^(  {name}:) +[0-9]+\b", rf"\1 {value}", text)
            assert found == 1, f"{self.name}: {name} is no threshold of {path.name}"
        return path, text

    @cached_property
    def steps(self) -> list[Step]:
        return list(self._steps())

    def _steps(self) -> Iterator[Step]:
        now = START
        for number, entry in enumerate(self.document["calls"], start=1):
            place = f"{self.name}, call {number}"
            now = START + milliseconds(entry["at"]) if "at" in entry else now
            if "publish" in entry:
                yield Step("publish", now, entry["publish"], place=place)
                continue
            what = next(key for key in ("explain", "report", "card", "call") if key in entry)
            always = self.document.get("always", {}) if what in ("explain", "call") else {}
            times = entry.get("repeat", 1)
            for i in range(times):
                if i:
                    now += milliseconds(entry.get("every", "0s"))
                subject = {**always, **numbered(entry[what], i)}
                expect = entry.get("expect", {})
                if i == times - 1:
                    expect = entry.get("last", expect)
                suffix = f" ({i + 1} of {times})" if times > 1 else ""
                estimated = entry.get("estimated", False)
                malformed, event = entry.get("malformed"), entry.get("event", "")
                yield Step(what, now, subject, expect, malformed, estimated, place + suffix, event)


def numbered(call: Any, i: int) -> Any:
    """The i-th of several calls: ``{i}`` in its texts is the number."""
    if isinstance(call, str):
        return call.format(i=i) if "{i" in call else call
    if isinstance(call, dict):
        return {name: numbered(value, i) for name, value in call.items()}
    if isinstance(call, list):
        return [numbered(value, i) for value in call]
    return copy.copy(call)


def all_cases() -> list[Case]:
    return [Case(folder) for folder in sorted(CASES.iterdir()) if (folder / "calls.yaml").exists()]
