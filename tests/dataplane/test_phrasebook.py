"""Answers: the bytes the data plane writes are what the portable front would say."""

import numpy as np
import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from interceptor.control.messages import answer
from interceptor.dataplane.messages import write_call_error, write_decision, write_health, write_streamed
from interceptor.dataplane.phrasebook import Phrasebook
from interceptor.engine.answers import Decision
from interceptor.engine.engine import DECISION_DTYPE
from interceptor.engine.spec import INSTRUCTION, Code, Rule, Span, Spec
from interceptor.engine.types import BlockClass, Limits, RuleIndex, Verdict
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.runtime.outcomes import EMERGENCY, Outcome, Outcomes, RecentOutcomes

WORDS = st.text("abcxyz-.0189", min_size=1, max_size=64)
REASONS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
VERDICTS = st.sampled_from([Verdict.PASS, Verdict.WARN, Verdict.BLOCK])
RULES = st.builds(
    Rule,
    id=WORDS,
    when=st.just(Span(0, 0)),
    verdict=VERDICTS,
    block_class=st.sampled_from(list(BlockClass)),
    shadow=st.booleans(),
    reason=REASONS,
    sip_code=st.sampled_from([0, 403, 603, 607, 608]),
    sip_reason=st.just("") | REASONS,
)
SPECS = st.builds(
    lambda rules, default: Spec(Code(np.empty(0, INSTRUCTION)), tuple(rules), default=default),
    st.lists(RULES, max_size=5),
    VERDICTS,
)
REVISIONS = st.integers(0, 2**31 - 1)


def said_by(outcome: Outcome) -> tuple[str, str, int, str]:
    return outcome.rule, outcome.reason, outcome.sip_code, outcome.sip_reason


def written(revision: int, spec: Spec, previous: Phrasebook | None = None) -> Phrasebook:
    outcomes = Outcomes(spec)
    return Phrasebook(
        revision,
        spec.tags,
        [said_by(outcomes.at(i)) for i in range(len(spec.rules))],
        said_by(outcomes.at(RuleIndex.RULE_DEFAULT)),
        said_by(EMERGENCY),
        outcomes.shadow(2**64 - 1),
        previous,
    )


@st.composite
def decisions(draw: st.DrawFn, spec: Spec, revision: int) -> np.void:
    """One a policy may come to."""
    row = np.zeros(1, DECISION_DTYPE)[0]
    row["id"], row["revision"] = draw(st.integers(0, 2**64 - 1)), revision
    deciding = [i for i, rule in enumerate(spec.rules) if not rule.shadow]
    row["rule"] = draw(st.sampled_from([*deciding, RuleIndex.RULE_DEFAULT, RuleIndex.RULE_EMERGENCY]))
    row["verdict"] = spec.default if row["rule"] == RuleIndex.RULE_DEFAULT else Verdict.PASS
    if row["rule"] in deciding:
        rule = spec.rules[row["rule"]]
        demoted = rule.verdict == Verdict.BLOCK and draw(st.booleans())
        row["verdict"], row["block_class"] = Verdict.WARN if demoted else rule.verdict, rule.block_class
    row["shadow"] = draw(st.integers(0, 2 ** sum(rule.shadow for rule in spec.rules) - 1))
    return row


def said(row: np.void, spec: Spec, outcomes: RecentOutcomes) -> pb.DecideResponse:
    """What the portable front says."""
    shadow = outcomes[int(row["revision"])].shadow(int(row["shadow"]))
    return answer(
        Decision(
            id=f"{row['id']:016x}",
            verdict=Verdict(row["verdict"]),
            rule="",
            rule_index=int(row["rule"]),
            block_class=BlockClass(row["block_class"]),
            revision=int(row["revision"]),
            repeated=False,
            shadow=tuple(shadow),
            errors=0,
        ),
        outcomes,
    )


@given(st.data(), SPECS, REVISIONS, st.integers(0, 2**64 - 1))
def test_a_decision_is_told_as_the_portable_front_tells_it(
    data: st.DataObject, spec: Spec, revision: int, identity: int
) -> None:
    book, outcomes = written(revision, spec), RecentOutcomes()
    outcomes.record(revision, spec)
    row = data.draw(decisions(spec, revision))
    expected = said(row, spec, outcomes)
    assert write_decision(book, row.tobytes()) == expected.SerializeToString(deterministic=True)
    streamed = pb.DecideStreamResponse(id=identity, decision=expected)
    assert write_streamed(book, identity, row.tobytes()) == streamed.SerializeToString(deterministic=True)


def test_a_demoted_rule_warns_with_its_reason_and_refuses_nothing() -> None:
    rule = Rule("busy", Span(0, 0), Verdict.BLOCK, BlockClass.CLASS_ANALYTICS, reason="flood", sip_code=603)
    spec = Spec(Code(np.empty(0, INSTRUCTION)), (rule,))
    row = np.zeros(1, DECISION_DTYPE)[0]
    row["verdict"], row["block_class"], row["revision"] = Verdict.WARN, rule.block_class, 1
    told = pb.DecideResponse.FromString(write_decision(written(1, spec), row.tobytes()))
    assert (told.verdict, told.rule, told.reason) == (pb.VERDICT_WARN, "busy", "flood")
    assert told.block_class == pb.BLOCK_CLASS_ANALYTICS
    assert (told.sip_code, told.sip_reason) == (0, "")


@given(st.data(), SPECS)
def test_no_answer_is_longer_than_the_longest(data: st.DataObject, spec: Spec) -> None:
    book = written(2**31 - 1, spec)
    row = data.draw(decisions(spec, 2**31 - 1))
    assert len(write_streamed(book, 2**64 - 1, row.tobytes())) <= book.longest <= 8192


def test_the_longest_answer_is_as_long_as_it_says() -> None:
    rules = [("r" * 64, "x" * 200, 603, "y" * 256)]
    book = Phrasebook(2**31 - 1, [], rules, ("default", "", 0, ""), ("emergency", "", 0, ""), ["s" * 64] * 64)
    row = np.zeros(1, DECISION_DTYPE)[0]
    row["revision"], row["verdict"], row["block_class"], row["shadow"] = 2**31 - 1, 3, 1, 2**64 - 1
    length = len(write_streamed(book, 2**64 - 1, row.tobytes()))
    assert book.longest - 1 <= length <= book.longest  # a length takes two bytes here, three at most


def test_a_policy_whose_answers_are_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 8192 are sent"):
        Phrasebook(1, [], [("r", "x" * 8192, 0, "")], ("default", "", 0, ""), ("emergency", "", 0, ""), [])
    with pytest.raises(ValueError, match="64 shadow rules"):
        Phrasebook(
            1, [], [], ("default", "", 0, ""), ("emergency", "", 0, ""), ["s"] * (Limits.MAX_SHADOW + 1)
        )


def rule(name: str, *, shadow: bool = False) -> Rule:
    return Rule(name, Span(0, 0), Verdict.WARN, shadow=shadow)


def test_a_repeated_decision_is_told_in_the_words_of_its_policy() -> None:
    outcomes, book, specs = RecentOutcomes(), None, {}
    for revision in range(1, 12):
        specs[revision] = Spec(
            Code(np.empty(0, INSTRUCTION)),
            (rule(f"rule-{revision}"), rule(f"shadow-{revision}", shadow=True)),
        )
        book = written(revision, specs[revision], book)
        outcomes.record(revision, specs[revision])
    assert book is not None
    assert book.revisions == [11, 10, 9, 8, 7, 6, 5, 4]
    for revision in range(1, 12):
        row = np.zeros(1, DECISION_DTYPE)[0]
        row["id"], row["revision"], row["rule"], row["verdict"], row["shadow"] = 7, revision, 0, 2, 1
        told = pb.DecideResponse.FromString(write_decision(book, row.tobytes()))
        assert told == said(row, specs[revision], outcomes)
        assert told.rule == f"rule-{max(revision, 4)}"


def test_a_policy_that_is_put_in_force_again_has_its_new_words() -> None:
    empty = Code(np.empty(0, INSTRUCTION))
    book = written(3, Spec(empty, (rule("second"),)), written(3, Spec(empty, (rule("first"),))))
    row = np.zeros(1, DECISION_DTYPE)[0]
    row["revision"], row["verdict"] = 3, 1
    assert book.revisions == [3]
    assert pb.DecideResponse.FromString(write_decision(book, row.tobytes())).rule == "second"


@given(st.integers(0, 2**64 - 1), st.integers(0, 99), st.text(max_size=60), st.sampled_from(["", "caller"]))
def test_errors_of_a_stream_are_told(identity: int, code: int, message: str, field: str) -> None:
    told = pb.DecideStreamResponse.FromString(
        write_call_error(identity, code, message.encode(), field.encode())
    )
    error = pb.CallError(code=code, message=message, field=field)
    assert told == pb.DecideStreamResponse(id=identity, error=error)


@pytest.mark.parametrize("status", [1, 2, 3])
def test_health_is_told(status: int) -> None:
    assert health_pb2.HealthCheckResponse.FromString(write_health(status)).status == status
