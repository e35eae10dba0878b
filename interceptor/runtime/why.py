"""Decisions for people: why a call was answered as it was, how to undo that, and what people say of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from interceptor.store.words import Held


@dataclass(frozen=True)
class Explained:
    """What a decision rested on."""

    decision_id: str
    time_ms: int
    caller: str  #: masked, unless the service shows numbers
    callee: str
    verdict: str  #: "WARN" or "BLOCK"
    rule: str
    reason: str
    block_class: str  #: "list", "analytics", "invalid", "subscriber" or ""
    sip_code: int
    sip_reason: str
    policy_revision: int
    shadow_rules: Sequence[str]
    condition: str  #: of the rule, as that policy has it
    entries: Sequence[Held]  #: that now hold what the call had, on the lists the rule reads
    words: Sequence[str]  #: all of it in sentences
    undo: Sequence[str]  #: the commands that undo it
    feedback: str  #: "", "confirmed" or "wrong"


@dataclass(frozen=True)
class Noted:
    """Feedback that was noted."""

    released: bool  #: an allow entry was made for the caller
    revision: int = 0  #: of that
    released_until_ms: int = 0


class Decisions:
    """The warned and blocked decisions that are remembered."""

    def explain_decision(self, decision_id: str) -> Explained:
        """Why. Raises StoreRefusedError when it is not remembered."""
        raise NotImplementedError

    def give_feedback(
        self, decision_id: str, *, right: bool, actor: str, comment: str = "", release_ms: int | None = None
    ) -> Noted:
        """Notes whether it was right. A wrong block releases the caller, on the policy's list for appeals."""
        raise NotImplementedError
