"""A switch asks over gRPC and is answered."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from interceptor.pb.v1 import admin_pb2, interception_pb2_grpc
from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, LISTED, Front, Running, refused

CALLERS = (f"+86137{number:08}" for number in count(1))


@pytest.fixture
def caller() -> str:
    """A number that has not called yet."""
    return next(CALLERS)


def test_a_call_nothing_is_held_against_passes(front: Front, caller: str) -> None:
    answer = front.decide(caller=caller, callee=CALLEE)
    assert (answer.verdict, answer.rule, answer.reason) == (pb.VERDICT_PASS, "default", "")
    assert (answer.block_class, answer.sip_code, answer.sip_reason) == (pb.BLOCK_CLASS_UNSPECIFIED, 0, "")
    assert answer.policy_revision == 1
    assert len(answer.decision_id) == 16


def test_a_suspicious_call_is_warned_about(front: Front, caller: str) -> None:
    answer = front.decide(caller=caller, callee=CALLEE, user_agent="friendly-scanner")
    assert (answer.verdict, answer.rule, answer.reason) == (pb.VERDICT_WARN, "scanner", "scanner")
    assert (answer.block_class, answer.sip_code) == (pb.BLOCK_CLASS_ANALYTICS, 0)


def test_a_listed_caller_is_blocked_with_what_sip_needs(front: Front) -> None:
    answer = front.decide(caller=LISTED, callee=CALLEE)
    assert (answer.verdict, answer.rule, answer.reason) == (pb.VERDICT_BLOCK, "listed", "credit-record")
    assert (answer.block_class, answer.sip_code) == (pb.BLOCK_CLASS_LIST, 603)
    assert answer.sip_reason == 'SIP;cause=603;text="Decline"'


def test_a_block_by_analytics_is_a_608(front: Front, caller: str) -> None:
    answer = front.decide(caller=caller, callee=CALLEE, tags={"dealer": "bad", "undeclared": "ignored"})
    assert (answer.block_class, answer.sip_code) == (pb.BLOCK_CLASS_ANALYTICS, 608)
    assert answer.sip_reason == 'SIP;cause=608;text="Rejected"'


def test_the_sixth_call_of_an_hour_is_one_too_many(front: Front, caller: str) -> None:
    answers = [front.decide(caller=caller, callee=CALLEE) for _ in range(6)]
    assert [answer.rule for answer in answers] == ["default"] * 5 + ["busy"]
    assert [list(answer.shadow_rules) for answer in answers] == [[], [], *[["often"]] * 4]
    assert len({answer.decision_id for answer in answers}) == 6


def test_the_same_call_id_again_gets_the_first_answer_and_counts_nothing(
    front: Front, service: Running, caller: str
) -> None:
    first = front.decide(caller=caller, callee=CALLEE, call_id=f"one@{front.address}")
    again = front.decide(caller=caller, callee=CALLEE, call_id=f"one@{front.address}")
    assert again == first
    assert value(service.explain(caller=caller, callee=CALLEE), "caller_calls_1h") == 2


def test_an_emergency_call_passes_whoever_makes_it(front: Front) -> None:
    answer = front.decide(caller=LISTED, callee="110")
    assert (answer.verdict, answer.rule) == (pb.VERDICT_PASS, "emergency")


def test_the_services_own_clock_counts_whatever_time_a_request_claims(front: Front, caller: str) -> None:
    for year in range(6):
        answer = front.decide(
            caller=caller, callee=CALLEE, event_time_ms=1_500_000_000_000 + year * 31_536_000_000
        )
    assert answer.rule == "busy"


def test_a_passed_deadline_is_not_decided(front: Front, service: Running, caller: str) -> None:
    status, _ = refused(lambda: front.decide(timeout=-1, caller=caller, callee=CALLEE))
    assert status == "DEADLINE_EXCEEDED"
    assert value(service.explain(caller=caller, callee=CALLEE), "caller_calls_1h") == 1


def test_explain_tells_why_and_touches_nothing(service: Running, caller: str) -> None:
    for _ in range(3):
        found = service.explain(caller=caller, callee="10086", user_agent="friendly-scanner")
    assert (found.decision.verdict, found.decision.rule, found.decision.decision_id) == (
        pb.VERDICT_WARN,
        "scanner",
        "",
    )
    outcomes = {rule.rule: rule for rule in found.rules}
    assert list(outcomes) == ["listed", "scanner", "dealer", "often", "fails", "busy"]
    assert outcomes["listed"].outcome == admin_pb2.RULE_OUTCOME_NO_MATCH
    assert outcomes["listed"].condition == "call.caller in lists.fraud"
    assert (outcomes["scanner"].outcome, outcomes["scanner"].decides) == (admin_pb2.RULE_OUTCOME_MATCH, True)
    assert outcomes["busy"].outcome == admin_pb2.RULE_OUTCOME_NOT_REACHED
    assert (outcomes["often"].outcome, outcomes["often"].shadow) == (admin_pb2.RULE_OUTCOME_NO_MATCH, True)
    counters = {counter.counter: counter for counter in found.counters}
    assert (counters["caller_calls_1h"].value, counters["caller_people_1h"].value) == (1, 1)
    assert (counters["caller_calls_1h"].per, counters["caller_calls_1h"].window_ms) == ("caller", 3_600_000)
    numbers = {number.field: number for number in found.numbers}
    assert (numbers["caller"].text, numbers["caller"].region, numbers["caller"].valid) == (caller, "CN", True)
    assert (numbers["callee"].status, numbers["callee"].type) == ("short", "short")


def test_explain_names_the_entry_and_who_put_it_there(service: Running) -> None:
    (entry,) = service.explain(caller="013800000002", callee=CALLEE).lists
    assert (entry.list, entry.field, entry.entry) == ("fraud", "caller", "+8613800000002")
    assert (entry.reason, entry.source, entry.HasField("valid_until_ms")) == ("false-loan", "bank", False)


def test_explain_of_an_absent_caller_has_no_counter_to_read(service: Running) -> None:
    found = service.explain(callee=CALLEE)
    assert not any(counter.HasField("value") for counter in found.counters)
    outcomes = {rule.rule: rule.outcome for rule in found.rules}
    assert outcomes["listed"] == admin_pb2.RULE_OUTCOME_ABSENT


def test_a_stream_answers_every_message_by_its_id(front: Front, caller: str) -> None:
    calls = [
        pb.DecideStreamRequest(id=7, deadline_ms=5000, call=pb.DecideRequest(caller=LISTED, callee=CALLEE)),
        pb.DecideStreamRequest(id=2**64 - 1, call=pb.DecideRequest(caller=caller, callee=CALLEE)),
        pb.DecideStreamRequest(id=8, call=pb.DecideRequest(caller=caller + "\n", callee=CALLEE)),
        pb.DecideStreamRequest(id=9, call=pb.DecideRequest(caller=LISTED, callee=CALLEE)),
    ]
    answers = {answer.id: answer for answer in front.stream([call.SerializeToString() for call in calls])}
    assert answers.keys() == {call.id for call in calls}
    assert answers[7].decision.rule == answers[9].decision.rule == "listed"
    assert answers[2**64 - 1].decision.rule == "default"
    assert (answers[8].error.code, answers[8].error.field) == (3, "caller")
    assert "control character" in answers[8].error.message


def test_streams_take_at_most_half_of_the_control_planes_threads(service: Running) -> None:
    message = pb.DecideStreamRequest(
        id=1, call=pb.DecideRequest(caller=LISTED, callee=CALLEE)
    ).SerializeToString()
    over = threading.Event()

    def kept_open() -> Iterator[bytes]:
        yield message
        over.wait()

    streams = [service.control.stream(kept_open()) for _ in range(16)]
    assert [next(stream).decision.rule for stream in streams] == ["listed"] * 16
    status, told = refused(lambda: next(service.control.stream([message])))
    assert status == "RESOURCE_EXHAUSTED"
    assert "Decide" in told
    assert service.control.decide(caller=LISTED, callee=CALLEE).rule == "listed"
    over.set()
    for stream in streams:
        assert list(stream) == []


def test_an_unknown_method_is_unimplemented(front: Front) -> None:
    assert refused(lambda: front.raw("InterceptionService/Divert", b""))[0] == "UNIMPLEMENTED"


def test_health_says_serving(front: Front) -> None:
    stub = health_pb2_grpc.HealthStub(front.channel)
    for name in ("", "interceptor.v1.InterceptionService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="interceptor.v1.Nothing")
    assert refused(lambda: stub.Check(unknown, timeout=10))[0] == "NOT_FOUND"


def test_only_the_control_plane_answers_for_the_admin_service(service: Running) -> None:
    asked = health_pb2.HealthCheckRequest(service="interceptor.v1.AdminService")
    answer = health_pb2_grpc.HealthStub(service.control.channel).Check(asked, timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert refused(lambda: service.data.raw("AdminService/Reload", b""))[0] == "UNIMPLEMENTED"


def test_reflection_lists_the_services(service: Running) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(service.control.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(iter(stub.ServerReflectionInfo(iter([request]), timeout=10)))
    names = {each.name for each in answer.list_services_response.service}
    assert {
        "interceptor.v1.InterceptionService",
        "interceptor.v1.AdminService",
        "grpc.health.v1.Health",
    } <= names


def test_buf_curl_needs_no_proto_file(service: Running) -> None:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if buf is None:
        pytest.skip("buf is not installed (pip install buf-bin)")
    url = f"http://{service.control.address}/interceptor.v1.InterceptionService/Decide"
    call = json.dumps({"caller": LISTED, "callee": CALLEE})
    done = subprocess.run(
        [buf, "curl", "--http2-prior-knowledge", "--protocol", "grpc", "--data", call, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reason"] == "credit-record"


def value(found: admin_pb2.ExplainResponse, counter: str) -> int:
    return next(each.value for each in found.counters if each.counter == counter)


def test_many_clients_at_once_are_all_answered_right(front: Front) -> None:
    channels = [grpc.insecure_channel(front.address) for _ in range(4)]
    pending = []
    for channel in channels:
        stub = interception_pb2_grpc.InterceptionServiceStub(channel)
        for number in range(50):
            request = pb.DecideRequest(caller=LISTED if number % 2 else "+862112345678", callee="10086")
            pending.append((number, stub.Decide.future(request, timeout=30)))
    for number, answer in pending:
        assert (answer.result().rule == "listed") == bool(number % 2)
    for channel in channels:
        channel.close()
