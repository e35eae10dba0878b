"""Proves that bytecode is safe to run unchecked: indices, types, and that every path ends in a bool OP_RETURN.

Jumps are forward, so one pass in order of address sees every path into an instruction before the instruction. For each
register it keeps the set of what may be in it (the bits below; an error is always possible). Sets of joining paths
are united; a register is usable as a type when nothing but that type may be in it.
"""

from collections.abc import Sequence

from interceptor.engine.opcodes import NowPart, Op
from interceptor.engine.spec import INSTRUCTION, Code, Span
from interceptor.engine.types import Field, Limits, Scalar

MAX_REGISTERS = 64

FALSE, TRUE, INT, DOUBLE, TEXT, UNWRITTEN = 1, 2, 4, 8, 16, 32
BOOL = FALSE | TRUE
_NAMES = {BOOL: "bool", INT: "int", DOUBLE: "double", TEXT: "text"}

#: What an op does with registers: (result, type of r[a] or 0, type of r[b] or 0). Result 0: nothing is written.
_SHAPES: dict[int, tuple[int, int, int]] = {
    Op.OP_RETURN: (0, BOOL, 0),
    Op.OP_INT: (INT, 0, 0),
    Op.OP_DOUBLE: (DOUBLE, 0, 0),
    Op.OP_TEXT: (TEXT, 0, 0),
    Op.OP_BOOL: (BOOL, 0, 0),
    Op.OP_FIELD: (TEXT, 0, 0),
    Op.OP_RAW: (TEXT, 0, 0),
    Op.OP_SCALAR: (INT, 0, 0),
    Op.OP_FLAG: (BOOL, 0, 0),
    Op.OP_COUNTER: (INT, 0, 0),
    Op.OP_HAS_FIELD: (BOOL, 0, 0),
    Op.OP_HAS_SCALAR: (BOOL, 0, 0),
    Op.OP_IN_LIST: (BOOL, 0, 0),
    Op.OP_VALID: (BOOL, 0, 0),
    Op.OP_REGION: (TEXT, 0, 0),
    Op.OP_TYPE: (TEXT, 0, 0),
    Op.OP_PREFIX: (TEXT, 0, 0),
    Op.OP_REDIRECTIONS: (INT, 0, 0),
    Op.OP_NOW: (INT, 0, 0),
    Op.OP_NOT: (BOOL, BOOL, 0),
    Op.OP_NEG_INT: (INT, INT, 0),
    Op.OP_NEG_DOUBLE: (DOUBLE, DOUBLE, 0),
    Op.OP_ADD_INT: (INT, INT, INT),
    Op.OP_SUB_INT: (INT, INT, INT),
    Op.OP_MUL_INT: (INT, INT, INT),
    Op.OP_DIV_INT: (INT, INT, INT),
    Op.OP_MOD_INT: (INT, INT, INT),
    Op.OP_ADD_DOUBLE: (DOUBLE, DOUBLE, DOUBLE),
    Op.OP_SUB_DOUBLE: (DOUBLE, DOUBLE, DOUBLE),
    Op.OP_MUL_DOUBLE: (DOUBLE, DOUBLE, DOUBLE),
    Op.OP_DIV_DOUBLE: (DOUBLE, DOUBLE, DOUBLE),
    Op.OP_RATIO: (DOUBLE, INT, INT),
    Op.OP_TO_DOUBLE: (DOUBLE, INT, 0),
    Op.OP_TO_INT: (INT, DOUBLE, 0),
    Op.OP_LT_INT: (BOOL, INT, INT),
    Op.OP_LE_INT: (BOOL, INT, INT),
    Op.OP_EQ_DOUBLE: (BOOL, DOUBLE, DOUBLE),
    Op.OP_LT_DOUBLE: (BOOL, DOUBLE, DOUBLE),
    Op.OP_LE_DOUBLE: (BOOL, DOUBLE, DOUBLE),
    Op.OP_EQ_MIXED: (BOOL, INT, DOUBLE),
    Op.OP_LT_MIXED: (BOOL, INT, DOUBLE),
    Op.OP_LE_MIXED: (BOOL, INT, DOUBLE),
    Op.OP_GT_MIXED: (BOOL, INT, DOUBLE),
    Op.OP_GE_MIXED: (BOOL, INT, DOUBLE),
    Op.OP_EQ_TEXT: (BOOL, TEXT, TEXT),
    Op.OP_LT_TEXT: (BOOL, TEXT, TEXT),
    Op.OP_LE_TEXT: (BOOL, TEXT, TEXT),
    Op.OP_STARTS: (BOOL, TEXT, TEXT),
    Op.OP_ENDS: (BOOL, TEXT, TEXT),
    Op.OP_SIZE: (INT, TEXT, 0),
    Op.OP_AND: (BOOL, BOOL, BOOL),
    Op.OP_OR: (BOOL, BOOL, BOOL),
    Op.OP_JUMP: (0, 0, 0),
    Op.OP_JUMP_FALSE: (0, BOOL, 0),
    Op.OP_JUMP_TRUE: (0, BOOL, 0),
}
#: Ops whose types depend on what is there: equality of ints or of bools, a copy, a question about the state alone.
_ANY = {Op.OP_EQ_INT, Op.OP_MOVE, Op.OP_JUMP_ERROR}
_JUMPS = {Op.OP_JUMP, Op.OP_JUMP_FALSE, Op.OP_JUMP_TRUE, Op.OP_JUMP_ERROR}


class _RefusalError(Exception):
    """Why an instruction may not run; `verify` adds which one it is."""


def verify(code: Code, spans: Sequence[Span], n_counters: int, n_lists: int) -> None:
    """Checks every condition of a program.

    Parameters
    ----------
    code
        Instructions of dtype `spec.INSTRUCTION`, shape (n,), and their constants.
    spans
        The conditions: each is checked as a whole program of its own.
    n_counters, n_lists
        How many counters and lists the conditions may name.

    Raises
    ------
    ValueError
        Names the instruction's index, its op and the reason.
    """
    if code.instructions.dtype != INSTRUCTION or code.instructions.ndim != 1:
        raise ValueError(f"instructions must be a flat array of {INSTRUCTION}, not {code.instructions.dtype}")
    if not 0 <= n_counters <= Limits.MAX_COUNTERS:
        raise ValueError(f"{n_counters} counters: at most {int(Limits.MAX_COUNTERS)} are allowed")
    if not 0 <= n_lists <= Limits.MAX_LISTS:
        raise ValueError(f"{n_lists} lists: at most {int(Limits.MAX_LISTS)} are allowed")
    for value in code.ints:
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"constant {value} does not fit 64 bits")
    limits = _limits(code, n_counters, n_lists)
    rows: list[tuple[int, int, int, int]] = code.instructions.tolist()
    for span in spans:
        if not 0 <= span.start < span.end <= len(rows):
            raise ValueError(f"span [{span.start}, {span.end}) is not inside the {len(rows)} instructions")
        _verify_span(rows, span, limits)


def _limits(code: Code, n_counters: int, n_lists: int) -> dict[int, tuple[str, int, int, str, int, int]]:
    """By op: what `a` names with its first and last value, and the same for `b`."""
    anything = ("", 0, 0xFFFF)
    field = ("field", 0, Field.N_FIELDS - 1)
    number = ("number field", 0, Field.N_NUMBERS - 1)
    scalar = ("scalar", 0, Scalar.N_SCALARS - 1)
    return {
        Op.OP_INT: ("int constant", 0, len(code.ints) - 1, *anything),
        Op.OP_DOUBLE: ("double constant", 0, len(code.doubles) - 1, *anything),
        Op.OP_TEXT: ("text constant", 0, len(code.texts) - 1, *anything),
        Op.OP_FIELD: (*field, *anything),
        Op.OP_RAW: (*number, *anything),
        Op.OP_SCALAR: (*scalar, *anything),
        Op.OP_FLAG: (*scalar, *anything),
        Op.OP_COUNTER: ("counter", 0, n_counters - 1, *anything),
        Op.OP_HAS_FIELD: (*field, *anything),
        Op.OP_HAS_SCALAR: (*scalar, *anything),
        Op.OP_IN_LIST: (*field, "list", 0, n_lists - 1),
        Op.OP_VALID: (*number, *anything),
        Op.OP_REGION: (*number, *anything),
        Op.OP_TYPE: (*number, *anything),
        Op.OP_PREFIX: (*number, "prefix length", 1, Limits.MAX_DIGITS),
        Op.OP_NOW: ("part of the time", 0, NowPart.N_NOW_PARTS - 1, *anything),
    }


def _verify_span(
    rows: list[tuple[int, int, int, int]], span: Span, limits: dict[int, tuple[str, int, int, str, int, int]]
) -> None:
    # What may be in each register on entry to an instruction; None: no path comes here.
    entries: list[bytearray | None] = [None] * (span.end - span.start + 1)
    entries[0] = bytearray([UNWRITTEN]) * MAX_REGISTERS
    for index in range(span.start, span.end):
        op, dst, a, b = rows[index]
        registers = entries[index - span.start]
        try:
            if op not in _SHAPES and op not in _ANY:
                raise _RefusalError("there is no such op")
            if op in limits:
                what_a, low_a, high_a, what_b, low_b, high_b = limits[op]
                _within(what_a, a, low_a, high_a)
                _within(what_b, b, low_b, high_b)
            if op in _JUMPS and index + 1 + b >= span.end:
                raise _RefusalError(f"it jumps to {index + 1 + b}, outside [{span.start}, {span.end})")
            if registers is None:  # dead code is harmless: nothing runs it
                continue
            taken = _step(op, dst, a, b, registers)
            if op in _JUMPS:
                _join(entries, index + 1 + b - span.start, taken)
            if op not in (Op.OP_RETURN, Op.OP_JUMP):
                if index + 1 == span.end:
                    raise _RefusalError("the condition ends without OP_RETURN")
                _join(entries, index + 1 - span.start, registers)
        except _RefusalError as refusal:
            raise ValueError(f"instruction {index} ({_name(op)}): {refusal}") from None


def _step(op: int, dst: int, a: int, b: int, registers: bytearray) -> bytearray:
    """Applies one instruction to `registers`; returns what they are where its jump is taken."""
    taken = registers
    if op == Op.OP_EQ_INT:
        left, right = _read(registers, a), _read(registers, b)
        both = left | right
        if both & ~INT and both & ~BOOL:
            raise _RefusalError(f"r{a} and r{b} are not both int or both bool")
        _write(registers, dst, BOOL)
    elif op == Op.OP_MOVE:
        _write(registers, dst, _read(registers, a))
    elif op == Op.OP_JUMP_ERROR:
        _read(registers, a)
        taken = bytearray(registers)
        taken[a] = 0
    else:
        result, type_a, type_b = _SHAPES[op]
        for register, wanted in ((a, type_a), (b, type_b)):
            if wanted and _read(registers, register) & ~wanted:
                raise _RefusalError(f"r{register} is not {_NAMES[wanted]} on every path")
        if result:
            _write(registers, dst, result)
        elif op in (Op.OP_JUMP_FALSE, Op.OP_JUMP_TRUE):
            answer = FALSE if op == Op.OP_JUMP_FALSE else TRUE
            taken = bytearray(registers)
            taken[a] &= answer
            registers[a] &= ~answer
    return taken


def _read(registers: bytearray, register: int) -> int:
    _within("register", register, 0, MAX_REGISTERS - 1)
    if registers[register] & UNWRITTEN:
        raise _RefusalError(f"r{register} is not written on every path")
    return registers[register]


def _write(registers: bytearray, register: int, content: int) -> None:
    _within("register", register, 0, MAX_REGISTERS - 1)
    registers[register] = content


def _join(entries: list[bytearray | None], index: int, registers: bytearray) -> None:
    there = entries[index]
    if there is None:
        entries[index] = bytearray(registers)
    else:
        there[:] = (int.from_bytes(there) | int.from_bytes(registers)).to_bytes(MAX_REGISTERS)


def _within(what: str, value: int, low: int, high: int) -> None:
    if high < low:
        raise _RefusalError(f"there is no {what} {value}")
    if not low <= value <= high:
        raise _RefusalError(f"{what} {value} is outside {low}..{high}")


def _name(op: int) -> str:
    return Op(op).name if op in _SHAPES or op in _ANY else f"op {op}"
