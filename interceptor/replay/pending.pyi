"""What is still to happen to calls that were decided, for tests: answers and ends, the next one first."""

from interceptor.engine.types import Happening

class PendingReports:
    """What is still to happen to calls that were decided: answers and ends, by time.

    A report is given as the call's name (two words), the time, H_ANSWERED or H_ENDED, and of an end how many ms the
    call was answered for; -1 of an answer, and of the end of a call that was not answered.

    Parameters
    ----------
    most : int
        Calls there is room for, 4,194,304 at most.
    """

    def __init__(self, most: int = 1 << 22) -> None: ...
    def add(self, a: int, b: int, answered: int = -1, ended: int = -1) -> None:
        """A call of that name was decided. When it was answered and ended, in ms, not before now; -1: it was not."""

    def take(self, now: int) -> list[tuple[int, int, int, Happening, int]]:
        """All that is due by now, the earliest first; at one time ends come before answers. `now` never goes back."""

    def soon(self, until: int, most: int = 128) -> list[tuple[int, int, int, Happening, int]]:
        """What `take` would give by then, in no order and at most so many; of a call that comes first alone."""

    @property
    def lost(self) -> int:
        """Calls that found no room."""
