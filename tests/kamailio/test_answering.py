"""What an answer becomes in SIP."""

import pytest

from interceptor.client import Answer, BlockClass, Verdict
from interceptor.integrations.kamailio.answering import Refusal, cause, label, mark, refusal
from interceptor.integrations.kamailio.settings import Refusing, Warning

REJECTED = Answer(
    Verdict.BLOCK, "r", "sim-box", BlockClass.ANALYTICS, 608, 'SIP;cause=608;text="Rejected"', decided=True
)
SIGNED = Refusing(
    608, jcard_url="https://o.example/c.jws", redress_url="https://o.example/why", location="RLN"
)
PLUS = Refusing(603, jcard_url="https://o.example/c.jws", redress_url="https://o.example/why", location="RLN")
BLOCKED = 'Reason: SIP;cause=603;text="v=analytics1;url=https://o.example/why";location=RLN'


def blocked(code: int, reason: str, grounds: BlockClass) -> Answer:
    return Answer(Verdict.BLOCK, "r", "why", grounds, code, reason, decided=True)


def test_what_analysis_blocks_is_refused_as_the_installation_says() -> None:
    call_info = "Call-Info: <https://o.example/c.jws>;purpose=jwscard"
    assert refusal(REJECTED, SIGNED) == Refusal(
        608, "Rejected", ('Reason: SIP;cause=608;text="Rejected"', call_info)
    )
    assert refusal(REJECTED, PLUS) == Refusal(603, "Network Blocked", (BLOCKED,))
    assert refusal(REJECTED, Refusing()).headers == ('Reason: SIP;cause=608;text="Rejected"',)
    assert refusal(REJECTED, Refusing(603)).headers == ('Reason: SIP;cause=603;text="v=analytics1"',)


@pytest.mark.parametrize("refusing", [SIGNED, PLUS])
def test_what_a_rule_says_for_itself_holds(refusing: Refusing) -> None:
    own = 'SIP;cause=603;text="v=analytics1;url=https://rule.example"'
    assert refusal(blocked(603, own, BlockClass.ANALYTICS), refusing) == Refusal(
        603, "Network Blocked", (f"Reason: {own}",)
    )
    # a rule of analytics that says 603 and no more: the engine writes v=analytics1, we where to complain
    plain = 'SIP;cause=603;text="v=analytics1"'
    assert refusal(blocked(603, plain, BlockClass.ANALYTICS), refusing).headers == (BLOCKED,)
    assert refusal(blocked(486, "Q.850;cause=17", BlockClass.ANALYTICS), refusing) == Refusal(
        486, "Busy Here", ("Reason: Q.850;cause=17",)
    )
    assert refusal(blocked(499, "", BlockClass.NONE), refusing) == Refusal(499, "Call Rejected", ())


@pytest.mark.parametrize("refusing", [SIGNED, PLUS])
@pytest.mark.parametrize(
    ("code", "grounds", "phrase"),
    [
        (603, BlockClass.LIST, "Decline"),
        (603, BlockClass.INVALID, "Decline"),
        (607, BlockClass.SUBSCRIBER, "Unwanted"),
    ],
)
def test_other_grounds_are_refused_alike(
    refusing: Refusing, code: int, grounds: BlockClass, phrase: str
) -> None:
    reason = f'SIP;cause={code};text="{phrase}"'
    assert refusal(blocked(code, reason, grounds), refusing) == Refusal(code, phrase, (f"Reason: {reason}",))


def test_the_label_is_a_quoted_string() -> None:
    warned = Answer(Verdict.WARN, "r", "sim-box", decided=True)
    assert label(warned, Warning()) == '"Suspected fraud"'
    assert label(warned, Warning("x", {"sim-box": 'a "b" \\'})) == '"a \\"b\\" \\\\"'
    assert label(warned, Warning("")) == ""


def test_the_mark_says_what_is_known() -> None:
    assert mark(Answer(Verdict.WARN, "fail-warned")) == "warn;rule=fail-warned"
    warned = Answer(Verdict.WARN, "suspected", "sim-box", decision_id="0123456789abcdef", decided=True)
    assert mark(warned) == "warn;reason=sim-box;rule=suspected;decision=0123456789abcdef"


def test_what_a_call_ended_with_is_told_as_isdn_does() -> None:
    causes = [cause(status, "") for status in (200, 404, 486, 487, 408, 603, 699)]
    assert causes == [16, 1, 17, 16, 102, 21, 127]
    assert cause(200, 'SIP;cause=200;text="x", q.850 ; cause = 31 ;text="y"') == 31
    assert cause(480, "Q.850;cause=0") == cause(480, "Q.850;cause=200") == cause(480, "SIP;cause=17") == 18
