"""What counters measure, as obvious Python: the log of what was counted for one entity, read in each way."""

from collections.abc import Hashable
from dataclasses import dataclass, field

#: a window is seen as so many sub-buckets: the current one and those before it
SUB_BUCKETS = 14


@dataclass
class Log:
    """What one counter counted for one entity."""

    measure: str  #: count, distinct, sum, max, active, first_seen, last_seen
    window: int  #: milliseconds
    entries: list[tuple[int, Hashable]] = field(default_factory=list)  #: (when, element or amount)

    def count(self, now: int, element: Hashable) -> None:
        if self.measure == "first_seen" and now - self.latest >= self.window:
            self.entries = []  # silent for so long, it was never seen
        self.entries.append((self.not_before(now), element))

    def end(self, began: int) -> None:
        """One of those in progress that began then is over."""
        found = [entry for entry in self.entries if self.bucket(entry[0]) == self.bucket(began)]
        if found:
            self.entries.remove(found[0])

    def value(self, now: int, *, own: bool = False) -> int:
        """The counter's value; `own`: the last entry is the call's own that reads it."""
        if self.measure == "first_seen":
            if now - self.latest >= self.window:
                return 0
            return max(now - min(when for when, _ in self.entries), 0) // 1000
        if self.measure == "last_seen":
            before = [when for when, _ in (self.entries[:-1] if own else self.entries)]
            return min(max(now - max(before, default=now - self.window), 0), self.window) // 1000
        last = self.bucket(self.not_before(now))
        seen = [one for when, one in self.entries if last - SUB_BUCKETS < self.bucket(when) <= last]
        if self.measure == "distinct":
            return len(set(seen))
        if self.measure == "sum":
            return sum(one for one in seen if isinstance(one, int))
        if self.measure == "max":
            return max((one for one in seen if isinstance(one, int)), default=0)
        return len(seen)

    def bucket(self, when: int) -> int:
        return when * SUB_BUCKETS // self.window

    @property
    def latest(self) -> int:
        return max((when for when, _ in self.entries), default=-self.window)

    def not_before(self, now: int) -> int:
        """A window's clock does not go back from what was counted."""
        return now if self.measure in ("first_seen", "last_seen") else max(now, self.latest)
