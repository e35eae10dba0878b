"""Counters that outlive the process: killed at any instant under calls, the next one goes on where it stood."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import grpc
import pytest

from interceptor.pb.v1 import entities_pb2
from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, Running, refused, run, write_policy

POLICY = """\
version: 1
trunks:
  default: {region: CN}
entities: {caller: 20000, imei: 5000, caller+callee: 20000}
counters:
  calls: {count: call, per: caller, window: 24h}
  callees: {distinct: callee, per: caller, window: 24h}
  device_calls: {count: call, per: imei, window: 24h}
  pair_calls: {count: call, per: [caller, callee], window: 24h}
rules:
  - {id: busy, when: counters.calls > 1000000 || counters.callees > 1000 || counters.device_calls > 1000000
     || counters.pair_calls > 1000000, verdict: block, class: analytics}
default: pass
"""
FURTHER = POLICY.replace(
    "counters:\n", "counters:\n  wide: {distinct: caller, per: callee, window: 24h}\n"
).replace("counters.calls >", "counters.wide > 100000 || counters.calls >")
IMEI = "35209900176148"
CALLERS, CALLEES, IN_FLIGHT, SWITCHES = 6, 12, 32, 3
Start = Callable[..., Running]


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory for state, in memory where there is shared memory."""
    shared = Path("/dev/shm")
    path = Path(
        tempfile.mkdtemp(prefix="interceptor-test-", dir=shared if os.access(shared, os.W_OK) else None)
    )
    yield path
    path.chmod(0o700)
    shutil.rmtree(path)


@pytest.fixture
def kept(tmp_path: Path, state: Path) -> tuple[str | Path, ...]:
    """The options of a service that finds again what it kept."""
    return ("--data", tmp_path / "data", "--state", state)


def device(blow: int) -> str:
    """The one they all call from. Another one every eight blows: its count ends at 65,535 calls in two hours."""
    return f"{int(IMEI) + blow // 8}"


def known(service: Running, *key: str, kind: str = "") -> dict[str, int]:
    """The counters of an entity, by name."""
    found = service.admin("ShowEntity", entities_pb2.ShowEntityRequest(key=key, kind=kind))
    return {counter.name: counter.value for each in found.entities for counter in each.counters}


@dataclass
class Switch:
    """A switch that asks about calls of its own callers, so many at a time, until the service is gone."""

    service: Running
    number: int
    round: int
    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._room = threading.Semaphore(IN_FLIGHT)
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _calls(self) -> Iterator[bytes]:
        for n in count():
            while not self._room.acquire(timeout=0.1):
                if self._gone.is_set():
                    return
            caller = f"+86138{self.number:03d}{n % CALLERS:05d}"
            self.sent[caller] += 1
            yield pb.DecideStreamRequest(
                id=n,
                call=pb.DecideRequest(
                    call_id=f"{self.round}-{self.number}-{n}",
                    caller=caller,
                    callee=f"+861390013{n // CALLERS % CALLEES:04d}",
                    imei=device(self.round),
                ),
            ).SerializeToString()

    def _ask(self) -> None:
        try:
            for answer in self.service.data.stream(self._calls(), timeout=60):
                self.answered[f"+86138{self.number:03d}{answer.id % CALLERS:05d}"] += 1
                self._room.release()
        except grpc.RpcError:
            pass
        self._gone.set()

    def gone(self) -> None:
        self._thread.join()


def test_killed_under_calls_it_goes_on_counting_where_it_stood(
    tmp_path: Path, start: Start, kept: tuple[str | Path, ...], scale: Callable[[int, int], int]
) -> None:
    policy = write_policy(tmp_path, POLICY)
    stood: Counter[str] = Counter()
    service = start(policy, *kept)
    for blow in range(scale(4, 100)):
        switches = [Switch(service, number, blow) for number in range(SWITCHES)]
        time.sleep(0.15 + blow % 7 * 0.05)
        service.signal(signal.SIGKILL)
        for switch in switches:
            switch.gone()
        service.stop()
        service = start(policy, *kept)
        total = [0, 0]
        for switch in switches:
            for caller, sent in switch.sent.items():
                answered, told = switch.answered[caller], known(service, caller, kind="caller")
                total = [total[0] + answered, total[1] + sent]
                held = told.get("calls", 0)
                torn = held == 0 and sent > answered
                assert torn or stood[caller] + answered <= held <= stood[caller] + sent, (blow, caller)
                assert torn or told["callees"] == min(held, CALLEES) or sent > answered, (blow, caller)
                stood[caller] = held
        imei = device(blow)
        held = known(service, imei, kind="imei").get("device_calls", 0)
        torn = held == 0 and total[1] > total[0]
        assert torn or stood[imei] + total[0] <= held <= stood[imei] + total[1], blow
        stood[imei] = held
    assert stood[IMEI] > 0


def test_what_a_service_knows_is_kept_over_an_end_a_kill_and_a_change_of_policy(
    tmp_path: Path, start: Start, kept: tuple[str | Path, ...], state: Path
) -> None:
    policy = write_policy(tmp_path, POLICY)
    service = start(policy, *kept)
    first = [
        service.decide(call_id=str(n), caller="+8613800138000", callee=CALLEE, imei=IMEI).decision_id
        for n in range(5)
    ]
    service.signal(signal.SIGKILL)
    service.stop()
    write_policy(
        tmp_path, FURTHER.replace("caller, window: 24h}\n  callees", "caller, window: 12h}\n  callees")
    )
    service = start(policy, *kept)
    again = service.decide(call_id="0", caller="+8613800138000", callee=CALLEE, imei=IMEI)
    assert again.decision_id == first[0]
    told = known(service, "+8613800138000", kind="caller")
    assert (told.get("calls", 0), told["callees"]) == (0, 1)
    assert known(service, "+8613800138000", CALLEE) == {"pair_calls": 5}
    files = len(list(state.glob("*.table")))
    write_policy(tmp_path, FURTHER.replace("callee, window: 24h}", "callee, window: 1h}", 1))
    service.reload()
    assert len(list(state.glob("*.table"))) < files  # what no policy uses any more has gone

    (entity,) = service.admin("ShowEntity", entities_pb2.ShowEntityRequest(key=[IMEI])).entities
    assert entity.kind == "imei"
    assert abs(entity.last_counted_ms - time.time() * 1000) < 60_000
    assert [(c.name, c.value, c.meaning) for c in entity.counters] == [
        ("device_calls", 5, "calls, within 1d")
    ]
    done = service.admin("ResetEntity", entities_pb2.ResetEntityRequest(key=[IMEI], comment="a test"))
    assert list(done.kinds) == ["imei"]
    assert known(service, IMEI) == {}
    wrong = refused(lambda: known(service, "+8613800138000", kind="cell"))
    assert wrong[0] == "INVALID_ARGUMENT"
    assert wrong[1].startswith("cell: the policy has no such counters; it has callee, caller,")

    ports = [part for port in ("--listen", "--control", "--metrics") for part in (port, "127.0.0.1:0")]
    done = run("serve", "--policy", policy, "--data", tmp_path / "other", *ports, "--state", state)
    assert (done.returncode, f"is in use by process {service.process.pid}" in done.stderr) == (1, True)
