"""README.md does what it says: its commands run against a real service, its policy loads, its tables are complete."""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from interceptor.policy import load_policy
from service.running import Running, command, environment, run, write_policy

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
DATA, CONTROL = "127.0.0.1:50051", "127.0.0.1:50052"


#: the section whose commands build on each other, at one terminal
DAY = re.findall(r"^## An analyst's day\n.*?(?=^## )", TEXT, flags=re.MULTILINE | re.DOTALL)[0]
DECISION = re.compile(r'"decision_id": "(\w{16})"')


def blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def sessions(text: str) -> list[tuple[str, str]]:
    """Every command of a text's console blocks with the output it shows; ``...`` stands for anything."""
    found = []
    for block in blocks("console", text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append((line, output))
    return found


def matches(shown: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(piece) for piece in shown.rstrip().split("..."))
    return re.fullmatch(pattern, printed.rstrip(), flags=re.DOTALL) is not None


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    """What `make serve` runs."""
    running = Running("default")
    yield running
    running.stop()


@pytest.mark.parametrize(("line", "shown"), sessions(TEXT.replace(DAY, "")), ids=lambda text: text[:40])
def test_a_command_prints_what_readme_shows(service: Running, line: str, shown: str) -> None:
    words = shlex.split(line.replace(CONTROL, service.control.address))
    if words[0] == "interceptor":
        at = {"decide": ["--server", service.data.address], "explain": ["--server", service.control.address]}
        words = [*command(*words[1:]), *at.get(words[1], [])]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=False, env={**environment(), "PATH": path}
    )
    assert matches(shown, done.stdout + done.stderr), done.stdout + done.stderr


def at_a_terminal(line: str, folder: Path, environ: dict[str, str]) -> str:
    """What a shell's command writes to a terminal of 120 columns, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
    with subprocess.Popen(
        ["bash", "-c", line], cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        written = b""
        try:
            while some := os.read(ours, 65536):
                written += some
        except OSError:  # how the end of a terminal shows
            pass
        finally:
            os.close(ours)
    # progress bars are drawn over, and at last wiped out from the row below them
    rows, at, begun = [""], 0, False
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r*\n|\r|[^\x1b\r\n]+", written.decode()):
        match piece:
            case "\r":
                begun = True
            case "\x1b[1A":
                at -= 1
            case "\x1b[2K":
                rows[at] = ""
            case _ if piece.endswith("\n"):
                at, begun = at + 1, False
                rows += [""] * (at == len(rows))
            case _ if not piece.startswith("\x1b"):
                rows[at], begun = piece if begun else rows[at] + piece, False
    plain = "\n".join(rows)
    return re.sub(r" +$", "", plain, flags=re.MULTILINE)


def test_an_analysts_day_goes_as_readme_shows(tmp_path: Path) -> None:
    running = Running(None)
    try:
        program = tmp_path / "interceptor"
        program.write_text(
            f"#!/bin/sh\ncase $1 in decide) at={running.data.address};; *) at={running.control.address};; esac\n"
            f'case $1 in simulate|replay) set -- "$@";; *) set -- "$@" --server $at;; esac\n'
            f'exec {shlex.join(command())} "$@"\n'
        )
        program.chmod(0o700)
        environ = environment(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", TERM="xterm", COLUMNS="120")
        exported, ids = "", {}
        for line, shown in sessions(DAY):
            if line.startswith("cat "):  # the reader has it; we write it first
                (tmp_path / line.split()[1]).write_text(shown)
            if line.startswith("export "):
                exported += f"{line}\n"
            for there, here in ids.items():
                line, shown = line.replace(there, here), shown.replace(there, here)
            printed = at_a_terminal(exported + line, tmp_path, environ)
            printed = printed.replace(f" --server {running.control.address}", "")
            ids.update(zip(DECISION.findall(shown), DECISION.findall(printed), strict=False))
            for there, here in ids.items():
                shown = shown.replace(there, here)
            assert matches(shown, printed), f"{line}\n{printed}"
    finally:
        running.stop()


def test_the_switch_in_python_is_told_to_refuse_the_call(service: Running) -> None:
    (source,) = blocks("python")
    assert DATA in source
    patient = source.replace(DATA, service.data.address).replace("deadline_ms=50", "deadline_ms=60_000")
    done = subprocess.run(
        [sys.executable, "-c", patient],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment(),
    )
    says = re.search(r"It prints `(.*?)`", TEXT)
    assert says is not None
    assert done.stdout.strip() == says[1]


def test_the_policy_of_one_page_loads(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    spec = load_policy(path)
    assert [rule.id for rule in spec.rules] == ["allowed", "listed", "sim-box", "relay", "trial"]


def test_the_table_of_options_is_complete() -> None:
    table = set(re.findall(r"^\| `(--[a-z-]+)`(?: `(--[a-z-]+)`)?", TEXT, flags=re.MULTILINE))
    shown = {option for row in table for option in row if option}
    offered = set(re.findall(r"--[a-z][a-z-]+", run("serve", "--help").stdout))
    assert shown == offered - {"--help"}


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The metrics of a service that keeps state and tells what happens."""
    directory = tmp_path_factory.mktemp("metrics")
    sinks = directory / "sinks.yaml"
    sinks.write_text(
        "version: 1\nreminders: {}\nearly_warnings: {}\n"
        f"sinks: [{{name: one, kind: file, path: {directory / 'events'}}}]\n"
    )
    running = Running(write_policy(directory), "--state", directory / "state", "--sinks", sinks)
    try:
        return set(re.findall(r"^# TYPE (interceptor_\w+)", running.page(), flags=re.MULTILINE))
    finally:
        running.stop()


def test_the_table_of_metrics_is_complete(offered: set[str]) -> None:
    shown = {
        name
        for row in re.findall(r"^\| (`interceptor_.*?) \|", TEXT, flags=re.MULTILINE)
        for name in re.findall(r"`(interceptor_\w+)`", row)
    }
    assert shown == offered


def test_every_metric_named_exists(offered: set[str]) -> None:
    named = set(re.findall(r"\b(interceptor_[a-z_]+)\b", TEXT))
    assert named <= offered


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)\b", "".join(re.findall(r"`[^`]*`", TEXT)))) <= targets
