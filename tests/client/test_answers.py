"""What a switch gets: the service's decision whole, and what holds otherwise when there is none."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from client.conftest import PATIENT_MS, Ask
from interceptor.client import (
    Answer,
    AsyncScreening,
    BlockClass,
    Cause,
    DecideRequest,
    Screening,
    Tls,
    Verdict,
)
from service.certificates import Authority, needs_openssl
from service.running import CALLEE, LISTED, POLICY, Running, write_policy

NOWHERE = "127.0.0.1:1"


def test_a_decision_comes_whole(service: Running, screening: Ask) -> None:
    answer = screening(service.data.address).decide(call_id="whole", caller=LISTED, callee=CALLEE)
    assert (answer.verdict, answer.rule, answer.reason) == (Verdict.BLOCK, "listed", "credit-record")
    assert (answer.block_class, answer.sip_code) == (BlockClass.LIST, 603)
    assert answer.sip_reason == 'SIP;cause=603;text="Decline"'
    assert len(answer.decision_id) == 16
    assert answer.policy_revision == 1
    assert (answer.decided, answer.cause) == (True, Cause.NONE)


def test_rules_on_trial_are_told(service: Running, screening: Ask, stream: bool) -> None:
    client = screening(service.data.address)
    for _ in range(3):
        answer = client.decide(caller=f"+861370000010{stream:d}", callee=CALLEE)
    assert answer.shadow_rules == ("often",)


def test_a_call_is_given_as_fields_as_a_mapping_or_as_a_message(service: Running, screening: Ask) -> None:
    client = screening(service.data.address)
    call: dict[str, Any] = {"caller": "+8613700000200", "callee": CALLEE, "tags": {"dealer": "bad"}}
    ways = [client.decide(**call), client.decide(call), client.decide(call, roaming=None)]
    ways.append(client.decide(DecideRequest(**call)))
    assert [answer.rule for answer in ways] == ["dealer"] * 4


@pytest.mark.parametrize("given", [{"colour": "red"}, {"caller": 5}, {"roaming": "yes"}], ids=str)
def test_what_is_no_field_of_a_call_is_the_switchs_mistake(given: dict[str, Any], screening: Ask) -> None:
    with pytest.raises((TypeError, ValueError)):
        screening(NOWHERE).decide(**given)


HEADERS = ["x" * 5000, "friendly\x00\r\nscanner", "\udcff\udcfe caller", "é" * 700, "\x85\x9f"]


@pytest.mark.parametrize("header", HEADERS, ids=range(5))
def test_no_header_that_a_caller_makes_up_gets_him_past_the_screening(
    header: str, service: Running, screening: Ask
) -> None:
    answer = screening(service.data.address).decide(
        caller=LISTED, callee=CALLEE, user_agent=header, redirecting=[header] * 100, tags={"dealer": header}
    )
    assert (answer.rule, answer.cause) == ("listed", "")


def test_a_refused_question_says_why_and_is_answered_otherwise(service: Running, screening: Ask) -> None:
    client = screening(service.data.address, otherwise=Verdict.BLOCK)
    malformed = DecideRequest(caller=LISTED, callee=CALLEE, user_agent="x" * 5000)
    answers = [client.decide(malformed) for _ in range(20)]
    assert {(answer.rule, answer.cause, answer.detail.split()[0]) for answer in answers} == {
        ("fail-closed", Cause.REFUSED, "user_agent:")
    }
    assert client.decide(caller=LISTED, callee=CALLEE).decided


def test_an_answer_of_ones_own_holds_otherwise(screening: Ask) -> None:
    own = Answer(Verdict.WARN, rule="unscreened", reason="unscreened", block_class=BlockClass.INVALID)
    answer = screening(NOWHERE, otherwise=own).decide(caller=LISTED, callee=CALLEE)
    assert (answer.verdict, answer.rule, answer.decided) == (Verdict.WARN, "unscreened", False)


def test_a_closed_client_answers_otherwise(service: Running, screening: Ask) -> None:
    client = screening(service.data.address)
    assert client.decide(caller=LISTED, callee=CALLEE).decided
    client.close()
    assert client.decide(caller=LISTED, callee=CALLEE).cause == Cause.CLOSED
    assert not client.report_call(call_id="late", event="ended")


def test_a_unix_socket_is_asked_too(service: Running, screening: Ask) -> None:
    address = service.event("serving")["listen"][1]
    assert screening(address).decide(caller=LISTED, callee=CALLEE).rule == "listed"


def test_connecting_first_tells_whether_a_service_is_there(service: Running, screening: Ask) -> None:
    assert screening([NOWHERE, service.data.address]).connect(30)
    assert not screening(NOWHERE).connect(0.2)


def test_hundreds_of_threads_get_their_own_answers(service: Running, screening: Ask, stream: bool) -> None:
    client = screening(service.data.address)
    started = threading.Barrier(200)

    def ask(n: int) -> bool:
        started.wait()
        answers = [
            client.decide(caller=LISTED if n % 2 else f"+86136{stream:d}{n:07}", callee=CALLEE)
            for _ in range(5)
        ]
        return all(answer.rule == ("listed" if n % 2 else "default") for answer in answers)

    with ThreadPoolExecutor(200) as threads:
        assert all(threads.map(ask, range(200)))


def test_hundreds_of_tasks_get_their_own_answers(service: Running, stream: bool) -> None:
    async def ask() -> list[Answer]:
        async with AsyncScreening(service.data.address, stream=stream, deadline_ms=PATIENT_MS) as client:
            assert await client.connect(30)
            callers = (LISTED if n % 2 else f"+86138{stream:d}1{n:06}" for n in range(500))
            return await asyncio.gather(*(client.decide(caller=caller, callee=CALLEE) for caller in callers))

    answers = asyncio.run(ask())
    assert [answer.rule for answer in answers] == ["default", "listed"] * 250


def test_a_cancelled_task_cancels_its_question_and_no_other(service: Running, stream: bool) -> None:
    async def ask() -> list[Any]:
        async with AsyncScreening(service.data.address, stream=stream, deadline_ms=PATIENT_MS) as client:
            tasks = [asyncio.create_task(client.decide(caller=LISTED, callee=CALLEE)) for _ in range(200)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(ask())
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert {outcome.rule for outcome in outcomes[1::2]} == {"listed"}


def test_one_client_serves_one_event_loop_after_another(service: Running, stream: bool) -> None:
    client = AsyncScreening(service.data.address, stream=stream, deadline_ms=PATIENT_MS)
    for _ in range(3):
        assert asyncio.run(client.decide(caller=LISTED, callee=CALLEE)).rule == "listed"
    asyncio.run(client.close())


def test_metrics_say_how_calls_were_answered(service: Running, screening: Ask) -> None:
    registry = CollectorRegistry()
    client = screening(service.data.address, registry=registry)
    client.decide(caller=LISTED, callee=CALLEE)
    client.decide(DecideRequest(caller=LISTED, user_agent="x" * 5000))
    client.report_call(call_id="counted", event="ended")
    client.close()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"interceptor_client_{name}", labels)

    assert value("calls_total", verdict="block", cause="") == 1
    assert value("calls_total", verdict="pass", cause="refused") == 1
    assert value("call_seconds_count") == value("call_seconds_bucket", le="+Inf") == 2
    assert value("reports_total", outcome="sent") == 1
    assert value("reports_waiting") == 0
    assert value("service_open", target=service.data.address) == 0


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"targets": []}, "targets: give one service at least"),
        ({"targets": NOWHERE, "deadline_ms": 0}, "deadline_ms: 0 ms is no time"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_at_once(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Screening(**settings)
    with pytest.raises(ValueError, match="a certificate needs its key"):
        Tls(ca="ca.pem", certificate="own.pem")
    with pytest.raises(OSError, match=r"nowhere\.pem"):
        Screening(NOWHERE, tls=Tls(ca="nowhere.pem"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def guarded(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that answers `switch-1.example` alone, and whose certificate has another name than its address."""
    mine = "rules:\n  - {id: mine, when: call.switch == 'switch-1.example', verdict: warn, reason: mine}\n"
    own = authority.issue("service", "DNS:screening.example")
    running = Running(
        write_policy(tmp_path_factory.mktemp("guarded"), POLICY.replace("rules:\n", mine)),
        *("--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca),
        *("--tls-allow", "switch-1.example"),
    )
    yield running
    running.stop()


@needs_openssl
def test_a_switch_is_known_by_its_certificate(authority: Authority, guarded: Running, screening: Ask) -> None:
    switch = authority.issue("switch", "DNS:switch-1.example")
    name = "screening.example"
    tls = Tls(authority.ca, switch.certificate, switch.key, name)
    assert screening(guarded.data.address, tls=tls).decide(caller=LISTED, callee=CALLEE).rule == "mine"
    other = authority.issue("other", "DNS:switch-2.example")
    denied = screening(guarded.data.address, tls=Tls(authority.ca, other.certificate, other.key, name))
    assert denied.decide(caller=LISTED, callee=CALLEE).cause == Cause.UNAVAILABLE


@needs_openssl
def test_a_service_without_its_name_or_our_ca_is_not_asked(
    authority: Authority, guarded: Running, screening: Ask, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    for tls in (Tls(authority.ca), Tls(stranger.ca, server_name="screening.example"), None):
        client = screening(guarded.data.address, tls=tls, deadline_ms=2_000)
        answer = client.decide(caller=LISTED, callee=CALLEE)
        assert answer.cause in {Cause.UNAVAILABLE, Cause.DEADLINE}
