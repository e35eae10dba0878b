"""The entity table as obvious Python: the same policy over lists of ways, with clocks that never wrap."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.model.windows import DISTINCT, LARGE, Column, SketchesModel, column, mix

WAYS = 14
PROTECTED = 12
ERA = 8192
ACT_READ, ACT_COUNT, ACT_END = 0, 1, 2

Touch = tuple[int, int, int, int]  # column, act, element, amount


@dataclass
class Way:
    """One slot of a set. A freed one keeps its columns (and their sketches) until it is used again."""

    columns: list[Column]
    key: tuple[int, int] | None = None
    last: int = 0  # touched, in age units
    twice: bool = False  # ever seen again while here
    protected: bool = False


@dataclass
class WaySet:
    ways: list[Way]
    era: int = 0


@dataclass
class EntityTableModel:
    slots: int
    columns: list[tuple[int, int]]  # measure, window in ms
    sketches: int = 0
    seed: int = 0
    used: int = 0
    evicted_probation: int = 0
    evicted_protected: int = 0
    sets: list[WaySet] = field(default_factory=list)

    def __post_init__(self) -> None:
        longest = max(window for _, window in self.columns)
        self.unit = max(1000, -(-longest // ERA))
        self.horizon = -(-longest // self.unit)
        measures = {measure for measure, _ in self.columns}
        sketches = self.sketches if DISTINCT in measures else 0
        large = min(self.sketches, 1024) if LARGE in measures else 0
        self.pool = SketchesModel(sketches, mix(self.seed, 0x736B65746368))
        self.large_pool = SketchesModel(large, mix(self.seed, 0x6C61726765), large=True)
        self.sets = [WaySet([Way(self.fresh()) for _ in range(WAYS)]) for _ in range(-(-self.slots // WAYS))]

    def fresh(self) -> list[Column]:
        return [column(measure, window, self.pool, self.large_pool) for measure, window in self.columns]

    def set_of(self, a: int, b: int) -> int:
        return (mix(b, mix(a, self.seed)) >> 32) * len(self.sets) >> 32

    def units(self, ways: WaySet, now: int) -> int:
        """The set's clock: never earlier than the start of the era it was last changed in, unless it is empty."""
        units = max(now, 0) // self.unit
        return units if all(way.key is None for way in ways.ways) else max(units, ways.era * ERA)

    def expired(self, way: Way, units: int) -> bool:
        return units - way.last > self.horizon

    def live(self, now: int) -> int:
        return sum(
            way.key is not None and not self.expired(way, self.units(ways, now))
            for ways in self.sets
            for way in ways.ways
        )

    def contains(self, a: int, b: int) -> bool:
        return any(way.key == (a, b) for way in self.sets[self.set_of(a, b)].ways)

    def touch(
        self, a: int, b: int, now: int, touches: Iterable[Touch], *, peek: bool = False, follows: bool = False
    ) -> list[int]:
        touches = list(touches)
        ways = self.sets[self.set_of(a, b)]
        units = self.units(ways, now)
        found = next((way for way in ways.ways if way.key == (a, b)), None)
        if peek or not any(act == ACT_COUNT for _, act, _, _ in touches):
            if found is None or self.expired(found, units):
                nobody = self.fresh()
                return [self.act(nobody[c], *touch, now, peek=True) for c, *touch in touches]
            # an end alone makes no entity, and changes one that is there
            return [self.act(found.columns[c], *touch, now, peek=peek) for c, *touch in touches]
        if units // ERA != ways.era:
            self.sweep(ways, units)
            found = found if found is not None and found.key is not None else None
        if found is None:
            found = self.make_room(ways.ways, units)
            self.begin(found, (a, b), units)
        elif self.expired(found, units):
            self.begin(found, (a, b), units)
        elif not found.protected and not follows:
            self.protect(ways.ways, found, units)
        found.last = max(found.last, units)
        return [self.act(found.columns[c], *touch, now) for c, *touch in touches]

    @staticmethod
    def act(column: Column, act: int, element: int, amount: int, now: int, *, peek: bool = False) -> int:
        if act == ACT_READ:
            return column.read(now)
        if act == ACT_END:
            return (copy.deepcopy(column) if peek else column).end(now, amount)
        return column.peek(now, element, amount) if peek else column.count(now, element, amount)

    def sweep(self, ways: WaySet, units: int) -> None:
        for way in ways.ways:
            if way.key is not None and self.expired(way, units):
                way.key, way.protected = None, False
                self.used -= 1
        ways.era = units // ERA

    def make_room(self, ways: list[Way], units: int) -> Way:
        for way in ways:
            if way.key is None:
                self.used += 1
                return way
            if self.expired(way, units):
                return way
        stalest = self.stalest((way for way in ways if not way.protected), units)
        if stalest.twice:
            self.evicted_protected += 1
        else:
            self.evicted_probation += 1
        return stalest

    @staticmethod
    def stalest(ways: Iterable[Way], units: int) -> Way:
        """The first of those longest silent; a touch from the future is as young as one from now."""
        age: Callable[[Way], int] = lambda way: max(units - way.last, 0)  # noqa: E731
        return max(ways, key=age)

    def protect(self, ways: list[Way], way: Way, units: int) -> None:
        protected = [other for other in ways if other.protected]
        if len(protected) == PROTECTED:
            self.stalest(protected, units).protected = False
        way.protected = way.twice = True

    def begin(self, way: Way, key: tuple[int, int], units: int) -> None:
        for each in way.columns:
            each.drop()
        way.columns, way.key, way.last, way.twice, way.protected = self.fresh(), key, units, False, False
