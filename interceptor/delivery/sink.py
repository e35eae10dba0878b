"""What a sink is: it delivers events, or says that it cannot now, or that it never will."""

import json
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from interceptor.delivery.envelope import PREFIX, member

_ID, _CALLER, _CALL = member(b"id"), member(b"caller"), member(b"call_id")


class Event(NamedTuple):
    """An event as a sink may tell it: chosen, and masked where it has to be."""

    sequence: int
    at_ms: int  #: when it came to the spool
    kind: str
    text: bytes  #: a CloudEvent: JSON, on one line
    whole: bytes  #: what is in the spool of it, with all numbers
    key: bytes  #: of the hashes

    @property
    def id(self) -> str:
        """The same whenever it is delivered."""
        found = _ID.search(self.whole)
        assert found is not None
        return str(json.loads(b'"%b"' % found[2]))

    @property
    def type(self) -> str:
        """The CloudEvent's."""
        return PREFIX + self.kind

    @property
    def number(self) -> str:
        """Its sequence, which sorts as text does."""
        return f"{self.sequence:020d}"

    @property
    def cloud(self) -> dict[str, Any]:
        """The CloudEvent."""
        event: dict[str, Any] = json.loads(self.text)
        return event

    # 16 bytes each, that nobody learns a number from:

    @property
    def subject(self) -> bytes:
        """The same for events of the same caller."""
        return self._hash(_CALLER)

    @property
    def call(self) -> bytes:
        """The same for events of the same call."""
        return self._hash(_CALL)

    def _hash(self, whose: re.Pattern[bytes]) -> bytes:
        found = whose.search(self.whole)
        value = found[2] if found and found[2] else self.id.encode()
        return blake2b(value, digest_size=16, key=self.key).digest()


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
