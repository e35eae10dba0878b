"""Columns as obvious Python: sub-bucket numbers that never wrap, sets and dicts in place of rings and registers."""

import copy
import math
from collections.abc import Iterable, Mapping

SUB_BUCKETS = 14
EXACT = 16
CELLS = REGISTERS = 1024
WIDE_MAX = 2**32 - 1
NARROW_MAX = 2**16 - 1
_WORD = 2**64 - 1

COUNT, DISTINCT, NARROW, SUM, MAX, ACTIVE, FIRST_SEEN, LAST_SEEN, LARGE = MEASURES = range(9)


def mix(key: int, seed: int) -> int:
    """As keys.pxd: spreads a key over 64 bits."""
    x = key ^ seed
    for _ in range(2):
        x = (x ^ x >> 32) * 0xD6E8FEB86659FD93 & _WORD
    return x ^ x >> 32


def sub_bucket(window: int, now: int) -> int:
    return max(now, 0) * SUB_BUCKETS // window


class Column:
    """What every measure answers; what is counted over and above, each says for itself."""

    def __init__(self, window: int) -> None:
        self.window = window

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        raise NotImplementedError

    def read(self, now: int) -> int:
        raise NotImplementedError

    def end(self, now: int, began: int = 0) -> int:
        return self.read(now)

    def peek(self, now: int, element: int = 0, amount: int = 0) -> int:
        return copy.deepcopy(self).count(now, element, amount)

    def drop(self) -> None:
        """Gives back what it borrowed."""


class Ring(Column):
    """A number for each sub-bucket: the current one and the 13 before it."""

    most = WIDE_MAX  #: of a sub-bucket

    def __init__(self, window: int) -> None:
        super().__init__(window)
        self.epoch: int | None = None
        self.ring: dict[int, int] = {}

    def at(self, now: int) -> int:
        """The sub-bucket of `now`; one that was counted into is not gone back from, but by a column that is empty."""
        number = sub_bucket(self.window, now)
        return number if self.epoch is None or not any(self.ring.values()) else max(self.epoch, number)

    def turn(self, now: int) -> int:
        self.epoch = self.at(now)
        self.ring = {number: n for number, n in self.ring.items() if number > self.epoch - SUB_BUCKETS}
        return self.epoch

    def live(self, now: int) -> list[int]:
        last = self.at(now)
        return [n for number, n in self.ring.items() if last - SUB_BUCKETS < number <= last]

    def put(self, number: int, value: int) -> None:
        self.ring[number] = min(value, self.most)

    def read(self, now: int) -> int:
        return min(sum(self.live(now)), WIDE_MAX)


class CountModel(Ring):
    """How many."""

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        number = self.turn(now)
        self.put(number, self.ring.get(number, 0) + 1)
        return self.read(now)


class NarrowModel(CountModel):
    most = NARROW_MAX


class SumModel(Ring):
    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        number = self.turn(now)
        self.put(number, self.ring.get(number, 0) + max(amount, 0))
        return self.read(now)


class MaxModel(Ring):
    most = NARROW_MAX

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        number = self.turn(now)
        self.put(number, max(self.ring.get(number, 0), amount))
        return self.read(now)

    def read(self, now: int) -> int:
        return max(self.live(now), default=0)


class ActiveModel(Ring):
    """How many began and have not ended: each in the sub-bucket it began in, for as long as that is there."""

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        began, last = sub_bucket(self.window, now), self.turn(now)
        if began > last - SUB_BUCKETS:
            self.put(began, self.ring.get(began, 0) + 1)
        return self.read(now)

    def end(self, now: int, began: int = 0) -> int:
        self.turn(now)
        there = sorted(number for number, n in self.ring.items() if n)
        number = sub_bucket(self.window, began) if began else there[0] if there else -1
        if number in there:
            self.ring[number] -= 1
        return self.read(now)


class FirstModel(Column):
    """Seconds since the first time, of those that were never the window's length apart."""

    def __init__(self, window: int) -> None:
        super().__init__(window)
        self.first = self.last = -math.inf

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        now = max(now, 1)
        if now - self.last >= self.window:
            self.first = self.last = now
        self.last = max(self.last, now)
        return self.read(now)

    def read(self, now: int) -> int:
        now = max(now, 1)
        return 0 if now - self.last >= self.window else int(max(now - self.first, 0)) // 1000


class LastModel(Column):
    """Seconds since the time before."""

    def __init__(self, window: int) -> None:
        super().__init__(window)
        self.last = -math.inf

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        value = self.read(now)
        self.last = max(self.last, now, 1)
        return value

    def read(self, now: int) -> int:
        return int(min(max(max(now, 1) - self.last, 0), self.window)) // 1000


# -- distinct


def linear_counting(cells: int) -> int:
    """A full sketch reads what one short of full does."""
    empty = CELLS - min(cells, CELLS - 1)
    return math.floor(-CELLS * math.log(empty / CELLS) + 0.5)


def sigma(x: float) -> float:
    """x + the sum of x^(2^k) 2^(k-1), k from 1 on: Ertl 2017, section 2."""
    total, power, k = x, x * x, 0
    while total + power * 2.0**k != total:
        total, power, k = total + power * 2.0**k, power * power, k + 1
    return total


def hyperloglog(registers: Mapping[int, int]) -> int:
    if not registers:
        return 0
    zeros = REGISTERS - len(registers)
    places = sum(2.0**-rank for rank in registers.values()) + REGISTERS * sigma(zeros / REGISTERS)
    return math.floor(REGISTERS**2 / (2.0 * math.log(2.0) * places) + 0.5)


def rank(hashed: int, bits: int) -> int:
    """1 + the leading zeros of what is left of the upper `bits` bits without the ten that are the register's."""
    rest = (hashed << 10 & _WORD) >> 64 - bits + 10
    return min(bits - 10 - rest.bit_length() + 1, 53)


class SketchesModel:
    """A bounded number of sketches: which column holds which, and until when it lasts."""

    def __init__(self, capacity: int, seed: int = 0, large: bool = False) -> None:
        assert capacity <= 64, "the kernel's hand looks no further in one go"
        self.capacity = capacity
        self.seed = seed
        self.large = large
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


Item = int | tuple[int, int]  # an element's hash, or the cell, or the register and rank of a promoted one


class DistinctModel(Column):
    """How many different elements in the current sub-bucket and the 13 before it."""

    def __init__(self, window: int, pool: SketchesModel) -> None:
        super().__init__(window)
        self.pool = pool
        self.epoch = 0
        self.last: dict[Item, int] = {}  # the last sub-bucket it was seen in
        self.sketch: int | None = None
        self.until = 0  # of a promoted column: the first millisecond at which it reads 0
        self.saturated = False

    def item(self, hashed: int, bits: int = 64) -> Item:
        if not self.pool.large:
            return hashed >> 54
        return hashed >> 54, rank(hashed, bits)

    @property
    def stolen(self) -> bool:
        return self.sketch is not None and self.pool.owner[self.sketch] is not self

    def at(self, now: int) -> int:
        number = sub_bucket(self.window, now)
        return max(self.epoch, number) if self.last and not self.stolen else number

    def live(self, number: int) -> dict[Item, int]:
        if self.stolen:
            return {}
        return {item: seen for item, seen in self.last.items() if seen > number - SUB_BUCKETS}

    def estimate(self, items: Iterable[Item]) -> int:
        registers: dict[int, int] = {}
        for item in items:
            if isinstance(item, tuple):
                registers[item[0]] = max(item[1], registers.get(item[0], 0))
        return hyperloglog(registers) if self.pool.large else linear_counting(len(list(items)))

    def value(self, live: dict[Item, int]) -> int:
        return len(live) if self.sketch is None else self.estimate(live)

    def read(self, now: int) -> int:
        return self.value(self.live(self.at(now)))

    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
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
        hashed = mix(element, self.pool.seed)
        if self.sketch is not None:
            self.last[self.item(hashed)] = number
        elif hashed >> 32 in self.last or len(self.last) < EXACT:
            self.last[hashed >> 32] = number
        elif not self.saturated:
            self.sketch = self.pool.take(self, now)
            if self.sketch is None:
                self.saturated = True
            else:
                self.last = self.promoted(self.last)
                self.last[self.item(hashed)] = number
                self.keep()
        return self.value(self.last)

    def keep(self) -> None:
        self.until = -(-(self.epoch + SUB_BUCKETS) * self.window // SUB_BUCKETS)

    def promoted(self, elements: dict[Item, int]) -> dict[Item, int]:
        items: dict[Item, int] = {}
        for element, seen in elements.items():
            assert isinstance(element, int)
            item = self.item(element << 32, 32)
            items[item] = max(seen, items.get(item, 0))
        return items

    def peek(self, now: int, element: int = 0, amount: int = 0) -> int:
        number = self.at(now)
        live = self.live(number)
        hashed = mix(element, self.pool.seed)
        if self.sketch is not None and live:
            return self.estimate(live | {self.item(hashed): number})
        if hashed >> 32 in live or len(live) < EXACT:
            return len(live | {hashed >> 32: number})
        if (self.saturated and number == self.epoch) or not self.pool.waits(now):
            return len(live)
        return self.estimate(self.promoted(live) | {self.item(hashed): number})

    def drop(self) -> None:
        if self.sketch is not None:
            if not self.stolen:
                self.pool.give_back(self.sketch)
            self.sketch = None
            self.last = {}


def column(measure: int, window: int, small: SketchesModel, large: SketchesModel) -> Column:
    """A column of any measure."""
    if measure in (DISTINCT, LARGE):
        return DistinctModel(window, large if measure == LARGE else small)
    plain: dict[int, type[Column]] = {
        COUNT: CountModel,
        NARROW: NarrowModel,
        SUM: SumModel,
        MAX: MaxModel,
        ACTIVE: ActiveModel,
        FIRST_SEEN: FirstModel,
        LAST_SEEN: LastModel,
    }
    return plain[measure](window)
