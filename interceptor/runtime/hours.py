"""Local days and quiet hours: when something may be sent, and until when it is not sent again. Knows no clock."""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class When(NamedTuple):
    """When something may be sent."""

    period: int  #: the local day on which it is, as its ordinal; of several days, the first
    until_ms: int  #: that ends then
    not_before_ms: int | None  #: end of the quiet hours; None: at once


class Hours:
    """The hours of a place.

    What comes up in quiet hours belongs to the day on which they end, for then it is sent: who is told once a day is
    told once on each.

    Parameters
    ----------
    zone
        Local time. Where the clocks are put forward, what would fall into the missing hour comes as much later.
    quiet
        Such as ``22:00-07:00``; None: none.
    days
        What counts as one day: so many.
    """

    def __init__(self, zone: ZoneInfo, quiet: str | None = None, days: int = 1) -> None:
        self._zone = zone
        begins, _, ends = (quiet or "").partition("-")
        self._quiet = (_clock(begins), _clock(ends)) if quiet else None
        self._days = days
        self._known = (0, 0, When(0, 0, None))  # the same from the first moment until before the second

    def at(self, time_ms: int) -> When:
        """For what comes up at that moment, in milliseconds since the epoch."""
        start, end, when = self._known
        if start <= time_ms < end:
            return when
        today = self.local(time_ms).date()
        days = [today + timedelta(days=i) for i in range(-1, 3)]
        nights = [] if self._quiet is None else [self._night(day, *self._quiet) for day in days]
        edges = sorted({self._instant(day, time.min) for day in days}.union(*nights))
        place = bisect_right(edges, time_ms)
        wakes = next((end for start, end in nights if start <= time_ms < end), None)
        day = (today if wakes is None else self.local(wakes).date()).toordinal()
        period = day - day % self._days
        until = self._instant(date.fromordinal(period + self._days), time.min)
        self._known = (edges[place - 1], edges[place], When(period, until, wakes))
        return self._known[2]

    def local(self, time_ms: int) -> datetime:
        """The time there."""
        return (_EPOCH + time_ms * _MILLISECOND).astimezone(self._zone)

    def _night(self, day: date, begins: time, ends: time) -> tuple[int, int]:
        """The quiet hours that begin on a day."""
        morrow = day + timedelta(days=begins >= ends)
        return self._instant(day, begins), self._instant(morrow, ends)

    def _instant(self, day: date, clock: time) -> int:
        return (datetime.combine(day, clock, self._zone) - _EPOCH) // _MILLISECOND


def _clock(written: str) -> time:
    hour, minute = written.split(":")
    return time(int(hour), int(minute))
