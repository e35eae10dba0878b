"""What the engine answers with, as plain Python data."""

from dataclasses import dataclass

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
    repeated: bool  #: the same (switch, call_id) was answered before; that answer again
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
