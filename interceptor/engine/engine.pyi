"""The engine's Python face: the one border at which calls come in as Python objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import Spec
from interceptor.engine.types import BlockClass, Verdict

#: Calls as a structured array, one row a call: texts as fixed-width bytes (empty: absent), `present` has bit s set
#: when scalar s is there, `scalar` holds the four scalars. Widths: numbers and ids 32, call_id and user_agent 64.
CALL_DTYPE: np.dtype[np.void]
#: Decisions: id u8, shadow u8, revision u4, rule u2, verdict u1, block_class u1, repeated u1, added u1, errors u2
DECISION_DTYPE: np.dtype[np.void]

class CallError(ValueError):
    """A call that is malformed: `field` names the field, the message says what to do."""

    field: str

@dataclass(frozen=True)
class ListContent:
    """The entries of one list, ready for the tables."""

    keys: npt.NDArray[np.uint64]
    prefixes: Sequence[tuple[int, bytes]] = ()  #: (PrefixRoot, digits)

class Decision:
    id: str  #: 16 hex digits
    verdict: Verdict
    rule: str  #: rule id, "default" or "emergency"
    rule_index: int  #: index into Spec.rules, or a RuleIndex
    block_class: BlockClass
    revision: int
    repeated: bool
    shadow: tuple[str, ...]  #: ids of the shadow rules that matched
    errors: int

@dataclass(frozen=True)
class RuleTrace:
    rule: str
    outcome: str  #: "match", "no match", "absent" (something it reads is not there), "error", "not reached"
    shadow: bool
    decides: bool

@dataclass(frozen=True)
class CounterTrace:
    counter: str
    readable: bool
    value: int  #: as if this call were counted
    counted: bool  #: its `where` held

@dataclass(frozen=True)
class ListTrace:
    field: str
    list: str
    entry: str  #: the entry that matched: the number, the prefix, the parent domain
    until_ms: int | None  #: for an entry a rule put there

@dataclass(frozen=True)
class NumberTrace:
    field: str
    status: str  #: e164, short, withheld, unparseable, absent
    text: str
    valid: bool
    region: str
    type: str

@dataclass(frozen=True)
class Explanation:
    decision: Decision
    rules: tuple[RuleTrace, ...]
    counters: tuple[CounterTrace, ...]
    lists: tuple[ListTrace, ...]
    numbers: tuple[NumberTrace, ...]
    emergency: bool
    graced: bool

class Engine:
    """Decides calls under the last published policy.

    Thread-safe: any number of threads may decide at once; `publish`, list changes and `drain_events` are for one
    thread each.
    """

    def __init__(
        self,
        plan: NumberingPlan,
        *,
        home: str = "CN",
        secret: bytes | None = None,
        node: int = 0,
        boot_ms: int = 0,
        repeats: int = 1 << 20,
        events: int = 1 << 16,
        pass_sample: int = 1000,
    ) -> None: ...
    def publish(self, spec: Spec, lists: Mapping[str, ListContent], *, revision: int) -> None:
        """Builds the snapshot of a policy and swaps it in. On any error the old one stays.

        Counters whose definition did not change keep their state.
        """

    @property
    def spec(self) -> Spec: ...
    @property
    def revision(self) -> int: ...
    @property
    def secret(self) -> bytes: ...
    def decide(self, call: Mapping[str, Any], now_ms: int) -> Decision:
        """Decides one call.

        `call` maps field names (as in DecideRequest, plus `switch`) to values: str or bytes for texts, bool or int
        for scalars, a sequence of texts for `redirecting`, a mapping for `tags`. Absent and empty are the same for
        texts. Raises CallError for unknown fields, wrong types, texts over 1024 bytes, invalid UTF-8 and control
        characters; nothing is counted then.
        """

    def decide_batch(
        self, calls: npt.NDArray[np.void], now_ms: npt.NDArray[np.int64], *, chunk: int = 64
    ) -> npt.NDArray[np.void]:
        """Decides rows of CALL_DTYPE in order, `chunk` (1..64) at a time, without the GIL."""

    def explain(self, call: Mapping[str, Any], now_ms: int) -> Explanation:
        """What `decide` would answer now, and why. Touches nothing."""

    def drain_events(self, limit: int = 4096) -> npt.NDArray[np.void]:
        """Takes up to `limit` events (dtype events.EVENT_DTYPE) off the ring."""

    def add(self, name: str, entries: ListContent) -> int: ...
    def remove(self, name: str, entries: ListContent) -> int: ...
    def contains(self, name: str, key: int) -> bool: ...
    def stats(self) -> dict[str, Any]:
        """Totals since the start: verdicts, rules (by id), list_hits, list_sizes, latency, entities, events."""
