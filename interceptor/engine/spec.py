"""What a policy hands the engine: plain, immutable data. The policy compiler makes it, the engine verifies it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from interceptor.engine.types import BlockClass, Field, Happening, Limits, Verdict

#: one bytecode instruction, laid out as `opcodes.Instruction`
INSTRUCTION = np.dtype([("op", "<u2"), ("dst", "<u2"), ("a", "<u2"), ("b", "<u2")])


class ListKind(StrEnum):
    """What the entries of a list are."""

    NUMBER = "number"  #: E.164 or short numbers
    PREFIX = "prefix"  #: prefixes of E.164 numbers
    DOMAIN = "domain"  #: a domain and everything below it
    DEVICE = "device"  #: IMEIs (14-16 digits) or TACs (8 digits)
    SUBSCRIBER = "subscriber"  #: IMSIs, or MCC-MNC prefixes (5-6 digits)
    TRUNK = "trunk"  #: trunk names, exact
    PAIR = "pair"  #: a called subscriber's number and a caller's: that subscriber's own entries
    NETWORK = "network"  #: IPv4 and IPv6 networks, or single addresses


@dataclass(frozen=True)
class Code:
    """Bytecode of every condition of a policy, one after the other, and the constants they share."""

    instructions: npt.NDArray[np.void]  #: dtype INSTRUCTION
    ints: tuple[int, ...] = ()
    doubles: tuple[float, ...] = ()
    texts: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Span:
    """Instructions [start, end) of a Code: one condition."""

    start: int
    end: int


@dataclass(frozen=True)
class AddTo:
    """What a rule puts on a list when it decides."""

    list: int  #: index into `Spec.lists`
    field: int  #: a Field
    for_ms: int
    needs_verified: bool  #: the list feeds a blocking rule: only a verified caller may land on it


@dataclass(frozen=True)
class Rule:
    id: str
    when: Span
    verdict: Verdict
    block_class: BlockClass = BlockClass.CLASS_NONE
    shadow: bool = False
    reason: str = ""
    sip_code: int = 0
    sip_reason: str = ""
    add_to: AddTo | None = None
    source: str = ""  #: the condition as written
    line: int = 0
    cost: int = 0  #: upper bound, in instructions


@dataclass(frozen=True)
class KeyPart:
    """One part of a counter's key: a field, or the first `prefix` digits of a number field."""

    field: int
    prefix: int = 0


@dataclass(frozen=True)
class Counter:
    """What is counted, for which entity, and when. Its value is a whole number; durations are in seconds."""

    name: str
    measure: str  #: count, distinct, sum, max, active, paired, partner, first_seen or last_seen
    per: tuple[KeyPart, ...]  #: the entity it is counted for: one part, or two for a pair
    window_ms: int  #: of `active`: how long a call whose end is never reported counts
    element: int | None = None  #: Field whose distinct values are counted
    where: Span | None = None
    happening: Happening = Happening.H_CALL  #: when it is counted
    of: tuple[KeyPart, ...] = ()  #: the entity it is read for, where that is another one than `per`
    answered: bool | None = None  #: of ended calls only those that were answered, or were not; None: all
    under_ms: int | None = None  #: of answered calls only those that lasted less
    large: bool = False  #: a distinct count for sets beyond some 5,000
    place: KeyPart | None = None  #: of `paired` and `partner`: where both calls are
    apart_ms: int | None = None  #: how far apart they may begin, and end

    @property
    def entity(self) -> str:
        """Name of the kind of entity it is kept and read for, such as ``caller`` or ``prefix(caller,7)``."""
        return "+".join(part_name(part) for part in self.read_for)

    @property
    def read_for(self) -> tuple[KeyPart, ...]:
        """The entity whose value a call reads: `of`, or `per`."""
        return self.of or self.per


@dataclass(frozen=True)
class ListSpec:
    name: str
    kind: ListKind
    file: str | None = None  #: absolute path; None: the list is kept in the store
    allow_bad: bool = False  #: load the file however many of its rows are bad


@dataclass(frozen=True, eq=False)
class ListContent:
    """The entries of one list, ready for the tables."""

    keys: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    prefixes: Sequence[tuple[int, bytes]] = ()  #: (PrefixRoot, digits)
    #: shape (n, 2): keys of callee and caller
    pairs: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    #: (IPv6 address or IPv4-mapped one, 16 bytes; prefix length 0..128)
    networks: Sequence[tuple[bytes, int]] = ()

    def __len__(self) -> int:
        return len(self.keys) + len(self.prefixes) + len(self.pairs) + len(self.networks)


@dataclass(frozen=True)
class Clock:
    """How far a place's time is from UTC: from each start on by the offset beside it. Both in milliseconds."""

    starts: tuple[int, ...]  #: since the Unix epoch, ascending; the first offset holds before them too
    offsets: tuple[int, ...]  #: east of UTC is positive; as many as starts, one at least


UTC = Clock((0,), (0,))


@dataclass(frozen=True)
class Trunk:
    region: str  #: of its dial plan; "" is the service's home region
    trusted: bool = False
    own_subscribers: bool = False
    clock: Clock | None = None  #: its local time; None: that of its region


@dataclass(frozen=True)
class Guard:
    """What a change may do to recent calls without being confirmed, and when a rule demotes itself."""

    share: float = 0.001  #: of recent calls that may be answered otherwise
    factor: float = (
        10.0  #: times its usual rate at which an analytics rule that blocks is turned into a warning
    )
    minimum: int = 100  #: blocks within half a minute below which it is not
    protected: tuple[str, ...] = ()  #: lists of numbers that no list of bad ones may hold


@dataclass(frozen=True)
class Appeals:
    """Where callers go whose call was blocked by mistake."""

    list: str  #: of numbers
    for_ms: int


@dataclass(frozen=True)
class Spec:
    """A compiled policy."""

    code: Code
    rules: tuple[Rule, ...]
    counters: tuple[Counter, ...] = ()
    lists: tuple[ListSpec, ...] = ()
    trunks: Mapping[str, Trunk] = field(default_factory=dict)  #: must hold "default"
    tags: tuple[str, ...] = ()
    default: Verdict = Verdict.PASS
    entities: Mapping[str, int] = field(default_factory=dict)  #: budget (entities) by kind of entity
    emergency: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: additions by region
    emergency_grace_ms: int = 2 * 3600 * 1000
    guard: Guard = Guard()
    appeals: Appeals | None = None
    clocks: Mapping[str, Clock] = field(default_factory=dict)  #: by region; else UTC
    source: str = ""  #: file name, for messages
    digest: str = ""  #: SHA-256 of the policy file, hex


def part_name(part: KeyPart) -> str:
    """``caller`` or ``prefix(caller,7)``: the part as a policy writes it."""
    name = field_name(part.field)
    return f"prefix({name},{part.prefix})" if part.prefix else name


def field_name(index: int) -> str:
    """A field as a policy writes it: ``caller``, ``redirecting[0]``, ``tag[2]``."""
    if Field.F_REDIRECTING <= index < Field.F_REDIRECTING + Limits.MAX_REDIRECTING:
        return f"redirecting[{index - Field.F_REDIRECTING}]"
    if index >= Field.F_TAG:
        return f"tag[{index - Field.F_TAG}]"
    return Field(index).name.removeprefix("F_").lower()
