"""What happened lately: a bounded table of entries that end by themselves."""

from interceptor.engine.copies import Part
from interceptor.engine.memory import Region

class RecentTable:
    """128-bit key (a, b) -> 32 bytes, until a time. Thread-safe: a short lock for each set of 15 entries.

    Parameters
    ----------
    entries : int
        Entries the table is for; rounded up to whole sets. 73 bytes each. Keys spread over the sets at random, so
        that some set is full before the table is: at half the capacity about 1 entry in 1,000 lacks room.
    seed : int
        Of the installation. The low 64 bits are used.
    region : Region
        Memory of `bytes_for` such a table, that may outlive the process (default: its own).
    alive : bool
        Another process uses the region just now: both may, and nothing in it is mended.
    by_a : bool
        All entries of one `a` share a set, so that one look tells that there are none; and 15 of them fill it.

    Raises
    ------
    ValueError
        For a size out of range, a region of another one, or a value of more than 32 bytes.
    MemoryError
        When the system has no room.

    Notes
    -----
    Times are milliseconds since the Unix epoch, from 0; `now` may stand still or go back. An entry is live while
    its end is after `now`.
    """

    def __init__(
        self, entries: int, seed: int, region: Region | None = None, alive: bool = False, by_a: bool = False
    ) -> None: ...
    @staticmethod
    def bytes_for(entries: int) -> int:
        """How much memory a table for so many entries takes. Raises ValueError."""

    @property
    def region(self) -> Region: ...
    @property
    def torn(self) -> int:
        """Entries that were dropped, for an earlier process had died while it changed them."""

    def find(self, a: int, b: int, now: int) -> bytes | None:
        """The 32 bytes of a live entry, or None."""

    def any(self, a: int) -> bool:
        """Whether an entry of this `a` may be there, live or ended. Raises ValueError if the table is not `by_a`."""

    def put(
        self,
        a: int,
        b: int,
        now: int,
        until: int,
        value: bytes = b"",
        fresh_only: bool = False,
        bounded: bool = False,
    ) -> bool:
        """Puts an entry (the value is filled up with zero bytes), overwriting one of the same key.

        False when `fresh_only` and a live one is there; or when `bounded` and only evicting a live one of another
        key could make room (counted in `refused`). Without `bounded` the entry nearest its end goes (counted in
        `evicted` if it was live). An `until` not after `now` ends the entry of that key, and is False.
        """

    def until(self, a: int, b: int, now: int) -> int | None:
        """When a live entry ends, or None."""

    def live(self, now: int) -> int:
        """Live entries: one pass over the table."""

    def __len__(self) -> int:
        """Entries held, ended ones that nothing has replaced yet included."""

    def locked(self) -> list[Part]:
        """Where in the region what lies under locks is."""

    @property
    def last_end(self) -> int:
        """When the last of all entries ends, or has ended; 0 when there never was one. One pass over the table."""

    @property
    def evicted(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def waited(self) -> dict[str, int]:
        """How often (waits) and for how long (ns, longest_ns) threads waited for a lock of the table."""

    @property
    def capacity(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
