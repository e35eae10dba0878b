"""`interceptor loadtest` against a real service: what it reports, and what it exits with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interceptor.loadtest.plot import PlotError, check, plot
from interceptor.loadtest.report import PERCENTILES, VERDICTS
from interceptor.runtime.loader import SHIPPED
from service.certificates import Authority, needs_openssl
from service.running import Running, run

LISTED = SHIPPED / "lists/fake-ecommerce-service.csv"
SHORT = ("--duration", "0.5", "--warm-up", "0.2", "--connections", "2")


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    running = Running("antifraud-cn")
    yield running
    running.stop()


def loadtest(service: Running, *options: str | Path) -> Any:
    return run("loadtest", "--target", service.data.address, *SHORT, *options)


def test_an_open_loop_run_reports_rates_latencies_and_verdicts(service: Running, tmp_path: Path) -> None:
    kept, drawn = tmp_path / "run.json", tmp_path / "run.png"
    done = loadtest(
        service, "--rate", "400", "--listed", LISTED, "--seed", "5", "--json", kept, "--plot", drawn
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(kept.read_text())
    calls = document["calls"]
    assert 120 < calls["due"] < 290  # Poisson: 200 expected, 14 the standard deviation
    assert calls["due"] == calls["sent"] == calls["answered"] == calls["ok"]
    assert document["statuses"] == {"OK": calls["ok"]}
    assert sum(document["verdicts"].values()) == calls["ok"]
    assert document["verdicts"].keys() == set(VERDICTS)
    assert document["mismatched"] == 0
    assert document["problems"] == []
    assert document["settings"]["seed"] == 5
    assert document["rates"]["sent"] == pytest.approx(calls["sent"] / 0.5)
    latency = document["latency"]
    ascending = [latency[f"p{percent:g}"] for percent in PERCENTILES]
    assert [latency["min"], *ascending, latency["max"]] == sorted(
        [latency["min"], *ascending, latency["max"]]
    )
    assert sum(count for _, count in document["histogram"]) == latency["count"] == calls["ok"]
    lengths = {len(column) for column in document["series"].values()}
    assert len(lengths) == 1
    assert lengths.pop() >= 5
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert f"{calls['sent'] / 0.5:,.0f} sent" in done.stdout


@pytest.mark.parametrize("mode", [(), ("--stream",)], ids=["unary", "stream"])
def test_a_closed_loop_run_keeps_the_service_busy(
    service: Running, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    kept = tmp_path / "run.json"
    done = loadtest(service, "--in-flight", "4", "--calls", "100000", "--json", kept, *mode)
    assert done.returncode == 0, done.stderr
    assert json.loads(kept.read_text())["calls"]["ok"] > 100


def test_listed_callers_of_the_services_own_list_are_all_blocked(service: Running, tmp_path: Path) -> None:
    kept = tmp_path / "run.json"
    done = loadtest(service, "--rate", "200", "--scenario", "listed", "--listed", LISTED, "--json", kept)
    assert done.returncode == 0, done.stderr
    document = json.loads(kept.read_text())
    assert document["verdicts"]["block"] >= document["calls"]["ok"] - document["verdicts"]["pass"] > 0


def test_verdicts_other_than_expected_are_told_and_exit_with_1(service: Running, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.csv"
    unknown.write_text("+8616512345678\n")
    done = loadtest(service, "--rate", "200", "--scenario", "listed", "--listed", unknown)
    assert done.returncode == 1
    assert "verdicts other than the scenario's" in done.stderr


def test_the_portable_front_is_driven_as_well(service: Running) -> None:
    done = run("loadtest", "--target", service.control.address, *SHORT, "--rate", "100", "--listed", LISTED)
    assert done.returncode == 0, done.stderr


@needs_openssl
def test_a_service_that_wants_certificates_is_shown_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, switch = (
        authority.issue("service", "IP:127.0.0.1"),
        authority.issue("switch", "DNS:switch-1.example"),
    )
    guarded = Running(
        "default", "--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca
    )
    try:
        asked = ("--rate", "100", "--tls-ca", authority.ca)
        shown = loadtest(guarded, *asked, "--tls-cert", switch.certificate, "--tls-key", switch.key)
        assert shown.returncode == 0, shown.stderr
        assert loadtest(guarded, *asked).returncode in (1, 3)
        misnamed = loadtest(guarded, *asked, "--tls-name", "other.example")
        assert misnamed.returncode == 3, misnamed.stderr
    finally:
        guarded.stop()


def test_errors_are_told_and_exit_with_1(service: Running) -> None:
    refusing = run("loadtest", "--target", service.metrics, *SHORT, "--rate", "50")  # speaks no HTTP/2
    assert refusing.returncode in (1, 3)
    assert refusing.stderr.startswith("interceptor: ")


def test_a_service_that_is_not_there_exits_with_3() -> None:
    done = run("loadtest", "--target", "127.0.0.1:1", *SHORT, "--rate", "50")
    assert done.returncode == 3, done.stderr
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scenario", "quiet"), "mixed, listed, flood, scan, simbox, never-repeat"),
        (("--scenario", "listed"), "--listed FILE"),
        (("--tls-cert", "mine.pem"), "--tls-ca"),
    ],
)
def test_a_wrong_command_line_exits_with_2(options: tuple[str, ...], said: str) -> None:
    done = run("loadtest", "--rate", "50", *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("loadtest", "--rate", "50", "--listed", tmp_path / "no.csv")
    assert done.returncode == 1
    assert str(tmp_path / "no.csv") in done.stderr


def test_plots_without_matplotlib_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(PlotError, match=r"call-interceptor\[plots\]"):
        check()


def test_a_run_without_answers_can_be_drawn(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("mean", "min", "max", *(f"p{percent:g}" for percent in PERCENTILES)), 0.0)
    series = {name: [0, 0] for name in ("sent", "ok", "late", "failed", "unsent", "max_ns")}
    document = {
        "settings": {"scenario": "mixed", "rate": 10},
        "rates": {"ok": 0.0},
        "latency": {"count": 0, **nothing},
        "idle": None,
        "histogram": [],
        "series": {"seconds": [0.0, 0.1], **series},
    }
    plot(document, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 1000
    with pytest.raises(PlotError, match="bmp"):
        plot(document, tmp_path / "empty.bmpp")
