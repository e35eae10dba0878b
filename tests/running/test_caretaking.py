"""What operators run beside the service: a doctor, a probe, a backup that is put back."""

import json
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import pytest

import interceptor
from interceptor.cli import supervisor
from running.conftest import Serve
from running.switches import counted
from service.certificates import Authority, needs_openssl
from service.operating import add
from service.running import CALLEE, Running, run

#: more than any machine has memory for
HUGE = """\
version: 1
entities: {caller: 1000000000}
counters:
  calls: {count: call, per: caller, window: 1h}
rules:
  - {id: busy, when: counters.calls > 100, verdict: warn, class: analytics}
default: pass
"""
UNITS = Path(interceptor.__file__).parent / "integrations" / "systemd"


def ports(service: Running) -> tuple[str, ...]:
    return (
        "--listen",
        service.data.address,
        "--control",
        service.control.address,
        "--metrics",
        service.metrics,
    )


def told(*arguments: str | Path) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code of the doctor, and state and finding by what was looked at."""
    done = run("doctor", "--json", *arguments)
    return done.returncode, {each["what"]: (each["state"], each["found"]) for each in json.loads(done.stdout)}


def test_the_doctor_finds_a_running_service_well(tmp_path: Path, serve: Serve) -> None:
    service = serve()
    code, found = told("--data", tmp_path / "data", "--policy", tmp_path / "policy.yaml", *ports(service))
    assert code == 0, found
    assert found["readiness"] == ("good", "ready")
    assert found["store"] == ("good", "opens, and its pages are whole")
    assert {found[f"port {name}"][0] for name in ("listen", "control", "metrics")} == {"good"}
    assert found["memory"][0] == "good"
    assert {"clock", "disk", "shared memory", "open files"} <= found.keys()
    table = run("doctor", "--data", tmp_path / "data", *ports(service))
    assert (table.returncode, "readiness" in table.stdout) == (0, True)


SINKS = """
version: 1
sinks:
  - {{name: desk, kind: webhook, url: "https://desk.example/", secret_file: {directory}/secret, ca_file: {ca}}}
"""


@needs_openssl
def test_the_doctor_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "store.sqlite").write_bytes(b"nothing of the kind" * 100)
    (tmp_path / "huge.yaml").write_text(HUGE)
    (tmp_path / "one").mkdir()
    one = Authority(tmp_path / "one")
    switch, other = one.issue("interceptor.example"), one.issue("other.example")
    closed = ("--listen", "127.0.0.1:9", "--control", "127.0.0.1:9", "--metrics", "")
    common = ("--data", data, *closed)
    code, found = told(*common, "--policy", tmp_path / "huge.yaml")
    assert code == 1
    assert (found["store"][0], found["memory"][0]) == ("bad", "bad")
    assert found["port listen"] == ("look", "127.0.0.1:9 is free")
    assert "about 2." in told(*common, "--policy", "antifraud-cn")[1]["memory"][1]  # as `policy check` says
    assert told(*common, "--policy", "nowhere")[1]["policy"][0] == "bad"
    pair = ("--tls-cert", switch.certificate, "--tls-key", switch.key)
    assert told(*common, *pair, "--name", "somebody.else")[1]["certificate's names"][0] == "bad"
    sinks = tmp_path / "sinks.yaml"
    sinks.write_text(SINKS.format(directory=tmp_path, ca=one.ca))
    ends = told(*common, *pair, "--tls-client-ca", one.ca, "--sinks", sinks)[1]
    for what, days in (("certificate", 6), ("clients' CA", 8), ("CA of sink desk", 8)):
        assert ends[what][0] == "look"
        assert f"ends in {days} days" in ends[what][1]
    wrong = told(*common, "--tls-cert", switch.certificate, "--tls-key", other.key)
    assert (wrong[0], wrong[1]["certificate"][0]) == (1, "bad")


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_port_whose_queue_is_full_is_taken_and_not_free(
    tmp_path: Path, family: socket.AddressFamily
) -> None:
    with socket.socket(family) as busy, ExitStack() as waiting:
        busy.bind(str(tmp_path / "busy") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket(family))
            one.setblocking(False)
            one.connect_ex(busy.getsockname())
        address = f"unix:{tmp_path}/busy" if family == socket.AF_UNIX else "{}:{}".format(*busy.getsockname())
        found = told("--data", tmp_path, "--listen", address, "--control", "127.0.0.1:9", "--metrics", "")[1]
        assert found["port listen"] == ("look", f"{address} is taken, and lets nobody in")
    assert found["port control"] == ("look", "127.0.0.1:9 is free")


def test_a_probe_is_decided_and_touches_no_counter(serve: Serve) -> None:
    service = serve()
    done = run("probe", "--server", service.data.address, "--json", "--expect", "pass")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rule"] == "default"
    assert service.metric("interceptor_entities") == 0
    assert run("probe", "--server", service.data.address, "--expect", "block").returncode == 1
    service.decide(caller="+8613800138000", callee=CALLEE)
    assert counted(service, "+8613800138000")["calls"] == 1
    service.stop()
    assert run("probe", "--server", service.data.address).returncode == 3


def test_a_backup_under_changes_is_put_back_and_serves(tmp_path: Path, serve: Serve) -> None:
    service = serve()
    for n in range(20):
        add(service, f"+861390000{n:04d}")
    over, added = Event(), []

    def change() -> None:
        while not over.is_set():
            add(service, f"+861390001{len(added):04d}")
            added.append(len(added))

    changing = Thread(target=change)
    changing.start()
    made = run("backup", tmp_path / "copy", "--data", tmp_path / "data", "--json")
    over.set()
    changing.join()
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert 20 <= said["entries"] <= 20 + len(added)
    again = run("backup", tmp_path / "copy", "--data", tmp_path / "data")
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    service.stop()

    refused = run("restore", tmp_path / "copy", "--data", tmp_path / "data")
    assert (refused.returncode, "move it aside first" in refused.stderr) == (1, True)
    shutil.rmtree(tmp_path / "data")
    done = run("restore", tmp_path / "copy", "--data", tmp_path / "data", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, said)
    restored = serve()
    assert restored.decide(caller="+8613900000019", callee=CALLEE).rule == "listed"
    audit = run("audit", "verify", "--deep", "--server", restored.control.address)
    assert audit.returncode == 0, audit.stderr


@pytest.mark.parametrize("name", ["store.sqlite", "backup.json"])
def test_a_backup_that_was_changed_is_not_put_back(tmp_path: Path, serve: Serve, name: str) -> None:
    add(serve(), "+8613900000001")
    assert run("backup", tmp_path / "copy", "--data", tmp_path / "data").returncode == 0
    with (tmp_path / "copy" / name).open("r+b") as file:
        file.seek(-5, 2)
        file.write(b"\x00\x01\x02")
    done = run("restore", tmp_path / "copy", "--data", tmp_path / "other")
    assert done.returncode == 1
    assert not (tmp_path / "other" / "store.sqlite").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_sound_and_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "interceptor.service"
    unit.write_text((UNITS / unit.name).read_text().replace("/usr/bin/interceptor", sys.executable))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    secure = ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit]
    assert subprocess.run(secure, capture_output=True, check=False).returncode == 0


def test_nobody_is_told_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    supervisor.tell("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    supervisor.tell("READY=1")
