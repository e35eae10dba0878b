"""The time that is simulated: days in Shanghai, in ms since 1970."""

from dataclasses import dataclass
from typing import Any

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
#: Shanghai is eight hours before UTC and has no summer time.
SHANGHAI = 8 * HOUR


@dataclass(frozen=True)
class Clock:
    """The time that is simulated, in ms since 1970."""

    start: int
    end: int

    @staticmethod
    def hour(time: Any) -> Any:
        """Hour of the day in Shanghai."""
        return (time + SHANGHAI) // HOUR % 24

    @staticmethod
    def weekend(time: int) -> bool:
        """Whether it is a Saturday or Sunday there."""
        return ((time + SHANGHAI) // DAY + 3) % 7 >= 5

    def days(self) -> range:
        """The first moment of each day."""
        return range(self.start, self.end, DAY)
