"""Called subscribers' own entries: (callee, caller) -> bitmap of lists."""

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from interceptor.engine.spec import ListContent

class PairLimits(IntEnum):
    """What fits beside the two keys of a slot."""

    MAX_PAIR_LISTS = 8
    LISTS_PER_WORD = 4

def checked_pairs(pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The pairs, contiguous. ValueError unless each is of two keys of numbers."""

class PairTable:
    """Which pairs of a called subscriber and a caller are on which of up to 8 lists of kind pair.

    Exact: both keys (see `keys`; of numbers or short numbers) are stored whole, in 16 bytes with the lists. Lookups
    take no lock; what changes the table is for one thread at a time, and for nobody to look meanwhile where it grows:
    it moves to other memory. A pair's slot is kept after its removal and dropped when the table grows.

    Parameters
    ----------
    capacity : int
        Pairs the table is built for (26.7 bytes each). It grows by itself beyond; up to 32 bytes a pair then.
    seed : int
        Of the installation, so that nobody outside can aim pairs at one place. The low 64 bits are used.

    Raises
    ------
    ValueError
        For a capacity out of range; from the methods for a list index outside 0..63, for a ninth list, and for keys
        that are no numbers' (nothing has changed then).
    MemoryError
        When the system has no room for the table; a table that was to grow stays as it is.
    """

    def __init__(self, capacity: int, seed: int) -> None: ...
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

    def remapped(self, kept: Mapping[int, int], room: int = 0) -> PairTable:
        """A table of its own with the pairs of the lists in `kept` (index here -> index there), without the GIL.

        `room`: pairs that are about to be added. What happens to this table meanwhile may or may not be in it.
        """

    def with_room(self, more: int) -> PairTable:
        """This table when `more` pairs have room in it without growing, else a larger copy."""

    def rebuilt(
        self,
        kept: Mapping[int, int],
        added: Mapping[int, ListContent],
        off: tuple[int, ListContent] | None,
    ) -> tuple[PairTable, int, int]:
        """What `tables.rebuilt` does, for pairs."""

    @property
    def crowded(self) -> bool:
        """Whether the last of the places are being taken of a table that takes long to copy."""

    def find(self, callee: int, caller: int) -> int:
        """Bitmap of the pair's lists: bit i is the policy's list i."""

    def find_many(self, pairs: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64] | None = None) -> int:
        """Looks pairs (shape (n, 2), contiguous) up, prefetched, without the GIL; returns how many are on some list.

        `out` (shape (n,)) receives the bitmaps. Safe beside the writer, as long as the table does not grow meanwhile.
        """

    def lines(self, pairs: npt.NDArray[np.uint64]) -> int:
        """Cache lines that looking up each of the pairs (shape (n, 2), contiguous) touches, in all."""

    def count(self, list_index: int) -> int:
        """Pairs on a list."""

    def __len__(self) -> int:
        """Pairs on at least one list."""

    @property
    def used(self) -> int:
        """Slots taken: by pairs on a list, and by removed ones until the table grows."""

    @property
    def capacity(self) -> int:
        """Slots that may be taken before the table grows."""

    @property
    def nbytes(self) -> int:
        """Bytes reserved."""
