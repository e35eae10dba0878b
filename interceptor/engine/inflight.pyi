"""The calls in flight: what a report of a call needs to know of its decision. Threads use it without the GIL."""

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import Any

from interceptor.engine.memory import Region

class FlightState(IntFlag):
    FLIGHT_SETUP = 1
    FLIGHT_BLOCKED = 2
    FLIGHT_ANSWERED = 4
    FLIGHT_ENDED = 8
    FLIGHT_COUNTED = 16
    FLIGHT_KNOWN = 32

class FlightFound(IntEnum):
    FOUND_NOTHING = 0
    FOUND_ENTRY = 1
    FOUND_NO_ROOM = 2

class FlightTable:
    """A bounded table of calls, by a 128-bit name each.

    Parameters
    ----------
    entries : int
        How many calls it holds, 1 to 2**32; 137 bytes each, reserved at once.
    seed : int
        Of the installation. The low 64 bits are used.
    region : Region
        Memory of `bytes_for` such a table, that may outlive the process (default: its own).

    Raises
    ------
    ValueError
        For a size out of range, or a region of another one.
    MemoryError
        When the system has no room.
    """

    def __init__(
        self, entries: int, seed: int, region: Region | None = None, alive: bool = False
    ) -> None: ...
    @staticmethod
    def bytes_for(entries: int) -> int:
        """How much memory a table for so many calls takes. Raises ValueError."""

    @property
    def region(self) -> Region: ...
    @property
    def torn(self) -> int:
        """Entries that were dropped, for an earlier process had died while it changed them."""

    def begin(
        self,
        a: int,
        b: int,
        now: int,
        *,
        parties: int = 0,
        blocked: bool = False,
        keys: Sequence[int] = (),
        where: int = 0,
    ) -> tuple[FlightFound, Any]:
        """A call of that name, between these parties, is decided at `now`. What was there before, of both or of reports
        alone: state, setup, the answer by the switch's clock, conditions that held, keys or what an early report said;
        or None."""

    def report(
        self,
        a: int,
        b: int,
        bits: int,
        now: int,
        *,
        counted: bool = False,
        only_join: bool = False,
        duration: int | None = None,
        switch_ms: int = 0,
    ) -> tuple[FlightFound, Any]:
        """A report of the newest call of that name in flight, else of the one that was done last: `bits` of
        FLIGHT_ANSWERED and FLIGHT_ENDED; `counted`: it carries keys; `only_join`: it is taken only where an entry has
        keys."""

    def glance(self, a: int, b: int) -> Any:
        """One of the entries of that name, without its lock, as `begin` tells of it; or None."""

    def __len__(self) -> int:
        """Ways that hold an entry, of calls in flight or done."""

    @property
    def open(self) -> int:
        """Calls in flight."""

    @property
    def evicted(self) -> int:
        """Calls in flight that made room."""

    @property
    def refused(self) -> int:
        """Early reports that found no room."""

    @property
    def waited(self) -> dict[str, int]:
        """Waits for its locks: how many, nanoseconds in all, the longest."""

    @property
    def capacity(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
