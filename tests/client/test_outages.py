"""A service that hangs, dies or comes back: every call has its answer, and the next service takes over."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client.conftest import PATIENT_MS, Ask, halt
from interceptor.client import Answer, AsyncScreening, Cause, Screening, Verdict
from service.running import CALLEE, LISTED, Running, write_policy

NOWHERE = "127.0.0.1:1"
#: Far above any deadline here: a call that waits so long hangs.
HANGS_S = 20


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    policy = write_policy(tmp_path_factory.mktemp("pair"))
    with ThreadPoolExecutor() as threads:
        services = list(threads.map(Running, [policy] * 2))
    yield services
    with ThreadPoolExecutor() as threads:
        list(threads.map(Running.stop, services))


@pytest.fixture(scope="module")
def spares() -> Iterator[list[Running]]:
    """Those that were begun; the last may still run."""
    begun: list[Running] = []
    yield begun
    for each in begun:
        each.stop()


@pytest.fixture
def spare(spares: list[Running], tmp_path_factory: pytest.TempPathFactory) -> Running:
    """A service that a test may end: the one that a test before it left running, or a new one."""
    if not spares or spares[-1].process.poll() is not None:
        spares.append(Running(write_policy(tmp_path_factory.mktemp("spare"))))
    return spares[-1]


@pytest.fixture
def two(pair: list[Running]) -> Iterator[list[Running]]:
    """Two services on the same policy; a test that halts one leaves it to us to let it go on."""
    yield pair
    for each in pair:
        each.signal(signal.SIGCONT)


def ask(client: Screening) -> Answer:
    began = time.monotonic()
    answer = client.decide(caller=LISTED, callee=CALLEE)
    assert time.monotonic() - began < HANGS_S
    return answer


def until_decided(client: Screening) -> Answer:
    """The first decision, after however many calls without one."""
    end = time.monotonic() + 60
    while not (answer := ask(client)).decided:
        assert time.monotonic() < end, answer
        time.sleep(0.01)
    return answer


@pytest.mark.parametrize("otherwise", list(Verdict))
def test_a_hanging_service_costs_few_calls_their_deadline_and_none_its_answer(
    otherwise: Verdict, two: list[Running], screening: Ask
) -> None:
    client = screening(two[0].data.address, deadline_ms=50, otherwise=otherwise)
    until_decided(client)
    halt(two[0])
    answers = [ask(client) for _ in range(500)]
    assert {(answer.verdict, answer.decided) for answer in answers[5:]} == {(otherwise, False)}
    causes = Counter(answer.cause for answer in answers)
    assert causes[Cause.OPEN] > 450, causes  # not even asked
    assert client.decide(caller=LISTED, callee="110").verdict is Verdict.PASS
    two[0].signal(signal.SIGCONT)
    assert until_decided(client).rule == "listed"


def test_the_next_service_answers_while_the_first_hangs_and_no_call_goes_undecided(
    two: list[Running], screening: Ask
) -> None:
    first, second = (each.data.address for each in two)
    client = screening([first, second], deadline_ms=2_000)
    assert client.connect(30)
    ask(client)
    halt(two[0])
    with ThreadPoolExecutor(10) as threads:  # each of the first ones waits for half of its deadline
        assert {answer.rule for answer in threads.map(lambda _: ask(client), range(50))} == {"listed"}
    before = two[1].metric("interceptor_decisions_total", verdict="block")
    assert before >= 50
    two[0].signal(signal.SIGCONT)
    end = time.monotonic() + 60
    while client.lines().endpoints[0].breaker.open and time.monotonic() < end:
        time.sleep(0.01)
    assert ask(client).decided
    assert two[1].metric("interceptor_decisions_total", verdict="block") == before  # the first is asked again


def test_a_killed_service_costs_no_call_where_there_is_another_and_is_asked_again_when_it_is_back(
    spare: Running, spares: list[Running], two: list[Running], tmp_path: Path
) -> None:
    killed, other = spare, two[0].data.address
    address = killed.data.address
    alone = [Screening(address, stream=stream) for stream in (False, True)]
    beside = [
        Screening([NOWHERE, address, other], stream=stream, deadline_ms=PATIENT_MS)
        for stream in (False, True)
    ]
    for client in alone + beside:
        until_decided(client)
    killed.signal(signal.SIGKILL)
    killed.process.wait()
    for client in beside:
        assert [ask(client).rule for _ in range(50)] == ["listed"] * 50
    for client in alone:
        answer, end = ask(client), time.monotonic() + 60
        while (
            answer.cause != Cause.OPEN and time.monotonic() < end
        ):  # refused at once: several within its 0.1 s
            assert (answer.verdict, answer.decided) == (Verdict.PASS, False)
            answer = ask(client)
        assert (answer.verdict, answer.cause) == (Verdict.PASS, Cause.OPEN)
    spares.append(Running(write_policy(tmp_path), "--listen", address))
    for client in alone + beside:
        assert until_decided(client).rule == "listed"
        client.close(0)


def test_a_service_that_stops_in_good_order_costs_no_call(spare: Running, two: list[Running]) -> None:
    stopping, other = spare, two[0].data.address
    both = [
        Screening([stopping.data.address, other], stream=stream, deadline_ms=PATIENT_MS)
        for stream in (False, True)
    ]
    with ThreadPoolExecutor(5) as threads:
        calls = [threads.submit(ask, client) for client in both * 100]
        stopping.signal(signal.SIGTERM)
        calls += [threads.submit(ask, client) for client in both * 400]
        assert {call.result().rule for call in calls} == {"listed"}
    for client in both:
        client.close(0)


def test_hundreds_of_calls_at_once_are_all_answered_while_the_service_hangs(
    two: list[Running], screening: Ask
) -> None:
    client = screening(two[0].data.address, deadline_ms=50, otherwise=Verdict.BLOCK)
    until_decided(client)
    halt(two[0])
    with ThreadPoolExecutor(200) as threads:
        answers = list(threads.map(lambda _: ask(client), range(2000)))
    assert sum(answer.rule == "fail-closed" for answer in answers) >= 2000 - 5
    two[0].signal(signal.SIGCONT)
    assert until_decided(client).rule == "listed"


def test_a_connection_that_dies_in_silence_is_noticed_before_the_next_call(
    two: list[Running], screening: Ask
) -> None:
    client = screening(two[0].data.address, deadline_ms=2_000)
    assert ask(client).decided
    halt(two[0])
    time.sleep(8)  # it pings after 5 s, and waits for 2
    assert ask(client).cause == Cause.UNAVAILABLE


def test_a_thousand_calls_that_expire_together_cost_no_connection(two: list[Running]) -> None:
    """To a service that hung they come with their ends, all at once: no flood, for they are all that may be open."""

    def cut_off() -> float:
        return two[0].metric("interceptor_connections_ended_total", reason="abuse")

    async def calls() -> list[Answer]:
        async with AsyncScreening(two[0].data.address, deadline_ms=500) as client:
            assert await client.connect(30)
            halt(two[0])
            asked = [client.decide(caller=LISTED, callee=CALLEE) for _ in range(1000)]
            assert not any(answer.decided for answer in await asyncio.gather(*asked))
            two[0].signal(signal.SIGCONT)
            while not (await client.decide(caller=LISTED, callee=CALLEE)).decided:
                await asyncio.sleep(0.01)
        async with AsyncScreening(two[0].data.address, deadline_ms=PATIENT_MS) as client:
            return await asyncio.gather(*(client.decide(caller=LISTED, callee=CALLEE) for _ in range(1000)))

    before = cut_off()
    assert {answer.rule for answer in asyncio.run(asyncio.wait_for(calls(), 60))} == {"listed"}
    assert cut_off() == before


def test_tasks_are_answered_by_their_deadline_too(two: list[Running], stream: bool) -> None:
    async def calls() -> list[Answer]:
        async with AsyncScreening(two[0].data.address, stream=stream, deadline_ms=100) as client:
            assert await client.connect(30)
            halt(two[0])
            asked = (client.decide(caller=LISTED, callee=CALLEE) for _ in range(300))
            return await asyncio.wait_for(asyncio.gather(*asked), HANGS_S)

    answers = asyncio.run(calls())
    assert {(answer.verdict, answer.decided) for answer in answers} == {(Verdict.PASS, False)}
    assert {answer.cause for answer in answers} <= {Cause.DEADLINE, Cause.OPEN, Cause.UNAVAILABLE}


def test_reports_wait_out_an_outage_and_each_is_counted_once(two: list[Running], screening: Ask) -> None:
    client = screening(two[0].data.address)
    decided = [client.decide(call_id=f"out-{n}", caller="+8613700000001", callee=CALLEE) for n in range(100)]
    assert all(answer.decided for answer in decided)
    halt(two[0])
    for n in range(100):
        assert client.report_call(call_id=f"out-{n}", event="ended", duration_ms=1_000 * n, cause=16)
    assert client.report_subscription(report_id="card", event="activated", number="+8613700000001")
    two[0].signal(signal.SIGCONT)
    client.close(60)
    assert client.lines().tally.reports["sent"] == 101
    assert client.lines().tally.reports["lost"] == 0


def test_reports_that_are_sent_once_tell_of_an_outage_too_and_wait_for_its_end(screening: Ask) -> None:
    client = screening(NOWHERE)
    (endpoint,) = client.lines().endpoints
    end = time.monotonic() + 60
    while not endpoint.breaker.open:
        assert time.monotonic() < end
        assert client.report_subscription(event="activated", number="+8613700000001")
        time.sleep(0.01)
    lost = client.lines().tally.reports["lost"]
    assert client.report_subscription(event="activated", number="+8613700000002")
    client.close(0)
    assert client.lines().tally.reports["lost"] > lost  # no sooner than now


def test_reports_that_find_no_room_are_lost_counted_and_hold_up_nobody(screening: Ask) -> None:
    client = screening(NOWHERE, reports=100)
    taken = [client.report_call(call_id=f"{n}", event="answered") for n in range(1000)]
    assert 100 <= sum(taken) <= 100 + 64  # so many are in hand at most
    client.close(0)
    assert client.lines().tally.reports["lost"] >= 1000 - 64
    with pytest.raises(ValueError, match="event: 'rang' is none; give one of answered, ended"):
        client.report_call(call_id="1", event="rang")
