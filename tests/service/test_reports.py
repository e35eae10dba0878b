"""A switch reports how calls went on, and what happened to cards: what that counts, on either port."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, Front, Running, refused

CALLERS = (f"+86136{number:08}" for number in count(1))
ANSWERED, ENDED = pb.CALL_EVENT_ANSWERED, pb.CALL_EVENT_ENDED

POLICY = """
version: 1
tags: [dealer]
counters:
  answered: {count: answered, per: caller, window: 24h}
  short: {count: short, under: 10s, per: caller, window: 24h}
  talked: {sum: duration, per: caller, window: 24h}
  active: {active: call, per: caller}
  cards: {count: activated, per: tags.dealer, window: 24h}
rules:
  - {id: barred, when: call.domain == "bad.example", verdict: block, class: analytics}
  - id: told
    when: counters.answered + counters.short + counters.talked + counters.active + counters.cards > 1000000
    verdict: warn
default: pass
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path: Path = tmp_path_factory.mktemp("reports") / "policy.yaml"
    path.write_text(POLICY)
    running = Running(path, "--pass-sample", "0", "--calls-in-flight", "1000")
    yield running
    running.stop()


@pytest.fixture(params=["data", "control"])
def front(service: Running, request: pytest.FixtureRequest) -> Front:
    asked: Front = getattr(service, request.param)
    return asked


@pytest.fixture
def caller() -> str:
    """A number that has not called yet."""
    return next(CALLERS)


def report(front: Front, **fields: Any) -> None:
    front.ask("InterceptionService/ReportCall", pb.ReportCallRequest(**fields), pb.ReportCallResponse)


def read(service: Running, caller: str, **fields: Any) -> dict[str, int]:
    """What the counters say of the caller, before a call of his."""
    told = service.explain(caller=caller, callee=CALLEE, **fields).counters
    return {one.counter: one.value - one.counted for one in told}


def test_answer_and_end_of_a_call_are_counted_once(service: Running, front: Front, caller: str) -> None:
    front.decide(caller=caller, callee=CALLEE, call_id=caller)
    assert read(service, caller)["active"] == 1
    for _ in range(2):
        report(front, call_id=caller, event=ANSWERED)
        report(front, call_id=caller, event=ENDED, duration_ms=4000, cause=16)
    assert read(service, caller) == {"answered": 1, "short": 1, "talked": 4, "active": 0, "cards": 0}


def test_an_end_may_come_before_the_answer_and_both_before_the_call(
    service: Running, front: Front, caller: str
) -> None:
    report(front, call_id=caller, event=ENDED, duration_ms=12_000)
    report(front, call_id=caller, event=ANSWERED)
    assert not any(read(service, caller).values())
    front.decide(caller=caller, callee=CALLEE, call_id=caller)
    assert read(service, caller) == {"answered": 1, "short": 0, "talked": 12, "active": 0, "cards": 0}


def test_a_call_nobody_remembers_is_counted_by_what_the_report_carries(
    service: Running, front: Front, caller: str
) -> None:
    call = pb.DecideRequest(caller=caller, callee=CALLEE)
    for _ in range(2):
        report(front, call_id=f"{caller}-before", event=ENDED, duration_ms=20_000, call=call)
    assert read(service, caller) == {"answered": 1, "short": 0, "talked": 20, "active": 0, "cards": 0}


def test_a_blocked_call_is_not_active(service: Running, front: Front, caller: str) -> None:
    blocked = front.decide(caller=caller, callee=CALLEE, call_id=caller, domain="bad.example")
    assert blocked.verdict == pb.VERDICT_BLOCK
    report(front, call_id=caller, event=ENDED, duration_ms=5)
    assert not any(read(service, caller).values())


def test_what_one_port_decides_the_other_hears_the_end_of(service: Running, caller: str) -> None:
    service.data.decide(caller=caller, callee=CALLEE, call_id=caller)
    report(service.control, call_id=caller, event=ANSWERED)
    report(service.data, call_id=caller, event=ENDED, duration_ms=1000)
    assert read(service, caller)["talked"] == 1


def test_cards_are_counted_per_dealer(service: Running, front: Front, caller: str) -> None:
    for i in range(3):
        for _ in range(2):
            card = pb.ReportSubscriptionRequest(
                report_id=f"{caller}-{i}",
                event=pb.SUBSCRIPTION_EVENT_ACTIVATED,
                number=caller,
                tags={"dealer": caller},
            )
            front.ask("InterceptionService/ReportSubscription", card, pb.ReportSubscriptionResponse)
    assert read(service, caller, tags={"dealer": caller})["cards"] == 3


def test_a_report_of_nothing_is_refused(front: Front) -> None:
    status, told = refused(lambda: report(front, event=ENDED))
    assert (status, told.partition(":")[0]) == ("INVALID_ARGUMENT", "call_id")
    status, told = refused(lambda: report(front, call_id="a"))
    assert (status, told.partition(":")[0]) == ("INVALID_ARGUMENT", "event")


def test_reports_are_counted_by_what_became_of_them(service: Running, caller: str) -> None:
    def counted() -> dict[str, float]:
        outcomes = ("joined", "repeated", "early", "blocked")
        return {one: service.metric("interceptor_reports_total", outcome=one) for one in outcomes}

    before, flying = counted(), service.metric("interceptor_calls_in_flight")
    service.data.decide(caller=caller, callee=CALLEE, call_id=caller)
    assert service.metric("interceptor_calls_in_flight") == flying + 1
    for front in (service.data, service.control):
        report(front, call_id=caller, event=ENDED)
    report(service.data, call_id=f"{caller}-early", event=ENDED)
    after = counted()
    assert {one: after[one] - before[one] for one in after} == {
        "joined": 1,
        "repeated": 1,
        "early": 1,
        "blocked": 0,
    }
    assert service.metric("interceptor_calls_in_flight") == flying
    assert service.metric("interceptor_call_slots") >= 1000
