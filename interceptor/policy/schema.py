"""The shape of a policy file as pydantic models. Names are not resolved here, conditions are texts."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from interceptor.policy.duration import INT64_MAX, INT64_MIN, is_duration, milliseconds, nanoseconds

#: milliseconds
SECOND, MINUTE, DAY = 1000, 60 * 1000, 24 * 3600 * 1000

#: characters of a threshold that is a text
MAX_TEXT = 1024

#: entities of one kind that are kept when the policy does not say how many
DEFAULT_BUDGET = 1_000_000

_RULE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DIGITS = re.compile(r"[0-9]{1,13}")
_HEADER = re.compile(r"[\x20-\x7e]{1,256}")
_TRUNK = re.compile(r"[\x21-\x7e]{1,128}")
_REGION = re.compile(r"[A-Z]{2}")

#: words that CEL keeps for itself
_RESERVED = (
    "as break const continue else false for function if import in let loop namespace null package return true "
    "var void while"
)
RESERVED = frozenset(_RESERVED.split(" "))


@dataclass(frozen=True)
class Duration:
    """A threshold that is a duration, in nanoseconds."""

    nanoseconds: int


Constant: TypeAlias = bool | int | float | str | Duration


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'must be a text: write "{"" if value is None else value}"')
    return value


def _matching(pattern: re.Pattern[str], what: str) -> BeforeValidator:
    def check(value: Any) -> str:
        if not pattern.fullmatch(_text(value)):
            raise ValueError(f"{value[:80]!r} is no {what}")
        return str(value)

    return BeforeValidator(check)


def _name(value: Any) -> str:
    text = _text(value)
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text[:80]!r} is no name: letters, digits and _, at most 64, not starting with a digit"
        )
    if text in RESERVED:
        raise ValueError(f"{text!r} is a word that CEL keeps for itself")
    return text


def _period(shortest: int, longest: int, limits: str) -> BeforeValidator:
    def check(value: Any) -> int:
        if not isinstance(value, str):
            raise ValueError(f"must be a duration such as 90s, 1h30m or 7d, {limits}")
        length = milliseconds(value)
        if not shortest <= length <= longest:
            raise ValueError(f"{value} is outside {limits}")
        return length

    return BeforeValidator(check)


def _constant(value: Any) -> Constant:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"a text of {len(value)} characters; at most {MAX_TEXT} are allowed")
        return Duration(nanoseconds(value, days=True)) if is_duration(value) else value
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("the number is too large for a double")
        return value
    if isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise ValueError(f"{str(value)[:40]} does not fit 64 bits")
        return value
    raise ValueError("must be a number, true or false, a text or a duration")


def _condition(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise ValueError("must be a CEL condition, such as call.caller in lists.fraud")
    if not value.strip():
        raise ValueError("the condition is empty: write `true` for one that always holds")
    return value


def _one_or_two(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in parts) or not 1 <= len(parts) <= 2:
        raise ValueError("must be a field, `prefix(FIELD, DIGITS)`, or a list of two of them")
    return tuple(parts)


def _texts(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _rule_id(value: Any) -> str:
    text = _text(value)
    if not _RULE_ID.fullmatch(text):
        raise ValueError(
            f"{text[:80]!r} is no rule id: letters, digits, '.', '_' and '-', at most 64 of them"
        )
    if text in ("default", "emergency"):
        raise ValueError(f"{text!r} is the engine's own rule id; choose another")
    return text


def _version(value: Any) -> int:
    if type(value) is not int or value != 1:
        raise ValueError("`version` must be 1")
    return value


Version = Annotated[int, BeforeValidator(_version)]
Name = Annotated[str, BeforeValidator(_name)]
Condition = Annotated[str, BeforeValidator(_condition)]
Window = Annotated[int, _period(SECOND, 31 * DAY, "1s to 31d")]
Ttl = Annotated[int, _period(MINUTE, DAY, "1m to 24h")]
Under = Annotated[int, _period(SECOND, 60 * MINUTE, "1s to 1h")]
Apart = Annotated[int, _period(SECOND, 10 * MINUTE, "1s to 10m")]
Stay = Annotated[int, _period(SECOND, 366 * DAY, "1s to 366d")]
Grace = Annotated[int, _period(0, 7 * DAY, "0s to 7d")]
Word = Annotated[
    str, _matching(_RULE_ID, "plain word: letters, digits, '.', '_' and '-', at most 64 of them")
]
Header = Annotated[str, _matching(_HEADER, "header value: printable ASCII, at most 256 characters")]
Digits = Annotated[str, _matching(_DIGITS, "number as dialled: 1 to 13 digits in quotes, no +")]
Region = Annotated[str, _matching(_REGION, "region: an ISO 3166 code of two capitals, such as CN")]
TrunkName = Annotated[
    str, _matching(_TRUNK, "trunk name: printable ASCII without blanks, at most 128 characters")
]
#: what happens to a call, or to a card without one
Event: TypeAlias = Literal[
    "call", "answered", "unanswered", "ended", "short", "activated", "reactivated", "attached", "sms"
]
Threshold = Annotated[Any, BeforeValidator(_constant)]
Budget = Annotated[int, Field(ge=1, le=1_000_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=1.5, le=1000)]
Minimum = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class TrunkEntry(_Strict):
    region: Region | None = None
    zone: str | None = None
    trusted: bool = False
    own_subscribers: bool = False


class ListEntry(_Strict):
    kind: Literal["number", "prefix", "domain", "device", "subscriber", "trunk", "pair", "network"]
    file: str | None = None
    allow_bad: bool = False


class CounterEntry(_Strict):
    count: Event | None = None
    distinct: str | None = None
    sum: Literal["duration"] | None = None
    max: Literal["duration"] | None = None
    active: Literal["call"] | None = None
    paired: Literal["call", "partner"] | None = None
    first_seen: Event | None = None
    last_seen: Event | None = None
    on: Event | None = None
    large: bool = False
    under: Under | None = None
    place: str | None = Field(default=None, alias="in")
    apart: Apart | None = None
    per: Annotated[tuple[str, ...], BeforeValidator(_one_or_two)]
    of: Annotated[tuple[str, ...], BeforeValidator(_one_or_two)] | None = None
    window: Window | None = None
    ttl: Ttl | None = None
    where: Condition | None = None


class AddToEntry(_Strict):
    list_name: Name = Field(alias="list")
    key: str
    for_ms: Stay = Field(alias="for")


class RuleEntry(_Strict):
    id: Annotated[str, BeforeValidator(_rule_id)]
    when: Condition
    verdict: Literal["pass", "warn", "block"]
    block_class: Literal["list", "analytics", "invalid", "subscriber"] | None = Field(
        default=None, alias="class"
    )
    mode: Literal["enforce", "shadow"] = "enforce"
    reason: Word | None = None
    sip_code: Annotated[int, Field(ge=400, le=699)] | None = None
    sip_reason: Header | None = None
    add_to: AddToEntry | None = None


class EmergencyEntry(_Strict):
    add: dict[Region, Annotated[tuple[Digits, ...], BeforeValidator(_texts)]] = Field(default_factory=dict)
    grace: Grace = 2 * 3600 * 1000


class GuardEntry(_Strict):
    share: Share = 0.001
    factor: Factor = 10.0
    minimum: Minimum = 100
    protected: Annotated[tuple[Name, ...], BeforeValidator(_texts)] = ()


class AppealsEntry(_Strict):
    list_name: Name = Field(alias="list")
    for_ms: Stay = Field(default=30 * DAY, alias="for")


class Policy(_Strict):
    """A policy file as it is written: names are not resolved, conditions are texts."""

    version: Version
    trunks: dict[TrunkName, TrunkEntry] = Field(default_factory=dict)
    tags: Annotated[tuple[Name, ...], BeforeValidator(_texts)] = ()
    thresholds: dict[Name, Threshold] = Field(default_factory=dict)
    lists: dict[Name, ListEntry] = Field(default_factory=dict)
    counters: dict[Name, CounterEntry] = Field(default_factory=dict)
    entities: dict[str, Budget] = Field(default_factory=dict)
    emergency: EmergencyEntry = Field(default_factory=EmergencyEntry)
    guard: GuardEntry = Field(default_factory=GuardEntry)
    appeals: AppealsEntry | None = None
    rules: Annotated[tuple[RuleEntry, ...], BeforeValidator(_texts)] = ()
    default: Literal["pass", "warn", "block"] = "pass"
