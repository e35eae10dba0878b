"""The shape of a policy file as pydantic models, and `load_document`: YAML -> `Policy`, every error at its place."""

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from interceptor.policy.document import Node, read_document
from interceptor.policy.duration import INT64_MAX, INT64_MIN, is_duration, milliseconds, nanoseconds
from interceptor.policy.errors import PolicyError, Problem, Source

Path_: TypeAlias = tuple[str | int, ...]

#: milliseconds
SECOND, DAY = 1000, 24 * 3600 * 1000

#: entities of one kind that are kept when the policy does not say how many
DEFAULT_BUDGET = 1_000_000

_RULE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DIGITS = re.compile(r"[0-9]{1,15}")
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
        return Duration(nanoseconds(value, days=True)) if is_duration(value) else value
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX:
            raise ValueError(f"{value} does not fit 64 bits")
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


Name = Annotated[str, BeforeValidator(_name)]
Condition = Annotated[str, BeforeValidator(_condition)]
Window = Annotated[int, _period(SECOND, 31 * DAY, "1s to 31d")]
Stay = Annotated[int, _period(SECOND, 366 * DAY, "1s to 366d")]
Grace = Annotated[int, _period(0, 7 * DAY, "0s to 7d")]
Word = Annotated[
    str, _matching(_RULE_ID, "plain word: letters, digits, '.', '_' and '-', at most 64 of them")
]
Header = Annotated[str, _matching(_HEADER, "header value: printable ASCII, at most 256 characters")]
Digits = Annotated[str, _matching(_DIGITS, "number as dialled: 1 to 15 digits in quotes, no +")]
Region = Annotated[str, _matching(_REGION, "region: an ISO 3166 code of two capitals, such as CN")]
TrunkName = Annotated[
    str, _matching(_TRUNK, "trunk name: printable ASCII without blanks, at most 128 characters")
]
Threshold = Annotated[Any, BeforeValidator(_constant)]
Budget = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TrunkEntry(_Strict):
    region: Region | None = None
    trusted: bool = False
    own_subscribers: bool = False


class ListEntry(_Strict):
    kind: Literal["number", "prefix", "domain", "device", "subscriber", "trunk"]
    file: str | None = None
    allow_bad: bool = False


class CounterEntry(_Strict):
    count: Literal["call"] | None = None
    distinct: str | None = None
    per: Annotated[tuple[str, ...], BeforeValidator(_one_or_two)]
    window: Window
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


class Policy(_Strict):
    """A policy file as it is written: names are not resolved, conditions are texts."""

    version: Literal[1]
    trunks: dict[TrunkName, TrunkEntry] = Field(default_factory=dict)
    tags: Annotated[tuple[Name, ...], BeforeValidator(_texts)] = ()
    thresholds: dict[Name, Threshold] = Field(default_factory=dict)
    lists: dict[Name, ListEntry] = Field(default_factory=dict)
    counters: dict[Name, CounterEntry] = Field(default_factory=dict)
    entities: dict[str, Budget] = Field(default_factory=dict)
    emergency: EmergencyEntry = Field(default_factory=EmergencyEntry)
    rules: Annotated[tuple[RuleEntry, ...], BeforeValidator(_texts)] = ()
    default: Literal["pass", "warn", "block"] = "pass"


def load_document(path: Path | str, text: str | None = None) -> Policy:
    """Reads a policy file without resolving its names or reading its conditions.

    Raises
    ------
    PolicyError
        It is not of a policy's shape.
    """
    reading = read_policy(read_source(path, text))
    if reading.problems or reading.policy is None:
        raise PolicyError(reading.problems)
    return reading.policy


def read_source(path: Path | str, text: str | None = None) -> Source:
    """The text of a policy file; PolicyError when it cannot be read or is no UTF-8."""
    name = str(path)
    if text is None:
        try:
            raw = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PolicyError([Problem(name, 1, 1, f"cannot be read: {reason}")]) from None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            good = Source(name, raw[: error.start].decode("utf-8"))
            line, column = good.position(error.start and len(good.text))
            message = f"byte 0x{raw[error.start]:02X} is no UTF-8: save the file as UTF-8"
            raise PolicyError([Problem(name, line, column, message, good.line(line))]) from None
    return Source(name, text.removeprefix("\ufeff"))


@dataclass
class Reading:
    """As much of a policy file as could be read."""

    source: Source
    root: Node
    problems: list[Problem]
    policy: Policy | None = None
    rules: list[int] = field(
        default_factory=list
    )  #: where in the file's `rules` each of the policy's rules stands

    def problem(self, path: Path_, message: str) -> None:
        """Notes what is wrong with the value at a path of the file."""
        self.problems.append(self.source.problem(self.root.find(path).start, message))

    def problem_at_key(self, path: Path_, message: str) -> None:
        self.problems.append(self.source.problem(self.root.key_offset(path), message))


def read_policy(source: Source) -> Reading:
    """Reads what can be read of a policy and notes what is wrong with the rest.

    What is wrong is cut out, entry by entry, so that everything else can still be checked in the same go.
    """
    root, problems = read_document(source)
    if root.kind != "mapping":
        raise PolicyError([source.problem(root.start, "a policy is a mapping: it starts with `version: 1`")])
    reading = Reading(source, root, problems)
    data = root.data()
    if isinstance(data.get("rules"), list):
        reading.rules = list(range(len(data["rules"])))
    for _ in range(4):
        try:
            reading.policy = Policy.model_validate(data)
            break
        except ValidationError as error:
            cut: set[int] = set()
            for details in error.errors(include_url=False):
                path = tuple(details["loc"])
                if path[:1] == ("rules",) and len(path) > 1:
                    cut.add(int(path[1]))
                    path = ("rules", reading.rules[int(path[1])], *path[2:])
                problem = source.problem(_place(root, path, details), _message(path, details))
                if problem not in problems:
                    problems.append(problem)
                _cut(data, path)
            if cut:
                data["rules"] = [rule for at, rule in enumerate(data["rules"]) if at not in cut]
                reading.rules = [at for position, at in enumerate(reading.rules) if position not in cut]
    return reading


def _place(root: Node, path: Path_, details: ErrorDetails) -> int:
    if details["type"] == "extra_forbidden" or "[key]" in path:
        return root.key_offset(tuple(part for part in path if part != "[key]"))
    if details["type"] == "missing":
        parent = path[:-1]
        return root.key_offset(parent) if parent and isinstance(parent[-1], str) else root.find(parent).start
    return root.find(path).start


_KEYS: dict[str, type[BaseModel]] = {
    "trunks": TrunkEntry,
    "lists": ListEntry,
    "counters": CounterEntry,
    "rules": RuleEntry,
    "emergency": EmergencyEntry,
}


def _keys_at(path: Path_) -> list[str]:
    """The keys that may stand beside the one at `path`."""
    model: type[BaseModel] = Policy
    if len(path) > 1:
        model = AddToEntry if path[-2] == "add_to" else _KEYS.get(str(path[0]), Policy)
    return [info.alias or name for name, info in model.model_fields.items()]


def _message(path: Path_, details: ErrorDetails) -> str:
    name = str(path[-1]) if path else "policy"
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return f"`{name}` is missing"
    if kind == "extra_forbidden":
        keys = _keys_at(path)
        near = difflib.get_close_matches(name, keys, 1)
        return f"unknown key `{name}`; " + (
            f"did you mean `{near[0]}`?" if near else f"there are {', '.join(keys)}"
        )
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{str(details['input'])[:80]!r} is not one of {context['expected']}"
    said = {
        "bool_type": "must be true or false",
        "string_type": "must be a text",
        "int_type": "must be a whole number",
        "dict_type": "must be a mapping (`name: ...`)",
        "model_type": "must be a mapping (`key: value`)",
        "model_attributes_type": "must be a mapping (`key: value`)",
        "tuple_type": "must be a list (`- ...` or [...])",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
    }.get(kind, details["msg"])
    return f"`{name}` {said}" if not name.isdigit() else said


def _cut(data: Any, path: Path_) -> None:
    """Takes out of `data` what a problem lies in: a list, a counter, a trunk, or a key of the policy; never a rule."""
    section = data.get(path[0]) if path else None
    if len(path) > 1 and isinstance(section, dict) and path[0] != "emergency":
        section.pop(path[1], None)
    elif path and path[0] == "version":
        data["version"] = 1
    elif path and not (path[0] == "rules" and len(path) > 1):
        data.pop(path[0], None)
