"""When something may be sent: quiet hours across midnight, and where the clocks are put forward and back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.policy.zones import zone, zone_names
from interceptor.runtime.hours import Hours, When
from model.hours import sent_at

SHANGHAI, BERLIN, NEW_YORK, BEIRUT, KATHMANDU = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Beirut",
    "Asia/Kathmandu",
)


def ms(text: str, place: str) -> int:
    """A local time, as milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone(place)).timestamp() * 1000)


def held(text: str, place: str, quiet: str) -> str:
    """Until when something of that local time is held, as the clocks there show it; "" when it is not."""
    hours = Hours(zone(place), quiet)
    until = hours.at(ms(text, place)).not_before_ms
    return "" if until is None else hours.local(until).isoformat(" ", "minutes")[:16]


def day(hours: Hours, time_ms: int) -> date:
    return date.fromordinal(hours.at(time_ms).period)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-22 21:59:59", ""),
        ("2026-11-22 22:00", "2026-11-23 07:00"),
        ("2026-11-22 23:59:59", "2026-11-23 07:00"),
        ("2026-11-23 00:00", "2026-11-23 07:00"),
        ("2026-11-23 06:59:59", "2026-11-23 07:00"),
        ("2026-11-23 07:00", ""),
        ("2026-12-31 23:30", "2027-01-01 07:00"),
    ],
)
def test_quiet_hours_go_on_after_midnight(at: str, until: str) -> None:
    assert held(at, SHANGHAI, "22:00-07:00") == until


def test_quiet_hours_may_be_within_a_day() -> None:
    assert held("2026-11-22 12:30", SHANGHAI, "12:00-14:00") == "2026-11-22 14:00"
    assert held("2026-11-22 11:59", SHANGHAI, "12:00-14:00") == ""
    assert held("2026-11-22 23:00", SHANGHAI, "12:00-14:00") == ""
    assert held("2026-11-22 23:00", SHANGHAI, "0:00-7:00") == ""
    assert held("2026-11-22 23:00", SHANGHAI, "20:00-00:00") == "2026-11-23 00:00"


@pytest.mark.parametrize(
    ("at", "quiet", "hours"),
    [
        ("2026-03-28 23:00", "22:00-07:00", 7),  # the night in which an hour is missing
        ("2026-10-24 23:00", "22:00-07:00", 9),  # the one with an hour twice
        ("2026-11-22 23:00", "22:00-07:00", 8),
    ],
)
def test_a_night_is_as_long_as_the_clocks_make_it(at: str, quiet: str, hours: int) -> None:
    begun = ms(at, BERLIN)
    until = Hours(zone(BERLIN), quiet).at(begun).not_before_ms
    assert until == begun + hours * 3_600_000
    assert held(at, BERLIN, quiet)[11:] == "07:00"


def test_an_end_in_the_missing_hour_comes_as_much_later() -> None:
    assert held("2026-03-08 01:00", NEW_YORK, "22:00-02:30") == "2026-03-08 03:30"


def test_a_day_that_has_no_midnight_begins_at_one() -> None:
    hours = Hours(zone(BEIRUT))  # on 2026-03-29 the clocks go from 0:00 to 1:00
    last = ms("2026-03-28 23:59:59", BEIRUT)
    assert day(hours, last) == date(2026, 3, 28)
    assert hours.at(last).until_ms == last + 1000
    assert day(hours, last + 1000) == date(2026, 3, 29)


def test_what_is_held_counts_for_the_day_on_which_it_is_read() -> None:
    hours = Hours(zone(KATHMANDU), "22:00-07:00")
    assert day(hours, ms("2026-11-22 21:00", KATHMANDU)) == date(2026, 11, 22)
    assert day(hours, ms("2026-11-22 22:00", KATHMANDU)) == date(2026, 11, 23)
    assert day(hours, ms("2026-11-23 02:00", KATHMANDU)) == date(2026, 11, 23)
    assert hours.at(ms("2026-11-22 22:00", KATHMANDU)).until_ms == ms("2026-11-24 00:00", KATHMANDU)


def test_several_days_may_count_as_one() -> None:
    hours = Hours(zone(SHANGHAI), days=7)
    seen = [hours.at(ms("2026-11-01 12:00", SHANGHAI) + i * 86_400_000) for i in range(21)]
    assert len({when.period for when in seen}) in (3, 4)
    for when in seen:
        assert when.until_ms == ms(date.fromordinal(when.period + 7).isoformat(), SHANGHAI)


CLOCK = st.times().map(lambda at: at.strftime("%H:%M"))


@given(
    st.sampled_from(zone_names()),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.lists(CLOCK, min_size=2, max_size=2, unique=True),
    st.lists(st.integers(-90_000_000, 90_000_000), max_size=4),
)
def test_hours_are_what_the_clock_on_the_wall_says(
    name: str, at: datetime, quiet: list[str], others: list[int]
) -> None:
    hours = Hours(zone(name), "-".join(quiet))
    now = int(at.timestamp() * 1000)
    for other in others:  # whatever was asked before
        hours.at(now + other)
    when = hours.at(now)
    assert when == Hours(zone(name), "-".join(quiet)).at(now)
    here = hours.local(now)
    if len({(here + timedelta(days=i)).utcoffset() for i in (-2, -1, 0, 1, 2, 3)}) == 1:  # no clock is set
        bare = here.replace(tzinfo=None)
        expected = sent_at(bare, *quiet)
        read = expected.date()
        held_until = (
            None if expected == bare else int(expected.replace(tzinfo=here.tzinfo).timestamp() * 1000)
        )
        assert when == When(read.toordinal(), ms((read + timedelta(days=1)).isoformat(), name), held_until)
    assert when.not_before_ms is None or now < when.not_before_ms <= when.until_ms
