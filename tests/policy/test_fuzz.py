"""Whatever is in a policy file, the answer is a Spec the engine accepts or a PolicyError: never another exception."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.program import CompiledProgram
from interceptor.engine.spec import Spec
from interceptor.policy import PolicyError, load_document, load_policy
from interceptor.policy.conditions import compile_condition
from tests.policy.expressions import COUNTERS, ENVIRONMENT, LISTS, Expressions
from tests.policy.test_load import EXAMPLE

TOKENS = [
    *(
        "call",
        ".",
        "caller",
        "lists",
        "fraud",
        "counters.a",
        "thresholds.n",
        "has(",
        "size(",
        "prefix(",
        "tags",
    ),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "&&",
        "||",
        "!",
        "-",
        "?",
        ":",
        " in ",
        "+",
        "*",
        "/",
        "%",
        "<",
        "==",
        ",",
    ),
    *('"', "'", '"""', "'''", "\\", "//", "\n", " ", "`", "b'", "r'", "1", "1.5", "0x", "1u", "null", "true"),
    *("9223372036854775808", "1e999", "duration('1h')", "é", "\u2028", "\x00", "\ud800", "\ufeff", "\x85"),
]
YAML = [
    "- ",
    "  ",
    "\t",
    "&a ",
    "*a",
    "|\n",
    ">\n",
    "#",
    ", ",
    "null: ",
    "? ",
    "~",
    "!!str ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "\r",
]


def accepted(spec: Spec) -> None:
    spans = [rule.when for rule in spec.rules] + [counter.where for counter in spec.counters if counter.where]
    CompiledProgram(spec.code, spans, len(spec.counters), len(spec.lists))


def told(error: PolicyError) -> None:
    assert error.problems
    assert str(error)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in error.problems)


def condition_holds_up(condition: str) -> None:
    try:
        code, span = compile_condition(condition, ENVIRONMENT)
    except PolicyError as error:
        told(error)
    else:
        CompiledProgram(code, [span], len(COUNTERS), len(LISTS))


def policy_holds_up(text: str) -> None:
    try:
        spec = load_policy("policy.yaml", text)
    except PolicyError as error:
        told(error)
    else:
        accepted(spec)
        load_document("policy.yaml", text)


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)))
def test_any_text_as_a_condition(condition: str) -> None:
    condition_holds_up(condition)


@given(
    st.randoms(use_true_random=False),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 5), st.sampled_from(["", *TOKENS])),
        min_size=1,
        max_size=4,
    ),
)
def test_any_mutation_of_a_condition(random, edits) -> None:  # type: ignore[no-untyped-def]
    condition = Expressions(random).condition(3)
    for at, cut, put in edits:
        condition = condition[:at] + put + condition[at + cut :]
    condition_holds_up(condition)


@given(st.text(max_size=200))
def test_any_text_as_a_policy(text: str) -> None:
    policy_holds_up(text)


@given(
    st.lists(
        st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 12), st.sampled_from(["", *TOKENS, *YAML])),
        min_size=1,
        max_size=5,
    )
)
def test_any_mutation_of_a_policy(edits: list[tuple[int, int, str]]) -> None:
    text = EXAMPLE
    for at, cut, put in edits:
        text = text[:at] + put + text[at + cut :]
    policy_holds_up(text)


WORDS = ["1m", "call", "caller", "number", "pass"]
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["1m", "call"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = [
    "version",
    "trunks",
    "tags",
    "thresholds",
    "lists",
    "counters",
    "entities",
    "emergency",
    "rules",
    "default",
]
INNER = [
    "id",
    "when",
    "verdict",
    "class",
    "add_to",
    "kind",
    "per",
    "window",
    "distinct",
    "count",
    "add",
    "default",
]


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        st.one_of(
            VALUES,
            st.dictionaries(
                st.sampled_from(INNER), st.one_of(VALUES, st.dictionaries(st.sampled_from(INNER), VALUES))
            ),
            st.lists(st.dictionaries(st.sampled_from(INNER), VALUES), max_size=3),
        ),
    )
)
def test_any_values_under_the_keys_of_a_policy(data: dict[str, object]) -> None:
    policy_holds_up(yaml.safe_dump(data, allow_unicode=True))
