"""Refused tries on the audit trail: each is told, and no flood of them makes many records."""

from interceptor.control.tries import INTERVAL_MS, KINDS, Tries


class Trail:
    """What was recorded, and a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0
        self.records: list[tuple[str, str, int]] = []
        self.tries = Tries(lambda *record: self.records.append(record), lambda: self.now)


def test_the_first_try_is_recorded_at_once_and_a_minute_of_others_as_one() -> None:
    trail = Trail()
    for _ in range(100):
        trail.tries.refused("ipv4:192.0.2.1", "wrong token")
    assert trail.records == [("ipv4:192.0.2.1", "wrong token", 1)]
    trail.now += INTERVAL_MS
    trail.tries.refused("ipv4:192.0.2.1", "wrong token")
    assert trail.records[1:] == [("ipv4:192.0.2.1", "wrong token", 100)]


def test_no_try_goes_untold() -> None:
    trail = Trail()
    for at in range(5 * INTERVAL_MS // 100):
        trail.now = at * 100
        trail.tries.refused(f"token:{at % 7}", "EraseNumber")
    trail.tries.settle(all_of_them=True)
    assert sum(times for *_, times in trail.records) == 5 * INTERVAL_MS // 100
    assert len(trail.records) <= 7 * 2 * 6  # two a minute for each of the seven


def test_callers_without_number_do_not_make_records_without_number() -> None:
    trail = Trail()
    for at in range(10_000):
        trail.tries.refused(f"ipv4:192.0.{at >> 8}.{at & 255}", "wrong token")
    assert len(trail.records) == KINDS + 1
    trail.tries.settle(all_of_them=True)
    assert sum(times for *_, times in trail.records) == 10_000


def test_what_was_counted_is_told_once_its_minute_is_over() -> None:
    trail = Trail()
    trail.tries.refused("token:a", "PutPolicy")
    trail.tries.refused("token:a", "PutPolicy")
    trail.tries.settle()
    assert len(trail.records) == 1
    trail.now = INTERVAL_MS
    trail.tries.settle()
    assert trail.records[1:] == [("token:a", "PutPolicy", 1)]
