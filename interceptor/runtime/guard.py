"""The blast-radius guard: what a change would have meant for the calls of the last hour, before it is made.

A change must be confirmed when it gives more of the recent calls another verdict than the policy's guard.share says,
and no fewer than LEAST of them (one call among twenty is no blast); or when it puts a protected number on a list that
warns or blocks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from interceptor.engine import engine as kernel
from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.spec import ListKind, Rule, Spec
from interceptor.engine.types import Verdict
from interceptor.runtime.masking import masked
from interceptor.runtime.protection import Protection
from interceptor.runtime.recent import RecentCalls

#: so few flips are no blast, whatever their share
LEAST = 3
#: flips and protected numbers that are told one by one
TOLD = 20

_READ = re.compile(r"\bin\s+lists\.(\w+)")


@dataclass(frozen=True)
class Flip:
    """A recent call that would have been answered otherwise."""

    decision_id: str
    caller: str  #: masked, unless the service shows numbers
    callee: str
    was: str  #: verdict and rule: "PASS default"
    would_be: str


@dataclass(frozen=True)
class Impact:
    """What a change would have meant for recent calls."""

    calls: int  #: recent calls it was tried on
    flipped: int  #: of these, the ones with another verdict
    first: tuple[Flip, ...] = ()  #: the first of them
    protected: tuple[str, ...] = ()  #: protected numbers it hits, each with why it is protected
    unknown_counters: tuple[str, ...] = ()  #: counters only a trial can tell about
    allowed_share: float = 0.0  #: share of flipped calls beyond which it must be confirmed
    refused: bool = False  #: whether it must be confirmed
    revision: int = 0  #: what it was found at: confirm with this


class GuardRefusedError(Exception):
    """A change that must be confirmed; nothing has changed. The message says what it hits and how to confirm it."""

    def __init__(self, impact: Impact) -> None:
        super().__init__(refusal(impact))
        self.impact = impact


def refusal(impact: Impact) -> str:
    """Why a change must be confirmed, and how."""
    why = []
    if impact.protected:
        why.append(f"it hits protected numbers: {'; '.join(impact.protected)}")
    if impact.flipped:
        first = "; ".join(
            f"{each.caller} -> {each.callee} ({each.was}, then {each.would_be})" for each in impact.first[:3]
        )
        why.append(
            f"{impact.flipped} of {impact.calls} recent calls would have been answered otherwise, more than the "
            f"{impact.allowed_share:.3%} that guard.share allows, such as {first}"
        )
    return f"{'; and '.join(why)}. Nothing has changed. To do it all the same, confirm revision {impact.revision}"


class Guard:
    """Tries changes on recent calls. Any number of threads."""

    def __init__(
        self, engine: Engine, recent: RecentCalls, protection: Protection, *, show_numbers: bool
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._protection = protection
        self._show = show_numbers

    def of_list(self, spec: Spec, name: str, kind: ListKind, put: ListContent, off: ListContent) -> Impact:
        """What entries put on a list, and taken off it, would have meant."""
        verdicts = {rule.verdict for rule in readers(spec, name)}
        if not verdicts:  # no rule asks for it
            return Impact(0, 0, allowed_share=spec.guard.share)
        harms = bool(verdicts & {Verdict.WARN, Verdict.BLOCK})
        protected = self._protection.hit(spec, kind, put) if harms else ()
        impact = self._judged(spec, self._concerned(put, off), changes={name: (put, off)})
        return weighed(replace(impact, calls=len(self._recent), protected=protected))

    def _concerned(self, put: ListContent, off: ListContent) -> list[bytes]:
        """The recent calls that entries can matter to: those that ask for their keys, when they are plain keys."""
        if len(put.keys) + len(off.keys) == len(put) + len(off):
            return self._recent.asking(put.keys, off.keys)
        return self._recent.all()

    def of_policy(self, live: Spec | None, spec: Spec) -> Impact:
        """What another policy would have meant. The live one's guard says how much is allowed."""
        if live is None:
            return Impact(0, 0)
        return weighed(self._judged(live, self._recent.all(), spec=spec))

    def _judged(
        self,
        live: Spec,
        samples: list[bytes],
        *,
        spec: Spec | None = None,
        changes: Mapping[str, tuple[ListContent, ListContent]] | None = None,
    ) -> Impact:
        if not samples:
            return Impact(0, 0, allowed_share=live.guard.share)
        judged = self._engine.judge(samples, spec=spec, changes=changes)
        return Impact(
            judged.calls,
            len(judged.flipped),
            tuple(self._flip(each) for each in judged.flipped[:TOLD]),
            unknown_counters=judged.unknown_counters,
            allowed_share=live.guard.share,
        )

    def _flip(self, flip: kernel.Flip) -> Flip:
        return Flip(
            flip.decision,
            self._shown(flip.caller),
            self._shown(flip.callee),
            said(flip.was),
            said(flip.would),
        )

    def _shown(self, number: str) -> str:
        return number if self._show else masked(number)


def weighed(impact: Impact) -> Impact:
    """The impact, refused or not."""
    much = impact.flipped >= LEAST and impact.flipped > impact.allowed_share * impact.calls
    return replace(impact, refused=much or bool(impact.protected))


def said(answer: kernel.Answer) -> str:
    """``PASS default``."""
    return f"{answer.verdict.name} {answer.rule}"


def readers(spec: Spec, name: str) -> list[Rule]:
    """The rules in force that look something up in a list."""
    return [rule for rule in spec.rules if not rule.shadow and name in lists_of(rule)]


def lists_of(rule: Rule) -> Iterable[str]:
    """The lists a rule's condition looks something up in."""
    return _READ.findall(rule.source)
