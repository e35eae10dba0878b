"""A policy as obvious Python: the document, its lists read row by row, its conditions walked as they are written."""

import csv
import io
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interceptor.engine.types import NumberStatus
from interceptor.policy import load_document, parser, syntax
from interceptor.policy.duration import nanoseconds
from interceptor.policy.schema import CounterEntry, Duration, Policy, RuleEntry
from tests.model import call as calls
from tests.model.call import Call, Trunk

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class RuleError(Exception):
    """A condition that has no answer."""


class AbsentError(RuleError):
    """It reads what is not there: a field, a key, a counter."""


@dataclass
class ListModel:
    """The entries of one list: things, prefixes of digits, domains with everything below them."""

    kind: str
    things: set[Hashable] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)  #: digits

    def holds(self, call: Call, name: str) -> bool:
        """Whether the call's field is on the list; AbsentError when it has no identity."""
        identity = call.identities.get(name)
        if identity is None:
            raise AbsentError(name)
        if self.kind == "domain":
            labels = calls.domain_labels(call.texts["domain"])
            return any(("domain", parent) in self.things for parent in calls.parents(labels))
        return identity in self.things or any(
            self._digits(call, name).startswith(prefix) for prefix in self.prefixes
        )

    @staticmethod
    def _digits(call: Call, name: str) -> str:
        if name in ("imei", "imsi"):
            return call.texts[name]
        number = call.numbers.get(name)
        return calls.digits_of(number) if number and number.status == NumberStatus.NUMBER_E164 else ""


@dataclass(frozen=True)
class Rule:
    entry: RuleEntry
    index: int
    when: syntax.Expression

    @property
    def shadow(self) -> bool:
        return self.entry.mode == "shadow"


@dataclass(frozen=True)
class Counter:
    name: str
    entry: CounterEntry
    where: syntax.Expression | None


@dataclass(frozen=True)
class PolicyModel:
    document: Policy
    rules: tuple[Rule, ...]
    counters: tuple[Counter, ...]
    lists: Mapping[str, ListModel]
    trunks: Mapping[str, Trunk]
    home: str

    @property
    def feeding_a_block(self) -> set[str]:
        """Lists that some enforced blocking rule reads."""
        found: set[str] = set()
        for rule in self.rules:
            if rule.entry.verdict == "block" and not rule.shadow:
                found |= {name for _, name in lookups(rule.when)}
        return found

    @property
    def lookups(self) -> set[tuple[str, str]]:
        """(field, list) of every `field in lists.list` of the policy."""
        conditions = [rule.when for rule in self.rules] + [
            c.where for c in self.counters if c.where is not None
        ]
        return set[tuple[str, str]]().union(*map(lookups, conditions))


def load(path: Path, text: str | None, home: str, now_ms: int = 0) -> PolicyModel:
    document = load_document(path, text)
    return PolicyModel(
        document,
        tuple(Rule(entry, i, parser.parse(entry.when)) for i, entry in enumerate(document.rules)),
        tuple(
            Counter(name, entry, parser.parse(entry.where) if entry.where is not None else None)
            for name, entry in document.counters.items()
        ),
        {
            name: read_list(
                entry.kind, (path.parent / entry.file).read_text() if entry.file else "", home, now_ms
            )
            for name, entry in document.lists.items()
        },
        {
            name: Trunk(entry.region or home, entry.trusted, entry.own_subscribers)
            for name, entry in document.trunks.items()
        },
        home,
    )


def read_list(kind: str, text: str, home: str, now_ms: int) -> ListModel:
    """The rows of a list's CSV file."""
    result = ListModel(kind)
    for row in csv.reader(io.StringIO(text)):
        entry = row[0].strip() if row else ""
        if not entry or entry in ("number", "prefix", "domain", "imei", "imsi", "trunk"):
            continue
        if kind == "number":
            result.things.add(calls.identity_of_number(calls.read_number(entry, home), home))
        elif kind == "prefix":
            result.prefixes.add(entry.removeprefix("+"))
        elif kind == "domain":
            result.things.add(calls.domain(entry))
        elif (kind == "device" and len(entry) == 8) or (kind == "subscriber" and len(entry) <= 6):
            result.prefixes.add(entry)
        elif kind == "device":
            result.things.add(calls.device(entry))
        elif kind == "subscriber":
            result.things.add(calls.subscriber(entry))
        else:
            result.things.add(("text", "trunk", entry))
    return result


# --- conditions


def lookups(node: Any) -> set[tuple[str, str]]:
    """(field, list) of every `field in lists.list` of a condition."""
    match node:
        case syntax.Binary(
            operator="in", left=left, right=syntax.Select(operand=syntax.Name(name="lists"), name=name)
        ):
            return {(field_of(left), name)}
        case syntax.Select(operand=inner) | syntax.Unary(operand=inner):
            return lookups(inner)
        case syntax.Binary(left=left, right=right):
            return lookups(left) | lookups(right)
        case syntax.Logic(operands=parts) | syntax.ListLiteral(items=parts):
            return set[tuple[str, str]]().union(*map(lookups, parts))
        case syntax.Choice(condition=a, then=b, other=c):
            return lookups(a) | lookups(b) | lookups(c)
        case syntax.Call(target=target, args=args):
            return set[tuple[str, str]]().union(*map(lookups, (target, *args)))
    return set()


@dataclass
class World:
    """What a condition may look at."""

    call: Call
    policy: PolicyModel
    on_list: Callable[[str, str], bool]  #: (field, list)
    counter: Callable[[str], int]  #: AbsentError when it cannot be read


def holds(condition: syntax.Expression, world: World) -> bool:
    return bool(value_of(condition, world))


def value_of(node: syntax.Expression, world: World) -> Any:
    """The value of an expression; RuleError when it has none. CEL: `false && error` is false."""
    match node:
        case syntax.Literal(value=value):
            return value
        case syntax.ListLiteral(items=items):
            return [value_of(item, world) for item in items]
        case syntax.Logic(operator=operator, operands=operands):
            return _logic(operator == "||", operands, world)
        case syntax.Choice(condition=condition, then=then, other=other):
            return value_of(then if value_of(condition, world) else other, world)
        case syntax.Unary(operator="!", operand=operand):
            return not value_of(operand, world)
        case syntax.Unary(operand=operand):
            value = value_of(operand, world)
            return -value if isinstance(value, float) else _int64(-value)
        case syntax.Binary(
            operator="in", left=left, right=syntax.Select(operand=syntax.Name(name="lists"), name=name)
        ):
            return world.on_list(field_of(left), name)
        case syntax.Binary(operator=operator, left=left, right=right):
            return _binary(operator, value_of(left, world), value_of(right, world))
        case syntax.Call():
            return _call(node, world)
        case syntax.Select(operand=syntax.Name(name="counters"), name=name):
            return world.counter(name)
        case syntax.Select(operand=syntax.Name(name="thresholds"), name=name):
            value = world.policy.document.thresholds[name]
            return value.nanoseconds if isinstance(value, Duration) else value
        case syntax.Select() | syntax.Index():
            return _field(field_of(node), world.call)
    raise AssertionError(node)


def field_of(node: syntax.Expression) -> str:
    """`call.redirecting[0]` -> "redirecting[0]"."""
    match node:
        case syntax.Select(operand=syntax.Name(name="call"), name=name):
            return name
        case syntax.Select(operand=operand, name=name):
            return f"{field_of(operand)}.{name}"
        case syntax.Index(operand=operand, index=syntax.Literal(value=i)):
            return f"{field_of(operand)}[{i}]"
    raise AssertionError(node)


def _field(name: str, call: Call) -> Any:
    if name in (*calls.FLAGS, *calls.INTEGERS):
        if name not in call.scalars:
            raise AbsentError(name)
        return call.scalars[name]
    if name.removesuffix("_raw") not in call.texts:
        raise AbsentError(name)
    number = call.numbers.get(name)
    if number is None:
        return call.texts[name.removesuffix("_raw")]
    if not number.text:
        raise AbsentError(name)
    return number.text


def _logic(decisive: bool, operands: tuple[syntax.Expression, ...], world: World) -> bool:
    failure: RuleError | None = None
    for operand in operands:
        try:
            if value_of(operand, world) is decisive:
                return decisive
        except RuleError as error:
            failure = failure or error
    if failure:
        raise failure
    return not decisive


def _binary(operator: str, a: Any, b: Any) -> Any:
    match operator:
        case "==":
            return a == b
        case "!=":
            return a != b
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
        case "in":
            return a in b
    if isinstance(a, float):
        return _double(operator, a, b)
    if operator in "/%" and b == 0:
        raise RuleError("division by zero")
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if operator in "/%" else 0
    return _int64({"+": a + b, "-": a - b, "*": a * b, "/": quotient, "%": a - quotient * b}[operator])


def _double(operator: str, a: float, b: float) -> float:
    if operator == "/":
        if b == 0:
            return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
        return a / b
    return {"+": a + b, "-": a - b, "*": a * b}[operator]


def _int64(value: int) -> int:
    if not INT64_MIN <= value <= INT64_MAX:
        raise RuleError("overflow")
    return value


def _call(node: syntax.Call, world: World) -> Any:
    call = world.call
    match node.function, node.args:
        case "has", (syntax.Select() | syntax.Index() as what,):
            return is_there(field_of(what), call)
        case "size", (syntax.Select(operand=syntax.Name(name="call"), name="redirecting"),):
            return call.redirections
        case "valid" | "region" | "type" | "prefix" as function, (what, *rest):
            digits = value_of(rest[0], world) if rest else 0
            return _of_number(function, field_of(what), digits, call)
    target = [value_of(node.target, world)] if node.target is not None else []
    args = [*target, *(value_of(arg, world) for arg in node.args)]
    match node.function, args:
        case "startsWith", (text, start):
            return text.startswith(start)
        case "endsWith", (text, end):
            return text.endswith(end)
        case "size", (text,):
            return len(text)
        case "ratio", (a, b):
            if b == 0:
                raise RuleError("ratio to 0")
            return a / b
        case "double", (number,):
            return float(number)
        case "int", (number,):
            if not -(2.0**63) < number < 2.0**63:
                raise RuleError("out of range")
            return int(number)
        case "duration", (text,):
            return nanoseconds(text)
    raise AssertionError(node)


def is_there(name: str, call: Call) -> bool:
    if name == "redirecting":
        return call.redirections > 0
    return name in call.scalars or name.removesuffix("_raw") in call.texts


def _of_number(function: str, name: str, digits: int, call: Call) -> Any:
    number = call.numbers.get(name)
    if number is None:
        raise AbsentError(name)
    if function == "type" and number.status == NumberStatus.NUMBER_WITHHELD:
        return "withheld"
    if number.status == NumberStatus.NUMBER_WITHHELD:
        raise AbsentError(name)
    if number.status == NumberStatus.NUMBER_UNPARSEABLE:
        raise RuleError(name)
    if function == "prefix":
        whole = calls.digits_of(number)
        if len(whole) < digits:
            raise RuleError(f"{name} has fewer digits")
        return whole[:digits]
    return {"valid": number.valid, "region": number.region, "type": number.type}[function]
