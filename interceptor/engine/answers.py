"""What the engine answers with, as plain Python data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from interceptor.engine.types import BlockClass, Verdict


class CallError(ValueError):
    """A malformed call: `field` names the field, the message says what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one call."""

    id: str  #: 16 hex digits, unique across workers and restarts; of an explanation: all zeros
    verdict: Verdict
    rule: str  #: id of the deciding rule, "default" or "emergency"
    rule_index: int  #: index into `Spec.rules`, or a RuleIndex
    block_class: BlockClass
    revision: int  #: of the policy that decided
    repeated: bool  #: the same call was answered before; that answer again
    shadow: tuple[str, ...]  #: ids of the shadow rules that matched
    errors: int  #: rules that ended in an error on this call


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """How one rule came out."""

    rule: str
    outcome: str  #: match, no match, absent (it reads what is not there), error, grace, not reached
    shadow: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class CounterTrace:
    """One counter as the rules saw it."""

    counter: str
    readable: bool
    value: int  #: as if this call were counted
    counted: bool  #: its `where` held and its element is there


@dataclass(frozen=True, slots=True)
class ListTrace:
    """A list the call is on."""

    field: str
    list: str
    entry: str  #: what matched: the number, the prefix, the parent domain
    until_ms: int | None  #: the end of an entry that a rule put there


@dataclass(frozen=True, slots=True)
class NumberTrace:
    """How a number of the call was read."""

    field: str
    status: str  #: e164, short, withheld, unparseable, absent
    text: str
    valid: bool
    region: str
    type: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and everything it was made from."""

    decision: Decision
    rules: tuple[RuleTrace, ...]
    counters: tuple[CounterTrace, ...]
    lists: tuple[ListTrace, ...]
    numbers: tuple[NumberTrace, ...]
    emergency: bool
    graced: bool  #: the callee dialled an emergency number a short while ago


class Answer(NamedTuple):
    """What a policy says to a call."""

    verdict: Verdict
    rule: str  #: id of the deciding rule, "default" or "emergency"


class Differing(NamedTuple):
    """A kind of difference between two policies."""

    was: Answer  #: the live policy's
    would: Answer  #: the other one's


@dataclass(frozen=True, slots=True)
class Flip:
    """A recent call that would get another verdict."""

    index: int  #: of the sample
    was: Answer  #: what the live policy and lists say to it now
    would: Answer
    decision: str  #: id of the decision it got, 16 hex digits
    time_ms: int  #: of that decision
    caller: str  #: normalised where it is a number, else as signalled
    callee: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy or a change of lists would do to recent calls."""

    calls: int  #: judged: all the samples given
    flipped: tuple[Flip, ...]  #: those with another verdict, in the order of the samples
    unknown_counters: tuple[
        str, ...
    ] = ()  #: names, in the policy's order: some call was decided without them
    unknown_tags: tuple[str, ...] = ()  #: likewise: absent in what that call was decided by


@dataclass(frozen=True, slots=True)
class TrialState:
    """How a policy that runs in shadow stands."""

    name: str
    running: bool
    stopped: str = ""  #: why it ended by itself; "" while it runs, and when it was stopped
    calls: int = 0  #: that both policies have decided: repeated ones are not
    differing: int = 0  #: of these, the ones with another verdict
    kinds: Mapping[Differing, int] = field(default_factory=dict)  #: of these, how many of which kind
    untold: int = 0  #: of these, the ones whose kind was not told apart: there were too many kinds
    unknown_tags: tuple[str, ...] = ()  #: read by it and not by the live policy: absent for it
    #: names of its own counters that reports feed: they feed the live policy's alone, so it cannot read these
    unknown_counters: tuple[str, ...] = ()
