"""Simulations of nobody, of an hour, of more than a day."""

from pathlib import Path

import pytest

from interceptor.simulation import scenario
from interceptor.simulation.clock import DAY
from interceptor.simulation.simulate import simulate
from simulation.conftest import Day


def test_a_network_without_offenders_has_only_the_honest(tmp_path: Path) -> None:
    kinds = scenario.load("small").offenders()
    honest = scenario.load("small", {kind: {"instances": 0} for kind in kinds})
    told = simulate(honest, tmp_path / "honest.parquet", subscribers=1_000, hours=1)
    assert told.labels["ordinary"] > 0
    assert not any(told.labels[kind] for kind in kinds)
    assert len(Day(tmp_path / "honest.parquet")) == sum(told.events.values())


def test_offenders_of_two_days_are_spread_over_both(tmp_path: Path) -> None:
    two = scenario.load("small", {"wangiri": {"instances": 12, "lines": [1, 1]}, "sim-box": {"instances": 1}})
    simulate(two, tmp_path / "two.parquet", subscribers=1_000, hours=48, seed=3)
    found = Day(tmp_path / "two.parquet")
    for label, days in (("wangiri", 1), ("sim-box", 2)):
        call = found.calls(label)
        for instance in set(found["instance"][call]):
            time = found["time_ms"][call & (found["instance"] == instance)] - found["time_ms"][0]
            assert len(set(time // DAY)) == days, label
    wangiri = (found["time_ms"][found.calls("wangiri")] - found["time_ms"][0]) // DAY
    assert set(wangiri) == {0, 1}


@pytest.mark.parametrize("subscribers", [1_000, 13_337])
def test_more_is_told_of_more_subscribers(tmp_path: Path, subscribers: int) -> None:
    shares = []
    seen = simulate(
        scenario.load("small"),
        tmp_path / "calls.parquet",
        subscribers=subscribers,
        hours=2,
        progress=lambda share, _: shares.append(share),
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert seen.events["call"] > subscribers / 50
