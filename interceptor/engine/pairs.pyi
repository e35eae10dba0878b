"""Called subscribers' own entries: (callee, caller) -> bitmap of lists."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

class PairLimits(IntEnum):
    """What fits beside the two keys of a slot."""

    MAX_PAIR_LISTS = 8
    LISTS_PER_WORD = 4

class PairTable:
    """Which pairs of a called subscriber and a caller are on which of up to 8 lists of kind pair.

    Exact: both keys (see `keys`; of numbers or short numbers) are stored whole, in 16 bytes with the lists. Lookups
    take no lock; everything that changes the table is for one thread at a time. A pair's slot is kept after its
    removal and dropped when the table grows.

    Parameters
    ----------
    lists : sequence of int
        The policy's indexes (0..63) of its lists of kind pair; what `find` answers has these bits.
    capacity : int
        Pairs the table is built for (26.7 bytes each). It grows by itself beyond; up to 32 bytes a pair then.
    seed : int
        Of the installation, so that nobody outside can aim pairs at one place. The low 64 bits are used.

    Raises
    ------
    ValueError
        For more than 8 lists, an index or a capacity out of range; from every method for a list that is none of them,
        and for keys that are no numbers' (nothing has changed then).
    MemoryError
        When the system has no room for the table; a table that was to grow stays as it is.
    """

    def __init__(self, lists: Sequence[int], capacity: int, seed: int) -> None: ...
    @property
    def lists(self) -> tuple[int, ...]: ...
    def add(self, callee: int, caller: int, list_index: int) -> bool:
        """Puts a pair on a list. True when it was not on it."""

    def remove(self, callee: int, caller: int, list_index: int) -> bool:
        """Takes a pair off a list. True when it was on it."""

    def add_many(self, pairs: npt.NDArray[np.uint64], list_index: int) -> int:
        """Puts pairs (shape (n, 2): callee, caller; contiguous; repeated ones are fine) on a list, without the GIL.

        Returns how many were not on it. May grow the table once or more.
        """

    def remove_many(self, pairs: npt.NDArray[np.uint64], list_index: int) -> int:
        """Takes pairs (shape (n, 2), contiguous) off a list, without the GIL. Returns how many were on it."""

    def remapped(self, kept: Mapping[int, int], lists: Sequence[int], room: int = 0) -> PairTable:
        """A table of its own for `lists`, with the pairs of the lists in `kept` (index here -> index there).

        `room`: pairs that are about to be added. What happens to this table meanwhile may or may not be in it.
        """

    def find(self, callee: int, caller: int) -> int:
        """Bitmap of the pair's lists: bit i is the policy's list i."""

    def find_many(self, pairs: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64] | None = None) -> int:
        """Looks pairs (shape (n, 2), contiguous) up, prefetched, without the GIL; returns how many are on some list.

        `out` (shape (n,)) receives the bitmaps. Safe beside the writer, as long as nobody calls `retire` meanwhile.
        """

    def lines(self, pairs: npt.NDArray[np.uint64]) -> int:
        """Cache lines that looking up each of the pairs (shape (n, 2), contiguous) touches, in all."""

    def retire(self) -> int:
        """Frees the tables that growing replaced; returns their bytes.

        Only when no reader can still look at them.
        """

    def count(self, list_index: int) -> int:
        """Pairs on a list."""

    def __len__(self) -> int:
        """Pairs on at least one list."""

    @property
    def used(self) -> int:
        """Slots taken: live pairs, and removed ones whose slot waits for the next growth."""

    @property
    def capacity(self) -> int:
        """Slots that may be taken before the table grows."""

    @property
    def nbytes(self) -> int:
        """Bytes reserved, replaced tables not yet retired included."""
