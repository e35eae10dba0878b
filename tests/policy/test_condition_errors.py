"""What is wrong with a condition is said at its column, with what to write instead."""

from pathlib import Path

import pytest

from interceptor.policy import PolicyError
from interceptor.policy.conditions import compile_condition
from tests.policy.expressions import ENVIRONMENT

LINES = (Path(__file__).parent / "condition_errors.txt").read_text(encoding="utf-8").splitlines()
DRAWN = [line for line in LINES if line and not line.startswith("#")]


@pytest.mark.parametrize(("condition", "drawn"), list(zip(DRAWN[::2], DRAWN[1::2], strict=True)))
def test_a_fault_is_shown_where_it_is(condition: str, drawn: str) -> None:
    blanks, message = drawn.split("^ ", 1)
    with pytest.raises(PolicyError) as caught:
        compile_condition(condition, ENVIRONMENT)
    found = [(problem.line, problem.column, problem.message) for problem in caught.value.problems]
    assert found == [(1, len(blanks) + 1, message)]


def test_every_fault_of_a_condition_is_reported_in_one_go() -> None:
    condition = (
        "call.caler == 'x'\n  || counters.z > 1 // more\n  || size(1) > 2 || vald(call.calle) || true > 'a'"
    )
    with pytest.raises(PolicyError) as caught:
        compile_condition(condition, ENVIRONMENT)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [
        (1, 6), (2, 15), (3, 11), (3, 21), (3, 46),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("(" * 10_000, "brackets nest deeper than 48 levels"),
        ("!" * 5_000 + "true", "nests deeper than 160 levels: use several rules"),
        ("- " * 5_000 + "1 == 1", "nests deeper than 160 levels: use several rules"),
        ("1" + "+1" * 3_000 + " == 1", "nests deeper than 160 levels: use several rules"),
        ("true?true:" * 1_000 + "true", "nests deeper than 160 levels: use several rules"),
        ("call" + ".a" * 2_000, "nests deeper than 160 levels: use several rules"),
        ("true || " * 3_000 + "true", "longer than 16384 characters: use lists, or several rules"),
        ("'" + "9" * 20_000 + "'", "longer than 16384 characters: use lists, or several rules"),
        ("9" * 10_000 + " == 1", "9999999999999999999999999999999999999999 does not fit 64 bits"),
        ("counters.a + (" * 45 + "counters.a" + ")" * 45 + " > 1", None),
        ("counters.a + (counters.a * (" * 24 + "1" + "))" * 24 + " > 1", None),
    ],
)
def test_no_depth_and_no_length_is_more_than_an_error(condition: str, message: str | None) -> None:
    if message is None:
        compile_condition(condition, ENVIRONMENT)
        return
    with pytest.raises(PolicyError) as caught:
        compile_condition(condition, ENVIRONMENT)
    assert [problem.message for problem in caught.value.problems] == [message]
