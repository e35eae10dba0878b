"""What a worker counts, and how totals of several are summed."""

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interceptor.engine.stats import LATENCY_BOUNDS_NS, WorkerStats


def test_latency_bounds_reach_from_100_ns_to_10_ms() -> None:
    assert LATENCY_BOUNDS_NS[0] == 100
    assert LATENCY_BOUNDS_NS[-1] == 10_000_000
    assert list(LATENCY_BOUNDS_NS) == sorted(LATENCY_BOUNDS_NS)


near_bounds = st.builds(
    lambda bound, off: max(0, bound + off), st.sampled_from(LATENCY_BOUNDS_NS), st.integers(-2, 2)
)
durations = st.one_of(near_bounds, st.integers(0, 2**40), st.integers(0, 2**63))


@given(st.lists(st.tuples(durations, st.integers(1, 64))))
def test_a_decision_falls_into_the_first_bucket_whose_bound_it_does_not_exceed(
    taken: list[tuple[int, int]],
) -> None:
    worker = WorkerStats(0)
    expected = [0] * (len(LATENCY_BOUNDS_NS) + 1)
    for ns, calls in taken:
        worker.latency(ns, calls)
        expected[bisect_left(LATENCY_BOUNDS_NS, ns)] += calls
    assert worker.totals["latency"] == expected
    assert worker.totals["latency_sum_ns"] == sum(ns * calls for ns, calls in taken) % 2**64


def test_totals_of_workers_add_up() -> None:
    workers = [WorkerStats(3) for _ in range(2)]
    for worker in workers:
        worker.latency(150)
        worker.verdict(3, list_index=63, list_hits=2)
        worker.rule(2, decided=1, shadow=2, absent=3, failed=4)
    total = WorkerStats(3)
    for worker in workers:
        total.add(worker)
    sums = total.totals
    assert sums["verdict"] == [0, 0, 0, 2]
    assert sums["list_hits"][63] == 4
    assert sums["latency"][1] == 2
    assert sums["latency_sum_ns"] == 300
    assert sums["rules"][2] == {
        "decided": 2, "blocked": 0, "shadow": 4, "absent": 6, "failed": 8, "added": 0, "not_added": 0,
    }  # fmt: skip
    assert sums["rules"][0]["decided"] == 0


def test_a_worker_of_another_policy_adds_what_both_have() -> None:
    many, few = WorkerStats(3), WorkerStats(1)
    many.rule(0, decided=1)
    many.rule(2, decided=1)
    few.add(many)
    assert [rule["decided"] for rule in few.totals["rules"]] == [1]
    many.add(few)
    assert [rule["decided"] for rule in many.totals["rules"]] == [2, 0, 1]


def test_a_rule_that_is_not_there_is_named() -> None:
    with pytest.raises(IndexError, match="rule 1 of 1"):
        WorkerStats(1).rule(1, decided=1)
    with pytest.raises(IndexError, match="rule 0 of 0"):
        WorkerStats(0).rule(0)
