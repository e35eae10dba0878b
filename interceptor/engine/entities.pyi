"""The bounded table of one kind of entity: callers, handsets, cells, pairs, with the counters of each."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.copies import Part
from interceptor.engine.memory import Region

class EntityTable:
    """Entities found by a 128-bit key, each with the same columns (sliding windows) in its record.

    Memory is reserved once and mapped when first used; a full table replaces, in the set of 14 the newcomer falls
    into, first who has been silent for longer than the longest window, then the stalest entity seen only once.
    Safe for any number of threads.
    """

    def __init__(
        self,
        slots: int,
        columns: Sequence[tuple[int, int]],
        sketches: int = 0,
        seed: int = 0,
        region: Region | None = None,
        alive: bool = False,
    ) -> None:
        """A table of at least `slots` entities.

        Parameters
        ----------
        slots : entities; rounded up to a multiple of 14
        columns : (columns.Measure, window in ms) of each column, 1 to 32 of them
        sketches : how many distinct columns may outgrow 16 elements at a time, 1,088 bytes each; and as many large
            ones, 15,488 bytes each, but of those 1,024 at most
        seed : the installation's, so that nobody outside can aim at one set
        region : memory of `bytes_for` such a table, that may outlive the process; its own by default
        alive : another process uses the region just now: both may, and nothing in it is mended

        Raises
        ------
        ValueError
            for a column or a number of slots that cannot be, or a region of another size
        MemoryError
            when the system has no address space left
        """

    @staticmethod
    def bytes_for(slots: int, columns: Sequence[tuple[int, int]], sketches: int = 0) -> int:
        """How much memory such a table takes. Raises ValueError."""

    @property
    def region(self) -> Region: ...
    @property
    def torn(self) -> int:
        """Entities that were dropped, for an earlier process had died while it changed them."""

    @property
    def columns(self) -> tuple[tuple[int, int], ...]: ...
    def touch(
        self,
        a: int,
        b: int,
        now: int,
        touches: Iterable[tuple[int, int, int, int]],
        peek: bool = False,
        follows: bool = False,
    ) -> list[int]:
        """Touches (column, Act, element, amount) of entity (a, b) at `now` (ms); the reading of each.

        The entity is made only if some touch counts. With `peek` the readings are the same and nothing changes. What
        `follows` on a call that was counted already does not make its entity one that was seen twice. An amount is
        in seconds; of an end it is when what ends began, in ms, 0 when unknown. Raises ValueError for a column the
        table has not, an act that is none, and for more than 64 touches.
        """

    def touch_many(
        self,
        keys_a: npt.NDArray[np.uint64],
        keys_b: npt.NDArray[np.uint64],
        now: npt.NDArray[np.int64],
        elements: npt.NDArray[np.uint64],
        values: npt.NDArray[np.int64] | None = None,
        chunk: int = 64,
    ) -> None:
        """Counts in every column of entity after entity, without the GIL, `chunk` prefetched at a time.

        All arrays are of shape (n,), `values` (filled with the readings, if given) of shape (n, columns). Raises
        ValueError when shapes differ.
        """

    def contains(self, a: int, b: int) -> bool:
        """Whether the entity has a slot; it may have expired in it."""

    def set_of(self, a: int, b: int) -> int:
        """Index of the set of 14 slots the entity falls into."""

    def locked(self) -> list[Part]:
        """Where in the region what lies under locks is."""

    def forget(self, a: int, b: int) -> bool:
        """Drops the entity, whatever it has counted; False when it is not there."""

    def seen(self, a: int, b: int, now: int) -> int | None:
        """When the entity was last counted or protected, in ms, to a second at least; None when it is not there."""

    def live(self, now: int) -> int:
        """Entities touched within the longest window before `now` (ms). Reads one cache line for every 14 slots."""

    @property
    def stats(self) -> dict[str, Any]:
        """slots, used, evicted_probation, evicted_protected, nbytes, `sketches` and `large` as Sketches.stats, and
        `waited`: how often (waits) and for how long (ns, longest_ns) threads waited for a lock of table or sketches.
        """

    @property
    def used(self) -> int:
        """Slots with an entity, expired ones included that nobody has come across yet."""

    @property
    def evicted_probation(self) -> int:
        """Entities replaced while still within their longest window, seen only once."""

    @property
    def evicted_protected(self) -> int:
        """Entities replaced while still within their longest window, seen at least twice."""

    @property
    def slots(self) -> int: ...
    @property
    def record_bytes(self) -> int: ...
    @property
    def nbytes(self) -> int:
        """Bytes reserved for good, sketches included."""
