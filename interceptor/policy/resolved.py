"""A condition with every name resolved and every type known: what the checker makes and the compiler reads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from interceptor.engine.opcodes import Op


class Type(StrEnum):
    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    TEXT = "text"
    DURATION = "duration"
    BROKEN = "unknown"  #: of what was reported already: fits everywhere


@dataclass(frozen=True)
class Constant:
    """A duration's value is in nanoseconds."""

    type: Type
    value: bool | int | float | str


@dataclass(frozen=True)
class Read:
    """One instruction without operands: a field, a counter, a question about a number."""

    type: Type
    op: Op
    a: int
    b: int = 0
    number: int | None = None  #: the number field whose text this is


@dataclass(frozen=True)
class Apply:
    """One instruction over one or two values; a mirrored one takes the second of them first."""

    type: Type
    op: Op
    args: tuple["Resolved", ...]
    mirrored: bool = False


@dataclass(frozen=True)
class Both:
    """A chain of && (op AND) or || (op OR)."""

    type: Type
    op: Op
    args: tuple["Resolved", ...]


@dataclass(frozen=True)
class Either:
    """`condition ? then : other`."""

    type: Type
    condition: "Resolved"
    then: "Resolved"
    other: "Resolved"


@dataclass(frozen=True)
class OneOf:
    """`value in [options]`: each option a constant, the operation that compares it, and whether that is mirrored."""

    type: Type
    value: "Resolved"
    options: tuple[tuple[Constant, Op, bool], ...]


Resolved: TypeAlias = Constant | Read | Apply | Both | Either | OneOf
