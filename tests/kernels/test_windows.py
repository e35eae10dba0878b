"""What a counter reads: exactly what was counted, to one sub-bucket; as many different elements as there were."""

import math
import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interceptor.engine.columns import Measure, Sketches, Window, hash_of, sizes
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
    NARROW_MAX,
    SUB_BUCKETS,
    SUM,
    WIDE_MAX,
    Column,
    SketchesModel,
    column,
    mix,
)

NOW = 1_790_000_000_000
CYCLE = 2**32 - 256
HOUR = 3_600_000

windows = st.one_of(st.integers(1, 30), st.integers(1, 31 * 24 * HOUR), st.sampled_from([1000, 60_000, HOUR]))


def wrap(window: int) -> int:
    """A time just before the number of the sub-bucket wraps."""
    return (NOW * SUB_BUCKETS // window // CYCLE + 1) * CYCLE * window // SUB_BUCKETS


def borrowing(measure: int, window: int, sketches: int = 1, seed: int = 0) -> Window:
    return Window(measure, window, Sketches(sketches, seed, measure == LARGE))


def pair(
    measure: int,
    window: int,
    sketches: Sketches,
    large: Sketches,
    models: tuple[SketchesModel, SketchesModel],
) -> tuple[Window, Column]:
    pool = {DISTINCT: sketches, LARGE: large}.get(measure)
    return Window(measure, window, pool), column(measure, window, *models)


# -- layout


def test_columns_have_the_sizes_an_entity_is_budgeted_with() -> None:
    assert sizes() == ((64, 96, 32, 64, 32, 64, 16, 8, 96), (1088, 15_488))


def test_measures_have_the_numbers_the_model_gives_them() -> None:
    names = ["COUNT", "DISTINCT", "NARROW", "SUM", "MAX", "ACTIVE", "FIRST_SEEN", "LAST_SEEN", "LARGE"]
    assert [Measure[f"MEASURE_{name}"] for name in names] == list(MEASURES)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_window_has_a_length(measure: int) -> None:
    for length in (0, -1):
        with pytest.raises(ValueError, match="at least 1 ms"):
            Window(measure, length)


def test_a_distinct_count_borrows_from_sketches_made_for_it() -> None:
    for measure, pool in (
        (DISTINCT, None),
        (COUNT, Sketches(1)),
        (DISTINCT, Sketches(1, 0, True)),
        (LARGE, Sketches(1)),
    ):
        with pytest.raises(ValueError, match="sketches"):
            Window(measure, HOUR, pool)
    with pytest.raises(ValueError, match="measure: 9"):
        Window(9, HOUR)


# -- counts, sums, maxima


def exactly(measure: int, amounts: list[int]) -> int:
    if measure == MAX:
        return max(amounts, default=0)
    return sum(amounts) if measure == SUM else len(amounts)


@pytest.mark.parametrize("measure", [COUNT, NARROW, SUM, MAX, ACTIVE])
@given(
    windows,
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 5000)), min_size=1, max_size=60),
    st.booleans(),
)
def test_a_reading_is_off_by_one_sub_bucket_at_most(
    measure: int, window: int, steps: list[tuple[int, int]], wraps: bool
) -> None:
    """of what came in (now - W + W/14, now] <= reading <= of what came in (now - W, now]"""
    kernel, log = Window(measure, window), []
    now = wrap(window) - 5 if wraps else NOW
    for step, amount in steps:
        now += step * window // 300_000
        log.append((now, amount))
        kernel.count(now, 0, amount)
        for later in (0, window // 28, window // 14, window - window // 14, window - 1, window):
            at = now + later
            at_most = exactly(measure, [n for t, n in log if t > at - window])
            at_least = exactly(measure, [n for t, n in log if SUB_BUCKETS * (t - at) > -13 * window])
            assert at_least <= kernel.read(at) <= at_most


@pytest.mark.parametrize("measure", [COUNT, NARROW, SUM, MAX, ACTIVE])
def test_a_call_is_counted_for_thirteen_sub_buckets_after_its_own(measure: int) -> None:
    kernel = Window(measure, 1400)
    assert kernel.count(99, 0, 1) == 1
    assert [kernel.read(t) for t in (99, 100, 1399, 1400)] == [1, 1, 1, 0]


@pytest.mark.parametrize("measure", [COUNT, NARROW, SUM])
def test_a_clock_that_goes_back_counts_into_the_current_sub_bucket(measure: int) -> None:
    kernel = Window(measure, 1400)
    kernel.count(NOW, 0, 1)
    assert kernel.count(NOW - 1300, 0, 1) == 2
    assert kernel.count(NOW - 100_000_000, 0, 1) == 3
    assert kernel.read(NOW - 200_000_000) == 3
    assert kernel.read(NOW + 1299) == 3
    assert kernel.read(NOW + 1400) == 0


@pytest.mark.parametrize("window", [1, 13, 14, 1000, 1001, HOUR])
@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_happens_when_the_sub_bucket_number_wraps(measure: int, window: int) -> None:
    models = SketchesModel(1), SketchesModel(1, large=True)
    kernel, model = pair(measure, window, Sketches(1), Sketches(1, 0, True), models)
    start = wrap(window) - 3 * window
    for step in range(100):
        now = start + step * window // 14
        assert kernel.count(now, step, step % 7) == model.count(now, step, step % 7)
        if step % 3 == 0:
            assert kernel.end(now, now - window // 5) == model.end(now, now - window // 5)


@pytest.mark.parametrize("measure", [COUNT, NARROW, SUM, MAX, ACTIVE, DISTINCT, LARGE])
def test_a_silence_of_years_empties_a_window(measure: int) -> None:
    kernel = borrowing(measure, 1000) if measure in (DISTINCT, LARGE) else Window(measure, 1000)
    for element in range(100):
        kernel.count(NOW, element, 7)
    later = NOW + 4 * 365 * 24 * HOUR
    assert kernel.read(later) == 0
    assert kernel.count(later, 1, 1) == 1


def test_a_sum_saturates() -> None:
    kernel = Window(SUM, 1400)
    assert kernel.count(NOW, 0, WIDE_MAX - 1) == WIDE_MAX - 1
    assert kernel.count(NOW, 0, -5) == WIDE_MAX - 1
    assert kernel.peek(NOW, 0, 2**62) == kernel.count(NOW, 0, 2**62) == WIDE_MAX
    assert kernel.count(NOW + 100, 0, 3) == WIDE_MAX
    assert kernel.read(NOW + 1400) == 3


def test_a_narrow_count_says_at_least_beyond_what_a_sub_bucket_holds() -> None:
    kernel = Window(NARROW, 1400)
    for _ in range(NARROW_MAX + 10):
        kernel.count(NOW)
    assert kernel.read(NOW) == NARROW_MAX
    assert kernel.count(NOW + 100) == NARROW_MAX + 1
    assert kernel.read(NOW + 1400) == 1


def test_a_maximum_stays_at_the_most_it_holds_and_falls_when_the_longest_has_gone() -> None:
    kernel = Window(MAX, 1400)
    assert [kernel.count(NOW, 0, amount) for amount in (-3, 5, 2**40)] == [0, 5, NARROW_MAX]
    assert kernel.count(NOW + 100, 0, 7) == NARROW_MAX
    assert kernel.read(NOW + 1400) == 7


@pytest.mark.parametrize("measure", MEASURES)
def test_times_before_1970_are_its_first_moment(measure: int) -> None:
    models = SketchesModel(1), SketchesModel(1, large=True)
    kernel, model = pair(measure, 1400, Sketches(1), Sketches(1, 0, True), models)
    for now in (-5000, 0, -1, 5):
        assert kernel.count(now, 3, 2) == model.count(now, 3, 2)


# -- what is in progress


def test_a_call_in_progress_counts_until_it_ends() -> None:
    kernel = Window(ACTIVE, 4 * HOUR)
    for minute in range(10):
        assert kernel.count(NOW + minute * 60_000) == minute + 1
    for minute in (7, 0, 9, 3):  # in whatever order
        kernel.end(NOW + 600_000, NOW + minute * 60_000)
    assert kernel.read(NOW + 600_000) == 6


def test_a_call_whose_end_is_lost_counts_for_the_time_to_live() -> None:
    kernel = Window(ACTIVE, HOUR)
    kernel.count(NOW)
    assert kernel.read(NOW + HOUR - HOUR // SUB_BUCKETS) == 1
    assert kernel.read(NOW + HOUR) == 0


def test_an_end_that_comes_after_the_time_to_live_takes_nothing_off() -> None:
    kernel = Window(ACTIVE, HOUR)
    kernel.count(NOW)
    kernel.count(NOW + 2 * HOUR)
    assert kernel.end(NOW + 2 * HOUR, NOW) == 1


def test_an_end_without_a_call_takes_nothing_off() -> None:
    kernel = Window(ACTIVE, HOUR)
    assert kernel.end(NOW, NOW - 1000) == 0
    assert kernel.end(NOW) == 0
    assert kernel.count(NOW) == 1
    assert kernel.end(NOW, NOW + HOUR) == 1  # of one that has not begun


def test_repeated_ends_take_off_no_more_than_began_beside_the_call() -> None:
    kernel = Window(ACTIVE, HOUR)
    kernel.count(NOW)
    kernel.count(NOW + HOUR // 2)
    for _ in range(5):
        assert kernel.end(NOW + HOUR // 2, NOW) == 1


def test_an_end_of_unknown_beginning_is_the_oldest_calls() -> None:
    kernel = Window(ACTIVE, 1400)
    kernel.count(NOW)
    kernel.count(NOW + 700)
    assert kernel.end(NOW + 800) == 1
    assert kernel.read(NOW + 1500) == 1  # the younger one is left


def test_a_setup_that_comes_late_is_in_its_own_sub_bucket() -> None:
    kernel = Window(ACTIVE, 1400)
    kernel.count(NOW)
    assert kernel.count(NOW - 600) == 2
    assert kernel.end(NOW, NOW - 600) == 1
    assert kernel.count(NOW - 1400) == 1  # of a sub-bucket that has gone: nowhere
    assert kernel.end(NOW, NOW) == 0


class ActiveMachine(RuleBasedStateMachine):
    """Setups and ends under a clock that goes on: ends may be lost, late, repeated, out of order, and of no call."""

    @initialize(window=st.sampled_from([14, 1000, 60_000, 4 * HOUR]))
    def begin(self, window: int) -> None:
        self.window, self.now = window, NOW
        self.kernel = Window(ACTIVE, window)
        self.open: list[int] = []
        self.ended: list[int] = []
        self.surplus = 0

    @rule(fourteenths=st.integers(0, 16), more=st.integers(0, 3))
    def time_goes_on(self, fourteenths: int, more: int) -> None:
        self.now += fourteenths * self.window // SUB_BUCKETS + more

    @rule(n=st.integers(1, 4))
    def calls_begin(self, n: int) -> None:
        for _ in range(n):
            self.kernel.count(self.now)
            self.open.append(self.now)

    @rule(which=st.integers(0, 10**6))
    def a_call_ends(self, which: int) -> None:
        if self.open:
            self.ended.append(self.open.pop(which % len(self.open)))
            assert self.kernel.end(self.now, self.ended[-1]) >= 0

    @rule(which=st.integers(0, 10**6))
    def an_end_is_told_again(self, which: int) -> None:
        if self.ended:
            self.kernel.end(self.now, self.ended[which % len(self.ended)])
            self.surplus += 1

    @rule(ago=st.integers(0, 10**6))
    def an_end_of_no_call_is_told(self, ago: int) -> None:
        self.kernel.end(self.now, self.now - ago)
        self.surplus += 1

    @invariant()
    def never_says_more_than_there_are_nor_less_than_ends_were_too_many(self) -> None:
        reading = self.kernel.read(self.now)
        at_most = sum(began > self.now - self.window for began in self.open)
        at_least = sum(SUB_BUCKETS * (began - self.now) > -13 * self.window for began in self.open)
        assert max(at_least - self.surplus, 0) <= reading <= at_most


TestActive = ActiveMachine.TestCase


# -- times


def test_first_seen_tells_the_seconds_since_the_first_of_calls_that_never_ceased() -> None:
    kernel = Window(FIRST_SEEN, HOUR)
    assert kernel.read(NOW) == 0
    assert [kernel.count(NOW + later) for later in (0, 999, 1000, HOUR, 2 * HOUR - 1)] == [
        0,
        0,
        1,
        3600,
        7199,
    ]
    assert kernel.read(NOW + 2 * HOUR) == 7200
    assert kernel.read(NOW + 3 * HOUR) == 0  # silent for the window: forgotten
    assert kernel.count(NOW + 3 * HOUR) == 0
    assert kernel.count(NOW + 3 * HOUR - 5000) == 0
    assert kernel.count(NOW + 3 * HOUR + 2000) == 2


def test_last_seen_tells_the_seconds_since_the_call_before() -> None:
    kernel = Window(LAST_SEEN, HOUR)
    assert kernel.read(NOW) == 3600
    assert kernel.peek(NOW) == kernel.count(NOW) == 3600  # never: the window's
    assert kernel.read(NOW + 5000) == 5
    assert [kernel.count(NOW + later) for later in (5000, 7500, 6000, 7500)] == [5, 2, 0, 0]
    assert kernel.count(NOW + 3 * HOUR) == 3600


# -- distinct


def test_elements_hash_as_the_model_says() -> None:
    for element in (0, 1, 2**63, 2**64 - 1):
        assert hash_of(element, 42) == mix(element, 42)


@pytest.mark.parametrize("measure", [DISTINCT, LARGE])
@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=16), st.integers(0, 10))
def test_up_to_16_elements_are_counted_exactly(measure: int, elements: list[int], seed: int) -> None:
    distinct = borrowing(measure, HOUR, seed=seed)
    for _ in range(2):
        for element in elements:
            distinct.count(NOW, element)
    assert distinct.read(NOW) == len(elements)
    assert not distinct.promoted


def errors(measure: int, n: int, seeds: int) -> list[float]:
    """The relative errors of so many counts of n elements."""
    found = []
    for seed in range(seeds):
        distinct = borrowing(measure, HOUR, seed=seed)
        for element in random.Random(seed).sample(range(10**15), n):
            distinct.count(NOW, element)
        found.append(distinct.read(NOW) / n - 1)
    return found


@pytest.mark.parametrize("n", [10, 16, 17, 20, 30, 50, 100, 200, 300, 500, 700, 1000])
def test_distinct_is_off_by_five_percent_on_average_at_most(n: int, scale: Callable[[int, int], int]) -> None:
    off = errors(DISTINCT, n, scale(60, 1000))
    assert statistics.fmean(map(abs, off)) <= (0.05 if n > 16 else 0)


@pytest.mark.parametrize("n", [16, 17, 30, 100, 500, 1000, 2000, 3000, 5000, 20_000, 200_000])
def test_a_large_count_is_off_by_its_standard_error(n: int, scale: Callable[[int, int], int]) -> None:
    """1.04 / sqrt(1024) = 3.25 %; neither too many nor too few on average, and never far off."""
    sigma = 1.04 / math.sqrt(1024)
    off = errors(LARGE, n, max(scale(400_000 // n, 4_000_000 // n), 12) if n > 1000 else scale(100, 2000))
    assert math.sqrt(statistics.fmean(each**2 for each in off)) <= 1.3 * sigma
    assert abs(statistics.fmean(off)) <= 4 * sigma / math.sqrt(len(off)) + 0.5 / n
    assert max(map(abs, off)) <= 4 * sigma


def test_a_large_count_follows_a_set_that_slides(scale: Callable[[int, int], int]) -> None:
    """Within 4 standard errors of what came in 13 to 14 sub-buckets, for sets that grow, turn over and shrink."""
    sigma = 1.04 / math.sqrt(1024)
    for seed in range(scale(3, 100)):
        draw = random.Random(seed)
        large, log, now = borrowing(LARGE, 1400, seed=seed), dict[int, int](), NOW
        for busy in (50, 500, 5000, 500, 5, 0, 0, 3000):
            for _ in range(7):
                for _ in range(busy):
                    element = draw.randrange(100_000)
                    log[element] = now
                    large.count(now, element)
                now += 100
                at_most = sum(last > now - 1400 for last in log.values())
                at_least = sum(last > now - 1300 for last in log.values())
                assert at_least * (1 - 4 * sigma) - 1 <= large.read(now) <= at_most * (1 + 4 * sigma) + 1


@pytest.mark.parametrize("measure", [DISTINCT, LARGE])
@pytest.mark.parametrize("n", [12, 800])
def test_distinct_unions_exactly_across_sub_buckets(measure: int, n: int) -> None:
    """The same elements in every sub-bucket read as if they had been seen once."""
    once, again = borrowing(measure, 1400), borrowing(measure, 1400)
    for element in range(n):
        once.count(NOW, element)
    for step in range(40):
        for element in range(n):
            again.count(NOW + 100 * step, element)
    assert again.read(NOW + 3900) == once.read(NOW)


@pytest.mark.parametrize("measure", [DISTINCT, LARGE])
def test_each_element_expires_by_its_own_last_sight(measure: int) -> None:
    distinct = borrowing(measure, 1400)
    for element in range(10):
        distinct.count(NOW + 100 * element, element)
    start = NOW // 100 * 100
    left = [distinct.read(start + 1300 + 100 * gone) for gone in range(12)]
    assert left == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]


def test_elements_that_were_kept_exactly_expire_by_their_last_sight_when_promoted() -> None:
    large = borrowing(LARGE, 1400)
    for element in range(10):
        large.count(NOW, element)
    for element in range(10, 30):
        large.count(NOW + 700, element)
    assert large.promoted
    assert abs(large.read(NOW + 700) - 30) <= 1
    assert abs(large.read(NOW + 1400) - 20) <= 1
    assert large.read(NOW + 2100) == 0


def test_beyond_its_range_a_sketch_reads_its_largest_estimate() -> None:
    distinct = borrowing(DISTINCT, 1400)
    readings = [distinct.count(NOW, element) for element in range(30_000)]
    assert readings[-1] == max(readings) == 7098


@pytest.mark.parametrize("measure", [DISTINCT, LARGE])
def test_a_sketch_whose_elements_all_expired_goes_back_to_the_pool(measure: int) -> None:
    pool = Sketches(1, 0, measure == LARGE)
    first, second = Window(measure, 1400, pool), Window(measure, 1400, pool)
    for element in range(40):
        first.count(NOW, element)
    assert pool.stats["used"] == 1
    assert first.count(NOW + 5000, 1) == 1
    assert pool.stats["used"] == 0
    for element in range(40):
        second.count(NOW + 5000, element)
    assert second.promoted
    assert abs(second.read(NOW + 5000) - 40) <= 3  # nothing is left of the first one's
    assert pool.stats["reclaimed"] == 0


@pytest.mark.parametrize("measure", [DISTINCT, LARGE])
def test_an_empty_pool_gives_a_lower_bound_and_counts_it(measure: int) -> None:
    pool = Sketches(0, 0, measure == LARGE)
    distinct = Window(measure, 1400, pool)
    for element in range(100):
        distinct.count(NOW, element)
    assert distinct.read(NOW) == 16
    assert distinct.saturated
    assert pool.stats["saturated"] == 1
    assert distinct.count(NOW + 1400, 500) == 1
    assert not distinct.saturated


def test_a_sketch_that_was_never_lent_is_its_takers_before_it_has_an_end() -> None:
    sketches = Sketches(1)
    assert sketches.take(1_700_000_000_000) == 0
    assert sketches.take(1_700_000_000_000) is None, "who took it has yet to say how long it is kept"


@pytest.mark.parametrize("measure", [DISTINCT, LARGE])
def test_a_sketch_is_taken_from_an_owner_silent_for_its_window(measure: int) -> None:
    pool = Sketches(1, 0, measure == LARGE)
    silent, busy = Window(measure, 1400, pool), Window(measure, 1400, pool)
    for element in range(40):
        silent.count(NOW, element)
    for element in range(40):
        busy.count(NOW + 1000, element)
    assert busy.read(NOW + 1000) == 16
    for element in range(40):
        busy.count(NOW + 1500, element)
    assert busy.read(NOW + 1500) > 30
    assert silent.read(NOW + 1500) == 0
    assert silent.count(NOW + 1500, 3) == 1
    assert pool.stats == pool.stats | {"used": 1, "reclaimed": 1, "saturated": 1}


# -- every order of events


class WindowsMachine(RuleBasedStateMachine):
    """Columns of every measure, those that borrow out of small pools, under a clock that jumps, steps back and stands
    on the boundaries.
    """

    @initialize(
        lengths=st.lists(windows, min_size=len(MEASURES), max_size=len(MEASURES)),
        more=st.lists(st.tuples(st.sampled_from([DISTINCT, LARGE]), windows), min_size=3, max_size=3),
        sketches=st.integers(0, 3),
        seed=st.integers(0, 2**64 - 1),
        wraps=st.booleans(),
    )
    def begin(
        self, lengths: list[int], more: list[tuple[int, int]], sketches: int, seed: int, wraps: bool
    ) -> None:
        self.now = wrap(lengths[0]) - lengths[0] if wraps else NOW
        self.window = lengths[0]
        self.pools = Sketches(sketches, seed), Sketches(sketches, seed, True)
        self.models = SketchesModel(sketches, seed), SketchesModel(sketches, seed, large=True)
        kinds = [*zip(MEASURES, lengths, strict=True), *more]
        self.columns = [pair(measure, window, *self.pools, self.models) for measure, window in kinds]

    @rule(sub_buckets=st.integers(-20, 20), off=st.integers(-1, 1))
    def clock_to_a_boundary(self, sub_buckets: int, off: int) -> None:
        number = self.now * SUB_BUCKETS // self.window + sub_buckets
        self.now = -(-number * self.window // SUB_BUCKETS) + off

    @rule(step=st.one_of(st.integers(-10, 100), st.integers(-HOUR, 10 * HOUR)))
    def clock_by(self, step: int) -> None:
        self.now += step

    @rule(
        which=st.integers(0, len(MEASURES) + 2),
        first=st.integers(0, 60),
        n=st.sampled_from([1, 1, 2, 5, 17, 40]),
    )
    def count(self, which: int, first: int, n: int) -> None:
        kernel, model = self.columns[which]
        for element in range(first, first + n):
            expected = kernel.peek(self.now, element, element * n)
            assert model.peek(self.now, element, element * n) == expected
            assert model.count(self.now, element, element * n) == expected
            assert kernel.count(self.now, element, element * n) == expected

    @rule(which=st.integers(0, len(MEASURES) - 1), ago=st.integers(-1, 16), n=st.integers(1, 4))
    def end(self, which: int, ago: int, n: int) -> None:
        kernel, model = self.columns[which]
        began = self.now - ago * kernel.window // SUB_BUCKETS if ago else 0
        for _ in range(n):
            assert kernel.end(self.now, began) == model.end(self.now, began)

    @rule(which=st.integers(0, len(MEASURES) + 2))
    def drop(self, which: int) -> None:
        for each in self.columns[which]:
            each.drop()

    @invariant()
    def reads_what_the_model_reads(self) -> None:
        for kernel, model in self.columns:
            assert kernel.read(self.now) == model.read(self.now)
            assert kernel.saturated == getattr(model, "saturated", False)
        for pool, model_pool in zip(self.pools, self.models, strict=True):
            stats = pool.stats
            assert stats["used"] == model_pool.used
            assert stats["reclaimed"] == model_pool.reclaimed
            assert stats["saturated"] == model_pool.saturated


TestWindows = WindowsMachine.TestCase
