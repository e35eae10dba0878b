"""The systemd unit: its settings are such as systemd knows, and the service does nothing that they forbid.

systemd does not run here as init; so it is asked what the unit means, and the kernel what the service does.
"""

import os
import re
import shutil
import signal
import subprocess
from functools import cache
from pathlib import Path

import pytest

import interceptor
from running.switches import policy_in
from service.operating import add
from service.running import CALLEE, Running

UNIT = Path(interceptor.__file__).parent / "integrations" / "systemd" / "interceptor.service"
#: tenths: of what `systemd-analyze security` calls exposure. 100 has no protection
EXPOSURE = 20
#: what it may call, but not with everything
LOOKED_AT = {"mmap", "mprotect", "socket"}
#: numpy's OpenBLAS would like to say where its memory lies, and does without; SQLite gives files to the database's
#: owner when it is root, which it is not there
WITHOUT = {"mbind", "fchown"}


def analyze(*asked: str | Path) -> str:
    """What systemd-analyze says, at its good end."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    done = subprocess.run(
        ["systemd-analyze", *asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """It, for a program that is installed."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/usr/bin/interceptor", "/bin/true"))
    return path


def settings(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text())


@cache
def calls_of(group: str) -> frozenset[str]:
    """System calls of a group: @resources, and so on."""
    lines = [line.strip() for line in analyze("syscall-filter", group).splitlines()[1:]]
    names = [line for line in lines if line and not line.startswith("#")]
    return frozenset().union(*(calls_of(each) if each.startswith("@") else {each} for each in names))


def permitted() -> set[str]:
    """System calls that the unit's filter lets through: systemd.exec(5) says how its lines are read."""
    found: set[str] = set()
    for line in settings("SystemCallFilter"):
        names = line.removeprefix("~").split()
        some = set().union(*(calls_of(each) if each.startswith("@") else {each} for each in names))
        found = found - some if line.startswith("~") else found | some
    return found


def test_systemd_knows_each_of_its_settings(unit: Path) -> None:
    assert analyze("verify", "--man=no", unit) == ""


def test_it_leaves_little_open(unit: Path) -> None:
    analyze("security", "--offline=yes", f"--threshold={EXPOSURE}", unit)


def test_threads_may_step_back_or_be_brief_and_no_more_than_that() -> None:
    assert {"setpriority", "sched_setscheduler", "sched_setattr", "ioprio_set"} <= permitted()
    assert not {"setrlimit", "mbind", "chroot", "setuid", "ptrace"} & permitted()


def test_a_service_does_nothing_that_the_unit_forbids(tmp_path: Path) -> None:
    """Under load, with sinks, a copy of its state, a reload and its end: no system call that is refused."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    seen, sinks = tmp_path / "calls", tmp_path / "sinks.yaml"
    sinks.write_text(f"version: 1\nsinks: [{{name: lines, kind: file, path: {tmp_path}/lines}}]\n")
    looked_at = ",".join(f"?{each}" for each in sorted(permitted() - LOOKED_AT | WITHOUT))
    service = Running(
        policy_in(tmp_path),
        *("--data", tmp_path / "data", "--state", tmp_path / "state", "--state-copy", "0.01"),
        *("--sinks", sinks, "--decision-log", tmp_path / "log"),
        within=("strace", "-f", "--seccomp-bpf", "-qq", "-o", str(seen), "-e", f"trace=!{looked_at}"),
    )
    try:
        add(service, "+8613900001116")
        service.decide(caller="+8613700137001", callee=CALLEE, user_agent="friendly")
        assert service.page()
        pid = service.event("serving")["pid"]
        os.kill(pid, signal.SIGHUP)
        service.event("policy in force", after=len(service.events()))
        os.kill(pid, signal.SIGTERM)
        assert service.process.wait(60) == 0
    finally:
        service.stop()
    lines = [line.split(maxsplit=1)[1] for line in seen.read_text().splitlines()]
    calls = [line for line in lines if re.match(r"\w+\(", line)]
    assert [each for each in calls if each.partition("(")[0] not in LOOKED_AT] == []
    assert [each for each in calls if "PROT_WRITE|PROT_EXEC" in each] == []  # MemoryDenyWriteExecute
    families = {each.partition("(")[2].partition(",")[0] for each in calls if each.startswith("socket(")}
    assert families <= set(settings("RestrictAddressFamilies")[0].split())
