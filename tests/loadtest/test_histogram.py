"""The load test's histogram against the sorted durations themselves, and the idle loop's."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.loadtest.histogram import LONGEST_NS, N_CELLS, Histogram, bounds_ns
from interceptor.loadtest.idle import idle_delay_ns, idle_gaps

BOUNDS = bounds_ns()

# Anywhere, at powers of two, and at the ends of cells.
durations = st.one_of(
    st.integers(0, LONGEST_NS),
    st.builds(lambda bit, off: max(0, (1 << bit) + off), st.integers(0, 35), st.integers(-2, 2)),
    st.builds(lambda cell, off: int(BOUNDS[cell]) + off, st.integers(0, N_CELLS - 2), st.integers(0, 1)),
)


def filled(taken: list[int]) -> Histogram:
    histogram = Histogram()
    for ns in taken:
        histogram.record(ns)
    return histogram


def test_cells_are_at_most_a_128th_wide_and_leave_no_gap() -> None:
    assert len(BOUNDS) == N_CELLS
    assert BOUNDS[-1] == LONGEST_NS > 60_000_000_000
    for longest, next_longest in pairwise(BOUNDS.tolist()):
        shortest = longest + 1
        assert (next_longest - shortest) * 128 < shortest


@given(durations)
def test_a_duration_falls_into_the_first_cell_whose_bound_it_does_not_exceed(ns: int) -> None:
    (cell,) = np.flatnonzero(filled([ns]).counts)
    assert cell == np.searchsorted(BOUNDS, ns)
    if ns >= 256:  # the formula that is documented
        e = ns.bit_length() - 8
        assert cell == (e << 7) + (ns >> e)


@given(st.lists(durations, min_size=1), st.one_of(st.floats(0, 100), st.sampled_from([0, 50, 99.9, 100])))
def test_a_percentile_is_that_of_the_sorted_durations_or_up_to_a_128th_above(
    taken: list[int], percent: float
) -> None:
    exact = sorted(taken)[max(math.ceil(percent / 100 * len(taken)), 1) - 1]
    found = filled(taken).percentile(percent)
    assert exact <= found <= min(exact + exact // 128, max(taken))


@given(st.lists(durations), st.lists(durations))
def test_what_two_threads_counted_adds_up(one: list[int], other: list[int]) -> None:
    sum_of_both = filled(one)
    sum_of_both.add(filled(other))
    both = filled(one + other)
    assert (sum_of_both.counts == both.counts).all()
    for histogram in (sum_of_both, both):
        assert histogram.total == histogram.counts.sum() == len(one) + len(other)
        assert histogram.sum_ns == sum(one) + sum(other)
        assert histogram.min_ns == min(one + other, default=0)
        assert histogram.max_ns == max(one + other, default=0)


def test_nothing_counted_has_no_percentiles() -> None:
    empty = Histogram()
    empty.record(5, 0)
    assert (empty.total, empty.percentile(99), empty.min_ns, empty.max_ns, empty.mean_ns) == (0, 0, 0, 0, 0.0)


def test_what_is_longer_than_the_longest_keeps_its_place_at_the_end() -> None:
    histogram = filled([1_000, 10 * LONGEST_NS])
    assert histogram.percentile(100) == histogram.max_ns == 10 * LONGEST_NS
    assert histogram.counts[-1] == 1


def test_a_duration_counted_several_times_weighs_so_much() -> None:
    histogram = Histogram()
    histogram.record(1_000, 3)
    histogram.record(5_000)
    assert histogram.mean_ns == 2_000
    assert histogram.percentile(75) < 1_010


@pytest.mark.parametrize(("ns", "count"), [(-1, 1), (1, -1), (2**64, 1)])
def test_no_duration_is_negative(ns: int, count: int) -> None:
    with pytest.raises(ValueError, match="a duration of"):
        Histogram().record(ns, count)


@pytest.mark.parametrize("percent", [-0.1, 100.1, math.nan])
def test_a_percentile_is_of_a_hundred(percent: float) -> None:
    with pytest.raises(ValueError, match="it is 0"):
        Histogram().percentile(percent)


def test_the_idle_loop_counts_the_gaps_that_are_long_enough() -> None:
    every = idle_gaps(0.01, 0)
    assert every.sum_ns >= 10_000_000  # they make up the time
    assert idle_gaps(0.01, 1_000_000_000).total == 0
    for wrong in (0, -1, 3601, math.nan):
        with pytest.raises(ValueError, match="idle_gaps"):
            idle_gaps(wrong)


@given(st.lists(st.integers(1_000, 10**8), max_size=20), st.floats(0, 100))
def test_of_all_moments_so_many_wait_no_longer_for_the_end_of_a_gap(gaps: list[int], percent: float) -> None:
    longest = [int(BOUNDS[np.searchsorted(BOUNDS, gap)]) for gap in gaps]  # as the histogram knows them
    longest = [min(gap, max(gaps)) for gap in longest]
    wait = idle_delay_ns(filled(gaps), 10.0, percent)
    longer_ns = sum(max(gap - wait, 0) for gap in longest)
    may_ns = (1 - percent / 100) * 1e10
    if wait:
        assert longer_ns == pytest.approx(may_ns, rel=1e-6, abs=10)
    else:
        assert longer_ns <= may_ns + 10


def test_an_idle_delay_is_of_a_time_and_a_percentage() -> None:
    for seconds, percent in ((0, 50), (1, -1), (1, 101)):
        with pytest.raises(ValueError, match="the delay at"):
            idle_delay_ns(Histogram(), seconds, percent)
