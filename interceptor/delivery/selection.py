"""Which events a sink is given, and how: by kind, verdict and rule; numbers masked or whole."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from interceptor.delivery.envelope import PREFIX, Spooled, cloud_event
from interceptor.delivery.settings import SinkEntry
from interceptor.delivery.sink import Event

#: fields of an event's data that hold a number, or may
PRIVATE = ("to", "caller", "callee", "call_id", "imei", "imsi", "text")


class Selection:
    """What one sink is told.

    Parameters
    ----------
    entry
        Of the sinks file.
    source
        Of all events: the installation.
    masked
        Hides whom the numbers in a text belong to.
    key
        Of the hashes that stand for callers.
    """

    def __init__(self, entry: SinkEntry, *, source: str, masked: Callable[[str], str], key: bytes) -> None:
        self._kinds = frozenset(entry.events)
        self._verdicts = frozenset(entry.verdicts)
        self._rules = None if entry.rules is None else frozenset(entry.rules)
        self._masked = masked if entry.numbers == "masked" else None
        self._source = source
        self._key = key

    def event(self, spooled: Spooled) -> Event | None:
        """The event as this sink may tell it; None if it is not for it."""
        if spooled.kind not in self._kinds:
            return None
        cloud = cloud_event(spooled, self._source)
        data = cloud["data"]
        if not self._asked_for(cloud["type"], data):
            return None
        subject = self._hash(data.get("caller") or cloud["id"])
        call = self._hash(data.get("call_id") or cloud["id"])
        if self._masked is not None:
            for name in PRIVATE:
                if data.get(name):
                    data[name] = self._masked(data[name])
        return Event(cloud, spooled.at_ms, subject, call)

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode(), digest_size=16, key=self._key).digest()

    def _asked_for(self, kind: str, data: dict[str, Any]) -> bool:
        if kind == PREFIX + "decision" and data["verdict"] not in self._verdicts:
            return False
        return self._rules is None or data.get("rule") in self._rules
