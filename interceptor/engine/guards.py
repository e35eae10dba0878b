"""Finds what decides a condition at a glance: most rules ask one thing first, and for most calls the answer is no.

A guard stands for the first thing a condition asks when the answer no makes the whole condition false: the bytecode
returns it at once, or jumps over the rest to the return. `program.evaluate` looks at the guard and runs the bytecode
only when the guard does not settle it. A condition of another form has no guard; that is never wrong, only slower.
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
        ("unused", "u1"),
        ("unused_too", "<u4"),
        ("low", "<i8"),
        ("high", "<i8"),
        ("lists", "<u8"),
    ]
)
INT_MIN, INT_MAX = -(2**63), 2**63 - 1

Row = tuple[int, int, int, int]


class Asked(NamedTuple):
    """The first thing a condition asks: its answer is in `register` when the instruction at `then` is reached."""

    kind: int
    what: int  #: field, scalar or counter
    register: int
    then: int
    low: int = INT_MIN
    high: int = INT_MAX
    lists: int = 0


def guards_of(code: Code, spans: Sequence[Span]) -> npt.NDArray[np.void]:
    """Guards by address, shape (instructions,), dtype GUARD, of the conditions of verified code."""
    guards = np.zeros(max(1, len(code.instructions)), dtype=GUARD)
    rows: list[Row] = code.instructions.tolist()
    for span in spans:
        # padded, so that a pattern may look past the end
        guard = _guard(code, rows[span.start : span.end] + [(Op.N_OPS, 0, 0, 0)] * 4)
        if guard is not None:
            guards[span.start] = guard
    return guards


def _guard(code: Code, rows: list[Row]) -> tuple[int, ...] | None:
    asked = _lists(rows) or _number(code, rows) or _flag(rows) or _invalid(rows) or _field(rows)
    if asked is None:
        return None
    whole = _returns(rows, asked.then, asked.register)
    if not whole and not (
        rows[asked.then][0] == Op.OP_JUMP_FALSE and _leaves(rows, asked.then, asked.register)
    ):
        return None
    if asked.kind == GuardKind.GUARD_FIELD and not whole:
        return None
    return asked.kind, asked.what, whole, 0, 0, asked.low, asked.high, asked.lists


def _returns(rows: list[Row], at: int, register: int) -> bool:
    return rows[at][0] == Op.OP_RETURN and rows[at][2] == register


def _leaves(rows: list[Row], at: int, register: int) -> bool:
    """The jump at `at` asks the register, and goes to where the register is returned."""
    _, _, a, b = rows[at]
    return a == register and _returns(rows, at + 1 + b, register)


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
