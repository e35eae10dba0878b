"""The VM as obvious Python: one instruction at a time over a dict of registers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from interceptor.engine.opcodes import NowPart, Op, State
from interceptor.engine.program import Outcome
from interceptor.engine.spec import UTC, Clock, Code, Span
from interceptor.engine.types import Field, Limits, NumberStatus


@dataclass(frozen=True)
class Failure:
    state: int


ABSENT, ERROR = Failure(State.STATE_ABSENT), Failure(State.STATE_ERROR)

Value = int | float | bool | bytes | Failure


@dataclass
class Inputs:
    """What `CompiledProgram.evaluate_with` takes, under the same names."""

    texts: Mapping[int, bytes] = field(default_factory=dict)
    numbers: Mapping[int, tuple[int, bytes, bool, int, int]] = field(default_factory=dict)
    scalars: Mapping[int, int] = field(default_factory=dict)
    counters: Mapping[int, int | None] = field(default_factory=dict)
    bitmaps: Mapping[int, int] = field(default_factory=dict)
    keys: Mapping[int, int] = field(default_factory=dict)
    regions: Sequence[str] = ("ZZ", "CN", "US")
    types: Sequence[str] = tuple(f"type{i}" for i in range(14))
    now: int = 0
    clock: Clock = UTC


def evaluate(code: Code, span: Span, inputs: Inputs) -> Outcome:
    """Runs one condition of verified code."""
    registers: dict[int, Value] = {}
    at = span.start
    while True:
        op, dst, a, b = (int(x) for x in code.instructions[at].tolist())
        at += 1
        if op == Op.OP_RETURN:
            return _outcome(registers[a])
        if op in _JUMPS:
            at += b if _JUMPS[Op(op)](registers.get(a, 0)) else 0
        elif op in _LOADS:
            registers[dst] = _LOADS[Op(op)](code, inputs, a, b)
        elif op == Op.OP_MOVE:
            registers[dst] = registers[a]
        elif op in (Op.OP_AND, Op.OP_OR):
            registers[dst] = _logical(registers[a], registers[b], wins=op == Op.OP_OR)
        elif op in _UNARY:
            x = registers[a]
            registers[dst] = x if isinstance(x, Failure) else _UNARY[Op(op)](x)
        else:
            x, y = registers[a], registers[b]
            failed = x if isinstance(x, Failure) else y
            registers[dst] = failed if isinstance(failed, Failure) else _BINARY[Op(op)](x, y)


def _outcome(answer: Value) -> Outcome:
    if isinstance(answer, Failure):
        return Outcome.OUTCOME_ABSENT if answer == ABSENT else Outcome.OUTCOME_ERROR
    return Outcome.MATCH if answer else Outcome.NO_MATCH


def _logical(a: Value, b: Value, *, wins: bool) -> Value:
    for side in (a, b):
        if not isinstance(side, Failure) and bool(side) == wins:
            return wins
    for side in (a, b):
        if isinstance(side, Failure):
            return side
    return not wins


def _whole(value: int) -> Value:
    return value if -(2**63) <= value < 2**63 else ERROR


def _towards_zero(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _divide(a: int, b: int) -> Value:
    return ERROR if b == 0 else _whole(_towards_zero(a, b))


def _remainder(a: int, b: int) -> Value:
    return ERROR if b == 0 or (a == -(2**63) and b == -1) else a - b * _towards_zero(a, b)


def _divide_doubles(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _to_int(d: float) -> Value:
    return int(d) if math.isfinite(d) and -(2**63) < d < 2**63 else ERROR


def _on_the_number_line(compare: Callable[[float, float], bool]) -> Callable[[int, float], bool]:
    return lambda i, d: compare(float(i), d)


def _read_number(inputs: Inputs, a: int, *also: int) -> tuple[int, bytes, bool, int, int] | None:
    number = inputs.numbers.get(a)
    wanted = (NumberStatus.NUMBER_E164, NumberStatus.NUMBER_SHORT, *also)
    return number if number and number[0] in wanted else None


def _field(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    if a < Field.N_NUMBERS:
        number = _read_number(inputs, a)
        return number[1] if number else ABSENT
    return inputs.texts.get(a) or ABSENT


def _valid(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    number = _read_number(inputs, a)
    return bool(number[2]) if number else ABSENT


def _region(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    number = _read_number(inputs, a)
    return inputs.regions[number[4]].encode() if number else ABSENT


def _type(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    number = _read_number(inputs, a, NumberStatus.NUMBER_WITHHELD)
    return inputs.types[number[3]].encode() if number else ABSENT


def _prefix(_: Code, inputs: Inputs, a: int, b: int) -> Value:
    number = _read_number(inputs, a)
    digits = number[1].removeprefix(b"+") if number else b""
    return digits[:b] if len(digits) >= b else ABSENT


def _scalar(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    return inputs.scalars.get(a, ABSENT)


def _flag(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    return bool(inputs.scalars[a]) if a in inputs.scalars else ABSENT


def _counter(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    value = inputs.counters.get(a)
    return ABSENT if value is None else value


def _in_list(_: Code, inputs: Inputs, a: int, b: int) -> Value:
    return bool(inputs.bitmaps.get(a, 0) >> b & 1) if inputs.keys.get(a) else ABSENT


def _redirections(_: Code, inputs: Inputs, a: int, b: int) -> Value:
    slots = range(Field.F_REDIRECTING, Field.F_REDIRECTING + Limits.MAX_REDIRECTING)
    return max((slot - Field.F_REDIRECTING + 1 for slot in slots if inputs.texts.get(slot)), default=0)


def _now(_: Code, inputs: Inputs, a: int, __: int) -> Value:
    passed = [start for start in inputs.clock.starts if start <= inputs.now]
    offset = inputs.clock.offsets[max(len(passed) - 1, 0)]
    local = datetime(1970, 1, 1) + timedelta(milliseconds=inputs.now + offset)
    return {
        NowPart.NOW_HOUR: local.hour,
        NowPart.NOW_MINUTE: local.minute,
        NowPart.NOW_WEEKDAY: local.isoweekday(),
    }[NowPart(a)]


_LOADS: dict[Op, Callable[[Code, Inputs, int, int], Value]] = {
    Op.OP_INT: lambda code, inputs, a, b: code.ints[a],
    Op.OP_DOUBLE: lambda code, inputs, a, b: code.doubles[a],
    Op.OP_TEXT: lambda code, inputs, a, b: code.texts[a],
    Op.OP_BOOL: lambda code, inputs, a, b: a != 0,
    Op.OP_FIELD: _field,
    Op.OP_RAW: lambda code, inputs, a, b: inputs.texts.get(a) or ABSENT,
    Op.OP_SCALAR: _scalar,
    Op.OP_FLAG: _flag,
    Op.OP_COUNTER: _counter,
    Op.OP_HAS_FIELD: lambda code, inputs, a, b: bool(inputs.texts.get(a)),
    Op.OP_HAS_SCALAR: lambda code, inputs, a, b: a in inputs.scalars,
    Op.OP_IN_LIST: _in_list,
    Op.OP_VALID: _valid,
    Op.OP_REGION: _region,
    Op.OP_TYPE: _type,
    Op.OP_PREFIX: _prefix,
    Op.OP_REDIRECTIONS: _redirections,
    Op.OP_NOW: _now,
}

_JUMPS: dict[Op, Callable[[Value], bool]] = {
    Op.OP_JUMP: lambda x: True,
    Op.OP_JUMP_FALSE: lambda x: not isinstance(x, Failure) and not x,
    Op.OP_JUMP_TRUE: lambda x: not isinstance(x, Failure) and bool(x),
    Op.OP_JUMP_ERROR: lambda x: isinstance(x, Failure),
}

_UNARY: dict[Op, Callable[..., Value]] = {
    Op.OP_NOT: lambda x: not x,
    Op.OP_NEG_INT: lambda x: _whole(-x),
    Op.OP_NEG_DOUBLE: lambda x: -x,
    Op.OP_TO_DOUBLE: float,
    Op.OP_TO_INT: _to_int,
    Op.OP_SIZE: lambda x: len(x.decode()),
}

_BINARY: dict[Op, Callable[..., Value]] = {
    Op.OP_ADD_INT: lambda x, y: _whole(x + y),
    Op.OP_SUB_INT: lambda x, y: _whole(x - y),
    Op.OP_MUL_INT: lambda x, y: _whole(x * y),
    Op.OP_DIV_INT: _divide,
    Op.OP_MOD_INT: _remainder,
    Op.OP_ADD_DOUBLE: lambda x, y: x + y,
    Op.OP_SUB_DOUBLE: lambda x, y: x - y,
    Op.OP_MUL_DOUBLE: lambda x, y: x * y,
    Op.OP_DIV_DOUBLE: _divide_doubles,
    Op.OP_RATIO: lambda x, y: float(x) / float(y) if y else ERROR,
    Op.OP_EQ_INT: lambda x, y: x == y,
    Op.OP_LT_INT: lambda x, y: x < y,
    Op.OP_LE_INT: lambda x, y: x <= y,
    Op.OP_EQ_DOUBLE: lambda x, y: x == y,
    Op.OP_LT_DOUBLE: lambda x, y: x < y,
    Op.OP_LE_DOUBLE: lambda x, y: x <= y,
    Op.OP_EQ_MIXED: _on_the_number_line(lambda x, y: x == y),
    Op.OP_LT_MIXED: _on_the_number_line(lambda x, y: x < y),
    Op.OP_LE_MIXED: _on_the_number_line(lambda x, y: x <= y),
    Op.OP_GT_MIXED: _on_the_number_line(lambda x, y: x > y),
    Op.OP_GE_MIXED: _on_the_number_line(lambda x, y: x >= y),
    Op.OP_EQ_TEXT: lambda x, y: x == y,
    Op.OP_LT_TEXT: lambda x, y: x.decode() < y.decode(),
    Op.OP_LE_TEXT: lambda x, y: x.decode() <= y.decode(),
    Op.OP_STARTS: lambda x, y: x.startswith(y),
    Op.OP_ENDS: lambda x, y: x.endswith(y),
}
