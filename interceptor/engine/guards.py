"""Finds what decides a condition at a glance: most rules ask simple things, and for most calls one answer is no.

A guard stands for something a condition asks whose answer no makes the whole condition false, whatever the rest of it
says: of CEL's ``a && b`` either may, an error in the other being no matter. Where a condition asks for one of several
things, each of them must say no. `program.evaluate` looks at the guards and runs the bytecode only when none of them
settles it. A condition of another form has no guard; that is never wrong, only slower.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from interceptor.engine.opcodes import GuardKind, Op
from interceptor.engine.spec import Code, Span
from interceptor.engine.types import Field

#: laid out as `program.Guard`
GUARD = np.dtype(
    [
        ("kind", "u1"),
        ("index", "u1"),
        ("whole", "u1"),
        ("alternative", "u1"),
        ("further", "<u4"),
        ("low", "<i8"),
        ("high", "<i8"),
        ("lists", "<u8"),
    ]
)
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

Row = tuple[int, int, int, int]


class Asked(NamedTuple):
    """Something a condition asks: its answer is in `register` when the instruction at `then` is reached."""

    kind: int
    what: int  #: field, scalar or counter
    register: int
    then: int
    low: int = INT_MIN
    high: int = INT_MAX
    lists: int = 0


def guards_of(code: Code, spans: Sequence[Span]) -> npt.NDArray[np.void]:
    """Guards by address, shape (instructions,), dtype GUARD, of the conditions of verified code.

    The first of a condition's guards has its first instruction's address, and there are less of them than instructions.
    """
    guards = np.zeros(max(1, len(code.instructions)), dtype=GUARD)
    rows: list[Row] = code.instructions.tolist()
    for span in spans:
        # padded, so that a pattern may look past the end
        condition = rows[span.start : span.end] + [(Op.N_OPS, 0, 0, 0)] * 4
        at = span.start
        whole = _whole(code, condition)
        parts = [[whole]] if whole is not None else _parts(code, condition, span.end - span.start)
        for number, part in enumerate(parts, 1):
            for left, asked in zip(range(len(part), 0, -1), part, strict=True):
                further = left if number < len(parts) else 0
                guards[at] = (
                    asked.kind, asked.what, whole is not None, left > 1, further, asked.low, asked.high, asked.lists,
                )  # fmt: skip
                at += 1
    return guards


def _whole(code: Code, rows: list[Row]) -> Asked | None:
    """All that a condition asks, where it is one thing."""
    asked = _lists(rows) or _simple(code, rows) or _field(rows)
    return asked if asked is not None and _returns(rows, asked.then, asked.register) else None


def _parts(code: Code, rows: list[Row], length: int) -> list[list[Asked]]:
    """Of ``a && b && ...`` those parts of which a guard is made: alternatives, of which one would do."""
    op, _, register, _ = rows[length - 1]
    if op != Op.OP_RETURN or any(
        row[0] in (Op.OP_JUMP, Op.OP_JUMP_TRUE, Op.OP_JUMP_ERROR) and at + 1 + row[3] == length - 1
        for at, row in enumerate(rows[:length])
    ):
        return []
    ends = [at for at in range(length) if rows[at][0] == Op.OP_JUMP_FALSE and _leaves(rows, at, register)]
    parts = []
    for begin, end in zip([0, *(at + 1 for at in ends)], [*ends, length - 1], strict=True):
        part = _alternatives(code, rows, begin)
        if part:
            last = part[-1]
            joined = rows[last.then] == (Op.OP_AND, register, register, last.register)
            if last.then + joined == end and (joined or last.register == register):
                parts.append(part)
    return parts


def _alternatives(code: Code, rows: list[Row], at: int) -> list[Asked]:
    """``a || b || ...`` from an instruction on; the last one's `register` and `then` are those of the whole."""
    asked = _simple(code, rows[at:])
    if asked is None:
        return []
    register, then, found = asked.register, at + asked.then, [asked]
    targets = set()
    while rows[then][0] == Op.OP_JUMP_TRUE and rows[then][2] == register:
        other = _simple(code, rows[then + 1 :])
        if other is None or other.register == register:
            return []
        targets.add(then + 1 + rows[then][3])
        then += 1 + other.then
        if rows[then] != (Op.OP_OR, register, register, other.register):
            return []
        then += 1
        found.append(other)
    if targets - {then}:
        return []
    return [*found[:-1], found[-1]._replace(register=register, then=then)]


def _simple(code: Code, rows: list[Row]) -> Asked | None:
    return _on_list(rows) or _number(code, rows) or _flag(rows) or _invalid(rows)


def _returns(rows: list[Row], at: int, register: int) -> bool:
    return rows[at][0] == Op.OP_RETURN and rows[at][2] == register


def _leaves(rows: list[Row], at: int, register: int) -> bool:
    """The jump at `at` asks the register, and goes to where the register is returned."""
    _, _, a, b = rows[at]
    return a == register and _returns(rows, at + 1 + b, register)


def _on_list(rows: list[Row]) -> Asked | None:
    op, register, field, index = rows[0]
    return Asked(GuardKind.GUARD_LISTS, field, register, 1, lists=1 << index) if op == Op.OP_IN_LIST else None


def _lists(rows: list[Row]) -> Asked | None:
    """``x in lists.a``, or ``x in lists.a || x in lists.b || ...`` of one field."""
    op, register, field, index = rows[0]
    if op != Op.OP_IN_LIST:
        return None
    lists, then = 1 << index, 1
    while (
        rows[then][0] == Op.OP_JUMP_TRUE
        and _leaves(rows, then, register)
        and rows[then + 1][0] == Op.OP_IN_LIST
        and rows[then + 1][1] != register
        and rows[then + 1][2] == field
        and rows[then + 2] == (Op.OP_OR, register, register, rows[then + 1][1])
    ):
        lists |= 1 << rows[then + 1][3]
        then += 3
    return Asked(GuardKind.GUARD_LISTS, field, register, then, lists=lists)


def _number(code: Code, rows: list[Row]) -> Asked | None:
    """A counter or a scalar against a constant, either side first."""
    kinds: dict[int, int] = {Op.OP_COUNTER: GuardKind.GUARD_COUNTER, Op.OP_SCALAR: GuardKind.GUARD_SCALAR}
    loads = {rows[0][0]: rows[0], rows[1][0]: rows[1]}
    source = loads.get(Op.OP_COUNTER) or loads.get(Op.OP_SCALAR)
    constant = loads.get(Op.OP_INT)
    if source is None or constant is None or source[1] == constant[1]:
        return None
    op, register, left, right = rows[2]
    k = code.ints[constant[2]]
    ranges: dict[int, tuple[int, int]]
    if (left, right) == (source[1], constant[1]):
        ranges = {
            Op.OP_LT_INT: (INT_MIN, k - 1),
            Op.OP_LE_INT: (INT_MIN, k),
            Op.OP_EQ_INT: (k, k),
        }
    elif (left, right) == (constant[1], source[1]):
        ranges = {Op.OP_LT_INT: (k + 1, INT_MAX), Op.OP_LE_INT: (k, INT_MAX), Op.OP_EQ_INT: (k, k)}
    else:
        return None
    low, high = ranges.get(op, (0, -1))
    if low > high:  # another comparison, or one that never holds
        return None
    return Asked(kinds[source[0]], source[2], register, 3, low, high)


def _flag(rows: list[Row]) -> Asked | None:
    op, register, scalar, _ = rows[0]
    return Asked(GuardKind.GUARD_FLAG, scalar, register, 1) if op == Op.OP_FLAG else None


def _invalid(rows: list[Row]) -> Asked | None:
    """``!valid(n)``"""
    (op, register, field, _), negation = rows[0], rows[1]
    if op != Op.OP_VALID or negation[0] != Op.OP_NOT or negation[2] != register:
        return None
    return Asked(GuardKind.GUARD_INVALID, field, negation[1], 2)


def _field(rows: list[Row]) -> Asked | None:
    """A text against a constant, nothing else: absent when the field is."""
    tests = (Op.OP_EQ_TEXT, Op.OP_LT_TEXT, Op.OP_LE_TEXT, Op.OP_STARTS, Op.OP_ENDS)
    loads = {rows[0][0]: rows[0], rows[1][0]: rows[1]}
    field, constant = loads.get(Op.OP_FIELD), loads.get(Op.OP_TEXT)
    if field is None or constant is None or field[1] == constant[1] or field[2] < Field.N_NUMBERS:
        return None
    op, register, left, right = rows[2]
    if op not in tests or {left, right} != {field[1], constant[1]}:
        return None
    return Asked(GuardKind.GUARD_FIELD, field[2], register, 3)
