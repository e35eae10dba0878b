"""`interceptor top` at a terminal, and in scripts."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from interceptor.cli.toptables import Screen, curve, moment
from interceptor.pb.v1 import watch_pb2
from service.running import CALLEE, LISTED, Cli, Running, command, environment, run, write_policy
from service.terminal import Terminal

Begin = Callable[..., Terminal]
LEFT = "\x1b[?1049l"  # the alternate screen


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Runs a command at a terminal, which goes when the test is over."""
    terminals: list[Terminal] = []

    def start(*arguments: str | Path, **size: int) -> Terminal:
        terminals.append(Terminal(*arguments, **size))
        return terminals[-1]

    yield start
    for each in terminals:
        each.close()


@pytest.fixture
def calls(service: Running) -> Iterator[None]:
    """Somebody calls, all the while."""
    over = threading.Event()

    def calling() -> None:
        while not over.wait(0.02):
            service.decide(caller=LISTED, callee=CALLEE)

    caller = threading.Thread(target=calling)
    caller.start()
    yield
    over.set()
    caller.join()


@pytest.mark.usefixtures("calls")
def test_it_draws_what_is_decided_and_leaves_the_terminal_as_it_was(service: Running, begin: Begin) -> None:
    terminal = begin("top", "--server", service.control.address)
    screen = terminal.shows("+86138******01")
    assert len(screen) == 24
    assert max(map(len, screen)) <= 80
    shown = "\n".join(screen)
    for each in ("decisions/s", "block 100.0%", "p50", "listed", "fraud", "callers", "q quits", "masked"):
        assert each in shown
    terminal.press("q")
    assert terminal.end() == 0
    assert LEFT in terminal.written
    assert terminal.modes_are_back()


@pytest.mark.usefixtures("calls")
def test_it_pauses_and_goes_on(service: Running, begin: Begin) -> None:
    terminal = begin("top", "--server", service.control.address)
    terminal.shows("+86138******01")
    terminal.press("p")
    stopped = terminal.shows("PAUSED")
    drawn = len(terminal.written)
    terminal.resize(30, 100)  # it is drawn anew, and shows the same moment
    terminal.until(lambda: len(terminal.written) > drawn and len(terminal.screen()) == 30, "30 lines")
    assert terminal.screen()[2].split() == stopped[2].split()
    assert any("goes on" in line for line in terminal.screen())
    terminal.press("p")
    terminal.until(lambda: not any("PAUSED" in line for line in terminal.screen()), "going on")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert LEFT in terminal.written
    assert terminal.modes_are_back()


def test_a_service_that_goes_is_waited_for(
    start: Callable[..., Running], begin: Begin, tmp_path: Path
) -> None:
    policy, port = write_policy(tmp_path), f"unix:{tmp_path}/control"
    running = start(policy, "--control", port)
    terminal = begin("top", "--server", port, "--span", "1")
    terminal.shows("decisions/s")
    running.stop()
    terminal.shows("no service answers")
    again = start(policy, "--control", port)
    again.decide(caller=LISTED, callee=CALLEE)
    terminal.shows("1 decided since the start")
    terminal.press("q")
    assert terminal.end() == 0


@pytest.mark.long
def test_a_service_that_hangs_is_noticed(start: Callable[..., Running], begin: Begin, tmp_path: Path) -> None:
    policy, port = write_policy(tmp_path), f"unix:{tmp_path}/control"
    running = start(policy, "--control", port)
    terminal = begin("top", "--server", port)
    terminal.shows("decisions/s")
    running.signal(signal.SIGSTOP)
    terminal.shows("no service answers")
    running.signal(signal.SIGCONT)
    running.decide(caller=LISTED, callee=CALLEE)
    terminal.shows("1 decided since the start")


def test_without_a_service_it_says_so(begin: Begin, tmp_path: Path) -> None:
    terminal = begin("top", "--server", f"unix:{tmp_path}/nothing")
    assert terminal.end() == 3
    assert "no service answers" in terminal.written
    assert terminal.modes_are_back()


def test_a_service_that_refuses_is_not_asked_again(service: Running, begin: Begin, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wrong")
    terminal = begin("top", "--server", service.control.address, "--token-file", token)
    assert terminal.end() == 1
    assert "UNAUTHENTICATED" in terminal.written


@pytest.mark.usefixtures("calls")
def test_once_it_is_json_for_scripts(service: Running, cli: Cli) -> None:
    done = cli("top", "--once", "--json", "--callers", "1", "--server", service.control.address)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["blocked_per_second"] > 0
    assert found["rules"][0]["rule"] == "listed"


@pytest.mark.usefixtures("calls")
def test_once_at_a_terminal_it_prints_and_ends(service: Running, begin: Begin) -> None:
    terminal = begin("top", "--once", "--server", service.control.address)
    assert terminal.end() == 0
    assert "listed" in terminal.written
    assert LEFT not in terminal.written


def test_where_there_is_no_terminal_it_is_a_line_a_second(service: Running) -> None:
    with subprocess.Popen(
        command("top", "--server", service.control.address),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGINT)
    assert int(second["time_ms"]) > int(first["time_ms"])
    assert process.returncode == 130


def test_a_picture_of_it(service: Running, tmp_path: Path) -> None:
    done = run("top", "--svg", tmp_path / "top.svg", "--server", service.control.address)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "top.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("lines", "columns"), [(24, 80), (5, 20), (1, 1), (60, 200), (24, 50), (10, 80)])
def test_it_fits_whatever_the_terminal(lines: int, columns: int) -> None:
    picture = watch_pb2.WatchDecisionsResponse(
        policy="/somewhere/" * 20,
        decided=10**12,
        decided_per_second=1e7,
        blocked_per_second=1e6,
        repeated_per_second=10,
        p50_ns=1,
        p99_ns=10**9,
        rules=[
            watch_pb2.RuleRate(rule=f"rule-{n}" * 5, verdict="VERDICT_BLOCK", total=10**9) for n in range(99)
        ],
        lists=[watch_pb2.ListRate(list=f"list_{n}" * 5, entries=10**8, per_second=n) for n in range(60)],
        callers=[watch_pb2.CallerCalls(caller="+8613812345678", blocked=10**6, rule="x" * 40)] * 99,
        unseen=5,
    )
    console = Console(width=columns, height=lines, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(Screen("127.0.0.1:50052").drawn(picture, columns, lines))
    drawn = console.export_text().splitlines()
    assert max(map(len, drawn)) <= columns
    assert len(drawn) <= lines or lines < 10  # what does not fit there is cut off


def test_a_curve_is_as_high_as_its_highest() -> None:
    assert curve([]) == ""
    assert curve([0, 0]) == "  "
    assert curve([1, 4, 8]) == "▁▄█"


@pytest.mark.parametrize(
    ("ns", "shown"),
    [(0, "0 ns"), (999, "999 ns"), (1_234, "1.23 us"), (5_000_000, "5 ms"), (2 * 10**9, "2 s")],
)
def test_a_time_is_told_in_its_unit(ns: int, shown: str) -> None:
    assert moment(ns) == shown
