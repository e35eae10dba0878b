"""Decisions made into events for the spool, and what else is made of them: reminders, early warnings."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from interceptor.delivery.envelope import Record


class Decided(NamedTuple):
    """A decision, as events tell it."""

    decision_id: str
    time_ms: int
    #: what the event's `data` is, numbers whole: decision_id, verdict, rule, reason, policy_revision, and where there
    #: is one block_class, caller, callee, trunk, switch, call_id, imei, imsi, cell, shadow_rules, emergency
    data: dict[str, Any]


class Maker(Protocol):
    """Makes further events of decisions. On the drain's thread; raises nothing."""

    def made(self, decisions: Sequence[Decided]) -> list[Record]:
        """Events of a batch of decisions: each once, none that repeats an answer, none of a trial."""
