"""Sliding windows as obvious Python: sub-bucket numbers that never wrap, sets and dicts in place of rings and cells."""

import math
from collections.abc import Sequence

SUB_BUCKETS = 14
EXACT = 16
CELLS = 1024
COUNT_MAX = 2**32 - 1
_WORD = 2**64 - 1


def mix(key: int, seed: int) -> int:
    """As keys.pxd: spreads a key over 64 bits."""
    x = key ^ seed
    for _ in range(2):
        x = (x ^ x >> 32) * 0xD6E8FEB86659FD93 & _WORD
    return x ^ x >> 32


def sub_bucket(window: int, now: int) -> int:
    return max(now, 0) * SUB_BUCKETS // window


def estimate(cells: int) -> int:
    """Linear counting; a full sketch reads what one short of full does."""
    empty = CELLS - min(cells, CELLS - 1)
    return math.floor(-CELLS * math.log(empty / CELLS) + 0.5)


class CountModel:
    """How many in the current sub-bucket and the 13 before it."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.epoch: int | None = None
        self.ring: dict[int, int] = {}

    def at(self, now: int) -> int:
        """The sub-bucket of `now`; one that was counted into is not gone back from."""
        number = sub_bucket(self.window, now)
        return number if self.epoch is None else max(self.epoch, number)

    def bump(self, now: int, times: int = 1) -> int:
        self.epoch = self.at(now)
        self.ring[self.epoch] = min(self.ring.get(self.epoch, 0) + times, COUNT_MAX)
        return self.read(now)

    def read(self, now: int) -> int:
        last = self.at(now)
        return min(
            sum(n for number, n in self.ring.items() if last - SUB_BUCKETS < number <= last), COUNT_MAX
        )

    def peek(self, now: int) -> int:
        return min(self.read(now) + 1, COUNT_MAX)


class SketchesModel:
    """A bounded number of sketches: which column holds which, and until when it lasts."""

    def __init__(self, capacity: int, seed: int = 0) -> None:
        assert capacity <= 64, "the kernel's hand looks no further in one go"
        self.capacity = capacity
        self.seed = seed
        self.owner: list[DistinctModel | None] = []  # those handed out at least once
        self.returned: list[int] = []
        self.hand = self.reclaimed = self.saturated = 0

    @property
    def used(self) -> int:
        return len(self.owner) - len(self.returned)

    def silent(self, now: int) -> int | None:
        """The first sketch from the hand on whose owner's window has run out."""
        for step in range(self.capacity):
            index = (self.hand + step) % self.capacity
            owner = self.owner[index]
            if owner is not None and owner.until <= now:
                return index
        return None

    def waits(self, now: int) -> bool:
        return bool(self.returned) or len(self.owner) < self.capacity or self.silent(now) is not None

    def take(self, column: "DistinctModel", now: int) -> int | None:
        if self.returned:
            index: int | None = self.returned.pop()
        elif len(self.owner) < self.capacity:
            index = len(self.owner)
            self.owner.append(None)
        else:
            index = self.silent(now)
            if index is None:
                self.saturated += 1
                return None
            self.reclaimed += 1
            self.hand = (index + 1) % self.capacity
        assert index is not None
        self.owner[index] = column
        return index

    def give_back(self, index: int) -> None:
        self.owner[index] = None
        self.returned.append(index)


class DistinctModel:
    """How many different elements in the current sub-bucket and the 13 before it."""

    def __init__(self, window: int, pool: SketchesModel) -> None:
        self.window = window
        self.pool = pool
        self.epoch = 0
        self.last: dict[
            int, int
        ] = {}  # element (or cell, once promoted) -> the last sub-bucket it was seen in
        self.sketch: int | None = None
        self.until = 0  # of a promoted column: the first millisecond at which it reads 0
        self.saturated = False

    def hashed(self, element: int) -> int:
        return mix(element, self.pool.seed) >> 32

    @property
    def stolen(self) -> bool:
        return self.sketch is not None and self.pool.owner[self.sketch] is not self

    def at(self, now: int) -> int:
        number = sub_bucket(self.window, now)
        return max(self.epoch, number) if self.last and not self.stolen else number

    def live(self, number: int) -> dict[int, int]:
        if self.stolen:
            return {}
        return {item: seen for item, seen in self.last.items() if seen > number - SUB_BUCKETS}

    def value(self, live: Sequence[int] | dict[int, int]) -> int:
        return len(live) if self.sketch is None else estimate(len(live))

    def read(self, now: int) -> int:
        return self.value(self.live(self.at(now)))

    def bump(self, element: int, now: int) -> int:
        number = self.at(now)
        if number != self.epoch or not self.last or self.stolen:
            self.last = self.live(number)
            self.saturated = False
            if self.sketch is not None and not self.last:
                if not self.stolen:
                    self.pool.give_back(self.sketch)
                self.sketch = None
            self.epoch = number
            self.keep()
        item = self.hashed(element)
        if self.sketch is not None:
            self.last[item >> 22] = number
        elif item in self.last or len(self.last) < EXACT:
            self.last[item] = number
        elif not self.saturated:
            self.sketch = self.pool.take(self, now)
            if self.sketch is None:
                self.saturated = True
            else:
                self.last[item] = number
                self.last = self.cells(self.last)
                self.keep()
        return self.value(self.last)

    def keep(self) -> None:
        self.until = -(-(self.epoch + SUB_BUCKETS) * self.window // SUB_BUCKETS)

    @staticmethod
    def cells(elements: dict[int, int]) -> dict[int, int]:
        cells: dict[int, int] = {}
        for item, seen in elements.items():
            cells[item >> 22] = max(seen, cells.get(item >> 22, 0))
        return cells

    def peek(self, element: int, now: int) -> int:
        number = self.at(now)
        live = self.live(number)
        item = self.hashed(element)
        if self.sketch is not None and live:
            return estimate(len(live | {item >> 22: number}))
        if item in live or len(live) < EXACT:
            return len(live | {item: number})
        if (self.saturated and number == self.epoch) or not self.pool.waits(now):
            return len(live)
        return estimate(len(self.cells(live | {item: number})))

    def drop(self) -> None:
        if self.sketch is not None:
            if not self.stolen:
                self.pool.give_back(self.sketch)
            self.sketch = None
            self.last = {}
