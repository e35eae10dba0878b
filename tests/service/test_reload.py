"""Reloads and the end of a service: the last good policy stays, nothing is dropped, nothing half-applied."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interceptor.cli.serve import SIGNALS
from interceptor.cli.serving import Fronts, follow
from interceptor.cli.takeover import Succession
from interceptor.control.server import ControlServer
from interceptor.dataplane.server import DataPlane
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.runtime.logs import open_log
from interceptor.runtime.service import Service, Settings
from service.operating import becomes
from service.running import CALLEE, LIST, LISTED, POLICY, Running, refused, write_policy

Start = Callable[..., Running]
NEWLY_LISTED = "+8613800000003"
FLAGGED = {"caller": "+8613711111111", "callee": CALLEE, "tags": {"dealer": "bad"}}


def test_a_reload_puts_policy_and_lists_into_force_and_keeps_the_counters(
    start: Start, tmp_path: Path
) -> None:
    service = start(write_policy(tmp_path))
    for _ in range(5):
        service.decide(caller="+8613711111112", callee=CALLEE)
    first = service.decide(**FLAGGED, call_id="before")
    assert (first.rule, first.reason, first.policy_revision) == ("dealer", "dealer", 1)

    write_policy(
        tmp_path, POLICY.replace("reason: dealer", "reason: sim-dealer"), LIST + NEWLY_LISTED + ",,,\n"
    )
    answer = service.reload()
    assert (answer.policy_revision, answer.rules, len(answer.policy_digest)) == (2, 6, 64)
    assert {each.list: each.entries for each in answer.lists} == {"fraud": 3, "watch": 0}

    assert service.decide(caller=NEWLY_LISTED, callee=CALLEE).rule == "listed"
    assert service.decide(**FLAGGED).reason == "sim-dealer"
    assert service.decide(caller="+8613711111112", callee=CALLEE).rule == "busy"
    assert service.metric("interceptor_policy_revision") == 2
    assert service.metric("interceptor_policy_reloads_total", result="good") == 2


def test_a_repeated_call_gets_the_answer_of_the_policy_that_gave_it(start: Start, tmp_path: Path) -> None:
    service = start(write_policy(tmp_path))
    first = service.decide(**FLAGGED, call_id="across")
    fewer = "version: 1\nrules: [{id: all, when: 'true', verdict: warn, reason: other}]\n"
    (tmp_path / "policy.yaml").write_text(fewer)
    service.reload()
    assert service.decide(**FLAGGED).rule == "all"
    again = service.decide(**FLAGGED, call_id="across")
    assert again == first
    assert (again.rule, again.reason, again.policy_revision) == ("dealer", "dealer", 1)


BROKEN = POLICY.replace("lists.fraud", "lists.frauds").replace("> 5", "> 'five'")


def test_a_bad_policy_is_refused_with_all_its_problems_and_the_last_good_one_stays(
    start: Start, tmp_path: Path
) -> None:
    service = start(write_policy(tmp_path))
    write_policy(tmp_path, BROKEN)
    status, message = refused(service.reload)
    assert status == "INVALID_ARGUMENT"
    logged = service.event("reload failed, the last good policy stays")
    assert logged["fault"] == "policy"
    for told in (message, logged["problem"]):
        assert "frauds" in told
        assert "policy.yaml:13:" in told
        assert "policy.yaml:19:" in told
        assert "^" in told
    seen = len(service.events())
    service.signal(signal.SIGHUP)
    assert "frauds" in service.event("reload failed, the last good policy stays", after=seen)["problem"]
    assert service.decide(caller=LISTED, callee=CALLEE).rule == "listed"
    assert service.metric("interceptor_policy_reloads_total", result="failed") == 2
    assert service.metric("interceptor_policy_last_reload_successful") == 0
    assert service.metric("interceptor_policy_revision") == 1

    write_policy(tmp_path)
    seen = len(service.events())
    service.signal(signal.SIGHUP)
    assert service.event("policy in force", after=seen)["revision"] == 1  # the text it was
    assert service.metric("interceptor_policy_last_reload_successful") == 1


def test_a_bad_list_file_keeps_policy_and_lists_as_they_were(start: Start, tmp_path: Path) -> None:
    service = start(write_policy(tmp_path))
    write_policy(
        tmp_path, POLICY.replace("credit-record", "other"), "no number at all\n+861380000000412345678\n"
    )
    status, message = refused(service.reload)
    assert status == "FAILED_PRECONDITION"
    assert "fraud.csv" in message
    service.event("reload failed, the last good policy stays")
    assert "0000000412345678" not in "".join(service.lines)
    (tmp_path / "fraud.csv").unlink()
    status, message = refused(service.reload)
    assert (status, "fraud.csv" in message) == ("FAILED_PRECONDITION", True)
    answer = service.decide(caller=LISTED, callee=CALLEE)
    assert (answer.rule, answer.reason) == ("listed", "credit-record")


def test_a_reload_that_fails_as_nobody_has_thought_of_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = open_log()
    service = Service(Settings(write_policy(tmp_path), tmp_path / "data"), log)
    service.open(service.load())

    def fails(_path: Path) -> bytes:
        raise ArithmeticError("of all things")

    monkeypatch.setattr(Path, "read_bytes", fails)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.pthread_kill(threading.get_ident(), number)
    follow(cast(Fronts, SimpleNamespace(service=service, tls=None)), Succession(log), log)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert "of all things" in capsys.readouterr().err
    assert service.tally.reloads_failed == 1
    assert service.decide({"caller": LISTED, "callee": CALLEE}).rule == "listed"
    service.stop()


def test_a_list_entry_goes_when_its_time_has_come(start: Start, tmp_path: Path) -> None:
    service = start(write_policy(tmp_path))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    write_policy(tmp_path, fraud=LIST + f"{NEWLY_LISTED},ends,police,{end}\n")
    service.reload()
    assert service.decide(caller=NEWLY_LISTED, callee=CALLEE).rule == "listed"
    (entry,) = service.explain(caller=NEWLY_LISTED, callee=CALLEE).lists
    assert (entry.reason, entry.source, entry.HasField("valid_until_ms")) == ("ends", "police", True)
    assert service.event("list entries have reached their end")["entries"] == 1
    assert service.decide(caller=NEWLY_LISTED, callee=CALLEE).rule == "default"
    assert service.decide(caller=LISTED, callee=CALLEE).rule == "listed"


def test_reloads_under_load_drop_no_call_and_half_apply_none(start: Start, tmp_path: Path) -> None:
    service = start(write_policy(tmp_path))
    over = threading.Event()
    answers: list[pb.DecideResponse] = []

    def ask() -> None:
        while not over.is_set():
            answers.append(service.decide(**FLAGGED))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    becomes(lambda: bool(answers))
    for revision in range(2, 8):
        reason = "odd" if revision % 2 else "even"
        write_policy(tmp_path, POLICY.replace("reason: dealer", f"reason: {reason}"))
        assert service.reload().policy_revision == revision
        becomes(lambda revision=revision: answers[-1].policy_revision == revision)
    over.set()
    for thread in threads:
        thread.join()
    reasons = {1: "dealer", **{revision: "odd" if revision % 2 else "even" for revision in range(2, 8)}}
    assert all(answer.reason == reasons[answer.policy_revision] for answer in answers)
    assert {answer.policy_revision for answer in answers} == set(reasons)
    assert service.metric("interceptor_decisions_total", rule="dealer") == len(answers)


@pytest.mark.parametrize("name", ["data", "control"])
def test_sigterm_finishes_what_is_in_flight_and_exits_0(start: Start, tmp_path: Path, name: str) -> None:
    service = start(write_policy(tmp_path), "--grace", "20", "--decision-log", tmp_path / "decisions.log")
    front = service.front(name)
    health = health_pb2_grpc.HealthStub(front.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
    seen = iter(watch)
    assert next(seen).status == health_pb2.HealthCheckResponse.SERVING

    message = pb.DecideStreamRequest(
        id=1, call=pb.DecideRequest(caller=LISTED, callee=CALLEE)
    ).SerializeToString()
    stopping = threading.Event()

    def calls() -> Iterator[bytes]:
        yield message
        stopping.wait()
        yield message

    stream = front.stream(calls(), timeout=60)
    assert next(stream).decision.rule == "listed"
    service.signal(signal.SIGTERM)
    assert next(seen).status == health_pb2.HealthCheckResponse.NOT_SERVING
    service.event("stopping")
    stopping.set()
    # The call that was on its way when the signal came is answered.
    assert [answer.decision.rule for answer in stream] == ["listed"]
    watch.cancel()
    assert service.process.wait(60) == 0
    assert refused(lambda: front.decide(caller=LISTED, callee=CALLEE))[0] == "UNAVAILABLE"
    # What was decided is in the log before the process ends.
    assert len((tmp_path / "decisions.log").read_text().splitlines()) == 2


def test_sigint_ends_it_as_well(start: Start, tmp_path: Path) -> None:
    service = start(write_policy(tmp_path))
    service.signal(signal.SIGINT)
    assert service.process.wait(30) == 0


def test_calls_before_the_policy_is_there_are_told_to_come_back(tmp_path: Path) -> None:
    log = open_log("error")
    service = Service(Settings(write_policy(tmp_path), tmp_path / "data"), log)
    control = ControlServer(service, "127.0.0.1:0", log)
    control.bind()
    control.start()
    plane = DataPlane(
        service.engine,
        listen=("127.0.0.1:0",),
        threads=1,
        clock_offset_ns=service.clock.offset_ns,
        tls=None,
        client_names=None,
    )
    plane.start()
    for address in (control.address, *plane.addresses):
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
            ask = channel.unary_unary("/interceptor.v1.InterceptionService/Decide")
            status, message = refused(lambda ask=ask: ask(b"", timeout=10))
            assert (status, "SERVING" in message) == ("UNAVAILABLE", True)
    plane.close(0)
    control.close(0)
    service.stop()
