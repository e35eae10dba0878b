"""The service's clock: milliseconds since the Unix epoch that no step of the wall clock disturbs."""

import time
from collections.abc import Callable


class Clock:
    """A monotonic clock, set by the wall clock once, when it is made.

    Windows live on its milliseconds. A wall clock that is stepped, by an operator or by NTP, moves no window; the
    price is that a service that runs for months may differ from the wall by what was stepped meanwhile.

    Parameters
    ----------
    wall, monotonic : callable
        Nanoseconds since the epoch, and since any fixed point.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._monotonic = monotonic
        #: nanoseconds to add to the monotonic clock
        self.offset_ns = wall() - monotonic()

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; never less than before."""
        return (self._monotonic() + self.offset_ns) // 1_000_000
