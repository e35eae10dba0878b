"""Which calls began and ended together, as obvious Python: of each place a list of calls."""

from dataclasses import dataclass, field

from tests.model.windows import mix

RING = 64
PLACES = 4  # of a set


@dataclass
class Ended:
    who: int
    began: int
    ended: int
    paired: bool = False


@dataclass
class Place:
    key: int = 0
    noted: int = 0  #: calls, ever
    calls: list[Ended] = field(default_factory=list)

    @property
    def last(self) -> int:
        return self.calls[(self.noted - 1) % RING].ended if self.calls else 0


@dataclass
class PairingModel:
    places: int
    apart: int
    seed: int = 0
    evicted: int = 0
    crowded: int = 0
    sets: list[list[Place]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sets = [[Place() for _ in range(PLACES)] for _ in range(-(-self.places // PLACES))]

    @property
    def used(self) -> int:
        return sum(place.key != 0 for some in self.sets for place in some)

    def ended(self, key: int, who: int, began: int, ended: int, most: int = RING) -> list[tuple[int, bool]]:
        place = self.find(self.sets[(mix(key, self.seed) >> 32) * len(self.sets) >> 32], key)
        told: dict[int, Ended] = {}
        for call in place.calls:
            together = abs(call.began - began) <= self.apart and abs(call.ended - ended) <= self.apart
            if together and call.who != who and len(told) < most:
                told.setdefault(call.who, call)
        answer = [(call.who, not call.paired) for call in told.values()]
        for call in told.values():
            call.paired = True
        this = Ended(who, began, ended, bool(told))
        if len(place.calls) < RING:
            place.calls.append(this)
        else:
            self.crowded += ended - place.calls[place.noted % RING].ended <= self.apart
            place.calls[place.noted % RING] = this
        place.noted += 1
        return answer

    def find(self, some: list[Place], key: int) -> Place:
        for place in some:
            if place.key == key:
                return place
        free = [place for place in some if not place.key]
        taken = free[0] if free else min(some, key=lambda place: place.last)
        self.evicted += not free
        taken.key, taken.noted, taken.calls = key, 0, []
        return taken
