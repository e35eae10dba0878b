"""The obvious table of what happened lately, of one set: a dict, and a look at all of it when it is full."""

from dataclasses import dataclass


@dataclass
class Entry:
    value: bytes
    until: int


class Recent:
    def __init__(self, ways: int) -> None:
        self.ways = ways
        self.entries: dict[tuple[int, int], Entry] = {}
        self.evicted = 0
        self.refused = 0

    def live(self, now: int) -> dict[tuple[int, int], Entry]:
        return {key: entry for key, entry in self.entries.items() if entry.until > now}

    def find(self, key: tuple[int, int], now: int) -> bytes | None:
        entry = self.live(now).get(key)
        return entry.value if entry else None

    def until(self, key: tuple[int, int], now: int) -> int | None:
        entry = self.live(now).get(key)
        return entry.until if entry else None

    def put(
        self, key: tuple[int, int], now: int, until: int, value: bytes, *, fresh_only: bool, bounded: bool
    ) -> bool:
        if fresh_only and key in self.live(now):
            return False
        if until <= now:
            self.entries.pop(key, None)
            return False
        if key not in self.entries and len(self.entries) == self.ways:
            nearest = min(self.entries, key=lambda k: self.entries[k].until)
            if self.entries[nearest].until > now:
                if bounded:
                    self.refused += 1
                    return False
                self.evicted += 1
            del self.entries[nearest]
        self.entries[key] = Entry(value.ljust(32, b"\0"), until)
        return True
