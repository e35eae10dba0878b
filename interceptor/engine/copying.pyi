"""Copies of tables that threads go on changing, without holding any of their locks."""

from collections.abc import Sequence

from interceptor.engine.copies import Part
from interceptor.engine.memory import Region

Bytes = bytes | bytearray | memoryview

class Pace:
    """How fast a copy is made, and whether it goes on: others may give it up while it is made.

    Parameters
    ----------
    rate
        Bytes of the table a second; beside calls: a thread of that pace has a core only while nobody else wants it
        (SCHED_IDLE). 0: as fast as it goes, at the niceness of whoever asks.
    """

    def __init__(self, rate: int = 0) -> None: ...
    def give_up(self) -> None: ...

def copy_into(
    fd: int, name: bytes, last: bytes, head: bytes, region: Region, parts: Sequence[Part], pace: Pace
) -> int | None:
    """Writes a copy to a new file of that name, the head first; once it is on the disk it takes the place of the last.

    Returns how many sets were so busy that they were left out (zero in the copy); None when it was given up.

    Raises
    ------
    OSError
        what the file system says
    ValueError
        when a part does not lie in the region
    MemoryError
    """

def put(region: Region, offset: int, data: Bytes) -> None:
    """Writes into a region that nobody uses yet. Raises ValueError for what does not fit."""
