"""Sliding-window count and distinct: the columns of an entity's record, one by one, for building and tests."""

from interceptor.engine.sketches import Sketches

#: sizes in bytes of a column of each measure, and of a sketch: keys "count", "distinct", "sketch"
LAYOUT: dict[str, int]

def hash_of(element: int, seed: int) -> int:
    """The 32 bits that stand for an element in a pool of this seed; the upper ten are its cell."""

class CountWindow:
    """How many in the last `window` milliseconds, to one fourteenth of it, up to 2^32 - 1."""

    def __init__(self, window: int) -> None:
        """Raises ValueError unless `window` (ms) is at least 1."""

    @property
    def window(self) -> int: ...
    def bump(self, now: int, times: int = 1) -> int:
        """Counts at `now` (ms), `times` times; the reading after it."""

    def read(self, now: int) -> int:
        """The reading at `now` (ms)."""

    def peek(self, now: int) -> int:
        """What `bump` would return; changes nothing."""

    def fill(self, now: int, value: int) -> None:
        """Counts at `now` and sets that sub-bucket to `value`: reaches the upper end in a test."""

class DistinctWindow:
    """How many different elements in the last `window` milliseconds, to one fourteenth of it.

    Exact up to 16; beyond that linear counting in 1,024 cells (Whang, Vander-Zanden, Taylor: "A linear-time
    probabilistic counting algorithm", 1990), for which it borrows a sketch.
    """

    def __init__(self, window: int, sketches: Sketches) -> None:
        """Raises ValueError unless `window` (ms) is at least 1."""

    @property
    def window(self) -> int: ...
    def bump(self, element: int, now: int) -> int:
        """Sees `element` (64 bits) at `now` (ms); the reading after it."""

    def read(self, now: int) -> int:
        """The reading at `now` (ms)."""

    def peek(self, element: int, now: int) -> int:
        """What `bump` would return; changes nothing."""

    def drop(self) -> None:
        """Returns the sketch, if there is one: the column is empty then."""

    @property
    def promoted(self) -> bool:
        """Holds, or held until it was reclaimed, a sketch."""

    @property
    def saturated(self) -> bool:
        """Wanted a sketch and there was none: the reading is a lower bound."""
