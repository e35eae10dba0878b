"""CEL's operators: which types they join and by which instruction; and what of them can be worked out beforehand."""

from collections.abc import Callable

from interceptor.engine.opcodes import Op
from interceptor.policy.duration import INT64_MAX, INT64_MIN
from interceptor.policy.resolved import Apply, Constant, Either, Resolved, Type

_ARITHMETIC: dict[tuple[str, Type], Op] = {
    ("+", Type.INT): Op.OP_ADD_INT,
    ("-", Type.INT): Op.OP_SUB_INT,
    ("*", Type.INT): Op.OP_MUL_INT,
    ("/", Type.INT): Op.OP_DIV_INT,
    ("%", Type.INT): Op.OP_MOD_INT,
    ("+", Type.DOUBLE): Op.OP_ADD_DOUBLE,
    ("-", Type.DOUBLE): Op.OP_SUB_DOUBLE,
    ("*", Type.DOUBLE): Op.OP_MUL_DOUBLE,
    ("/", Type.DOUBLE): Op.OP_DIV_DOUBLE,
    ("+", Type.DURATION): Op.OP_ADD_INT,
    ("-", Type.DURATION): Op.OP_SUB_INT,
}
_EQUAL = {
    Type.BOOL: Op.OP_EQ_INT,
    Type.INT: Op.OP_EQ_INT,
    Type.DURATION: Op.OP_EQ_INT,
    Type.DOUBLE: Op.OP_EQ_DOUBLE,
    Type.TEXT: Op.OP_EQ_TEXT,
}
_LESS = {
    Type.BOOL: (Op.OP_LT_INT, Op.OP_LE_INT),
    Type.INT: (Op.OP_LT_INT, Op.OP_LE_INT),
    Type.DURATION: (Op.OP_LT_INT, Op.OP_LE_INT),
    Type.DOUBLE: (Op.OP_LT_DOUBLE, Op.OP_LE_DOUBLE),
    Type.TEXT: (Op.OP_LT_TEXT, Op.OP_LE_TEXT),
}
#: an int on the left, a double on the right
_MIXED = {
    "==": Op.OP_EQ_MIXED,
    "<": Op.OP_LT_MIXED,
    "<=": Op.OP_LE_MIXED,
    ">": Op.OP_GT_MIXED,
    ">=": Op.OP_GE_MIXED,
}
_MIRRORED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def broken() -> Constant:
    """Stands for what was reported already."""
    return Constant(Type.BROKEN, False)


def arithmetic(operator: str, left: Resolved, right: Resolved) -> Resolved | None:
    """`left operator right`, or None when CEL has no such operator for their types."""
    if left.type == right.type == Type.TEXT and operator == "+":
        if isinstance(left, Constant) and isinstance(right, Constant):
            return Constant(Type.TEXT, str(left.value) + str(right.value))
        return None
    op = _ARITHMETIC.get((operator, left.type))
    if op is None or left.type != right.type:
        return None
    return folded(Apply(left.type, op, (left, right)))


def negated(operand: Resolved) -> Resolved | None:
    """`-operand`."""
    op = {Type.INT: Op.OP_NEG_INT, Type.DOUBLE: Op.OP_NEG_DOUBLE}.get(operand.type)
    return None if op is None else folded(Apply(operand.type, op, (operand,)))


def comparison(operator: str, left: Resolved, right: Resolved) -> Resolved | None:
    """A comparison: between equal types, and across int and double on the number line."""
    if operator == "!=":
        same = comparison("==", left, right)
        return None if same is None else Apply(Type.BOOL, Op.OP_NOT, (same,))
    if left.type == Type.INT and right.type == Type.DOUBLE:
        return Apply(Type.BOOL, _MIXED[operator], (left, right))
    if left.type == Type.DOUBLE and right.type == Type.INT:
        return Apply(Type.BOOL, _MIXED[_MIRRORED[operator]], (left, right), mirrored=True)
    if left.type != right.type:
        return None
    if operator == "==":
        return Apply(Type.BOOL, _EQUAL[left.type], (left, right))
    less, at_most = _LESS[left.type]
    if left.type == Type.BOOL:
        left, right = as_int(left), as_int(right)
    op = less if operator in ("<", ">") else at_most
    return Apply(Type.BOOL, op, (left, right), mirrored=operator in (">", ">="))


def as_int(value: Resolved) -> Resolved:
    """A bool as 0 or 1: ordering is of ints."""
    return Either(Type.INT, value, Constant(Type.INT, 1), Constant(Type.INT, 0))


def folded(call: Apply) -> Resolved:
    """The value of an operation over constants; the operation itself when it ends in an error on every call."""
    fold = _FOLDS.get(call.op)
    values = [arg.value for arg in call.args if isinstance(arg, Constant)]
    if fold is None or len(values) != len(call.args):
        return call
    try:
        value = fold(*values)
    except ArithmeticError:
        return call
    if isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        return call
    return Constant(call.type, value)


def quotient(dividend: int, divisor: int) -> int:
    """Rounded towards zero, as CEL (and C) divide."""
    whole = abs(dividend) // abs(divisor)
    return whole if (dividend < 0) == (divisor < 0) else -whole


def _remainder(dividend: int, divisor: int) -> int:
    if quotient(dividend, divisor) > INT64_MAX:
        raise OverflowError
    return dividend - divisor * quotient(dividend, divisor)


_FOLDS: dict[Op, Callable[..., int | float]] = {
    Op.OP_ADD_INT: lambda a, b: a + b,
    Op.OP_SUB_INT: lambda a, b: a - b,
    Op.OP_MUL_INT: lambda a, b: a * b,
    Op.OP_DIV_INT: quotient,
    Op.OP_MOD_INT: _remainder,
    Op.OP_NEG_INT: lambda a: -a,
    Op.OP_ADD_DOUBLE: lambda a, b: a + b,
    Op.OP_SUB_DOUBLE: lambda a, b: a - b,
    Op.OP_MUL_DOUBLE: lambda a, b: a * b,
    Op.OP_DIV_DOUBLE: lambda a, b: a / b,
    Op.OP_NEG_DOUBLE: lambda a: -a,
    Op.OP_TO_DOUBLE: float,
}
