"""A histogram of durations with a fixed relative error, as HdrHistogram has it."""

import numpy as np
from numpy.typing import NDArray

#: Cells of a histogram.
N_CELLS: int
#: The longest duration that is told apart, in ns (2**36 - 1, 68.7 s); longer ones fall into the last cell.
LONGEST_NS: int

def bounds_ns() -> NDArray[np.int64]:
    """The longest duration of each cell, in ns, ascending; shape (N_CELLS,).

    Durations below 256 ns have a cell each. From there on every power of two is cut into 128 cells of equal width:
    with ``e = v.bit_length() - 8`` a duration ``v`` falls into cell ``(e << 7) + (v >> e)``, whose longest duration
    is at most 1/128 (0.79 %) above its shortest.
    """

class Histogram:
    """Counts of durations in nanoseconds; 30 KiB whatever it holds.

    One thread may record while others read: they see every count as it was before or after.
    """

    def __init__(self) -> None: ...
    def record(self, ns: int, count: int = 1) -> None:
        """Counts a duration `count` times. Raises ValueError when `ns` or `count` is negative."""

    def add(self, other: Histogram) -> None:
        """Adds the counts of another histogram to this one."""

    def percentile(self, percent: float) -> int:
        """The duration in ns that `percent` of all counted ones do not exceed; 0 when nothing was counted.

        It is the longest duration of the cell in which the ``ceil(percent / 100 * total)``-th smallest (at least the
        first) one lies, or `max_ns` if that is less: never below the true value, and at most 1/128 above it.

        Raises
        ------
        ValueError
            When `percent` is not within 0 .. 100.
        """

    @property
    def counts(self) -> NDArray[np.uint64]:
        """A copy of the counts; shape (N_CELLS,), as `bounds_ns` has it."""

    @property
    def total(self) -> int:
        """How many durations were counted."""

    @property
    def sum_ns(self) -> int:
        """Their sum, exact (modulo 2**64)."""

    @property
    def min_ns(self) -> int:
        """The shortest, exact; 0 when nothing was counted."""

    @property
    def max_ns(self) -> int:
        """The longest, exact; 0 when nothing was counted."""

    @property
    def mean_ns(self) -> float:
        """The mean, exact; 0 when nothing was counted."""
