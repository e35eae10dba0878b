"""From a request's bytes to its reply: who is answered what, on a data plane of the test's own and a real client."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress

import grpc
import pytest
from grpc_health.v1 import health_pb2

from dataplane.encoding import integer, text
from dataplane.switch import Switch, connect
from interceptor.dataplane.phrasebook import Phrasebook
from interceptor.dataplane.server import DataPlane
from interceptor.engine.engine import Engine
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.types import RuleIndex
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.policy import load_policy
from interceptor.runtime.outcomes import EMERGENCY, Outcome, Outcomes

SERVICE = "interceptor.v1.InterceptionService"
DECIDE, STREAM, REPORT, REPORT_CARD = (
    f"/{SERVICE}/{method}" for method in ("Decide", "DecideStream", "ReportCall", "ReportSubscription")
)
CHECK = "/grpc.health.v1.Health/Check"
POLICY = """
version: 1
trunks:
  default: {region: CN}
tags: [dealer]
counters:
  calls: {count: call, per: caller, window: 1h}
rules:
  - {id: dealer, when: call.tags.dealer == "bad", verdict: block, class: analytics, reason: dealer}
  - {id: often, when: counters.calls > 2, verdict: warn, reason: often}
  - {id: trial, when: call.roaming, verdict: warn, mode: shadow}
default: pass
"""
CALLER, CALLEE = "+8613700000000", "+8613900139000"
INVALID, LATE, UNAVAILABLE = 3, 4, 14


def said_by(outcome: Outcome) -> tuple[str, str, int, str]:
    return outcome.rule, outcome.reason, outcome.sip_code, outcome.sip_reason


def publish(
    engine: Engine, revision: int, policy: str = POLICY, previous: Phrasebook | None = None
) -> Phrasebook:
    spec = load_policy("policy.yaml", policy)
    outcomes = Outcomes(spec)
    rules = [said_by(outcomes.at(i)) for i in range(len(spec.rules))]
    otherwise, shadow = said_by(outcomes.at(RuleIndex.RULE_DEFAULT)), outcomes.shadow(2**64 - 1)
    book = Phrasebook(revision, spec.tags, rules, otherwise, said_by(EMERGENCY), shadow, previous)
    engine.publish(spec, {}, revision=revision, companion=book)
    return book


def test_a_demoted_rule_warns_from_the_next_call_on(plan: NumberingPlan) -> None:
    engine = Engine(plan, repeats=1 << 10, events=1 << 10)
    settings = {"threads": 1, "clock_offset_ns": 0, "tls": None, "client_names": None}
    plane = DataPlane(engine, listen=["127.0.0.1:0"], **settings)
    plane.start()
    publish(engine, 1)
    plane.open()
    bad = pb.DecideRequest(caller=CALLER, callee=CALLEE, tags={"dealer": "bad"}).SerializeToString()
    with ExitStack() as ends:
        ends.callback(plane.close, 0)
        switch = ends.enter_context(Switch(plane.addresses[0]))

        def asked() -> pb.DecideResponse:
            return pb.DecideResponse.FromString(switch.ask(DECIDE, bad))

        blocked = asked()
        assert (blocked.verdict, blocked.rule, blocked.sip_code) == (pb.VERDICT_BLOCK, "dealer", 608)
        assert blocked.sip_reason
        engine.demote("dealer")
        warned = asked()
        assert (warned.verdict, warned.rule, warned.reason) == (pb.VERDICT_WARN, "dealer", "dealer")
        assert (warned.sip_code, warned.sip_reason) == (0, "")
        engine.promote("dealer")
        assert asked().verdict == pb.VERDICT_BLOCK


class Asking:
    """A client of one data plane; what it sends are bytes."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)

    def raw(self, method: str, data: bytes = b"", timeout: float = 30) -> bytes:
        answer: bytes = self.channel.unary_unary(method)(data, timeout=timeout)
        return answer

    def decide(self, data: bytes) -> pb.DecideResponse:
        return pb.DecideResponse.FromString(self.raw(DECIDE, data))

    def stream(self, messages: Iterable[bytes]) -> list[pb.DecideStreamResponse]:
        return [
            pb.DecideStreamResponse.FromString(answer)
            for answer in self.channel.stream_stream(STREAM)(iter(messages), timeout=30)
        ]

    def refused(self, method: str, data: bytes = b"", timeout: float = 30) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as refused:
            self.raw(method, data, timeout)
        return refused.value.code().name, refused.value.details() or ""


@pytest.fixture
def engine(plan: NumberingPlan) -> Engine:
    return Engine(plan, repeats=1 << 10, events=1 << 10)


@pytest.fixture
def serve(engine: Engine) -> Iterator[Callable[[], tuple[DataPlane, Asking]]]:
    """Starts data planes with `engine`, none of them open yet."""
    with ExitStack() as ends:

        def started() -> tuple[DataPlane, Asking]:
            plane = DataPlane(
                engine, listen=["127.0.0.1:0"], threads=1, clock_offset_ns=time.time_ns() - time.monotonic_ns(),
                tls=None, client_names=None,
            )  # fmt: skip
            ends.callback(plane.close, 0)
            plane.start()
            asking = Asking(plane.addresses[0])
            ends.callback(asking.channel.close)
            return plane, asking

        yield started


@pytest.fixture
def plane(engine: Engine, serve: Callable[[], tuple[DataPlane, Asking]]) -> tuple[DataPlane, Asking]:
    publish(engine, 1)
    plane, asking = serve()
    plane.open()
    return plane, asking


@pytest.fixture
def client(plane: tuple[DataPlane, Asking]) -> Asking:
    return plane[1]


def call(caller: str = CALLER, callee: str = CALLEE, **fields: object) -> bytes:
    return pb.DecideRequest(caller=caller, callee=callee, **fields).SerializeToString()


def message(identity: int, call: bytes, deadline_ms: int = 0) -> bytes:
    return integer(1, identity) + integer(2, deadline_ms) + text(3, call)


def test_a_call_is_decided_by_the_rules(client: Asking) -> None:
    passed = client.decide(call(roaming=True))
    assert (passed.verdict, passed.rule, passed.policy_revision) == (pb.VERDICT_PASS, "default", 1)
    assert list(passed.shadow_rules) == ["trial"]
    blocked = client.decide(call(tags={"dealer": "bad"}))
    assert (blocked.verdict, blocked.reason) == (pb.VERDICT_BLOCK, "dealer")
    assert (blocked.sip_code, blocked.sip_reason[:13]) == (608, "SIP;cause=608")
    assert passed.decision_id != blocked.decision_id


def test_calls_of_one_read_are_counted_in_their_order(client: Asking) -> None:
    answers = client.stream([message(i, call()) for i in range(1, 200)])
    assert sorted(answer.id for answer in answers) == list(range(1, 200))
    rules = {answer.id: answer.decision.rule for answer in answers}
    assert [rules[i] for i in (1, 2, 3, 199)] == ["default", "default", "often", "often"]
    assert len({answer.decision.decision_id for answer in answers}) == 199


def test_what_is_malformed_is_named_and_costs_the_stream_nothing(plane: tuple[DataPlane, Asking]) -> None:
    data_plane, client = plane
    broken = call() + text(13, b"\x07")
    assert client.refused(DECIDE, broken) == ("INVALID_ARGUMENT", "cell: holds a control character")
    assert client.refused(DECIDE, b"\xff") == (
        "INVALID_ARGUMENT",
        "the request is no interceptor.v1.DecideRequest: byte 0: a number without an end",
    )
    answers = {
        answer.id: answer
        for answer in client.stream(
            [message(1, call()), message(2, broken), b"\x08\x03\x1b", message(4, call())]
        )
    }
    assert answers[1].decision.rule == answers[4].decision.rule == "default"
    assert (answers[2].error.code, answers[2].error.field) == (INVALID, "cell")
    assert (answers[3].error.code, answers[3].error.field) == (INVALID, "")
    assert "is no interceptor.v1.DecideStreamRequest" in answers[3].error.message
    assert data_plane.traffic()["call_errors"] == {"INVALID_ARGUMENT": 2}


@pytest.mark.parametrize(
    "rest",
    [text(2, b"\xff"), integer(13, 5), integer(18, 2**63), text(20, text(1, b"dealer") + integer(2, 1))],
)
def test_an_emergency_call_passes_whatever_else_is_malformed(client: Asking, rest: bytes) -> None:
    assert client.decide(rest + text(3, b"112")).rule == "emergency"
    (answer,) = client.stream([message(9, text(3, b"112") + rest)])
    assert (answer.id, answer.decision.rule) == (9, "emergency")
    assert client.refused(DECIDE, rest + text(3, CALLEE.encode()))[0] == "INVALID_ARGUMENT"


def test_bytes_that_are_no_message_are_no_emergency(client: Asking) -> None:
    assert client.refused(DECIDE, text(3, b"112") + b"\xff")[0] == "INVALID_ARGUMENT"


def test_a_call_is_unavailable_until_there_is_a_policy_and_the_plane_is_open(
    engine: Engine, serve: Callable[[], tuple[DataPlane, Asking]]
) -> None:
    plane, client = serve()
    told = ("UNAVAILABLE", "the service has no policy in force yet: ask again when health says SERVING")
    assert client.refused(DECIDE, call()) == told
    plane.open()
    assert client.refused(DECIDE, call()) == told
    (answer,) = client.stream([message(1, call())])
    assert answer.error.code == UNAVAILABLE
    publish(engine, 5)
    assert client.decide(call()).policy_revision == 5


def test_a_call_whose_deadline_has_passed_is_not_decided(plane: tuple[DataPlane, Asking]) -> None:
    data_plane, client = plane
    before = client.decide(call()).decision_id
    with Switch(data_plane.addresses[0]) as switch:
        stream = switch.begin(DECIDE, call(), more=[("grpc-timeout", "1n")])
        switch.send()
        told = switch.until(lambda: switch.trailers(stream))
    assert (told["grpc-status"], told["grpc-message"]) == ("4", "the deadline had passed: not decided")
    assert data_plane.traffic()["expired"] == 1
    assert decided_between(before, client.decide(call()).decision_id) == 0


def test_in_a_stream_every_message_has_a_deadline_of_its_own(plane: tuple[DataPlane, Asking]) -> None:
    data_plane, client = plane
    before = client.decide(call()).decision_id
    # Messages of one read wait for each other: with many in flight some take longer than a millisecond.
    identities = range(1, 20_000)
    answers = client.stream(message(i, call(), deadline_ms=i % 2) for i in identities)
    assert sorted(answer.id for answer in answers) == list(identities)
    late = {answer.id: answer.error for answer in answers if answer.HasField("error")}
    assert all(i % 2 and error.code == LATE for i, error in late.items())
    assert data_plane.traffic()["expired"] == len(late)
    assert decided_between(before, client.decide(call()).decision_id) == len(identities) - len(late)


def decided_between(one: str, other: str) -> int:
    return int(other, 16) - int(one, 16) - 1


def test_a_report_is_taken_and_answered_by_nothing(plane: tuple[DataPlane, Asking]) -> None:
    data_plane, client = plane
    report = pb.ReportCallRequest(call_id="a@b", event=pb.CALL_EVENT_ENDED, time_ms=5)
    assert client.raw(REPORT, report.SerializeToString()) == b""
    card = pb.ReportSubscriptionRequest(event=pb.SUBSCRIPTION_EVENT_ACTIVATED, number=CALLER)
    assert client.raw(REPORT_CARD, card.SerializeToString()) == b""
    asked = data_plane.traffic()["requests"]
    assert (asked["report_call"], asked["report_subscription"]) == ({"OK": 1}, {"OK": 1})


def test_a_malformed_report_is_refused_by_name(client: Asking) -> None:
    assert client.refused(REPORT, text(1, b"\xff")) == ("INVALID_ARGUMENT", "call_id: not valid UTF-8")
    assert client.refused(REPORT, integer(2, 1) + text(6, text(2, b"\xff"))) == (
        "INVALID_ARGUMENT",
        "call.caller: not valid UTF-8",
    )
    assert client.refused(REPORT_CARD, integer(2, 1) + text(4, b"\xff")) == (
        "INVALID_ARGUMENT",
        "number: not valid UTF-8",
    )


@pytest.mark.parametrize("name", ["", SERVICE])
def test_health_speaks_for_the_service(client: Asking, name: str) -> None:
    request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
    answer = health_pb2.HealthCheckResponse.FromString(client.raw(CHECK, request))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_of_another_service_is_not_known(client: Asking) -> None:
    request = health_pb2.HealthCheckRequest(service="interceptor.v1.AdminService").SerializeToString()
    assert client.refused(CHECK, request)[0] == "NOT_FOUND"
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(request, timeout=30)
    assert health_pb2.HealthCheckResponse.FromString(next(watch)).status == 3
    watch.cancel()
    assert client.refused(CHECK, text(1, b"\xff")) == ("INVALID_ARGUMENT", "service: not valid UTF-8")


def test_a_repeated_call_is_answered_in_the_words_it_was_answered_in_first(
    client: Asking, engine: Engine
) -> None:
    book = publish(engine, 2)
    first = client.decide(call(call_id="a@b", tags={"dealer": "bad"}))
    publish(engine, 3, POLICY.replace("id: dealer", "id: renamed"), book)
    assert client.decide(call(call_id="a@b")) == first
    assert client.decide(call(call_id="c@d", tags={"dealer": "bad"})).rule == "renamed"


def test_a_stream_is_answered_until_its_client_ends_it_though_the_plane_is_closing(
    plane: tuple[DataPlane, Asking],
) -> None:
    served, client = plane
    messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    answers = client.channel.stream_stream(STREAM)(iter(messages.get, None), timeout=30)
    messages.put(message(1, call()))
    assert pb.DecideStreamResponse.FromString(next(answers)).id == 1
    closing = threading.Thread(target=served.close, args=(30,))
    closing.start()
    with pytest.raises(ConnectionRefusedError):
        while True:
            with suppress(ConnectionResetError):  # it was waiting to be accepted
                connect(served.addresses[0]).close()
    messages.put(message(2, call()))
    assert pb.DecideStreamResponse.FromString(next(answers)).decision.rule == "default"
    messages.put(None)
    assert list(answers) == []
    closing.join()
    assert served.traffic()["ended"]["drained"] + served.traffic()["ended"]["by_client"] >= 1
