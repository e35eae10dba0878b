"""What a switch is told about a call: the service's decision, or why there is none and what holds instead."""

from dataclasses import dataclass, replace
from enum import IntEnum

from interceptor.pb.v1 import interception_pb2 as pb


class Verdict(IntEnum):
    """What to do with a call."""

    PASS = pb.VERDICT_PASS  #: let it through
    WARN = pb.VERDICT_WARN  #: let it through and warn the called party
    BLOCK = pb.VERDICT_BLOCK  #: refuse it, with `sip_code` and `sip_reason`


class BlockClass(IntEnum):
    """On what grounds a call is blocked or warned about."""

    NONE = pb.BLOCK_CLASS_UNSPECIFIED
    LIST = pb.BLOCK_CLASS_LIST  #: somebody listed the number, the domain or the device
    ANALYTICS = pb.BLOCK_CLASS_ANALYTICS  #: what caller, handset, cell or trunk has been doing (RFC 8688)
    INVALID = pb.BLOCK_CLASS_INVALID  #: the calling number is invalid, unallocated or spoofed
    SUBSCRIBER = pb.BLOCK_CLASS_SUBSCRIBER  #: the called subscriber does not want this call (RFC 8197)


GROUNDS = {each.value: each for each in BlockClass}


class Cause:
    """Why a call was not decided: the values of `Answer.cause`."""

    NONE = ""  #: it was decided
    DEADLINE = "deadline"  #: no answer came in time
    UNAVAILABLE = "unavailable"  #: no service could be reached; or it is stopping, or answers no such switch
    OPEN = "open"  #: services failed a moment ago, and were not asked again (circuit breaker)
    REFUSED = "refused"  #: the service refused the question: it is malformed, or the switch may not ask
    FORKING = "forking"  #: the process was forking all the while, or was forked while its parent was asking
    CLOSED = "closed"  #: `close()` was called


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with one call."""

    verdict: Verdict  #: what to do
    rule: str = ""  #: id of the rule that decided, "default", "emergency"; "fail-open" or "fail-closed"
    reason: str = ""  #: the rule's reason, such as "false-loan"
    block_class: BlockClass = BlockClass.NONE  #: on what grounds, when the verdict is WARN or BLOCK
    sip_code: int = 0  #: SIP response code to refuse the call with; 0 unless the verdict is BLOCK
    sip_reason: str = ""  #: value of a Reason header field (RFC 3326), complete; empty unless BLOCK
    decision_id: str = ""  #: 16 hexadecimal digits, as in the decision log; empty when not decided
    policy_revision: int = 0  #: of the policy that decided
    shadow_rules: tuple[str, ...] = ()  #: rules on trial that matched; what they say was not done
    decided: bool = False  #: whether the service decided; else `cause` says why not
    cause: str = Cause.NONE  #: one of `Cause`
    detail: str = ""  #: what the service or gRPC said when it was not decided, for a log


#: What holds for an undecided call by default, and how it is refused where it shall not pass. 480 (RFC 3261 section
#: 21.4.18) says "try later"; 503 would make a proxy try another way round the screening (section 21.5.4).
FAIL_OPEN = Answer(Verdict.PASS, "fail-open")
FAIL_WARNED = Answer(Verdict.WARN, "fail-warned")
FAIL_CLOSED = Answer(
    Verdict.BLOCK, "fail-closed", sip_code=480, sip_reason='SIP;cause=480;text="Screening unavailable"'
)
#: An emergency call that was not decided passes, whatever is configured.
EMERGENCY = Answer(Verdict.PASS, "emergency")


def otherwise(configured: Verdict | Answer) -> Answer:
    """The answer to calls that are not decided, as configured."""
    if isinstance(configured, Answer):
        return replace(configured, decided=False)
    return {Verdict.PASS: FAIL_OPEN, Verdict.WARN: FAIL_WARNED, Verdict.BLOCK: FAIL_CLOSED}[
        Verdict(configured)
    ]


def decided(response: pb.DecideResponse) -> Answer:
    """The service's decision. ValueError: a verdict that this client does not know."""
    return Answer(
        verdict=Verdict(response.verdict),
        rule=response.rule,
        reason=response.reason,
        block_class=GROUNDS.get(response.block_class, BlockClass.NONE),
        sip_code=response.sip_code,
        sip_reason=response.sip_reason,
        decision_id=response.decision_id,
        policy_revision=response.policy_revision,
        shadow_rules=tuple(response.shadow_rules),
        decided=True,
    )
