"""Which entities a bounded table keeps, what it says of each, and that threads lose no count."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.entities import EntityTable
from interceptor.engine.memory import Region
from tests.model.entities import ACT_COUNT, ACT_END, ACT_READ, ERA, PROTECTED, WAYS, EntityTableModel
from tests.model.windows import (
    ACTIVE,
    COUNT,
    DISTINCT,
    FIRST_SEEN,
    LARGE,
    LAST_SEEN,
    MAX,
    MEASURES,
    NARROW,
    SUM,
)

NOW = 1_790_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def one_set(sketches: int = 0, window: int = HOUR) -> EntityTable:
    return EntityTable(WAYS, [(COUNT, window)], sketches)


def call(table: EntityTable, a: int, now: int, b: int = 0) -> int:
    return table.touch(a, b, now, [(0, ACT_COUNT, 0, 0)])[0]


# -- records


@pytest.mark.parametrize(
    ("columns", "size"),
    [
        ([COUNT], 80),  # straddles two lines at any multiple of 16, as 128 would fill
        ([DISTINCT], 128),
        ([COUNT, DISTINCT], 192),
        ([COUNT, COUNT], 144),
        ([COUNT, COUNT, DISTINCT], 256),
        ([COUNT] * 32, 2064),
        ([LAST_SEEN], 32),
        ([FIRST_SEEN, NARROW], 64),
        ([NARROW, NARROW], 80),
        ([NARROW, NARROW, FIRST_SEEN], 96),  # as many lines from its middle on as from a line's beginning
        ([NARROW, SUM, DISTINCT, LAST_SEEN], 224),
    ],
)
def test_a_record_is_its_key_and_its_columns(columns: list[int], size: int) -> None:
    assert EntityTable(100, [(measure, HOUR) for measure in columns]).record_bytes == size


def test_a_typical_entity_takes_at_most_256_bytes_all_told() -> None:
    columns = [(NARROW, MINUTE), (NARROW, HOUR), (DISTINCT, HOUR)]
    table = EntityTable(1_000_000, columns, sketches=1_000_000 // 32)
    assert table.nbytes / table.slots <= 256


def test_memory_is_reserved_at_construction_and_never_grows() -> None:
    table = EntityTable(140, [(COUNT, HOUR), (DISTINCT, HOUR)], sketches=3)
    before = table.nbytes
    for caller in range(2000):
        for element in range(20):
            table.touch(caller, 0, NOW, [(0, ACT_COUNT, 0, 0), (1, ACT_COUNT, element, 0)])
    assert table.nbytes == before
    assert table.used == table.slots == 140


# -- who stays


def test_an_entity_is_found_by_both_halves_of_its_key() -> None:
    table = one_set()
    assert [call(table, 1, NOW, 2), call(table, 2, NOW, 1), call(table, 1, NOW, 3), call(table, 1, NOW, 2)] == [
        1, 1, 1, 2,
    ]  # fmt: skip


def test_a_stranger_replaces_the_stalest_entity_seen_once() -> None:
    table = one_set()
    for caller in range(WAYS):
        call(table, caller, NOW + 1000 * caller)
    call(table, 99, NOW + 20_000)
    assert [table.contains(caller, 0) for caller in range(3)] == [False, True, True]
    assert (table.evicted_probation, table.evicted_protected) == (1, 0)


def test_a_flood_of_strangers_evicts_nobody_who_was_seen_twice() -> None:
    table = one_set()
    for _ in range(2):
        for caller in range(PROTECTED):
            call(table, caller, NOW)
    for stranger in range(10_000):
        call(table, 1000 + stranger, NOW + stranger * 100)
    assert all(table.contains(caller, 0) for caller in range(PROTECTED))
    assert table.evicted_protected == 0
    assert table.evicted_probation == 10_000 - (WAYS - PROTECTED)


def test_a_thirteenth_regular_sends_the_stalest_one_back_on_probation() -> None:
    table = one_set()
    for caller in range(PROTECTED + 1):
        for _ in range(2):
            call(table, caller, NOW + 1000 * caller)
    assert table.contains(0, 0)
    call(table, 100, NOW + 60_000)
    call(table, 101, NOW + 60_000)
    assert [table.contains(caller, 0) for caller in range(3)] == [False, True, True]
    assert (table.evicted_probation, table.evicted_protected) == (0, 1)


def test_who_is_silent_for_longer_than_the_longest_window_goes_first_and_uncounted() -> None:
    table = one_set()
    for caller in (5, *range(5), *range(6, WAYS)):
        for _ in range(2 if caller < PROTECTED else 1):
            call(table, caller, NOW if caller == 5 else NOW + HOUR)
    call(table, 99, NOW + HOUR + 10_000)
    assert [caller for caller in range(WAYS) if not table.contains(caller, 0)] == [5]
    assert (table.evicted_probation, table.evicted_protected) == (0, 0)
    assert table.live(NOW + HOUR + 10_000) == WAYS


def test_who_comes_back_after_that_starts_again_on_probation() -> None:
    table = one_set()
    for _ in range(2):
        call(table, 1, NOW)
    later = NOW + HOUR + 2000
    assert table.live(later) == 0
    assert call(table, 1, later) == 1
    for caller in range(100, 100 + WAYS):
        call(table, caller, later + 60_000)
    assert not table.contains(1, 0)
    assert (table.evicted_probation, table.evicted_protected) == (1, 0)


@pytest.mark.parametrize("window", [1000, HOUR, 31 * DAY])
@pytest.mark.parametrize("windows_later", [2, 7, 8, 9, 16, 65_536 / ERA, 100, 30_000])
def test_a_silence_of_any_length_is_never_taken_for_a_short_one(window: int, windows_later: float) -> None:
    table = one_set(window=window)
    for caller in range(WAYS):
        for _ in range(2):
            call(table, caller, NOW)
    later = NOW + round(max(window, 1000 * ERA) * windows_later)
    assert table.live(later) == 0
    assert call(table, 3, later) == 1
    assert table.live(later) == 1
    assert table.evicted_protected == 0


def test_a_clock_that_goes_back_wipes_nothing() -> None:
    table = one_set()
    for caller in range(PROTECTED):
        call(table, caller, NOW)
        call(table, caller, NOW - DAY)
    assert all(call(table, caller, NOW - 400 * DAY) == 3 for caller in range(PROTECTED))
    assert table.live(NOW - DAY) == PROTECTED
    assert call(table, 0, NOW) == 4


@pytest.mark.parametrize("now", [0, -1, 1, 2**31 * 1000, 5_000_000_000_000, 2**43])
def test_a_table_may_be_begun_at_any_time(now: int) -> None:
    table = one_set()
    for caller in range(WAYS):
        call(table, caller, now)
    assert table.live(now) == WAYS
    assert table.live(now + 2 * HOUR + DAY) == 0
    assert call(table, 1, now + 1000) == 2


# -- what is said of them


def test_only_a_touch_that_counts_makes_an_entity() -> None:
    table = EntityTable(100, [(COUNT, HOUR), (DISTINCT, HOUR)], sketches=1)
    both = [(0, ACT_READ, 0, 0), (1, ACT_READ, 7, 0)]
    assert table.touch(1, 0, NOW, both) == [0, 0]
    assert not table.contains(1, 0)
    assert table.touch(1, 0, NOW, [(0, ACT_READ, 0, 0), (1, ACT_COUNT, 7, 0)]) == [0, 1]
    assert table.touch(1, 0, NOW, both) == [0, 1]


def test_a_peek_answers_as_if_counted_and_touches_nothing() -> None:
    table = EntityTable(100, [(COUNT, HOUR), (DISTINCT, HOUR)], sketches=1)
    touches = [(0, ACT_COUNT, 0, 0), (1, ACT_COUNT, 7, 0)]
    assert table.touch(1, 0, NOW, touches, peek=True) == [1, 1]
    assert not table.contains(1, 0)
    table.touch(1, 0, NOW, touches)
    for _ in range(2):
        assert table.touch(1, 0, NOW, touches, peek=True) == [2, 1]
        assert table.touch(1, 0, NOW, [(0, ACT_COUNT, 0, 0), (1, ACT_COUNT, 8, 0)], peek=True) == [2, 2]
        assert table.touch(1, 0, NOW, [(0, ACT_READ, 0, 0), (1, ACT_READ, 8, 0)], peek=True) == [1, 1]


def test_a_read_is_no_second_touch() -> None:
    table = one_set()
    call(table, 1, NOW)
    table.touch(1, 0, NOW + 1000, [(0, ACT_READ, 0, 0)])
    for caller in range(100, 100 + WAYS):
        call(table, caller, NOW + 1000)
    assert not table.contains(1, 0)
    assert table.evicted_protected == 0


def test_of_an_entity_that_is_not_there_every_measure_reads_as_an_empty_one() -> None:
    table = EntityTable(WAYS, [(measure, HOUR) for measure in MEASURES], sketches=1)
    read = [(column, ACT_READ, 0, 0) for column in MEASURES]
    end = [(column, ACT_END, 0, NOW) for column in MEASURES]
    nothing = [3600 if measure == LAST_SEEN else 0 for measure in MEASURES]
    assert table.touch(1, 0, NOW, read) == table.touch(1, 0, NOW, end) == nothing
    assert not table.contains(1, 0)
    count = [(column, ACT_COUNT, 5, 70) for column in MEASURES]
    once = {SUM: 70, MAX: 70, FIRST_SEEN: 0, LAST_SEEN: 3600}
    assert table.touch(1, 0, NOW, count, peek=True) == [once.get(measure, 1) for measure in MEASURES]
    assert table.touch(1, 0, NOW, count) == [once.get(measure, 1) for measure in MEASURES]


def test_an_end_takes_off_what_is_active_and_neither_makes_nor_protects_anybody() -> None:
    table = EntityTable(WAYS, [(ACTIVE, HOUR), (COUNT, HOUR)])
    for caller in range(WAYS):
        table.touch(caller, 0, NOW, [(0, ACT_COUNT, 0, 0), (1, ACT_COUNT, 0, 0)])
        ends = [(0, ACT_END, 0, NOW), (1, ACT_END, 0, NOW)]
        assert table.touch(caller, 0, NOW + 1000, ends, peek=True) == [0, 1]
        assert table.touch(caller, 0, NOW + 1000, ends) == [0, 1]
    table.touch(99, 0, NOW + 1000, [(0, ACT_END, 0, NOW)])
    assert not table.contains(99, 0)
    call(table, 100, NOW + 2000)
    assert (table.evicted_probation, table.evicted_protected) == (1, 0)


def test_what_follows_on_a_call_is_no_second_touch() -> None:
    table = one_set()
    for caller in range(WAYS):
        call(table, caller, NOW)
        assert table.touch(caller, 0, NOW + 1000, [(0, ACT_COUNT, 0, 0)], follows=True) == [2]
    for caller in range(100, 110):
        call(table, caller, NOW + 2000)
    assert (table.evicted_probation, table.evicted_protected) == (10, 0)


def test_an_evicted_entity_returns_its_sketches() -> None:
    table = EntityTable(WAYS, [(DISTINCT, HOUR), (DISTINCT, DAY)], sketches=2)
    for element in range(40):
        table.touch(1, 0, NOW, [(0, ACT_COUNT, element, 0)])
        table.touch(1, 0, NOW, [(1, ACT_COUNT, element, 0)])
    assert sketches_used(table) == 2
    for caller in range(100, 200):
        table.touch(caller, 0, NOW + 1000, [(0, ACT_COUNT, 1, 0)])
        table.touch(caller, 0, NOW + 1000, [(0, ACT_COUNT, 1, 0)])
    assert sketches_used(table) == 0
    assert table.stats["sketches"]["saturated"] == 0


def sketches_used(table: EntityTable) -> int:
    sketches = table.stats["sketches"]
    assert isinstance(sketches, dict)
    return sketches["used"]


def test_every_measure_goes_on_where_an_earlier_process_left_it(tmp_path: Path) -> None:
    columns = [(measure, HOUR) for measure in MEASURES]
    nbytes = EntityTable.bytes_for(100, columns, 3)
    (tmp_path / "table").write_bytes(bytes(nbytes))

    def table(*, fresh: bool) -> EntityTable:
        with (tmp_path / "table").open("r+b") as file:
            return EntityTable(100, columns, 3, seed=4, region=Region(nbytes, file.fileno(), fresh=fresh))

    def touches(act: int, element: int = 0) -> list[tuple[int, int, int, int]]:
        return [(column, act, element, element % 50) for column in MEASURES]

    left, alone = table(fresh=True), EntityTable(100, columns, 3, seed=4)
    for element in range(300):
        for each in (left, alone):
            each.touch(1 + element % 3, 0, NOW + 10_000 * element, touches(ACT_COUNT, element))
    del left
    taken_up, now = table(fresh=False), NOW + 3_000_000
    assert taken_up.torn == 0
    assert taken_up.used == 3
    assert [taken_up.stats[pool]["used"] for pool in ("sketches", "large")] == [3, 3]
    for caller in (1, 2, 3):
        assert taken_up.touch(caller, 0, now, touches(ACT_READ)) == alone.touch(
            caller, 0, now, touches(ACT_READ)
        )
        for element in range(caller, 400, 7):
            later = now + 1000 * element
            counted = [
                each.touch(caller, 0, later, touches(ACT_COUNT, element)) for each in (taken_up, alone)
            ]
            assert counted[0] == counted[1]


@pytest.mark.parametrize(
    ("slots", "columns", "message"),
    [
        (0, [(COUNT, 1000)], "slots: 0"),
        (2**41, [(COUNT, 1000)], "slots"),
        (10, [], "columns: 0 given"),
        (10, [(COUNT, 1000)] * 33, "columns: 33 given"),
        (10, [(COUNT, 1000), (9, 1000)], r"columns\[1\]: measure 9"),
        (10, [(COUNT, 0)], r"columns\[0\]: a window of 0 ms"),
    ],
)
def test_a_table_that_cannot_be_says_why(slots: int, columns: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EntityTable(slots, columns)


def test_touches_are_checked() -> None:
    table = one_set()
    with pytest.raises(ValueError, match="column 1 of a table that has 1"):
        table.touch(1, 0, NOW, [(1, ACT_COUNT, 0, 0)])
    with pytest.raises(ValueError, match="more than 64"):
        table.touch(1, 0, NOW, [(0, ACT_COUNT, 0, 0)] * 65)
    with pytest.raises(ValueError, match=r"touches\[0\]: act 3"):
        table.touch(1, 0, NOW, [(0, 3, 0, 0)])
    keys = np.zeros(3, np.uint64)
    with pytest.raises(ValueError, match="differ in length"):
        table.touch_many(keys, keys, np.zeros(2, np.int64), keys)
    with pytest.raises(ValueError, match=r"\(3, 1\)"):
        table.touch_many(keys, keys, np.zeros(3, np.int64), keys, np.zeros((3, 2), np.int64))


# -- many at once


@pytest.mark.parametrize("chunk", [0, 1, 7, 64])
def test_many_touches_are_the_same_as_one_after_the_other(chunk: int) -> None:
    columns = [(COUNT, MINUTE), (DISTINCT, HOUR)]
    batch, single = EntityTable(500, columns, 5, seed=3), EntityTable(500, columns, 5, seed=3)
    draw = np.random.default_rng(5)
    a = draw.integers(0, 200, 3000).astype(np.uint64)
    b = draw.integers(0, 3, 3000).astype(np.uint64)
    now = NOW + np.sort(draw.integers(0, 2 * HOUR, 3000))
    elements = draw.integers(0, 40, 3000).astype(np.uint64)
    values = np.zeros((3000, 2), np.int64)
    batch.touch_many(a, b, now, elements, values, chunk)
    for i in range(3000):
        touches = [(0, ACT_COUNT, 0, 0), (1, ACT_COUNT, int(elements[i]), 0)]
        assert single.touch(int(a[i]), int(b[i]), int(now[i]), touches) == values[i].tolist()
    assert batch.stats == single.stats


def run_threads(work: Callable[[int], None], n: int = 4) -> None:
    failures: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(index,)) for index in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_on_the_same_entities_lose_no_count(scale: Callable[[int, int], int]) -> None:
    """In one set, so that every touch meets another's lock; and over many."""
    per_thread = scale(100_000, 5_000_000)
    for slots, callers in ((WAYS, 10), (10_000, 3000)):
        table = EntityTable(slots, [(COUNT, HOUR), (DISTINCT, HOUR)], sketches=callers)
        streams = [np.random.default_rng(seed).integers(1, callers + 1, per_thread) for seed in range(4)]

        def work(
            index: int, table: EntityTable = table, streams: list[npt.NDArray[np.int64]] = streams
        ) -> None:
            keys = streams[index].astype(np.uint64)
            elements = np.arange(len(keys), dtype=np.uint64) % 100
            table.touch_many(keys, np.zeros_like(keys), np.full(len(keys), NOW), elements)

        run_threads(work)
        expected = np.bincount(np.concatenate(streams), minlength=callers + 1)
        for caller in range(1, callers + 1):
            count, distinct = table.touch(caller, 0, NOW, [(0, ACT_READ, 0, 0), (1, ACT_READ, 0, 0)])
            assert count == expected[caller]
            assert 0 < distinct <= 115
        assert table.used == callers
        assert table.evicted_probation == table.evicted_protected == 0


def test_threads_that_meet_at_one_entity_are_known_to_have_waited() -> None:
    table = EntityTable(WAYS, [(COUNT, HOUR)])
    assert table.stats["waited"] == {"waits": 0, "ns": 0, "longest_ns": 0}
    table.touch(1, 0, NOW, [(0, ACT_COUNT, 0, 0)])
    assert table.stats["waited"]["waits"] == 0  # alone nobody waits

    def work(_index: int) -> None:
        keys = np.ones(200_000, np.uint64)
        table.touch_many(keys, keys, np.full(len(keys), NOW), keys)

    while not table.stats["waited"]["waits"]:
        run_threads(work)
    waited = table.stats["waited"]
    assert 0 < waited["longest_ns"] <= waited["ns"]


def test_threads_that_fight_over_slots_and_sketches_keep_the_books(scale: Callable[[int, int], int]) -> None:
    """Eviction, promotion, reclaim and expiry from four threads at once, while others peek."""
    rounds = scale(20, 1000)
    columns = [(COUNT, 1000), (DISTINCT, 1400), (LARGE, 1400), (NARROW, 700), (ACTIVE, 1000)]
    table = EntityTable(280, columns, sketches=7, seed=1)
    read = [(column, ACT_READ, 0, 0) for column in range(len(columns))]

    def work(index: int) -> None:
        draw = np.random.default_rng(index)
        for step in range(rounds):
            n = 2000
            keys = draw.integers(1, 500, n).astype(np.uint64)
            now = np.sort(NOW + step * 700 + draw.integers(-50, 700, n))
            elements = draw.integers(0, 60, n).astype(np.uint64)
            values = np.zeros((n, len(columns)), np.int64)
            table.touch_many(keys, np.zeros_like(keys), now, elements, values)
            assert values.min() >= 0
            assert values[:, :4].min() >= 1
            assert values[:, 1:3].max() <= 90
            table.touch(int(keys[1]), 0, int(now[-1]), [(4, ACT_END, 0, int(now[0]))])
            peeked = table.touch(
                int(keys[0]), 0, int(now[-1]), [(0, ACT_COUNT, 0, 0), (1, ACT_COUNT, 1, 0)], peek=True
            )
            assert min(peeked) >= 1

    run_threads(work)
    assert 0 < table.used <= table.slots
    assert 0 <= sketches_used(table) <= 7
    end = NOW + rounds * 700 + DAY
    assert table.live(end) == 0
    for caller in range(1, 500):
        assert table.touch(caller, 0, end, read) == [0] * len(columns)


# -- every order of events


class EntitiesMachine(RuleBasedStateMachine):
    """One or two sets, few sketches, a few dozen callers: whatever can happen does."""

    @initialize(
        columns=st.lists(
            st.tuples(
                st.sampled_from([*MEASURES, DISTINCT]),
                st.sampled_from([1000, 20_000, 10_000_000, 31 * DAY]),
            ),
            min_size=1,
            max_size=4,
        ),
        slots=st.sampled_from([1, WAYS, 2 * WAYS]),
        sketches=st.integers(0, 3),
        seed=st.integers(0, 2**64 - 1),
        now=st.sampled_from([0, NOW, 2**45]),
    )
    def begin(self, columns: list[tuple[int, int]], slots: int, sketches: int, seed: int, now: int) -> None:
        self.table = EntityTable(slots, columns, sketches, seed)
        self.model = EntityTableModel(slots, columns, sketches, seed)
        self.columns = columns
        self.now = now

    def touch(
        self, a: int, element: int, mask: int, *, follows: int = False, ends: int = 0, ago: int = 0
    ) -> None:
        touches = [
            (i, ACT_END, 0, max(self.now - ago, 0))
            if ends >> i & 1
            else (i, ACT_COUNT if mask >> i & 1 else ACT_READ, element + i, element * 7)
            for i in range(len(self.columns))
        ]
        seen = self.table.stats
        expected = self.model.touch(a, a % 3, self.now, touches, peek=True, follows=follows)
        assert self.table.touch(a, a % 3, self.now, touches, peek=True, follows=follows) == expected
        assert self.table.stats == seen
        expected = self.model.touch(a, a % 3, self.now, touches, follows=follows)
        assert self.table.touch(a, a % 3, self.now, touches, follows=follows) == expected

    @rule(
        which=st.integers(0, 3),
        steps=st.one_of(st.integers(-3, 20), st.sampled_from([13, 14, 15, 28, 100, 8 * 14, 1000])),
        off=st.integers(-1, 1),
    )
    def clock_by_sub_buckets(self, which: int, steps: int, off: int) -> None:
        window = self.columns[which % len(self.columns)][1]
        self.now = self.now + steps * window // 14 + off

    @rule(eras=st.sampled_from([-2, -1, 1, 2, 3, 4]), off=st.integers(-1, 1))
    def clock_to_the_edge_of_an_era(self, eras: int, off: int) -> None:
        era = self.model.unit * ERA
        self.now = (self.now // era + eras) * era + off * self.model.unit

    @rule(
        a=st.integers(0, 40),
        element=st.integers(0, 30),
        mask=st.integers(0, 15),
        follows=st.booleans(),
        ends=st.sampled_from([0, 0, 0, 1, 5, 15]),
        ago=st.integers(0, 40_000),
    )
    def call(self, a: int, element: int, mask: int, **more: int) -> None:
        self.touch(a, element, mask, **more)

    @rule(
        first=st.integers(0, 40), n=st.integers(2, 20), element=st.integers(0, 30), step=st.integers(0, 2000)
    )
    def callers_one_after_the_other(self, first: int, n: int, element: int, step: int) -> None:
        for a in range(first, first + n):
            self.now += step
            self.touch(a, element, 15)

    @rule(a=st.integers(0, 40), first=st.integers(0, 60), n=st.sampled_from([17, 25, 60]))
    def one_caller_to_many(self, a: int, first: int, n: int) -> None:
        for element in range(first, first + n):
            self.touch(a, element, 15)

    @invariant()
    def keeps_whom_the_model_keeps(self) -> None:
        table, model = self.table, self.model
        for a in range(61):
            assert table.contains(a, a % 3) == model.contains(a, a % 3)
        assert table.live(self.now) == model.live(self.now)
        assert (table.used, table.evicted_probation, table.evicted_protected) == (
            model.used,
            model.evicted_probation,
            model.evicted_protected,
        )
        for name, pool in (("sketches", model.pool), ("large", model.large_pool)):
            kept = table.stats[name]
            assert (kept["used"], kept["reclaimed"], kept["saturated"]) == (
                pool.used,
                pool.reclaimed,
                pool.saturated,
            )


TestEntities = EntitiesMachine.TestCase
