"""Decisions made into events for the spool, and what else is made of them: reminders, early warnings."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from interceptor.delivery.envelope import Record


class Decided(NamedTuple):
    """A decision, as events tell it."""

    decision_id: str
    time_ms: int
    #: what the event's `data` is, numbers whole: decision_id, verdict, rule, reason, policy_revision, and where there
    #: is one block_class, caller, callee, trunk, switch, call_id, imei, imsi, cell, shadow_rules, emergency
    data: dict[str, Any]


class Maker(Protocol):
    """Makes further events of what the engine decided. On the drain's thread."""

    def made(self, events: npt.NDArray[np.void]) -> list[Record]:
        """Events of a batch off the ring, which has answers that repeat one and those of a trial in it as well."""

    def spooled(self) -> None:
        """What `made` gave last is in the spool, and may be remembered as sent: not before, for a crash in between
        shall send it again."""
