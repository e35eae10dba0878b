"""Which events a sink is given, and how: by kind, verdict and rule; numbers masked or whole. No JSON is read for it."""

import json
import re
from collections.abc import Callable

from interceptor.delivery.envelope import Spooled, head, member, members, quoted
from interceptor.delivery.settings import SinkEntry
from interceptor.delivery.sink import Event

#: members of an event's data that hold a number, or may
PRIVATE = ("to", "caller", "callee", "call_id", "imei", "imsi", "text")

_PRIVATE = member("|".join(PRIVATE).encode())
_VERDICT, _RULE = member(b"verdict"), member(b"rule")


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
        self._heads: dict[str, bytes] = {kind: head(kind, source) for kind in entry.events}
        self._verdicts = frozenset(verdict.encode() for verdict in entry.verdicts)
        self._rules = (
            None if entry.rules is None else frozenset(quoted(rule)[1:-1].encode() for rule in entry.rules)
        )
        self._masked = masked
        self._mask = entry.numbers == "masked"
        self._key = key

    def event(self, spooled: Spooled) -> Event | None:
        """The event as this sink may tell it; None if it is not for it. Raises ValueError for one of another shape."""
        sequence, at_ms, kind, body = spooled
        begins = self._heads.get(kind)
        if begins is None:
            return None
        said = members(spooled)
        if not self._asked_for(kind, said):
            return None
        told = _PRIVATE.sub(self._hidden, said) if self._mask else said
        return Event(sequence, at_ms, kind, b'%b%020d",%b}' % (begins, sequence, told), body, self._key)

    def _asked_for(self, kind: str, said: bytes) -> bool:
        if kind == "decision":
            verdict = _VERDICT.search(said)
            if verdict is None:
                raise ValueError("it has no verdict")
            if verdict[2] not in self._verdicts:
                return False
        if self._rules is None:
            return True
        rule = _RULE.search(said)
        return rule is not None and rule[2] in self._rules

    def _hidden(self, found: re.Match[bytes]) -> bytes:
        name, value = found.groups()
        if b"\\" not in value:
            return name + self._masked(value.decode()).encode()
        text: str = json.loads(b'"%b"' % value)
        return name + quoted(self._masked(text))[1:-1].encode()
