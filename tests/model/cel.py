"""CEL as obvious Python: walks cel-python's parse tree with plain values; errors are exceptions."""

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from celpy.celparser import CELParser
from lark import Token, Tree

INT64 = range(-(1 << 63), 1 << 63)


class Absent(Exception):
    """Something the condition reads is not there."""


class Failed(Exception):
    """Overflow, division by zero, out of range."""


@dataclass(frozen=True, order=True)
class Duration:
    nanoseconds: int


Value = bool | int | float | str | Duration


@dataclass
class World:
    """What a condition may ask about one call; what is left out is absent.

    Names are those of a policy: ``caller``, ``caller_raw``, ``redirecting[0]``, ``tags.dealer``, ``roaming``.
    """

    fields: Mapping[str, Value] = field(default_factory=dict)
    signalled: frozenset[str] = frozenset()  #: fields that are there for has(), readable or not
    valid: Mapping[str, bool] = field(default_factory=dict)
    region: Mapping[str, str] = field(default_factory=dict)
    type: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  #: by field that has a key: names of lists
    counters: Mapping[str, int] = field(default_factory=dict)
    thresholds: Mapping[str, Value] = field(default_factory=dict)
    redirections: int = 0
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)  #: where the call is


def holds(condition: str, world: World) -> bool:
    """Whether a condition is true. Raises Absent or Failed when it ends in an error."""
    answer = _value(parsed(condition), world)
    assert isinstance(answer, bool)
    return answer


@lru_cache(maxsize=256)
def parsed(condition: str) -> Tree[Token]:
    """cel-python's parse tree of a condition."""
    tree: Tree[Token] = CELParser().parse(condition)
    return tree


def _value(node: Any, world: World) -> Value:
    while len(node.children) == 1 and node.data not in ("literal", "ident", "ident_arg", "list_lit"):
        node = node.children[0]
    match node.data:
        case "expr":
            condition, then, other = node.children
            return _value(then if _value(condition, world) else other, world)
        case "conditionalor":
            return _commutative(node, world, wins=True)
        case "conditionaland":
            return _commutative(node, world, wins=False)
        case "relation" | "addition" | "multiplication":
            return _operation(node, world)
        case "unary":
            value = _value(node.children[1], world)
            if node.children[0].data == "unary_not":
                return not value
            return -value if isinstance(value, float) else _whole(-_number(value))
        case "literal":
            return _literal(node.children[0])
        case "member_dot" | "member_index":
            return _read(_written(node), world)
        case "ident_arg":
            return _function(str(node.children[0]), _arguments(node.children[1:]), world)
        case "member_dot_arg":
            target, name, *rest = node.children
            return _function(str(name), [target, *_arguments(rest)], world)
    raise AssertionError(f"no CEL of ours: {node.data}")


def _arguments(parts: list[Any]) -> list[Any]:
    return [argument for part in parts for argument in part.children]


def _commutative(node: Any, world: World, *, wins: bool) -> bool:
    """&& and ||: one side that decides does so whatever the other is; else an error of either side stays one."""
    error: Exception | None = None
    for side in node.children:
        try:
            if _value(side, world) == wins:
                return wins
        except (Absent, Failed) as failed:
            error = error or failed
    if error:
        raise error
    return not wins


def _operation(node: Any, world: World) -> Value:
    operation, right = node.children
    (left,) = operation.children
    operator = operation.data.split("_")[1]
    if operator == "in":
        return _in(left, right, world)
    a, b = _value(left, world), _value(right, world)
    if operator in _COMPARISONS:
        return _COMPARISONS[operator](*_side_by_side(a, b))
    if isinstance(a, str) and isinstance(b, str):
        return a + b
    if isinstance(a, float) and isinstance(b, float):
        return _DOUBLES[operator](a, b)
    if isinstance(a, Duration) and isinstance(b, Duration):
        return Duration(_whole(_INTS[operator](a.nanoseconds, b.nanoseconds)))
    return _whole(_INTS[operator](_number(a), _number(b)))


def _in(left: Any, right: Any, world: World) -> bool:
    name = _written(right)
    if name.startswith("lists."):
        field_name = _written(left).removeprefix("call.")
        if field_name not in world.listed:
            raise Absent(field_name)
        return name.removeprefix("lists.") in world.listed[field_name]
    while right.data != "list_lit":
        (right,) = right.children
    value = _value(left, world)
    pairs = [_side_by_side(value, _value(item, world)) for item in _arguments(right.children)]
    return any(a == b for a, b in pairs)


def _side_by_side(a: Value, b: Value) -> tuple[Value, Value]:
    """An int that meets a double is rounded to one first."""
    if isinstance(a, float) or isinstance(b, float):
        return float(a), float(b)  # type: ignore[arg-type]
    return a, b


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def _divide(a: float, b: float) -> float:
    """IEEE 754 division: x / 0 is an infinity or NaN."""
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return float("nan")
    positive = struct.pack("<d", a)[7] & 0x80 == struct.pack("<d", b)[7] & 0x80
    return float("inf") if positive else float("-inf")


_DOUBLES: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
}


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise Failed("division by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    if (a, b) == (INT64[0], -1):
        raise Failed("overflow")
    return a - b * _quotient(a, b)


_INTS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _quotient,
    "mod": _remainder,
}


def _whole(value: int) -> int:
    if value not in INT64:
        raise Failed("overflow")
    return value


def _number(value: Value) -> int:
    assert isinstance(value, int)
    assert not isinstance(value, bool)
    return value


def _written(node: Any) -> str:
    """A name with its dots and index, or "" for what is none."""
    while len(node.children) == 1 and node.data not in ("literal", "ident"):
        node = node.children[0]
        if isinstance(node, Token):
            return ""
    if node.data in ("ident", "literal"):
        return str(node.children[0])
    if node.data == "member_dot":
        return f"{_written(node.children[0])}.{node.children[1]}"
    if node.data == "member_index":
        return f"{_written(node.children[0])}[{_written(node.children[1])}]"
    return ""


def _read(name: str, world: World) -> Value:
    root, _, rest = name.partition(".")
    values: dict[str, Mapping[str, Any]] = {
        "now": {
            "hour": world.now.hour,
            "minute": world.now.minute,
            "weekday": world.now.isoweekday(),
        },
        "call": world.fields,
        "counters": world.counters,
        "thresholds": world.thresholds,
    }
    if rest not in values[root]:
        raise Absent(name)
    value: Value = values[root][rest]
    return value


def _function(name: str, arguments: list[Any], world: World) -> Value:
    about = _written(arguments[0]).removeprefix("call.")
    if name == "has":
        return about in world.signalled or about in world.fields
    if name in ("valid", "region", "type"):
        answers: dict[str, Mapping[str, Any]] = {
            "valid": world.valid,
            "region": world.region,
            "type": world.type,
        }
        if about not in answers[name]:
            raise Absent(about)
        answer: Value = answers[name][about]
        return answer
    if name == "size" and about == "redirecting":
        return world.redirections
    values: list[Any] = [_value(argument, world) for argument in arguments]
    if name == "prefix":
        digits = values[0].removeprefix("+")
        if len(digits) < values[1]:
            raise Absent(f"{values[1]} digits")
        return str(digits[: values[1]])
    if name == "ratio":
        if values[1] == 0:
            raise Failed("ratio of 0")
        return _divide(float(values[0]), float(values[1]))
    if name == "int":
        if isinstance(values[0], float) and not -(2.0**63) < values[0] < 2.0**63:
            raise Failed("out of range")
        return int(values[0])
    return _PLAIN[name](*values)


_UNITS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}


def _duration(text: str) -> Duration:
    total = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([a-z]+)", text))
    return Duration(-total if text.startswith("-") else total)


_PLAIN: dict[str, Callable[..., Value]] = {
    "size": len,
    "startsWith": lambda text, start: text.startswith(start),
    "endsWith": lambda text, end: text.endswith(end),
    "double": float,
    "duration": _duration,
}


_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}


def _literal(token: Token) -> Value:
    text = str(token)
    if token.type == "BOOL_LIT":
        return text == "true"
    if token.type == "INT_LIT":
        return _whole(int(text, 0))
    if token.type == "FLOAT_LIT":
        return float(text)
    return re.sub(r"\\(.)", lambda match: _ESCAPES[match[1]], text[1:-1])
