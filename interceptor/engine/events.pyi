"""The ring of decisions between the engine's threads and the Python side."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

#: One event. Numbers are not masked here: whoever shows them does that.
#:
#: `added_key` and `added_text` are what the deciding rule's `add_to` put on its list, from `time_ms` on for as long as
#: the rule says: the 64-bit key, and what it is of (a number, 14 digits of an IMEI, an IMSI, up to 52 bytes of a
#: trunk's name). An event with `trial` is no decision of its own: the policy on trial, by the number it was begun
#: with, would have answered `would_verdict` by its rule `would_rule` to the call whose decision it repeats.
#:
#: An event that found the ring full shows as a gap in `sequence`; what a rule added then is in the engine and in no
#: event. `Engine.stats()["rules"][id]["added"]` counts it all the same.
EVENT_DTYPE: np.dtype[np.void]

class EventRing:
    """A bounded ring: any number of threads put, one thread at a time drains.

    Every event takes a sequence number, also one that finds the ring full and is dropped: a gap shows the loss.

    Parameters
    ----------
    capacity
        Events the ring holds, a power of two from 2 to 2^24; 384 bytes each.

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
    def entered(self) -> int:
        """Events that found room, since the ring was made."""

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
        keys: Mapping[int, int] | None = None,
        now: int = 0,
        **decision: int,
    ) -> None:
        """Puts one event: texts and keys by Field, numbers by Field as (status, normalised text), fields of Decision.

        `decision` may also say `added_field` (whose key was added), `trial`, `would_verdict` and `would_rule`.
        """

    def put_many(self, producer: int, events: int) -> None:
        """Puts `events` events without the GIL; each carries its producer and index in several fields."""
