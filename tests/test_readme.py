"""README.md does what it says: its commands run against a real service, its policy loads, its tables are complete."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interceptor.policy import load_policy
from service.running import Running, command, environment, run

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
DATA, CONTROL = "127.0.0.1:50051", "127.0.0.1:50052"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def sessions() -> list[tuple[str, str]]:
    """Every command of README's console blocks with the output it shows; ``...`` stands for anything."""
    found = []
    for block in blocks("console"):
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


@pytest.mark.parametrize(("line", "shown"), sessions(), ids=lambda text: text[:40])
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


def test_the_switch_in_python_is_told_to_refuse_the_call(service: Running) -> None:
    (source,) = blocks("python")
    assert DATA in source
    patient = source.replace(DATA, service.data.address).replace("timeout=0.1", "timeout=60")
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
    assert [rule.id for rule in spec.rules] == ["listed", "sim-box", "trial"]


def test_the_table_of_options_is_complete() -> None:
    table = set(re.findall(r"^\| `(--[a-z-]+)`(?: `(--[a-z-]+)`)?", TEXT, flags=re.MULTILINE))
    shown = {option for row in table for option in row if option}
    offered = set(re.findall(r"--[a-z][a-z-]+", run("serve", "--help").stdout))
    assert shown == offered - {"--help"}


def test_the_table_of_metrics_is_complete(service: Running) -> None:
    shown = {
        name
        for row in re.findall(r"^\| (`interceptor_.*?) \|", TEXT, flags=re.MULTILINE)
        for name in re.findall(r"`(interceptor_\w+)`", row)
    }
    offered = set(re.findall(r"^# TYPE (interceptor_\w+)", service.page(), flags=re.MULTILINE))
    assert shown == offered


def test_every_make_target_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)\b", "".join(re.findall(r"`[^`]*`", TEXT)))) <= targets
