"""What a sink is: it delivers events, or says that it cannot now, or that it never will."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from interceptor.delivery.envelope import encoded


@dataclass(frozen=True)
class Event:
    """An event as a sink may tell it: chosen, and masked where it has to be."""

    cloud: dict[str, Any]  #: a CloudEvent
    at_ms: int  #: when it came to the spool
    # 16 bytes each, that nobody learns a number from:
    subject: bytes  #: the same for events of the same caller
    call: bytes  #: the same for events of the same call

    @property
    def text(self) -> str:
        """Its JSON, on one line."""
        return encoded(self.cloud)


class Away(Exception):
    """It could not be delivered now: it is tried again, no sooner than `retry_after_s` from now."""

    def __init__(self, problem: str, retry_after_s: float = 0.0) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The receiver will not have these events, however often they are sent."""


class Sink(Protocol):
    """Where events go. Of one thread."""

    def deliver(self, events: Sequence[Event]) -> None:
        """Returns when all of them are with the receiver. Raises Away or Refused; some may be there all the same."""

    def close(self) -> None:
        """Ends connections. Raises nothing."""
