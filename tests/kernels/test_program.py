"""Conditions: what the verifier refuses, what CEL says an operation yields, and kernel == model on random bytecode."""

import contextlib
import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.guards import guards_of
from interceptor.engine.opcodes import GuardKind, Op
from interceptor.engine.program import CompiledProgram, Outcome
from interceptor.engine.spec import INSTRUCTION, UTC, Clock, Code, Span
from interceptor.engine.types import Field, NumberStatus, Scalar
from tests.model.program import Inputs, evaluate

Row = tuple[int, int, int, int]

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
INTS = (0, 1, -1, 2, 7, 60, 2**53, 2**53 + 1, -(2**53) - 1, INT_MAX, INT_MAX - 1, INT_MIN, INT_MIN + 1)
DOUBLES = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 60.5, math.nan, math.inf, -math.inf, 2.0**53, 2.0**53 + 2, 2.0**63,
    -(2.0**63), 9223372036854774784.0, 1e308, 5e-324,
)  # fmt: skip
TEXTS = (b"", b"a", b"ab", b"b", b"+86138", b"CN", "é".encode(), "\U00010348".encode(), "\uffff".encode())
N_COUNTERS, N_LISTS = 4, 3


def compiled(rows: Sequence[Row], code: Code | None = None) -> tuple[CompiledProgram, Code, Span]:
    base = code or Code(np.zeros(0, INSTRUCTION), INTS, DOUBLES, TEXTS)
    code = Code(np.array(rows, dtype=INSTRUCTION), base.ints, base.doubles, base.texts)
    span = Span(0, len(rows))
    return CompiledProgram(code, [span], N_COUNTERS, N_LISTS), code, span


def run(rows: Sequence[Row], inputs: Inputs | None = None) -> Outcome:
    """The kernel's answer, held against the model's."""
    program, code, span = compiled(rows)
    inputs = inputs or Inputs()
    outcome = program.evaluate_with(span, **vars(inputs))
    assert outcome == evaluate(code, span, inputs)
    return outcome


def refused(rows: Sequence[Row]) -> str:
    with pytest.raises(ValueError) as refusal:
        compiled(rows)
    return str(refusal.value)


# ---------------------------------------------------------------------------------------- what operations yield


def of_ints(op: Op, x: int, y: int, wanted: int) -> list[Row]:
    """x op y == wanted."""
    load = [(Op.OP_INT, i, INTS.index(v), 0) for i, v in enumerate((x, y, wanted))]
    return [*load, (op, 3, 0, 1), (Op.OP_EQ_INT, 4, 3, 2), (Op.OP_RETURN, 0, 4, 0)]


@pytest.mark.parametrize(
    ("op", "x", "y"),
    [
        (Op.OP_ADD_INT, INT_MAX, 1),
        (Op.OP_SUB_INT, INT_MIN, 1),
        (Op.OP_MUL_INT, INT_MAX, 2),
        (Op.OP_MUL_INT, INT_MIN, -1),
        (Op.OP_DIV_INT, 1, 0),
        (Op.OP_DIV_INT, INT_MIN, -1),
        (Op.OP_MOD_INT, 1, 0),
        (Op.OP_MOD_INT, INT_MIN, -1),
    ],
)
def test_arithmetic_that_does_not_fit_is_an_error(op: Op, x: int, y: int) -> None:
    assert run(of_ints(op, x, y, 0)) == Outcome.OUTCOME_ERROR


def test_division_goes_towards_zero() -> None:
    assert run(of_ints(Op.OP_DIV_INT, -1, 2, 0)) == Outcome.MATCH
    assert run(of_ints(Op.OP_MOD_INT, -1, 2, -1)) == Outcome.MATCH


@pytest.mark.parametrize("op", [op for op in Op if op.name.endswith("_MIXED")])
def test_an_int_and_a_double_compare_on_the_number_line(op: Op) -> None:
    for i in range(len(INTS)):
        for d in range(len(DOUBLES)):
            run([(Op.OP_INT, 0, i, 0), (Op.OP_DOUBLE, 1, d, 0), (op, 2, 0, 1), (Op.OP_RETURN, 0, 2, 0)])


def test_an_int_is_rounded_to_a_double_before_it_meets_one() -> None:
    """CEL's conformance tests, comparisons/lt_literal/not_lt_dyn_int_big_lossy_double: 2^63 - 1 < 2^63.0 is false."""
    rows = [(Op.OP_INT, 0, INTS.index(2**53 + 1), 0), (Op.OP_DOUBLE, 1, DOUBLES.index(2.0**53), 0)]
    assert run([*rows, (Op.OP_EQ_MIXED, 2, 0, 1), (Op.OP_RETURN, 0, 2, 0)]) == Outcome.MATCH
    assert run([*rows, (Op.OP_GT_MIXED, 2, 0, 1), (Op.OP_RETURN, 0, 2, 0)]) == Outcome.NO_MATCH


# Registers 0..3 hold true, false, "absent" and "overflow".
STATES: list[Row] = [
    (Op.OP_BOOL, 0, 1, 0),
    (Op.OP_BOOL, 1, 0, 0),
    (Op.OP_FLAG, 2, Scalar.S_ROAMING, 0),
    (Op.OP_INT, 3, INTS.index(INT_MIN), 0),
    (Op.OP_NEG_INT, 3, 3, 0),
    (Op.OP_EQ_INT, 3, 3, 3),
]
YES, NO, GONE, FAIL = Outcome.MATCH, Outcome.NO_MATCH, Outcome.OUTCOME_ABSENT, Outcome.OUTCOME_ERROR


@pytest.mark.parametrize(
    ("op", "table"),
    [
        (
            Op.OP_AND,
            [[YES, NO, GONE, FAIL], [NO, NO, NO, NO], [GONE, NO, GONE, GONE], [FAIL, NO, FAIL, FAIL]],
        ),
        (
            Op.OP_OR,
            [[YES, YES, YES, YES], [YES, NO, GONE, FAIL], [YES, GONE, GONE, GONE], [YES, FAIL, FAIL, FAIL]],
        ),
    ],
)
def test_an_answer_beats_an_error_on_either_side(op: Op, table: list[list[Outcome]]) -> None:
    for a in range(4):
        for b in range(4):
            assert run([*STATES, (op, 4, a, b), (Op.OP_RETURN, 0, 4, 0)]) == table[a][b]


def test_of_two_failing_operands_the_left_one_is_told() -> None:
    assert run([*STATES, (Op.OP_EQ_INT, 4, 2, 3), (Op.OP_RETURN, 0, 4, 0)]) == GONE
    assert run([*STATES, (Op.OP_EQ_INT, 4, 3, 2), (Op.OP_RETURN, 0, 4, 0)]) == FAIL


def test_a_conditional_hands_an_error_on_as_any_type() -> None:
    # (call.roaming ? 1 : 7) == 1
    rows = [
        (Op.OP_FLAG, 0, Scalar.S_ROAMING, 0),
        (Op.OP_JUMP_ERROR, 0, 0, 5),
        (Op.OP_JUMP_FALSE, 0, 0, 2),
        (Op.OP_INT, 1, INTS.index(1), 0),
        (Op.OP_JUMP, 0, 0, 3),
        (Op.OP_INT, 1, INTS.index(7), 0),
        (Op.OP_JUMP, 0, 0, 1),
        (Op.OP_MOVE, 1, 0, 0),
        (Op.OP_INT, 2, INTS.index(1), 0),
        (Op.OP_EQ_INT, 3, 1, 2),
        (Op.OP_RETURN, 0, 3, 0),
    ]
    assert run(rows, Inputs(scalars={Scalar.S_ROAMING: 1})) == YES
    assert run(rows, Inputs(scalars={Scalar.S_ROAMING: 0})) == NO
    assert run(rows) == GONE


def test_what_falls_through_both_jumps_is_an_error_of_any_type() -> None:
    rows = [
        (Op.OP_FLAG, 0, Scalar.S_ROAMING, 0),
        (Op.OP_JUMP_TRUE, 0, 0, 3),
        (Op.OP_JUMP_FALSE, 0, 0, 2),
        (Op.OP_MOVE, 1, 0, 0),
        (Op.OP_JUMP, 0, 0, 1),
        (Op.OP_INT, 1, INTS.index(7), 0),
        (Op.OP_EQ_INT, 2, 1, 1),
        (Op.OP_RETURN, 0, 2, 0),
    ]
    assert run(rows) == GONE
    assert run(rows, Inputs(scalars={Scalar.S_ROAMING: 0})) == YES


MOBILE = (NumberStatus.NUMBER_E164, b"+8613800138000", True, 2, 1)
SERVICE = (NumberStatus.NUMBER_SHORT, b"10086", True, 12, 1)
WITHHELD = (NumberStatus.NUMBER_WITHHELD, b"", False, 13, 0)
GARBLED = (NumberStatus.NUMBER_UNPARSEABLE, b"", False, 0, 0)


def text_is(load: Row, text: bytes, inputs: Inputs) -> Outcome:
    program, code, span = compiled(
        [load, (Op.OP_TEXT, 1, 0, 0), (Op.OP_EQ_TEXT, 2, 0, 1), (Op.OP_RETURN, 0, 2, 0)],
        Code(np.zeros(0, INSTRUCTION), texts=(text,)),
    )
    outcome = program.evaluate_with(span, **vars(inputs))
    assert outcome == evaluate(code, span, inputs)
    return outcome


def test_a_number_reads_normalised_and_its_raw_text_as_signalled() -> None:
    inputs = Inputs(texts={Field.F_CALLER: b"0086 138-0013-8000"}, numbers={Field.F_CALLER: MOBILE})
    assert text_is((Op.OP_FIELD, 0, Field.F_CALLER, 0), b"+8613800138000", inputs) == YES
    assert text_is((Op.OP_RAW, 0, Field.F_CALLER, 0), b"0086 138-0013-8000", inputs) == YES


@pytest.mark.parametrize("number", [WITHHELD, GARBLED])
def test_a_withheld_or_unparseable_number_is_absent_but_was_signalled(
    number: tuple[int, bytes, bool, int, int],
) -> None:
    inputs = Inputs(texts={Field.F_CALLER: b"anonymous"}, numbers={Field.F_CALLER: number})
    assert text_is((Op.OP_FIELD, 0, Field.F_CALLER, 0), b"", inputs) == GONE
    assert text_is((Op.OP_REGION, 0, Field.F_CALLER, 0), b"", inputs) == GONE
    assert text_is((Op.OP_PREFIX, 0, Field.F_CALLER, 1), b"", inputs) == GONE
    assert text_is((Op.OP_RAW, 0, Field.F_CALLER, 0), b"anonymous", inputs) == YES
    assert run([(Op.OP_VALID, 0, 0, 0), (Op.OP_RETURN, 0, 0, 0)], inputs) == GONE
    assert run([(Op.OP_HAS_FIELD, 0, 0, 0), (Op.OP_RETURN, 0, 0, 0)], inputs) == YES


def test_a_withheld_number_has_a_type_and_an_unparseable_none() -> None:
    types = (*(f"type{i}" for i in range(12)), "short", "withheld")
    for number, wanted, outcome in (
        (WITHHELD, b"withheld", YES),
        (SERVICE, b"short", YES),
        (GARBLED, b"", GONE),
    ):
        inputs = Inputs(numbers={Field.F_CALLEE: number}, types=types)
        assert text_is((Op.OP_TYPE, 0, Field.F_CALLEE, 0), wanted, inputs) == outcome


def test_a_prefix_counts_digits_without_the_plus() -> None:
    for number, n, wanted in (
        (MOBILE, 7, b"8613800"),
        (MOBILE, 13, b"8613800138000"),
        (SERVICE, 5, b"10086"),
    ):
        inputs = Inputs(numbers={Field.F_CALLER: number})
        assert text_is((Op.OP_PREFIX, 0, Field.F_CALLER, n), wanted, inputs) == YES
    for number, n in ((MOBILE, 14), (SERVICE, 6)):
        assert text_is((Op.OP_PREFIX, 0, 0, n), b"", Inputs(numbers={Field.F_CALLER: number})) == GONE


def test_a_field_without_a_key_cannot_be_looked_up_in_a_list() -> None:
    rows = [(Op.OP_IN_LIST, 0, Field.F_CALLER, 2), (Op.OP_RETURN, 0, 0, 0)]
    assert run(rows, Inputs(keys={0: 5}, bitmaps={0: 0b100})) == YES
    assert run(rows, Inputs(keys={0: 5}, bitmaps={0: 0b011})) == NO
    assert run(rows, Inputs(bitmaps={0: 0b111})) == GONE


def test_a_counter_whose_key_is_absent_cannot_be_read() -> None:
    rows = [(Op.OP_COUNTER, 0, 1, 0), (Op.OP_INT, 1, 0, 0), (Op.OP_EQ_INT, 2, 0, 1), (Op.OP_RETURN, 0, 2, 0)]
    assert run(rows, Inputs(counters={1: 0})) == YES
    assert run(rows, Inputs(counters={1: None})) == GONE


# --------------------------------------------------------------------------------------- what the verifier refuses


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(99, 0, 0, 0)], "instruction 0 (op 99): there is no such op"),
        ([(19, 0, 0, 0)], "instruction 0 (op 19): there is no such op"),
        ([(Op.OP_RETURN, 0, 3, 0)], "instruction 0 (OP_RETURN): r3 is not written on every path"),
        ([(Op.OP_BOOL, 64, 0, 0)], "instruction 0 (OP_BOOL): register 64 is outside 0..63"),
        ([(Op.OP_BOOL, 0, 1, 0)], "instruction 0 (OP_BOOL): the condition ends without OP_RETURN"),
        (
            [(Op.OP_INT, 0, 0, 0), (Op.OP_RETURN, 0, 0, 0)],
            "instruction 1 (OP_RETURN): r0 is not bool on every path",
        ),
        ([(Op.OP_INT, 0, len(INTS), 0)], f"int constant {len(INTS)} is outside 0..{len(INTS) - 1}"),
        ([(Op.OP_FIELD, 0, Field.N_FIELDS, 0)], "field 28 is outside 0..27"),
        ([(Op.OP_RAW, 0, Field.F_IMEI, 0)], "number field 15 is outside 0..7"),
        ([(Op.OP_VALID, 0, 8, 0)], "number field 8 is outside 0..7"),
        ([(Op.OP_SCALAR, 0, 4, 0)], "scalar 4 is outside 0..3"),
        ([(Op.OP_COUNTER, 0, N_COUNTERS, 0)], "counter 4 is outside 0..3"),
        ([(Op.OP_IN_LIST, 0, 0, N_LISTS)], "list 3 is outside 0..2"),
        ([(Op.OP_PREFIX, 0, 0, 0)], "prefix length 0 is outside 1..15"),
        ([(Op.OP_PREFIX, 0, 0, 16)], "prefix length 16 is outside 1..15"),
        ([(Op.OP_JUMP, 0, 0, 0)], "it jumps to 1, outside [0, 1)"),
        ([(Op.OP_JUMP, 0, 0, 0xFFFF), (Op.OP_RETURN, 0, 0, 0)], "it jumps to 65536, outside [0, 2)"),
        (
            [
                (Op.OP_BOOL, 0, 1, 0),
                (Op.OP_JUMP_TRUE, 0, 0, 1),
                (Op.OP_BOOL, 1, 1, 0),
                (Op.OP_RETURN, 0, 1, 0),
            ],
            "r1 is not written on every path",
        ),
        (
            [
                (Op.OP_BOOL, 0, 1, 0),
                (Op.OP_BOOL, 1, 1, 0),
                (Op.OP_JUMP_TRUE, 0, 0, 1),
                (Op.OP_INT, 1, 0, 0),
                (Op.OP_RETURN, 0, 1, 0),
            ],
            "instruction 4 (OP_RETURN): r1 is not bool on every path",
        ),
        (
            [(Op.OP_INT, 0, 0, 0), (Op.OP_BOOL, 1, 0, 0), (Op.OP_EQ_INT, 2, 0, 1), (Op.OP_RETURN, 0, 2, 0)],
            "r0 and r1 are not both int or both bool",
        ),
    ],
)
def test_bytecode_that_could_misbehave_is_refused(rows: list[Row], reason: str) -> None:
    assert reason in refused(rows)


def test_a_span_outside_the_code_is_refused_and_only_spans_can_be_run() -> None:
    code = Code(np.array([(Op.OP_BOOL, 0, 1, 0), (Op.OP_RETURN, 0, 0, 0)], dtype=INSTRUCTION))
    for span in (Span(0, 3), Span(-1, 2), Span(1, 1)):
        with pytest.raises(ValueError, match="is not inside the 2 instructions"):
            CompiledProgram(code, [span], 0, 0)
    program = CompiledProgram(code, [Span(0, 2)], 0, 0)
    with pytest.raises(ValueError, match="is none of the program's conditions"):
        program.evaluate_with(Span(1, 2))


def test_limits_of_the_policy_are_checked() -> None:
    code = Code(np.zeros(0, INSTRUCTION))
    with pytest.raises(ValueError, match="257 counters"):
        CompiledProgram(code, [], 257, 0)
    with pytest.raises(ValueError, match="65 lists"):
        CompiledProgram(code, [], 0, 65)
    with pytest.raises(ValueError, match="does not fit 64 bits"):
        CompiledProgram(Code(np.zeros(0, INSTRUCTION), ints=(2**63,)), [], 0, 0)
    with pytest.raises(ValueError, match="flat array"):
        CompiledProgram(Code(np.zeros(4, np.uint64)), [], 0, 0)


# ------------------------------------------------------------------------------------------------ random bytecode

UNARY = {
    "int": [(Op.OP_NEG_INT, "int"), (Op.OP_TO_INT, "double"), (Op.OP_SIZE, "text")],
    "double": [(Op.OP_NEG_DOUBLE, "double"), (Op.OP_TO_DOUBLE, "int")],
    "bool": [(Op.OP_NOT, "bool")],
    "text": [],
}
BINARY = {
    "int": [(op, "int", "int") for op in Op if Op.OP_ADD_INT <= op <= Op.OP_MOD_INT],
    "double": [
        (Op.OP_RATIO, "int", "int"),
        *((op, "double", "double") for op in Op if Op.OP_ADD_DOUBLE <= op <= Op.OP_DIV_DOUBLE),
    ],
    "bool": [
        *((op, "int", "int") for op in Op if Op.OP_EQ_INT <= op <= Op.OP_LE_INT),
        *((op, "double", "double") for op in Op if Op.OP_EQ_DOUBLE <= op <= Op.OP_LE_DOUBLE),
        *((op, "int", "double") for op in Op if Op.OP_EQ_MIXED <= op <= Op.OP_GE_MIXED),
        *((op, "text", "text") for op in Op if Op.OP_EQ_TEXT <= op <= Op.OP_ENDS),
        *((op, "bool", "bool") for op in (Op.OP_AND, Op.OP_OR, Op.OP_EQ_INT)),
    ],
    "text": [],
}


class Author:
    """Writes well-typed bytecode: what it says passes the verifier, so the evaluation is what gets tested."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.types: dict[int, str] = {}

    def condition(self) -> list[Row]:
        rows = [
            row for kind in ("int", "double", "text", "bool") for row in (self.load(kind), self.load(kind))
        ]
        rows += self.block(3)
        return [*rows, (Op.OP_RETURN, 0, self.a("bool"), 0)]

    def a(self, kind: str) -> int:
        return self.rng.choice([register for register, held in self.types.items() if held == kind])

    def target(self, kind: str, fixed: bool) -> int:
        """A register to write: inside a block that may be skipped, one that keeps its type."""
        if fixed:
            return self.a(kind)
        register = self.rng.randrange(64)
        while sum(held == self.types.get(register) for held in self.types.values()) == 1:
            register = self.rng.randrange(64)  # the last of its type: others still want one
        self.types[register] = kind
        return register

    def load(self, kind: str, fixed: bool = False) -> Row:
        rng = self.rng
        field, number = rng.randrange(Field.N_FIELDS), rng.randrange(Field.N_NUMBERS)
        scalar = rng.randrange(Scalar.N_SCALARS)
        op, a, b = rng.choice(
            {
                "int": [
                    (Op.OP_INT, rng.randrange(len(INTS)), 0),
                    (Op.OP_SCALAR, scalar, 0),
                    (Op.OP_COUNTER, rng.randrange(N_COUNTERS), 0),
                    (Op.OP_REDIRECTIONS, 0, 0),
                ],
                "double": [(Op.OP_DOUBLE, rng.randrange(len(DOUBLES)), 0)],
                "text": [
                    (Op.OP_TEXT, rng.randrange(len(TEXTS)), 0),
                    (Op.OP_FIELD, field, 0),
                    (Op.OP_RAW, number, 0),
                    (Op.OP_REGION, number, 0),
                    (Op.OP_TYPE, number, 0),
                    (Op.OP_PREFIX, number, rng.randint(1, 15)),
                ],
                "bool": [
                    (Op.OP_BOOL, rng.randrange(2), 0),
                    (Op.OP_FLAG, scalar, 0),
                    (Op.OP_HAS_FIELD, field, 0),
                    (Op.OP_HAS_SCALAR, scalar, 0),
                    (Op.OP_IN_LIST, field, rng.randrange(N_LISTS)),
                    (Op.OP_VALID, number, 0),
                ],
            }[kind]
        )
        return op, self.target(kind, fixed), a, b

    def operation(self, fixed: bool) -> Row:
        kind = self.rng.choice(["int", "double", "bool", "bool", "text"])
        form = self.rng.randrange(4)
        if form == 0 and UNARY[kind]:
            op, operand = self.rng.choice(UNARY[kind])
            a = self.a(operand)
            return op, self.target(kind, fixed), a, 0
        if form <= 2 and BINARY[kind]:
            op, left, right = self.rng.choice(BINARY[kind])
            a, b = self.a(left), self.a(right)
            return op, self.target(kind, fixed), a, b
        if form == 3 and self.rng.random() < 0.3:
            a = self.a(kind)
            return Op.OP_MOVE, self.target(kind, fixed), a, 0
        return self.load(kind, fixed)

    def block(self, depth: int, fixed: bool = False) -> list[Row]:
        rows: list[Row] = []
        for _ in range(self.rng.randint(1, 6)):
            if depth and self.rng.random() < 0.4:
                jump = self.rng.choice([Op.OP_JUMP, Op.OP_JUMP_TRUE, Op.OP_JUMP_FALSE, Op.OP_JUMP_ERROR])
                asked = self.a(self.rng.choice(["int", "text"]) if jump == Op.OP_JUMP_ERROR else "bool")
                skipped = self.block(depth - 1, fixed=True)
                rows += [(jump, 0, asked, len(skipped)), *skipped]
            else:
                rows.append(self.operation(fixed))
        return rows


HOUR_MS = 3600_000
CLOCKS = (
    UTC,
    Clock((0,), (8 * HOUR_MS,)),
    Clock((10**12, 10**12 + 1, 2 * 10**12), (-5 * HOUR_MS, 5 * HOUR_MS + HOUR_MS // 2, -HOUR_MS)),
)


def some_inputs(rng: random.Random) -> Inputs:
    numbers = (MOBILE, SERVICE, WITHHELD, GARBLED)
    some: Callable[[int], list[int]] = lambda n: [i for i in range(n) if rng.random() < 0.6]  # noqa: E731
    return Inputs(
        texts={f: rng.choice(TEXTS) for f in some(Field.N_FIELDS)},
        numbers={f: rng.choice(numbers) for f in some(Field.N_NUMBERS)},
        scalars={s: rng.choice(INTS) for s in some(Scalar.N_SCALARS)},
        counters={c: rng.choice((None, *INTS)) for c in range(N_COUNTERS)},
        bitmaps={f: rng.getrandbits(64) for f in some(Field.N_FIELDS)},
        keys={f: rng.getrandbits(64) for f in some(Field.N_FIELDS)},
        now=rng.randrange(-(10**12), 4 * 10**12),
        clock=rng.choice(CLOCKS),
    )


def agrees(rows: Sequence[Row], rng: random.Random) -> None:
    program, code, span = compiled(rows)
    for _ in range(3):
        inputs = some_inputs(rng)
        assert program.evaluate_with(span, **vars(inputs)) == evaluate(code, span, inputs), (rows, inputs)


def mutated(rows: list[Row], rng: random.Random) -> list[Row]:
    rows = list(rows)
    for _ in range(rng.randint(1, 3)):
        i, cell = rng.randrange(len(rows)), rng.randrange(4)
        row = list(rows[i])
        row[cell] = rng.choice(
            [row[cell] ^ 1, row[cell] + 1 & 0xFFFF, rng.randrange(70), rng.randrange(0x10000)]
        )
        rows[i] = (row[0], row[1], row[2], row[3])
    return rows


def test_random_conditions_answer_as_the_model_does(scale: Callable[[int, int], int]) -> None:
    rng = random.Random(20261122)
    for _ in range(scale(1_500, 300_000)):
        agrees(Author(rng).condition(), rng)


def guarded(rng: random.Random) -> list[Row]:
    """A condition that begins with what most do: one question, the answer no to which settles it."""
    author = Author(rng)
    held, other, third = rng.sample(range(64), 3)
    field, scalar = rng.randrange(Field.N_FIELDS), rng.randrange(Scalar.N_SCALARS)
    source = rng.choice(
        [(Op.OP_COUNTER, other, rng.randrange(N_COUNTERS), 0), (Op.OP_SCALAR, other, scalar, 0)]
    )
    left, right = rng.sample([other, third], 2)
    constant = (Op.OP_INT, third, rng.randrange(len(INTS)), 0)
    text = (Op.OP_TEXT, third, rng.randrange(len(TEXTS)), 0)
    more = [(Op.OP_IN_LIST, other, field, rng.randrange(N_LISTS)) for _ in range(rng.randrange(3))]
    chain = [
        row
        for i, each in enumerate(more)
        for row in ((Op.OP_JUMP_TRUE, 0, held, 3 * (len(more) - i) - 1), each, (Op.OP_OR, held, held, other))
    ]
    forms: list[list[Row]] = [
        [(Op.OP_IN_LIST, held, field, rng.randrange(N_LISTS)), *chain],
        [
            *rng.sample([source, constant], 2),
            (rng.choice([Op.OP_LT_INT, Op.OP_LE_INT, Op.OP_EQ_INT]), held, left, right),
        ],
        [(Op.OP_FLAG, held, scalar, 0)],
        [(Op.OP_VALID, other, field % Field.N_NUMBERS, 0), (Op.OP_NOT, held, other, 0)],
        [
            *rng.sample([(Op.OP_FIELD, other, field, 0), text], 2),
            (rng.choice([Op.OP_EQ_TEXT, Op.OP_STARTS, Op.OP_ENDS, Op.OP_LT_TEXT]), held, left, right),
        ],
    ]
    asked = rng.choice(forms)
    if chain and asked is forms[0]:
        return [*asked, (Op.OP_RETURN, 0, held, 0)]
    author.types = {held: "bool"}
    rest = [author.load("bool"), (Op.OP_AND, held, held, author.a("bool"))] if rng.random() < 0.6 else []
    jump = [(Op.OP_JUMP_FALSE, 0, held, len(rest))] if rest else []
    return [*asked, *jump, *rest, (Op.OP_RETURN, 0, held, 0)]


def question(rng: random.Random, into: int, other: int, third: int) -> list[Row]:
    field, scalar = rng.randrange(Field.N_FIELDS), rng.randrange(Scalar.N_SCALARS)
    left, right = rng.sample([other, third], 2)
    source = rng.choice([(Op.OP_COUNTER, rng.randrange(N_COUNTERS)), (Op.OP_SCALAR, scalar)])
    compare = (rng.choice([Op.OP_LT_INT, Op.OP_LE_INT, Op.OP_EQ_INT]), into, left, right)
    constant = (Op.OP_INT, third, rng.randrange(len(INTS)), 0)
    forms: list[list[Row]] = [
        [(Op.OP_IN_LIST, into, field, rng.randrange(N_LISTS))],
        [(source[0], other, source[1], 0), constant, compare],
        [(Op.OP_FLAG, into, scalar, 0)],
        [(Op.OP_VALID, other, field % Field.N_NUMBERS, 0), (Op.OP_NOT, into, other, 0)],
        [(Op.OP_HAS_SCALAR, into, scalar, 0)],
    ]
    return rng.choice(forms)


def conjunction(rng: random.Random) -> list[Row]:
    """``(a || b) && c && ...`` as the compiler writes it: each part that is false leaves for the return."""
    held, other, third, fourth, fifth = rng.sample(range(64), 5)
    parts = []
    for into in [held] + [other] * rng.randint(1, 3):
        part = question(rng, into, third, fourth)
        if rng.random() < 0.4:
            more = question(rng, fifth, third, fourth)
            part = [*part, (Op.OP_JUMP_TRUE, 0, into, len(more) + 1), *more, (Op.OP_OR, into, into, fifth)]
        parts.append([*part, *[(Op.OP_AND, held, held, other)] * (into == other)])
    rows: list[Row] = [(Op.OP_RETURN, 0, held, 0)]
    for part in reversed(parts[1:]):
        rows = [(Op.OP_JUMP_FALSE, 0, held, len(part) + len(rows) - 1), *part, *rows]
    return [*parts[0], *rows]


def test_a_part_that_is_false_settles_a_condition_as_in_the_model(scale: Callable[[int, int], int]) -> None:
    rng = random.Random(20261125)
    most = 0
    for _ in range(scale(2_000, 300_000)):
        rows = conjunction(rng)
        _, code, span = compiled(rows)
        most = max(most, int(np.count_nonzero(guards_of(code, [span])["kind"])))
        agrees(rows, rng)
        with contextlib.suppress(ValueError):
            agrees(mutated(rows, rng), rng)
    assert most >= 6


def test_what_is_decided_at_a_glance_is_what_the_model_says(scale: Callable[[int, int], int]) -> None:
    rng = random.Random(20261124)
    kinds = set()
    for _ in range(scale(3_000, 300_000)):
        rows = guarded(rng)
        _, code, span = compiled(rows)
        kinds.add(int(guards_of(code, [span])["kind"][0]))
        agrees(rows, rng)
        with contextlib.suppress(ValueError):
            agrees(mutated(rows, rng), rng)
    assert kinds == set(GuardKind)


def test_damaged_bytecode_is_refused_or_harmless(scale: Callable[[int, int], int]) -> None:
    rng = random.Random(20261123)
    accepted = refusals = 0
    for _ in range(scale(4_000, 1_000_000)):
        try:
            agrees(mutated(Author(rng).condition(), rng), rng)
            accepted += 1
        except ValueError as refusal:
            assert "instruction " in str(refusal)
            refusals += 1
    assert accepted
    assert refusals


cells = st.one_of(st.integers(0, 8), st.integers(0, 70), st.integers(0, 0xFFFF))


@given(st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=12), st.integers(0, 2**32))
def test_arbitrary_bytecode_is_refused_or_harmless(rows: list[Row], seed: int) -> None:
    try:
        agrees(rows, random.Random(seed))
    except ValueError as refusal:
        assert str(refusal).startswith("instruction ")
