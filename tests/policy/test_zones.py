"""Local time: a clock's changes say what the time zone database says, at every moment a policy may ask about."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from interceptor.engine.spec import Clock
from interceptor.numbering.regions import region_names
from interceptor.policy import load_policy
from interceptor.policy.zones import FIRST_YEAR, LAST_YEAR, clock_of, zone, zone_names, zone_of

#: none, both hemispheres, half and quarter hours, one that goes back in winter or keeps Ramadan, one that jumped
ZONES = [
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Australia/Sydney",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Santiago",
    "Asia/Gaza",
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offset(clock: Clock, now: int) -> int:
    passed = [i for i, start in enumerate(clock.starts) if start <= now]
    return clock.offsets[passed[-1] if passed else 0]


def same(name: str, now: int) -> bool:
    told = (EPOCH + timedelta(milliseconds=now)).astimezone(zone(name)).utcoffset()
    return offset(clock_of(name), now) == (told or timedelta()) // timedelta(milliseconds=1)


@pytest.mark.parametrize("name", ZONES)
def test_a_clock_is_the_zones_at_any_moment_and_around_every_change(
    name: str, scale: Callable[[int, int], int]
) -> None:
    clock, rng = clock_of(name), random.Random(name)
    assert list(clock.starts) == sorted(set(clock.starts))
    assert all(same(name, start + by) for start in clock.starts[1:] for by in (-1, 0))
    first, last = (
        (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
        for year in (FIRST_YEAR, LAST_YEAR)
    )
    assert all(same(name, rng.randrange(first, last)) for _ in range(scale(100, 20_000)))


@pytest.mark.long
def test_no_zone_has_changes_that_are_missed() -> None:
    rng = random.Random(0)
    for name in zone_names():
        for _ in range(2_000):
            now = rng.randrange(946_684_800_000, 3_155_760_000_000)
            assert same(name, now), (name, now)


def test_every_region_has_a_zone_of_its_own() -> None:
    regions = region_names()[2:]  # without the unknown region and the world
    assert [region for region in regions if zone_of(region) == "UTC"] == []
    assert {zone_of(region) for region in regions} <= set(zone_names())
    chosen = {region: zone_of(region) for region in ("CN", "HK", "US", "RU", "AU", "XK")}
    assert chosen == {
        "CN": "Asia/Shanghai",
        "HK": "Asia/Hong_Kong",
        "US": "America/New_York",
        "RU": "Europe/Moscow",
        "AU": "Australia/Sydney",
        "XK": "Europe/Belgrade",
    }


def test_a_policy_that_asks_no_time_brings_no_clocks() -> None:
    asks = "version: 1\nrules:\n  - {id: night, when: now.hour < 6, verdict: warn}\n"
    assert load_policy("p", "version: 1").clocks == {}
    spec = load_policy("p", asks)
    assert spec.clocks["CN"] == clock_of("Asia/Shanghai") == Clock((946_684_800_000,), (8 * 3600 * 1000,))


def test_a_trunk_has_the_zone_it_names() -> None:
    spec = load_policy("p", "version: 1\ntrunks: {a: {region: CN, zone: Asia/Urumqi}, b: {region: CN}}")
    assert spec.trunks["a"].clock == clock_of("Asia/Urumqi")
    assert spec.trunks["b"].clock is None
