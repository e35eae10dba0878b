"""Locks of a process that died beside another one, and tables that two use at once."""

from pathlib import Path

from interceptor.engine.columns import Act, Measure
from interceptor.engine.entities import EntityTable
from interceptor.engine.orphans import hold, release
from interceptor.engine.recent import RecentTable
from interceptor.engine.residents import settle
from interceptor.engine.state import StateDirectory

SECRET = bytes(16)
HOUR = 3_600_000
NOW = 1_800_000_000_000
COLUMNS = [(b"people", (int(Measure.MEASURE_DISTINCT), HOUR)), (b"calls", (int(Measure.MEASURE_COUNT), HOUR))]


def touch(table: EntityTable, key: int, element: int) -> list[int]:
    return table.touch(key, 0, NOW, [(0, Act.ACT_COUNT, element, 1), (1, Act.ACT_COUNT, 0, 1)])


def test_what_a_dead_process_was_changing_is_dropped_and_the_rest_goes_on() -> None:
    table = EntityTable(14, [column for _, column in COLUMNS], sketches=8)
    for element in range(1, 30):
        touch(table, 1, element)
        touch(table, 2, element)
    way = 0  # of the one that came first
    hold(table, way)
    assert release(table) == 1
    assert (table.contains(1, 0), table.contains(2, 0), table.used) == (False, True, 1)
    assert touch(table, 2, 99)[1] == 30
    hold(table)  # it died before it changed anything
    assert release(table) == 0
    assert touch(table, 2, 98)[1] == 31

    recent = RecentTable(15, 1)
    recent.put(1, 1, NOW, NOW + HOUR)
    hold(recent, 14)
    assert release(recent) == 1
    assert recent.until(1, 1, NOW) in {NOW + HOUR, None}


def test_two_processes_count_in_one_table_and_borrow_of_one_pool(tmp_path: Path) -> None:
    one = StateDirectory(tmp_path / "state", SECRET)
    other = None
    first = settle("caller", 1000, COLUMNS, 7, one).table
    other = StateDirectory(tmp_path / "state", SECRET, beside=True)
    second = settle("caller", 1000, COLUMNS, 7, other).table
    assert other.counts.attached == 1
    for element in range(1, 101):
        for key in range(1, 21):
            touch((first, second)[element % 2], key, element)
    for key in range(1, 21):
        people, calls = touch(second, key, 1)
        assert calls == 101
        assert 90 <= people <= 110
    assert first.stats["sketches"]["used"] == second.stats["sketches"]["used"] == 20
    other.retain("entities", [])  # not while the other one has them
    assert list((tmp_path / "state").glob("*.table"))
    one.close()
    other.inherit()
    assert not list((tmp_path / "state").glob("*.table"))
    other.close()
