"""The ring of decisions between the engine's threads and the Python side."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

#: One event. Numbers are not masked here: whoever shows them does that.
EVENT_DTYPE: np.dtype[np.void]

class EventRing:
    """A bounded ring: any number of threads put, one thread at a time drains.

    Every event takes a sequence number, also one that finds the ring full and is dropped: a gap shows the loss.

    Parameters
    ----------
    capacity
        Events the ring holds, a power of two from 2 to 2^24; 256 bytes each.

    Raises
    ------
    ValueError
        For any other capacity.
    MemoryError
        When the system has no pages left.
    """

    def __init__(self, capacity: int) -> None: ...
    def __len__(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def dropped(self) -> int:
        """Events that found the ring full."""

    @property
    def next_sequence(self) -> int:
        """The number the next event will take."""

    def drain(self, limit: int = 4096) -> npt.NDArray[np.void]:
        """Takes up to `limit` events off the ring, in order: shape (n,), dtype EVENT_DTYPE."""

    def put(
        self,
        texts: Mapping[int, bytes] | None = None,
        *,
        numbers: Mapping[int, tuple[int, bytes]] | None = None,
        now: int = 0,
        **decision: int,
    ) -> None:
        """Puts one event: texts by Field, numbers by Field as (status, normalised text), fields of Decision."""

    def put_many(self, producer: int, events: int) -> None:
        """Puts `events` events without the GIL; each carries its producer and index in several fields."""
