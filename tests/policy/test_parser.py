"""What is CEL and what is not, as cel-python's grammar has it."""

import re

import pytest
from celpy.celparser import CELParseError, CELParser
from hypothesis import given
from hypothesis import strategies as st

from interceptor.policy import PolicyError
from interceptor.policy.conditions import compile_condition
from interceptor.policy.lexis import scan
from interceptor.policy.parser import parse
from interceptor.policy.syntax import ConditionError
from tests.policy.expressions import ENVIRONMENT

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


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join))
def test_what_cel_pythons_grammar_refuses_is_refused_and_nothing_else(condition: str) -> None:
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
