"""Tables in files: what an earlier process has left is taken up, or left out where it does not fit."""

import math
import os
import resource
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interceptor.engine import state as states
from interceptor.engine.columns import Act, Measure
from interceptor.engine.copies import CopyError
from interceptor.engine.copying import Pace
from interceptor.engine.entities import EntityTable
from interceptor.engine.memory import LAYOUT
from interceptor.engine.recent import RecentTable
from interceptor.engine.state import HEAD, MAGIC, Label, StateDirectory, StateError

SECRET, SEED, NOW, WAYS = b"0123456789abcdef", 7, 1_700_000_000_000, 14
COLUMNS = ((int(Measure.MEASURE_COUNT), 3_600_000), (int(Measure.MEASURE_DISTINCT), 3_600_000))
LABEL = Label("entities", 1_000, "caller", COLUMNS, ("calls", "callees"), 50)
NBYTES = EntityTable.bytes_for(LABEL.slots, COLUMNS, LABEL.sketches)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "PATIENCE", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def table_of(state: StateDirectory) -> EntityTable:
    region = state.take(LABEL, NBYTES)
    return EntityTable(LABEL.slots, COLUMNS, sketches=LABEL.sketches, seed=SEED, region=region)


def count(table: EntityTable, entity: int, element: int = 1) -> list[int]:
    return table.touch(entity, 0, NOW, [(0, Act.ACT_COUNT, 0, 0), (1, Act.ACT_COUNT, element, 0)])


def read(table: EntityTable, entity: int) -> list[int]:
    return table.touch(entity, 0, NOW, [(0, Act.ACT_READ, 0, 0), (1, Act.ACT_READ, 0, 0)], peek=True)


def left_behind(path: Path, entities: int = 100, elements: int = 1) -> dict[int, list[int]]:
    """What a process counted that has ended since."""
    state = StateDirectory(path, SECRET)
    table = table_of(state)
    for entity in range(1, entities + 1):
        for element in range(elements):
            count(table, entity, element)
    state.close()
    return {entity: read(table, entity) for entity in range(1, entities + 1)}


def test_what_was_counted_is_there_for_the_next_process(path: Path) -> None:
    counted = left_behind(path, entities=60, elements=30)  # more sketches than there are
    state = StateDirectory(path, SECRET)
    table = table_of(state)
    assert {entity: read(table, entity) for entity in counted} == counted
    assert (state.counts.attached, table.torn, table.used) == (1, 0, 60)
    assert table.stats["sketches"]["used"] == 50
    state.close()


def test_a_table_is_taken_up_without_a_look_at_each_of_its_pages(path: Path) -> None:
    label = replace(LABEL, slots=100_000)
    nbytes = EntityTable.bytes_for(label.slots, COLUMNS, LABEL.sketches)
    state = StateDirectory(path, SECRET)
    state.take(label, nbytes)
    state.close()
    state = StateDirectory(path, SECRET)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    region = state.take(label, nbytes)
    EntityTable(label.slots, COLUMNS, sketches=LABEL.sketches, seed=SEED, region=region)
    assert resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before < nbytes / 4096 / 8
    state.close()


def test_a_file_that_lacks_memory_is_given_it_when_it_is_taken_up(path: Path) -> None:
    left_behind(path, entities=3)
    (file,) = path.glob("*.table")
    size, used = file.stat().st_size, 4096 * 3
    with file.open("r+b") as out:
        out.truncate(used)
        out.truncate(size)
    assert file.stat().st_blocks * 512 < size
    state = StateDirectory(path, SECRET)
    table_of(state)
    assert file.stat().st_blocks * 512 >= size
    state.close()


def test_what_was_taken_up_is_mapped_a_piece_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = left_behind(path)
    monkeypatch.setattr(states, "FETCHED", 1 << 16)
    state = StateDirectory(path, SECRET)
    table = table_of(state)
    assert sum(1 for _ in state.fetch()) == math.ceil(NBYTES / (1 << 16))
    assert {entity: read(table, entity) for entity in counted} == counted
    state.close()


def test_a_new_entity_gets_a_sketch_that_an_earlier_process_gave_back(path: Path) -> None:
    left_behind(path, entities=50, elements=30)
    state = StateDirectory(path, SECRET)
    table = table_of(state)
    assert table.forget(1, 0)
    for element in range(40):
        reading = count(table, 99, element)
    assert reading[1] > 35
    assert table.stats["sketches"]["used"] == 50
    assert read(table, 2)[1] >= 29
    state.close()


def words(path: Path, change: Callable[[int, bytes], int | None]) -> None:
    """Changes the lock of each set of the table in the only file."""
    (file,) = path.glob("*.table")
    data = bytearray(file.read_bytes())
    begin = len(data) - NBYTES
    for at in range(begin, begin + (LABEL.slots + WAYS - 1) // WAYS * 64, 64):
        lock = change(*struct.unpack_from("<I60s", data, at))
        if lock is not None:
            struct.pack_into("<I", data, at, lock)
    with file.open("r+b") as opened:
        opened.write(data)


def test_a_record_that_was_being_changed_is_dropped_and_that_alone(path: Path) -> None:
    counted = left_behind(path, elements=20)

    def hold(lock: int, line: bytes) -> int | None:
        tags = struct.unpack_from("<14H", line, 4)
        used = [way for way in range(WAYS) if tags[way]]
        return lock | 1 | (used[0] + 1) << 1 if used else None

    words(path, hold)
    state = StateDirectory(path, SECRET)
    table = table_of(state)
    sets = {table.set_of(entity, 0) for entity in counted}
    dropped = [entity for entity in counted if not table.contains(entity, 0)]
    assert table.torn == len(sets) == len(dropped)
    assert {entity: read(table, entity) for entity in counted if entity not in dropped} == {
        entity: values for entity, values in counted.items() if entity not in dropped
    }
    for entity in counted:  # no lock is held any more
        count(table, entity)
    state.close()


def test_a_lock_that_was_held_for_looking_loses_nothing(path: Path) -> None:
    counted = left_behind(path)
    words(path, lambda lock, _: lock & ~0x1E | 1)
    state = StateDirectory(path, SECRET)
    table = table_of(state)
    assert {entity: read(table, entity) for entity in counted} == counted
    assert table.torn == 0
    state.close()


def test_entries_of_what_happened_lately_are_there_for_the_next_process(path: Path) -> None:
    label, nbytes = Label("repeats", 500), RecentTable.bytes_for(500)
    state = StateDirectory(path, SECRET)
    table = RecentTable(500, SEED, state.take(label, nbytes))
    for key in range(1, 100):
        table.put(key, key, NOW, NOW + key * 1000, b"%d" % key)
    state.close()
    state = StateDirectory(path, SECRET)
    again = RecentTable(500, SEED, state.take(label, nbytes))
    for key in range(1, 100):
        assert again.find(key, key, NOW) == (b"%d" % key).ljust(32, b"\0")
    assert (len(again), again.torn, again.last_end) == (99, 0, NOW + 99_000)
    state.close()


def shorten(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 4096)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def age(file: Path) -> None:
    with file.open("r+b") as opened:
        head = HEAD.unpack(opened.read(HEAD.size))
        assert head[:2] == (MAGIC, LAYOUT)
        opened.seek(0)
        opened.write(HEAD.pack(MAGIC, LAYOUT + 1, *head[2:]))


def scribble(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(HEAD.size + 5)
        opened.write(b"\0\0")


def lend(file: Path) -> None:
    file.chmod(0o644)


def replace_by_link(file: Path) -> None:
    file.rename(file.with_suffix(".elsewhere"))
    file.symlink_to(file.with_suffix(".elsewhere"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shorten, "bytes, not"),
        (empty, "is none of ours"),
        (age, f"has layout {LAYOUT + 1}, this version has {LAYOUT}"),
        (scribble, "has a damaged label"),
        (lend, "this user alone"),
        (replace_by_link, "symbolic links"),
    ],
)
def test_what_does_not_fit_is_left_out_and_begun_anew(
    path: Path, change: Callable[[Path], None], said: str
) -> None:
    left_behind(path)
    (file,) = path.glob("*.table")
    change(file)
    state = StateDirectory(path, SECRET)
    ((name, problem),) = state.counts.left_out
    assert (name, said in problem) == (file.name, True), problem
    assert read(table_of(state), 1) == [0, 0]
    assert state.counts.attached == 0
    state.close()


def test_the_counters_of_another_installation_are_not_taken_up(path: Path) -> None:
    left_behind(path)
    state = StateDirectory(path, b"another's secret")
    assert [problem for _, problem in state.counts.left_out] == ["belongs to another installation"]
    state.close()


def test_a_table_of_another_meaning_is_a_table_of_its_own_and_files_nobody_wants_go(path: Path) -> None:
    left_behind(path)
    state = StateDirectory(path, SECRET)
    region = state.take(replace(LABEL, meanings=("calls", "others")), NBYTES)
    assert region.fresh
    assert len(list(path.glob("*.table"))) == 2
    state.retain("entities", [region])
    assert [label.meanings for label in state.tables()] == [("calls", "others")]
    assert len(list(path.glob("*.table"))) == 1
    state.close()


def test_what_somebody_began_to_make_and_died_is_removed(path: Path) -> None:
    left_behind(path)
    (path / "000009.new").write_bytes(b"x")
    StateDirectory(path, SECRET).close()
    assert sorted(file.name for file in path.iterdir()) == ["000001.table", "lock"]


def test_one_process_at_a_time(path: Path) -> None:
    state = StateDirectory(path, SECRET)
    with pytest.raises(StateError, match=f"in use by process {os.getpid()}: end that first"):
        StateDirectory(path, SECRET)
    state.close()
    StateDirectory(path, SECRET).close()


def test_a_directory_that_others_can_use_is_refused(path: Path, tmp_path: Path) -> None:
    path.mkdir(mode=0o755)
    with pytest.raises(StateError, match="is not a directory that this user alone can use"):
        StateDirectory(path, SECRET)
    path.chmod(0o700)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(StateError, match="is not a directory that this user alone can use"):
        StateDirectory(tmp_path / "link", SECRET)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        with pytest.raises(StateError, match="is not a directory that this user alone can use"):
            StateDirectory(path, SECRET)


def mounted(path: Path, kind: str, options: str = "mode=0700") -> Iterator[Path]:
    path.mkdir(mode=0o700)
    mount = ["mount", "-t", kind, "-o", options, kind, path]
    if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory with little room."""
    yield from mounted(tmp_path / "small", "tmpfs", "size=128k,mode=0700")


def test_where_there_is_no_room_the_start_says_so_and_no_call_ends_the_process(small: Path) -> None:
    state = StateDirectory(small, SECRET)
    with pytest.raises(
        StateError, match=r"no room for \d+ bytes .entities of caller.: No space left on device"
    ):
        state.take(LABEL, NBYTES)
    assert [file.name for file in small.iterdir()] == ["lock"]
    state.close()


def test_where_it_was_not_asked_for_a_table_without_room_is_the_processs_own(small: Path) -> None:
    state = StateDirectory(small, SECRET, required=False)
    table = table_of(state)
    for entity in range(1, 1_000):
        count(table, entity)
    assert [name for name, _ in state.counts.private] == ["entities of caller"]
    state.close()


def test_a_file_system_that_cannot_be_written_is_refused(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    with pytest.raises(StateError, match="Read-only file system; name a directory"):
        StateDirectory(small, SECRET)


def test_a_copy_on_disk_is_read_when_the_memory_is_gone(path: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    counted = left_behind(path, entities=60, elements=30)
    state = StateDirectory(path, SECRET, copies=copies)
    table = table_of(state)
    state.describe(table.region, table.locked())
    assert state.copy(Pace()) == 0
    state.close()
    shutil.rmtree(path)
    state = StateDirectory(path, SECRET, copies=copies)
    table = table_of(state)
    assert {entity: read(table, entity) for entity in counted} == counted
    assert (state.counts.restored, state.counts.attached, table.torn) == (1, 1, 0)
    state.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-1], "ends in the middle"),
        (lambda data: data[:-5000] + b"x" + data[-4999:], "is damaged"),
        (lambda data: data[: len(data) // 2], "is damaged"),
        (lambda data: b"", "is none of ours"),
    ],
)
def test_a_copy_that_is_not_whole_is_none(
    path: Path, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    left_behind(path)
    state = StateDirectory(path, SECRET, copies=tmp_path / "copies")
    table = table_of(state)
    state.describe(table.region, table.locked())
    state.copy(Pace())
    state.close()
    shutil.rmtree(path)
    (copy,) = (tmp_path / "copies").iterdir()
    copy.write_bytes(change(copy.read_bytes()))
    state = StateDirectory(path, SECRET, copies=tmp_path / "copies")
    assert [problem for _, problem in state.counts.left_out] == [said]
    assert read(table_of(state), 1) == [0, 0]
    state.close()


def thread_named(name: str) -> int | None:
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    return None


def test_a_copy_beside_calls_is_made_while_nobody_else_wants_the_core_and_may_be_given_up(
    path: Path, tmp_path: Path
) -> None:
    left_behind(path, entities=1_000)
    state = StateDirectory(path, SECRET, copies=tmp_path / "copies")
    table = table_of(state)
    state.describe(table.region, table.locked())
    state.copy(Pace())
    (copy,) = (tmp_path / "copies").iterdir()
    before = copy.read_bytes()
    count(table, 1, 2)
    pace = Pace(rate=100_000)  # takes seconds
    with ThreadPoolExecutor() as pool:
        copying = pool.submit(state.copy, pace)
        while (thread := thread_named("ic-copy")) is None or os.sched_getscheduler(thread) != os.SCHED_IDLE:
            assert not copying.done()
            time.sleep(0.001)
        pace.give_up()
        with pytest.raises(CopyError, match="given up"):
            copying.result()
    assert list((tmp_path / "copies").iterdir()) == [copy]
    assert copy.read_bytes() == before
    state.close()


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Path]:
    """A file system that cannot be written past the page cache."""
    yield from mounted(tmp_path / "cached", "ramfs")


def test_a_copy_can_be_made_where_the_page_cache_cannot_be_passed(path: Path, cached: Path) -> None:
    counted = left_behind(path, entities=1_000)
    state = StateDirectory(path, SECRET, copies=cached / "copies")
    table = table_of(state)
    state.describe(table.region, table.locked())
    assert state.copy(Pace()) == 0
    state.close()
    shutil.rmtree(path)
    state = StateDirectory(path, SECRET, copies=cached / "copies")
    table = table_of(state)
    assert {entity: read(table, entity) for entity in counted} == counted
    assert state.counts.restored == 1
    state.close()


def test_where_a_copy_has_no_room_the_error_says_so_and_nothing_of_it_stays(path: Path, small: Path) -> None:
    left_behind(path, entities=1_000)
    state = StateDirectory(path, SECRET, copies=small / "copies")
    table = table_of(state)
    state.describe(table.region, table.locked())
    with pytest.raises(OSError, match="No space left on device"):
        state.copy(Pace())
    assert list((small / "copies").iterdir()) == []
    state.close()


def test_a_copy_made_while_calls_are_counted_has_each_entity_as_it_was_at_one_moment(
    path: Path, tmp_path: Path
) -> None:
    state = StateDirectory(path, SECRET, copies=tmp_path / "copies")
    table = table_of(state)
    state.describe(table.region, table.locked())
    keys = np.arange(1, 201, dtype=np.uint64).repeat(50)
    going = threading.Event()

    def call() -> None:
        while not going.is_set():
            table.touch_many(keys, np.zeros_like(keys), np.full(len(keys), NOW), np.ones_like(keys))

    thread = threading.Thread(target=call)
    thread.start()
    readings = []
    for _ in range(5):
        state.copy(Pace())
        other = StateDirectory(tmp_path / "other", SECRET, copies=tmp_path / "copies")
        restored = table_of(other)
        readings.append([read(restored, entity) for entity in range(1, 201)])
        other.close()
        shutil.rmtree(tmp_path / "other")
    going.set()
    thread.join()
    for counts in zip(*readings, strict=True):  # they go up, and a call counts in both columns or in none
        assert [calls for calls, _ in counts] == sorted(calls for calls, _ in counts)
        assert all(callees == (calls > 0) for calls, callees in counts)
    state.close()
