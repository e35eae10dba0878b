"""What one counter is inside an entity's record: the measures, what a touch does to a column of each, and one column by
itself, for building and tests.
"""

from enum import IntEnum
from typing import Any

class Measure(IntEnum):
    """What a column measures, over its window; a reading is off by at most one fourteenth of it."""

    MEASURE_COUNT = 0  #: how many, up to 2^32 - 1
    MEASURE_DISTINCT = 1  #: how many different elements; beyond some 5,000 "at least"
    MEASURE_NARROW = 2  #: how many, up to 65,535 in one fourteenth of the window and "at least" beyond
    MEASURE_SUM = 3  #: of the amounts, up to 2^32 - 1
    MEASURE_MAX = 4  #: of the amounts, up to 65,535
    MEASURE_ACTIVE = 5  #: counted and not ended since; one whose end is never told counts for its window
    MEASURE_FIRST_SEEN = 6  #: seconds since the first count; 0 when there was none
    MEASURE_LAST_SEEN = 7  #: seconds since the count before this one; the window's when there was none
    MEASURE_LARGE = 8  #: how many different elements, of sets of any size
    N_MEASURES = 9

class Act(IntEnum):
    """What a touch does to a column. Where nothing ends, an end is a read."""

    ACT_READ = 0
    ACT_COUNT = 1
    ACT_END = 2  #: takes one off MEASURE_ACTIVE; makes no entity

def hash_of(element: int, seed: int) -> int:
    """The 64 bits that stand for an element in a pool of this seed; the upper ten are its cell or register."""

def sizes() -> tuple[tuple[int, ...], tuple[int, int]]:
    """Bytes of a column by Measure, and of a sketch for linear counting and for HyperLogLog."""

class Sketches:
    """A bounded pool of sketches, for the distinct counts that outgrow 16 elements."""

    def __init__(self, capacity: int, seed: int = 0, large: bool = False) -> None:
        """Reserves `capacity` sketches, mapped when first used: of 1,088 bytes, or of 15,488 for large counts.

        Raises MemoryError.
        """

    def take(self, now: int) -> int | None:
        """Takes a sketch, by its index, for who does not say how long it is kept; None when there is none."""

    @property
    def stats(self) -> dict[str, Any]:
        """capacity, used (handed out), reclaimed (from silent owners), saturated (wanted in vain), nbytes,
        waited (for a lock: waits, ns, longest_ns).
        """

class Window:
    """One column of any measure by itself.

    A distinct count is exact up to 16 and borrows a sketch beyond: 1,024 cells of linear counting (Whang,
    Vander-Zanden, Taylor: "A linear-time probabilistic counting algorithm", 1990), or, where large, 1,024 registers of
    HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007), read by Ertl's estimator ("New cardinality estimation
    algorithms for HyperLogLog sketches", 2017): standard error 3.25 %.
    """

    def __init__(self, measure: int, window: int, sketches: Sketches | None = None) -> None:
        """Raises ValueError unless `window` (ms) is at least 1, and `sketches` are given where the measure borrows."""

    @property
    def window(self) -> int: ...
    def count(self, now: int, element: int = 0, amount: int = 0) -> int:
        """Counts at `now` (ms) an element (64 bits) or an amount; the reading after it."""

    def end(self, now: int, began: int = 0) -> int:
        """At `now` something ends that began at `began` (ms; 0: unknown, the oldest); the reading after it."""

    def read(self, now: int) -> int:
        """The reading at `now` (ms)."""

    def peek(self, now: int, element: int = 0, amount: int = 0) -> int:
        """What `count` would return; changes nothing."""

    def drop(self) -> None:
        """Returns the sketch, if there is one: the column is empty then."""

    @property
    def promoted(self) -> bool:
        """Holds, or held until it was reclaimed, a sketch."""

    @property
    def saturated(self) -> bool:
        """Wanted a sketch and there was none: the reading is a lower bound."""
