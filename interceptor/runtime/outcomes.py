"""What the rules of a policy make of a call beyond the verdict: reason, SIP response code, Reason header."""

from collections.abc import Mapping
from typing import NamedTuple

from interceptor.engine.spec import Rule, Spec
from interceptor.engine.types import BlockClass, RuleIndex, Verdict

#: Reason phrases of the codes a policy gives its classes: RFC 3261 section 21.6.2, RFC 8197, RFC 8688.
PHRASES: Mapping[int, str] = {603: "Decline", 607: "Unwanted", 608: "Rejected"}
#: Code of a block that no rule decided: `default: block`.
DECLINE = 603

#: What a 603 says when an analysis blocked the call ("603+", ATIS-1000099). That profile wants a way to complain too,
#: which only the operator knows: a rule's sip_reason names it, SIP;cause=603;text="v=analytics1;url=https://..."
ANALYTICS_603 = "v=analytics1"

#: Policies that are remembered: a repeated call_id gets the first answer again, which may be one of a policy that was
#: replaced meanwhile, and events wait in the ring.
KEPT = 8


class Outcome(NamedTuple):
    """What a rule says about a call it decides."""

    rule: str
    reason: str = ""
    sip_code: int = 0  #: 0: it does not block
    sip_reason: str = ""


EMERGENCY = Outcome("emergency")


class Outcomes:
    """The outcomes of one policy."""

    def __init__(self, spec: Spec) -> None:
        self.rules = tuple(Outcome(rule.id, rule.reason, *refusal(rule)) for rule in spec.rules)
        blocks = spec.default == Verdict.BLOCK
        self.default = Outcome(
            "default", "", *(standard(DECLINE, BlockClass.CLASS_NONE) if blocks else (0, ""))
        )
        #: ids of the shadow rules, in the policy's order
        self.shadows = tuple(rule.id for rule in spec.rules if rule.shadow)

    def at(self, index: int) -> Outcome:
        """Outcome of the rule at `index` of the policy, or of a RuleIndex."""
        if index == RuleIndex.RULE_EMERGENCY:
            return EMERGENCY
        return self.rules[index] if index < len(self.rules) else self.default

    def shadow(self, bits: int) -> list[str]:
        """Ids of the shadow rules whose bits are set: bit i is the policy's i-th shadow rule."""
        return [rule for i, rule in enumerate(self.shadows) if bits >> i & 1]


class RecentOutcomes:
    """The outcomes of the last policies, by revision. One thread records, any number look up."""

    def __init__(self) -> None:
        self._revisions: dict[int, Outcomes] = {}

    def record(self, revision: int, spec: Spec) -> None:
        revisions = {**self._revisions, revision: Outcomes(spec)}
        self._revisions = dict(sorted(revisions.items())[-KEPT:])

    def __getitem__(self, revision: int) -> Outcomes:
        """Of that policy; of the oldest that is still known when it is older."""
        revisions = self._revisions
        found = revisions.get(revision)
        return found if found is not None else next(iter(revisions.values()))


def refusal(rule: Rule) -> tuple[int, str]:
    """SIP code and value of the Reason header field (RFC 3326) a blocked call is refused with.

    Returns
    -------
    tuple of int and str
        ``(0, "")`` for a rule that does not block.
    """
    if rule.verdict != Verdict.BLOCK:
        return 0, ""
    code, reason = standard(rule.sip_code or DECLINE, rule.block_class)
    return code, rule.sip_reason or reason


def standard(code: int, block_class: int) -> tuple[int, str]:
    """A response code with the Reason header value it is sent with where the policy writes none."""
    analytics = code == DECLINE and block_class == BlockClass.CLASS_ANALYTICS
    text = ANALYTICS_603 if analytics else PHRASES.get(code)
    return code, f"SIP;cause={code}" + (f';text="{text}"' if text else "")
