"""Requests that were refused to somebody, for the audit trail: bounded, however often somebody tries.

The first try of its kind is recorded at once; those of the next minute are counted, and recorded as one: at most two
records a minute for each kind.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: what a record is given to: who, what for, how often
Record = Callable[[str, str, int], None]

INTERVAL_MS = 60_000
KINDS = 256  # told apart; more within a minute count as OTHERS
OTHERS = "others"


@dataclass
class Kind:
    """Tries of one caller for one thing."""

    recorded_ms: int
    since: int = 0  #: tries that no record tells of yet


class Tries:
    """Refused tries on their way into the audit trail. Any thread."""

    def __init__(self, record: Record, now_ms: Callable[[], int]) -> None:
        self._record = record
        self._now_ms = now_ms
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._lock = threading.Lock()

    def refused(self, who: str, what: str) -> None:
        """`who` was refused `what`."""
        now = self._now_ms()
        with self._lock:
            due = self._due(now)
            key = (who, what)
            if key not in self._kinds and len(self._kinds) >= KINDS:
                key = (OTHERS, OTHERS)
            kind = self._kinds.get(key)
            if kind is None:
                self._kinds[key] = Kind(now)
                due[key] = due.get(key, 0) + 1
            else:
                kind.since += 1
        self._tell(due)

    def settle(self, *, all_of_them: bool = False) -> None:
        """Records what was counted for a minute, or all of it as the service ends."""
        with self._lock:
            due = self._due(self._now_ms() + (INTERVAL_MS if all_of_them else 0))
        self._tell(due)

    def _due(self, now: int) -> dict[tuple[str, str], int]:
        old = [key for key, kind in self._kinds.items() if now - kind.recorded_ms >= INTERVAL_MS]
        return {key: times for key in old if (times := self._kinds.pop(key).since)}

    def _tell(self, due: Mapping[tuple[str, str], int]) -> None:
        for (who, what), times in due.items():
            self._record(who, what, times)
