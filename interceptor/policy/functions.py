"""The functions of a policy's CEL: each checks its arguments and says which instruction answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from interceptor.engine.opcodes import Op
from interceptor.engine.types import Limits
from interceptor.policy import fields
from interceptor.policy.duration import nanoseconds
from interceptor.policy.operators import broken, folded
from interceptor.policy.resolved import Apply, Constant, Read, Resolved, Type
from interceptor.policy.syntax import Call, Expression, Name, Select, leftmost

if TYPE_CHECKING:
    from interceptor.policy.checker import Checker

Arguments: TypeAlias = tuple[Expression, ...]
Function: TypeAlias = Callable[["Checker", Call, Arguments], Resolved]

#: what CEL knows and a policy does not, and what to use instead
LEFT_OUT = {
    "matches": "use startsWith, endsWith or a list",
    "contains": "use startsWith, endsWith or a list",
    "timestamp": "now.hour, now.minute and now.weekday are the time where the call is",
    "string": "compare the value itself",
    "uint": "write an int",
    "bytes": "write a text",
    "lowerAscii": "lists of domains know no case",
    "getHours": 'now.hour is the hour where the call is; compare durations with duration("1h")',
    "getMinutes": 'now.minute is the minute where the call is; compare durations with duration("1m")',
    "getSeconds": 'compare durations with duration("1s")',
    "getMilliseconds": 'compare durations with duration("1ms")',
}


def _count(checker: Checker, call: Call, args: Arguments, wanted: int, usage: str) -> bool:
    if len(args) != wanted:
        checker.fault(call.at, f"{call.function} is written {usage}")
        return False
    return True


def _of_number(op: Op, kind: Type) -> Function:
    def function(checker: Checker, call: Call, args: Arguments) -> Resolved:
        if not _count(checker, call, args, 1, f"{call.function}(call.caller)"):
            return broken()
        field = checker.number_field(args[0], call.function)
        return Read(kind, op, field) if field is not None else broken()

    return function


def _prefix(checker: Checker, call: Call, args: Arguments) -> Resolved:
    if not _count(checker, call, args, 2, "prefix(call.caller, 7)"):
        return broken()
    field = checker.number_field(args[0], "prefix")
    digits = checker.whole(args[1], 1, Limits.MAX_DIGITS, "the number of digits")
    return broken() if field is None or digits is None else Read(Type.TEXT, Op.OP_PREFIX, field, digits)


def _ratio(checker: Checker, call: Call, args: Arguments) -> Resolved:
    if not _count(checker, call, args, 2, "ratio(counters.a, counters.b)"):
        return broken()
    values = tuple(checker.value(arg) for arg in args)
    if Type.BROKEN in (value.type for value in values):
        return broken()
    for arg, value in zip(args, values, strict=True):
        if value.type != Type.INT:
            return checker.fault(leftmost(arg), f"ratio() is of two ints; this is {value.type}")
    return Apply(Type.DOUBLE, Op.OP_RATIO, values)


def _size(checker: Checker, call: Call, args: Arguments) -> Resolved:
    if not _count(checker, call, args, 1, "size(call.domain)"):
        return broken()
    match args[0]:
        case Select(operand=Name(name="call"), name=fields.REDIRECTING):
            return Read(Type.INT, Op.OP_REDIRECTIONS, 0)
    value = checker.value(args[0])
    if value.type == Type.TEXT:
        return Apply(Type.INT, Op.OP_SIZE, (value,))
    if value.type == Type.BROKEN:
        return value
    return checker.fault(
        leftmost(args[0]), f"size() is of a text or of call.redirecting; this is {value.type}"
    )


def _of_texts(op: Op) -> Function:
    def function(checker: Checker, call: Call, args: Arguments) -> Resolved:
        if not _count(checker, call, args, 2, f'call.domain.{call.function}("...")'):
            return broken()
        values = tuple(checker.value(arg) for arg in args)
        if Type.BROKEN in (value.type for value in values):
            return broken()
        for arg, value in zip(args, values, strict=True):
            if value.type != Type.TEXT:
                return checker.fault(leftmost(arg), f"{call.function} is of texts; this is {value.type}")
        return Apply(Type.BOOL, op, values)

    return function


def _converted(to: Type, source: Type, op: Op) -> Function:
    def function(checker: Checker, call: Call, args: Arguments) -> Resolved:
        if not _count(checker, call, args, 1, f"{call.function}(...)"):
            return broken()
        value = checker.value(args[0])
        if value.type in (to, Type.BROKEN):
            return value
        if value.type != source:
            return checker.fault(leftmost(args[0]), f"{to}() is of {source}; this is {value.type}")
        return folded(Apply(to, op, (value,)))

    return function


def _dyn(checker: Checker, call: Call, args: Arguments) -> Resolved:
    """Types are known when a policy loads, so that dyn() changes nothing."""
    return checker.value(args[0]) if _count(checker, call, args, 1, "dyn(...)") else broken()


def _duration(checker: Checker, call: Call, args: Arguments) -> Resolved:
    if not _count(checker, call, args, 1, 'duration("1h30m")'):
        return broken()
    value = checker.value(args[0])
    if value.type in (Type.DURATION, Type.BROKEN):
        return value
    if not isinstance(value, Constant) or value.type != Type.TEXT:
        return checker.fault(leftmost(args[0]), 'duration() is of a literal text: duration("1h30m")')
    try:
        return Constant(Type.DURATION, nanoseconds(str(value.value)))
    except ValueError as error:
        return checker.fault(leftmost(args[0]), str(error))


def _has(checker: Checker, call: Call, args: Arguments) -> Resolved:
    if not _count(checker, call, args, 1, "has(call.sim_age_days)"):
        return broken()
    match args[0]:
        case Select(operand=Name(name="call"), name=fields.REDIRECTING):
            return checker.fault(leftmost(args[0]), "write size(call.redirecting) > 0")
        case Select():
            value = checker.value(args[0])
        case _:
            return checker.fault(
                leftmost(args[0]), "has() asks whether a field of the call is there: has(call.sim_age_days)"
            )
    if value.type == Type.BROKEN:
        return value
    if isinstance(value, Read) and value.op in (Op.OP_FIELD, Op.OP_RAW):
        return Read(Type.BOOL, Op.OP_HAS_FIELD, value.a)
    if isinstance(value, Read) and value.op in (Op.OP_SCALAR, Op.OP_FLAG):
        return Read(Type.BOOL, Op.OP_HAS_SCALAR, value.a)
    return checker.fault(
        leftmost(args[0]), "has() asks whether a field of the call is there: has(call.sim_age_days)"
    )


FUNCTIONS: dict[str, Function] = {
    "valid": _of_number(Op.OP_VALID, Type.BOOL),
    "region": _of_number(Op.OP_REGION, Type.TEXT),
    "type": _of_number(Op.OP_TYPE, Type.TEXT),
    "prefix": _prefix,
    "ratio": _ratio,
    "size": _size,
    "double": _converted(Type.DOUBLE, Type.INT, Op.OP_TO_DOUBLE),
    "int": _converted(Type.INT, Type.DOUBLE, Op.OP_TO_INT),
    "duration": _duration,
    "has": _has,
    "dyn": _dyn,
}
METHODS: dict[str, Function] = {
    "startsWith": _of_texts(Op.OP_STARTS),
    "endsWith": _of_texts(Op.OP_ENDS),
    "size": _size,
}
