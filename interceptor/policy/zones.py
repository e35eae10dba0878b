"""Local time by zone and region: when its distance to UTC changes, says the IANA time zone database (tzdata)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Clock, Code
from interceptor.numbering.regions import region_names

#: changes outside these years are not known to a policy
FIRST_YEAR, LAST_YEAR = 2000, 2070

#: regions whose first zone in zone.tab is one of few people, and regions that are none of its own
_CHOSEN = {
    "AC": "Atlantic/St_Helena",
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "RU": "Europe/Moscow",
    "TA": "Atlantic/St_Helena",
    "XK": "Europe/Belgrade",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@cache
def zone_names() -> tuple[str, ...]:
    """Every zone there is, such as ``Asia/Shanghai``."""
    return tuple((files("tzdata") / "zones").read_text().split())


@cache
def zone_of(region: str) -> str:
    """The zone of a region (ISO 3166, two capitals) whose calls name none: the first of zone.tab. Else UTC."""
    if region in _CHOSEN:
        return _CHOSEN[region]
    rows = (files("tzdata") / "zoneinfo" / "zone.tab").read_text().splitlines()
    zones = (row.split("\t")[2] for row in rows if row.startswith(f"{region}\t"))
    return next(zones, "UTC")


def zone(name: str) -> ZoneInfo:
    """A zone by its name, out of the package and not out of the machine: the same policy means the same everywhere."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def clock_of(name: str) -> Clock:
    """Its distance to UTC, change by change. One that lasts no week may be missed: there is none."""
    place = zone(name)
    low, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
    starts, offsets = [low], [_offset(place, low)]
    while low < end:
        high = low + timedelta(weeks=1)
        if _offset(place, high) != offsets[-1]:
            starts.append(_change(place, low, high))
            offsets.append(_offset(place, high))
        low = high
    return Clock(
        tuple((start - _EPOCH) // _MILLISECOND for start in starts),
        tuple(offset // _MILLISECOND for offset in offsets),
    )


class Clocks(Mapping[str, Clock]):
    """The clock of every region, made when it is asked for: a policy does not know where its service runs."""

    def __getitem__(self, region: str) -> Clock:
        return clock_of(zone_of(region))

    def __iter__(self) -> Iterator[str]:
        return iter(region_names()[2:])  # without the unknown region and the world

    def __len__(self) -> int:
        return len(region_names()) - 2


def asks_the_time(code: Code) -> bool:
    return bool((code.instructions["op"] == Op.OP_NOW).any())


def _offset(place: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(place).utcoffset() or timedelta()


def _change(place: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The second within (low, high] at which the offset becomes that of `high`."""
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if _offset(place, middle) == _offset(place, high):
            high = middle
        else:
            low = middle
    return high
