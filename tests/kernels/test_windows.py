"""What a counter reads: exactly what was counted, to one sub-bucket; as many different elements as there were."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.sketches import Sketches
from interceptor.engine.windows import LAYOUT, CountWindow, DistinctWindow, hash_of
from tests.model.windows import COUNT_MAX, SUB_BUCKETS, CountModel, DistinctModel, SketchesModel, mix

NOW = 1_790_000_000_000
CYCLE = 2**32 - 256
HOUR = 3_600_000

windows = st.one_of(st.integers(1, 30), st.integers(1, 31 * 24 * HOUR), st.sampled_from([1000, 60_000, HOUR]))


def wrap(window: int) -> int:
    """A time just before the number of the sub-bucket wraps."""
    return (NOW * SUB_BUCKETS // window // CYCLE + 1) * CYCLE * window // SUB_BUCKETS


# -- layout


def test_columns_have_the_sizes_an_entity_is_budgeted_with() -> None:
    assert LAYOUT == {"count": 64, "distinct": 96, "sketch": 1088}


# -- count


@given(windows, st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.booleans())
def test_a_count_is_off_by_one_sub_bucket_at_most(window: int, steps: list[int], wraps: bool) -> None:
    """exact(now - W + W/14, now] <= reading <= exact(now - W, now]"""
    counter, model, log = CountWindow(window), CountModel(window), []
    now = wrap(window) - 5 if wraps else NOW
    for step in steps:
        now += step * window // 300_000
        log.append(now)
        counter.bump(now)
        model.bump(now)
        for later in (0, window // 28, window // 14, window - window // 14, window - 1, window):
            at = now + later
            reading = counter.read(at)
            at_most = sum(t > at - window for t in log)
            at_least = sum(SUB_BUCKETS * (t - at) > -13 * window for t in log)
            assert at_least <= reading <= at_most
            assert reading == model.read(at)


def test_a_call_is_counted_for_thirteen_sub_buckets_after_its_own() -> None:
    counter = CountWindow(1400)
    assert counter.bump(99) == 1
    assert [counter.read(t) for t in (99, 100, 1399, 1400)] == [1, 1, 1, 0]


def test_a_clock_that_goes_back_counts_into_the_current_sub_bucket() -> None:
    counter = CountWindow(1400)
    counter.bump(NOW)
    assert counter.bump(NOW - 1300) == 2
    assert counter.bump(NOW - 100_000_000) == 3
    assert counter.read(NOW - 200_000_000) == 3
    assert counter.read(NOW + 1299) == 3
    assert counter.read(NOW + 1400) == 0


@pytest.mark.parametrize("window", [1, 13, 14, 1000, 1001, HOUR])
def test_nothing_happens_when_the_sub_bucket_number_wraps(window: int) -> None:
    counter, model, distinct = CountWindow(window), CountModel(window), DistinctWindow(window, Sketches(1))
    exact = DistinctModel(window, SketchesModel(1))
    start = wrap(window) - 3 * window
    for step in range(100):
        now = start + step * window // 14
        assert counter.bump(now) == model.bump(now)
        assert distinct.bump(step, now) == exact.bump(step, now)


def test_a_silence_of_years_empties_a_window() -> None:
    counter, distinct = CountWindow(1000), DistinctWindow(1000, Sketches(1))
    counter.bump(NOW, 7)
    for element in range(100):
        distinct.bump(element, NOW)
    later = NOW + 4 * 365 * 24 * HOUR
    assert (counter.read(later), distinct.read(later)) == (0, 0)
    assert (counter.bump(later), distinct.bump(1, later)) == (1, 1)


def test_a_count_saturates() -> None:
    counter = CountWindow(1400)
    counter.fill(NOW, COUNT_MAX - 1)
    assert counter.bump(NOW) == COUNT_MAX
    assert counter.peek(NOW) == counter.bump(NOW) == COUNT_MAX
    assert counter.bump(NOW + 100) == COUNT_MAX
    assert counter.read(NOW + 1400) == 1


def test_times_before_1970_are_its_first_moment() -> None:
    counter = CountWindow(1400)
    assert counter.bump(-5000) == 1
    assert counter.bump(0) == 2


# -- distinct


def test_elements_hash_as_the_model_says() -> None:
    for element in (0, 1, 2**63, 2**64 - 1):
        assert hash_of(element, 42) == mix(element, 42) >> 32


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=16), st.integers(0, 10))
def test_up_to_16_elements_are_counted_exactly(elements: list[int], seed: int) -> None:
    distinct = DistinctWindow(HOUR, Sketches(1, seed))
    for _ in range(2):
        for element in elements:
            distinct.bump(element, NOW)
    assert distinct.read(NOW) == len(elements)
    assert not distinct.promoted


@pytest.mark.parametrize("n", [10, 16, 17, 20, 30, 50, 100, 200, 300, 500, 700, 1000])
def test_distinct_is_off_by_five_percent_on_average_at_most(n: int, scale: Callable[[int, int], int]) -> None:
    seeds = scale(60, 1000)
    error = 0.0
    for seed in range(seeds):
        draw = random.Random(seed)
        distinct = DistinctWindow(HOUR, Sketches(1, seed))
        for element in draw.sample(range(10**15), n):
            distinct.bump(element, NOW)
        error += abs(distinct.read(NOW) - n) / n
    assert error / seeds <= (0.05 if n > 16 else 0)


@pytest.mark.parametrize("n", [12, 800])
def test_distinct_unions_exactly_across_sub_buckets(n: int) -> None:
    """The same elements in every sub-bucket read as if they had been seen once."""
    once, again, pool = DistinctWindow(1400, Sketches(1)), DistinctWindow(1400, Sketches(1)), range(n)
    for element in pool:
        once.bump(element, NOW)
    for step in range(40):
        for element in pool:
            again.bump(element, NOW + 100 * step)
    assert again.read(NOW + 3900) == once.read(NOW)


def test_each_element_expires_by_its_own_last_sight() -> None:
    distinct = DistinctWindow(1400, Sketches(1))
    for element in range(10):
        distinct.bump(element, NOW + 100 * element)
    start = NOW // 100 * 100
    assert [distinct.read(start + 1300 + 100 * gone) for gone in range(12)] == [
        10,
        9,
        8,
        7,
        6,
        5,
        4,
        3,
        2,
        1,
        0,
        0,
    ]


def test_beyond_its_range_a_sketch_reads_its_largest_estimate() -> None:
    distinct = DistinctWindow(1400, Sketches(1))
    readings = [distinct.bump(element, NOW) for element in range(30_000)]
    assert readings[-1] == max(readings) == 7098


def test_a_sketch_whose_elements_all_expired_goes_back_to_the_pool() -> None:
    pool = Sketches(1)
    first, second = DistinctWindow(1400, pool), DistinctWindow(1400, pool)
    for element in range(40):
        first.bump(element, NOW)
    assert pool.stats["used"] == 1
    assert first.bump(1, NOW + 5000) == 1
    assert pool.stats["used"] == 0
    for element in range(40):
        second.bump(element, NOW + 5000)
    assert second.promoted
    assert pool.stats["reclaimed"] == 0


def test_an_empty_pool_gives_a_lower_bound_and_counts_it() -> None:
    pool = Sketches(0)
    distinct = DistinctWindow(1400, pool)
    for element in range(100):
        distinct.bump(element, NOW)
    assert distinct.read(NOW) == 16
    assert distinct.saturated
    assert pool.stats["saturated"] == 1
    assert distinct.bump(500, NOW + 1400) == 1
    assert not distinct.saturated


def test_a_sketch_is_taken_from_an_owner_silent_for_its_window() -> None:
    pool = Sketches(1)
    silent, busy = DistinctWindow(1400, pool), DistinctWindow(1400, pool)
    for element in range(40):
        silent.bump(element, NOW)
    for element in range(40):
        busy.bump(element, NOW + 1000)
    assert busy.read(NOW + 1000) == 16
    for element in range(40):
        busy.bump(element, NOW + 1500)
    assert busy.read(NOW + 1500) > 30
    assert silent.read(NOW + 1500) == 0
    assert silent.bump(3, NOW + 1500) == 1
    assert pool.stats == pool.stats | {"used": 1, "reclaimed": 1, "saturated": 1}


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_has_a_length(window: int) -> None:
    with pytest.raises(ValueError, match="at least 1 ms"):
        CountWindow(window)
    with pytest.raises(ValueError, match="at least 1 ms"):
        DistinctWindow(window, Sketches(0))


# -- every order of events


class WindowsMachine(RuleBasedStateMachine):
    """Columns that share one small pool, under a clock that jumps, steps back and stands on the boundaries."""

    @initialize(
        lengths=st.lists(windows, min_size=4, max_size=4),
        sketches=st.integers(0, 3),
        seed=st.integers(0, 2**64 - 1),
        wraps=st.booleans(),
    )
    def begin(self, lengths: list[int], sketches: int, seed: int, wraps: bool) -> None:
        self.now = wrap(lengths[0]) - lengths[0] if wraps else NOW
        self.window = lengths[0]
        self.pool, self.pool_model = Sketches(sketches, seed), SketchesModel(sketches, seed)
        self.counts = [(CountWindow(w), CountModel(w)) for w in lengths]
        self.distincts = [(DistinctWindow(w, self.pool), DistinctModel(w, self.pool_model)) for w in lengths]

    @rule(sub_buckets=st.integers(-20, 20), off=st.integers(-1, 1))
    def clock_to_a_boundary(self, sub_buckets: int, off: int) -> None:
        number = self.now * SUB_BUCKETS // self.window + sub_buckets
        self.now = -(-number * self.window // SUB_BUCKETS) + off

    @rule(step=st.one_of(st.integers(-10, 100), st.integers(-HOUR, 10 * HOUR)))
    def clock_by(self, step: int) -> None:
        self.now += step

    @rule(which=st.integers(0, 3), times=st.integers(1, 5))
    def count(self, which: int, times: int) -> None:
        kernel, model = self.counts[which]
        for _ in range(times):
            assert kernel.peek(self.now) == model.peek(self.now)
            assert kernel.bump(self.now) == model.bump(self.now)

    @rule(which=st.integers(0, 3), first=st.integers(0, 60), n=st.sampled_from([1, 1, 2, 5, 17, 40]))
    def see(self, which: int, first: int, n: int) -> None:
        kernel, model = self.distincts[which]
        for element in range(first, first + n):
            expected = kernel.peek(element, self.now)
            assert model.peek(element, self.now) == expected
            assert model.bump(element, self.now) == expected
            assert kernel.bump(element, self.now) == expected

    @rule(which=st.integers(0, 3))
    def drop(self, which: int) -> None:
        self.distincts[which][0].drop()
        self.distincts[which][1].drop()

    @invariant()
    def reads_what_the_model_reads(self) -> None:
        for count, count_model in self.counts:
            assert count.read(self.now) == count_model.read(self.now)
        for distinct, distinct_model in self.distincts:
            assert distinct.read(self.now) == distinct_model.read(self.now)
            assert distinct.saturated == distinct_model.saturated
        stats = self.pool.stats
        assert stats["used"] == self.pool_model.used
        assert stats["reclaimed"] == self.pool_model.reclaimed
        assert stats["saturated"] == self.pool_model.saturated


TestWindows = WindowsMachine.TestCase
