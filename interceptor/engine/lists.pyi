"""The table of listed keys: key -> bitmap of lists."""

import numpy as np
import numpy.typing as npt

class ListTable:
    """Which keys (see `keys`) are on which of up to 64 lists.

    Lookups take no lock; `add`, `remove`, `add_many`, `remove_many` and `clear_list` are for one thread at a time, and
    for nobody to look meanwhile where they grow the table: it moves to other memory. A key's slot is kept after its
    removal and dropped when the table grows.

    Parameters
    ----------
    capacity : int
        Keys the table is built for (26.7 bytes each). It grows by itself beyond; up to 32 bytes a key then.
    seed : int
        Of the installation, so that nobody outside can aim keys at one place. The low 64 bits are used.

    Raises
    ------
    ValueError
        For a capacity out of range, or a list index outside 0..63.
    MemoryError
        When the system has no room for the table; a table that was to grow stays as it is.
    """

    def __init__(self, capacity: int, seed: int) -> None: ...
    def add(self, key: int, list_index: int) -> bool:
        """Puts a key on a list. True when it was not on it. Key 0 stands for "no key" and is left out."""

    def remove(self, key: int, list_index: int) -> bool:
        """Takes a key off a list. True when it was on it."""

    def add_many(self, keys: npt.NDArray[np.uint64], list_index: int) -> int:
        """Puts keys (shape (n,), contiguous; repeated ones are fine) on a list, without the GIL.

        Returns how many were not on it. May grow the table once or more.
        """

    def remove_many(self, keys: npt.NDArray[np.uint64], list_index: int) -> int:
        """Takes keys (shape (n,), contiguous) off a list, without the GIL. Returns how many were on it."""

    def clear_list(self, list_index: int) -> None:
        """Takes every key off a list: one pass over the table."""

    def find(self, key: int) -> int:
        """Bitmap of the key's lists: bit i is list i."""

    def find_many(
        self,
        keys: npt.NDArray[np.uint64],
        out: npt.NDArray[np.uint64] | None = None,
        *,
        prefetch: bool = True,
    ) -> int:
        """Looks keys (shape (n,)) up in a loop without the GIL; returns how many are on some list.

        `out` (shape (n,)) receives the bitmaps. With `prefetch`, the slots of 64 keys at a time are fetched ahead.
        Safe beside the writer, as long as the table does not grow meanwhile.
        """

    def lines(self, keys: npt.NDArray[np.uint64]) -> int:
        """Cache lines that looking up each of the keys (shape (n,)) touches, in all."""

    def count(self, list_index: int) -> int:
        """Keys on a list."""

    def __len__(self) -> int:
        """Keys on at least one list."""

    @property
    def used(self) -> int:
        """Slots taken: by keys on a list, and by removed ones until the table grows."""

    @property
    def capacity(self) -> int:
        """Slots that may be taken before the table grows."""

    @property
    def nbytes(self) -> int:
        """Bytes reserved."""
