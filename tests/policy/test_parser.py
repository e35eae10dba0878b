"""What is CEL and what is not, as cel-python's grammar has it."""

import re

import pytest
from celpy.celparser import CELParseError, CELParser
from hypothesis import assume, given
from hypothesis import strategies as st

from interceptor.engine.program import CompiledProgram, Outcome
from interceptor.policy import PolicyError
from interceptor.policy.conditions import compile_condition
from interceptor.policy.lexis import scan
from interceptor.policy.parser import parse
from interceptor.policy.syntax import ConditionError
from tests.policy.expressions import COUNTERS, ENVIRONMENT, LISTS

WORDS = [
    *(
        "a",
        "b",
        "call.caller",
        "1",
        "-1",
        "1.5",
        ".5",
        "2.",
        "1e5",
        "3u",
        "0x1F",
        "'x'",
        "'''q'''",
        "true",
        "null",
    ),
    *("f(", ".", "(", ")", "[", "]", "{", "}", ",", "?", ":"),
    *("&&", "||", "!", "-", "+", "*", "/", "%", "==", "!=", "<", "<=", ">", "in", "=", "&", "and"),
]
#: CEL that a policy's leaves out
LEFT_OUT = re.compile("left out|leave out the leading dot|is no CEL double|does not fit 64 bits")
TRAILING = re.compile(r", *\]")


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join))
def test_what_cel_pythons_grammar_refuses_is_refused_and_nothing_else(condition: str) -> None:
    assume(not TRAILING.search(condition))  # of which cel-python's grammar knows nothing
    try:
        CELParser().parse(scan(condition).text)
    except CELParseError:
        with pytest.raises(ConditionError):
            parse(condition)
        return
    try:
        parse(condition)
    except ConditionError as error:
        assert LEFT_OUT.search(error.message)


@pytest.mark.parametrize("condition", ["-[]", "!{}", "--f()", "- 'x'", "-null", "a inb", "a.in in inb c"])
def test_what_has_no_meaning_is_an_error_and_no_crash(condition: str) -> None:
    with pytest.raises(PolicyError):
        compile_condition(condition, ENVIRONMENT)


@pytest.mark.parametrize("condition", ["1 in [1,]", "1 in [1 , ]", "1 in [1,\n2 // c\n,\n]"])
def test_a_comma_may_stand_behind_the_last_item_of_a_list(condition: str) -> None:
    assert holds(condition)


@pytest.mark.parametrize(
    "condition", ["call.redirecting[0,] == ''", "size('',) == 0", "1 in [1,,]", "1 in [,1]", "(1,) == 1"]
)
def test_a_comma_stands_behind_nothing_else(condition: str) -> None:
    with pytest.raises(ConditionError, match="unexpected"):
        parse(condition)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_comment_ends_with_its_line(newline: str) -> None:
    assert not holds(f"true // and so on{newline}&& false")


def holds(condition: str) -> bool:
    code, span = compile_condition(condition, ENVIRONMENT)
    return CompiledProgram(code, [span], len(COUNTERS), len(LISTS)).evaluate_with(span) == Outcome.MATCH
