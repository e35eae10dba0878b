"""Calls that began and ended together: of every place the calls that ended there lately, and whose they were."""

from typing import Any

class PairingTable:
    """Of a bounded number of places (cells), the last 64 calls that ended at each.

    1,616 bytes a place, reserved once and mapped when first used. A new place takes, of the four its key falls among,
    the one where a call ended the longest ago. Thread-safe: a short lock for each four places.
    """

    def __init__(self, places: int, apart_ms: int, seed: int = 0) -> None:
        """For at least so many places; calls go together that begin, and end, at most `apart_ms` apart.

        Raises ValueError for a size that cannot be, MemoryError when the system has no more.
        """

    def ended(self, place: int, who: int, began: int, ended: int, most: int = 64) -> list[tuple[int, bool]]:
        """A call of `who` at `place` has ended (ms); whose calls there went together with it, each subscriber once.

        With each, whether that call of his went with no call until now. At most `most` of them are told.
        """

    @property
    def stats(self) -> dict[str, Any]:
        """places (room for so many), used, evicted (places that made room for others), crowded (calls forgotten, for
        their place had more, while one that ends now could still have gone with them), nbytes.
        """
