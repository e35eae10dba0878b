"""A condition as it is written: CEL's syntax tree, no name resolved yet. `at` is an offset into the condition."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Literal:
    at: int
    value: bool | int | float | str


@dataclass(frozen=True)
class Name:
    at: int
    name: str


@dataclass(frozen=True)
class Select:
    """`operand.name`; stands where the name stands."""

    at: int
    operand: "Expression"
    name: str


@dataclass(frozen=True)
class Index:
    at: int
    operand: "Expression"
    index: "Expression"


@dataclass(frozen=True)
class Call:
    """`function(args)` or `target.function(args)`."""

    at: int
    function: str
    target: "Expression | None"
    args: tuple["Expression", ...]


@dataclass(frozen=True)
class Unary:
    at: int
    operator: str
    operand: "Expression"


@dataclass(frozen=True)
class Binary:
    """Arithmetic, a comparison or `in`; stands where the operator stands."""

    at: int
    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Logic:
    """A whole chain of `&&` or of `||`."""

    at: int
    operator: str
    operands: tuple["Expression", ...]


@dataclass(frozen=True)
class Choice:
    at: int
    condition: "Expression"
    then: "Expression"
    other: "Expression"


@dataclass(frozen=True)
class ListLiteral:
    at: int
    items: tuple["Expression", ...]


Expression: TypeAlias = Literal | Name | Select | Index | Call | Unary | Binary | Logic | Choice | ListLiteral


class ConditionError(Exception):
    """What is wrong with a condition, and at which of its characters."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(at, message)
        self.at = at
        self.message = message


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """The expressions it is made of."""
    match expression:
        case Select(operand=operand) | Unary(operand=operand):
            return (operand,)
        case Index(operand=operand, index=index):
            return operand, index
        case Binary(left=left, right=right):
            return left, right
        case Logic(operands=parts) | ListLiteral(items=parts):
            return parts
        case Choice(condition=condition, then=then, other=other):
            return condition, then, other
        case Call(target=target, args=args):
            return args if target is None else (target, *args)
        case Literal() | Name():
            return ()


def leftmost(expression: Expression) -> int:
    """Where an expression starts."""
    while True:
        match expression:
            case Select(operand=inner) | Index(operand=inner) | Binary(left=inner) | Choice(condition=inner):
                expression = inner
            case Logic(operands=operands):
                expression = operands[0]
            case Call(target=target) if target is not None:
                expression = target
            case _:
                return expression.at


def path_of(expression: Expression) -> list[Name | Select] | None:
    """`a.b.c` as its parts; None for anything else."""
    parts: list[Name | Select] = []
    while isinstance(expression, Select):
        parts.append(expression)
        expression = expression.operand
    if not isinstance(expression, Name):
        return None
    return [expression, *reversed(parts)]
