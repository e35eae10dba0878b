"""A service whose data directory fills up, or is closed to it: it says what to do, decides on, and loses nothing."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from service.operating import DESK, add, becomes, put
from service.running import CALLEE, Cli, Running, command, environment

#: a superuser's process that permissions hold for, too
UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
Start = Callable[..., Running]
CALLERS = [f"+86138{at:08d}" for at in range(3_000)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    path = tmp_path / "small"
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", path], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("no file system may be mounted here")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(path: Path) -> None:
    """Writes until there is no room."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, bytes(4096))
    except OSError:
        os.close(file)


def rule(service: Running, caller: str) -> str:
    return service.decide(caller=caller, callee=CALLEE).rule


def until_refused(service: Running, callers: list[str]) -> tuple[list[str], str, str]:
    """Adds one after the other; which were acknowledged, and what the next was refused with."""
    for at, caller in enumerate(callers):
        try:
            assert add(service, caller).added == 1
        except grpc.RpcError as error:
            return callers[:at], error.code().name, error.details() or ""
    raise AssertionError("none was refused")


def commands(cli: Cli, service: Running, directory: Path) -> dict[str, Any]:
    """Everything an operator may want to change, as it ends."""
    feed = directory / "feed.csv"
    feed.write_text("number\n" + "".join(f"+86137{at:08d}\n" for at in range(20_000)))
    policy = directory / "desk.yaml"
    policy.write_text(DESK + "# another\n")
    to = ("--server", service.control.address)
    return {
        "add": cli("lists", "add", "+8613900000001", "--list", "fraud", *to),
        "remove": cli("lists", "remove", CALLERS[0], "--list", "fraud", *to),
        "import": cli("lists", "import", feed, "--list", "fraud", "--source", "feed", *to),
        "policy": cli("policy", "put", policy, *to),
        "erase": cli("privacy", "erase", CALLERS[0], "--yes", *to),
    }


def test_on_a_full_disk_nothing_acknowledged_is_lost_and_room_is_all_it_takes(
    start: Start, cli: Cli, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interceptor.cli.importing.ATTEMPTS", 1)
    service = start(None, "--data", small)
    put(service)
    assert add(service, CALLERS[0]).added == 1
    fill(small / "filler")
    kept, status, message = until_refused(service, CALLERS[1:])
    kept.insert(0, CALLERS[0])
    refused = CALLERS[len(kept)]
    assert (status, "the disk is full: make room and try again" in message) == ("UNAVAILABLE", True)
    assert str(small) in message
    assert {rule(service, caller) for caller in kept} == {"listed"}
    assert rule(service, refused) == "default"
    for name, done in commands(cli, service, tmp_path).items():
        assert (done.returncode != 0, done.stdout) == (True, ""), name
        assert "make room" in done.stderr, f"{name}: {done.stderr}"
        assert ("trying again" in done.stderr) == (name == "import")
        assert "try again" in done.stderr
    assert rule(service, kept[0]) == "listed"
    becomes(lambda: service.metric("interceptor_store_up") == 0)

    (small / "filler").unlink()
    becomes(lambda: service.metric("interceptor_store_up") == 1)
    assert {
        name: done.returncode for name, done in commands(cli, service, tmp_path).items()
    } == dict.fromkeys(("add", "remove", "import", "policy", "erase"), 0)
    assert add(service, refused).added == 1
    assert [rule(service, caller) for caller in (CALLERS[0], refused, "+8613700019999")] == [
        "default", "listed", "listed",
    ]  # fmt: skip
    service.process.kill()
    service.stop()
    again = start(None, "--data", small)
    assert {rule(again, caller) for caller in (*kept[1:], refused, "+8613900000001")} == {"listed"}
    assert '"whole": true' in cli("audit", "verify", "--deep", "--server", again.control.address).stdout


def test_a_disk_that_is_full_from_the_start_is_named(cli: Cli, small: Path) -> None:
    fill(small / "filler")
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--metrics", "")
    ended = cli("serve", "--data", small, *ports)
    assert ended.returncode == 1
    (said,) = (line for line in ended.stderr.splitlines() if line.startswith("interceptor: "))
    assert str(small) in said
    assert "make room" in said


def test_a_directory_that_is_closed_under_the_service_is_told_and_open_again_all_goes_on(
    start: Start, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has files open goes on, the rest says what to do; what was acknowledged is there in either case."""
    monkeypatch.setattr("interceptor.cli.importing.ATTEMPTS", 1)
    data = tmp_path / "data"
    service = start(None, "--data", data, within=UNPRIVILEGED)
    put(service)
    kept = CALLERS[:5]
    for caller in kept:
        assert add(service, caller).added == 1
    files = [each for each in data.iterdir() if each.is_file()]
    for each in files:
        each.chmod(0o400)
    data.chmod(0o500)
    try:
        ends = commands(cli, service, tmp_path)
        assert ends["import"].returncode != 0
        for name, done in ends.items():
            if done.returncode:
                assert (done.stdout, "decisions go on" in done.stderr or str(data) in done.stderr) == (
                    "",
                    True,
                )
                assert "write there" in done.stderr or "permissions" in done.stderr, f"{name}: {done.stderr}"
        removed = ends["remove"].returncode == 0
        assert rule(service, CALLERS[0]) == ("default" if removed else "listed")
        assert {rule(service, caller) for caller in kept[1:]} == {"listed"}
    finally:
        data.chmod(0o700)
        for each in files:
            each.chmod(0o600)
    assert {
        name: done.returncode for name, done in commands(cli, service, tmp_path).items()
    } == dict.fromkeys(("add", "remove", "import", "policy", "erase"), 0)
    service.process.kill()
    service.stop()
    again = start(None, "--data", data)
    callers = (*kept[1:], "+8613900000001", "+8613700000000")
    assert {rule(again, caller) for caller in callers} == {"listed"}
    assert rule(again, CALLERS[0]) == "default"


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A file system of a disk, and what makes the kernel close it for writing, as it does when the disk fails."""
    path, image = tmp_path / "disk", tmp_path / "image"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    for made in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, path]):
        if not shutil.which(made[0]) or subprocess.run(made, check=False, capture_output=True).returncode:
            pytest.skip("no file system may be mounted here")

    def fail() -> Path:
        subprocess.run(["mount", "-o", "remount,abort", path], check=True)
        return path

    yield fail
    subprocess.run(["umount", "--lazy", path], check=True)


def test_on_a_disk_that_has_become_read_only_decisions_go_on_and_changes_say_so(
    start: Start, failing: Callable[[], Path], tmp_path: Path
) -> None:
    service = start(None, "--data", tmp_path / "disk" / "data")
    put(service)
    add(service, CALLERS[0])
    place = failing()
    _, status, message = until_refused(service, CALLERS[1:])
    assert (status, str(place) in message) == ("UNAVAILABLE", True)
    assert "mount it for writing" in message
    assert [rule(service, caller) for caller in CALLERS[:2]] == ["listed", "default"]
    assert service.stop() == 0


def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--metrics", "")
    ended = subprocess.run(
        [*UNPRIVILEGED, *command("serve", "--data", data, *ports)],
        check=False, capture_output=True, text=True, env=environment(),
    )  # fmt: skip
    assert ended.returncode == 1
    (said,) = (line for line in ended.stderr.splitlines() if line.startswith("interceptor: "))
    assert str(data) in said
    assert "let the service write there" in said
