"""`interceptor simulate` in a process: the same options, the same bytes; errors in a line."""

import subprocess
from pathlib import Path

import pytest

from interceptor.cli import simulating
from interceptor.cli.failing import Failure
from interceptor.simulation import simulate
from service.running import command, environment


def run(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("simulate", *options),
        env=environment(COLUMNS="200"),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "process.parquet"
    done = run(
        "--scenario", "small", "--subscribers", "1000", "--hours", "9", "--seed", "5",
        "--instances", "sim-box=2", "--set", "courier.share=0.02", "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "sim-box" in done.stdout
    scenario = simulating.scenario_of("small", ["sim-box=2"], ["courier.share=0.02"])
    for seed, same in ((5, True), (6, False)):
        again = tmp_path / f"{seed}.parquet"
        simulate.simulate(scenario, again, subscribers=1_000, hours=9, seed=seed)
        assert (again.read_bytes() == out.read_bytes()) is same


def test_parameters_are_described_with_their_sources() -> None:
    done = run("--describe")
    assert done.returncode == 0, done.stderr
    for text in ("sim-box", "cards_per_port", "MURYNETS", "INFOCOM 2014", "assumed"):
        assert text in done.stdout


def test_where_it_cannot_write_is_said_in_a_line(tmp_path: Path) -> None:
    done = run("--scenario", "small", "--out", tmp_path / "no" / "where.parquet", "--subscribers", "1000")
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("instances", "sets", "complaint"),
    [
        ([], ["courier.shre=1"], "courier.shre: no such parameter"),
        ([], ["courier"], "write KIND.PARAMETER=VALUE"),
        ([], ["courier.share=[1"], "the value is not YAML"),
        (["sim-box"], [], "write KIND=N"),
        (["courier=3"], [], "courier.instances: no such parameter"),
    ],
)
def test_a_wrong_option_is_named(instances: list[str], sets: list[str], complaint: str) -> None:
    with pytest.raises(Failure) as raised:
        simulating.scenario_of("day", instances, sets)
    assert complaint in str(raised.value)
