"""Counters of a real service that outlive the machine: copied to disk, restored after a reboot, and said to be."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interceptor.pb.v1 import entities_pb2
from interceptor.runtime.state import in_memory
from service.operating import becomes
from service.running import CALLEE, Running, write_policy

Start = Callable[..., Running]
CALLER = "+8613800138000"
SHARED = Path("/dev/shm")
ON_A_DISK = "state lies on a disk"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in shared memory."""
    if not (SHARED.is_dir() and os.access(SHARED, os.W_OK)):
        pytest.skip("there is no shared memory here")
    path = Path(tempfile.mkdtemp(prefix="interceptor-test-", dir=SHARED))
    yield path
    shutil.rmtree(path)


def counted(service: Running) -> dict[str, int]:
    found = service.admin("ShowEntity", entities_pb2.ShowEntityRequest(key=[CALLER], kind="caller"))
    return {counter.name: counter.value for each in found.entities for counter in each.counters}


def warnings(service: Running) -> list[str]:
    return [each["event"] for each in service.events() if each["level"] == "warning"]


def test_counters_come_back_from_their_copy_after_a_reboot(
    start: Start, memory: Path, tmp_path: Path
) -> None:
    policy, state = write_policy(tmp_path), memory / "state"
    kept = ("--data", tmp_path / "data", "--state", state, "--state-copy", "0.005")  # minutes
    service = start(policy, *kept)
    assert service.metric("interceptor_state_restored_total") == 0
    for n in range(5):
        service.decide(caller=CALLER, callee=f"+86139001390{n:02}")
    before = counted(service)
    assert before["caller_calls_1h"] == 5

    def copies() -> float:
        return service.metric("interceptor_state_copy_timestamp_seconds")

    made = copies()
    becomes(lambda: copies() > made)  # one that may have begun before the calls ...
    made = copies()
    becomes(lambda: copies() > made)  # ... and one that has not
    assert service.metric("interceptor_state_copy_seconds") > 0
    service.signal(signal.SIGKILL)
    service.stop()
    shutil.rmtree(state)  # what a reboot does to memory

    service = start(policy, *kept)
    assert counted(service) == before
    said = service.event("state")
    assert said["restored"] > 0
    assert service.metric("interceptor_state_restored_total") == said["restored"]
    assert service.metric("interceptor_state_attached_total") == said["attached"] > 0
    assert service.metric("interceptor_state_left_out_total") == 0
    assert service.decide(caller=CALLER, callee=CALLEE).verdict
    assert counted(service)["caller_calls_1h"] == 6
    assert not warnings(service)


def test_a_copy_that_cannot_be_made_is_said_once_and_the_last_one_stays(
    start: Start, memory: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "state").write_text("in the way")
    kept = ("--data", tmp_path / "data", "--state", memory / "state", "--state-copy", "0.005")
    service = start(write_policy(tmp_path), *kept)
    service.event("counters not copied to disk, the last copy stays")
    assert service.metric("interceptor_state_copy_timestamp_seconds") == 0
    service.decide(caller=CALLER, callee=CALLEE)
    (tmp_path / "data" / "state").unlink()
    becomes(lambda: service.metric("interceptor_state_copy_timestamp_seconds") > 0)
    assert warnings(service) == ["counters not copied to disk, the last copy stays"]


def test_state_on_a_disk_is_warned_of_and_state_in_memory_is_not(
    start: Start, memory: Path, tmp_path: Path
) -> None:
    if in_memory(tmp_path):
        pytest.skip("tests' own files lie in memory here")
    policy = write_policy(tmp_path)
    on_disk = start(policy, "--state", tmp_path / "state")
    assert [ON_A_DISK in each for each in warnings(on_disk)] == [True]
    service = start(policy, "--state", memory / "state")
    assert not warnings(service)
