"""A service whose gateway is down, that is killed, whose spool is full: what is kept arrives, gaps are counted."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.smsgateway import SECRET, Gateway
from interceptor.pb.v1 import access_pb2
from interceptor.pb.v1 import interception_pb2 as pb
from service.operating import becomes
from service.running import Running

POLICY = """
version: 1
rules:
  - {id: shop, when: call.user_agent == "shop", verdict: warn, reason: fake-ecommerce-service}
default: pass
"""
SINKS = """
version: 1
spool: {{megabytes: {megabytes}}}
sinks:
  - {{name: gateway, kind: webhook, url: "{url}", secret_file: {directory}/secret, numbers: whole, batch: 2000}}
  - {{name: lines, kind: file, path: {directory}/lines}}
"""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.down()


def started(directory: Path, gateway: Gateway, megabytes: int = 64) -> Running:
    """A service with a gateway and a file, on the data of the one before it."""
    (directory / "policy.yaml").write_text(POLICY)
    (directory / "secret").write_text(SECRET)
    said = SINKS.format(megabytes=megabytes, url=gateway.url, directory=directory)
    (directory / "sinks.yaml").write_text(said)
    return Running(
        directory / "policy.yaml", "--data", directory / "data", "--sinks", directory / "sinks.yaml"
    )


def warn(service: Running, count: int, first: int = 0) -> set[str]:
    """So many warned calls; the ids of the decisions."""
    requests = (
        pb.DecideStreamRequest(
            id=i,
            call=pb.DecideRequest(
                caller=f"+86138{i:08}", callee="+8613900139000", call_id=f"{i}@test", user_agent="shop"
            ),
        ).SerializeToString()
        for i in range(first, first + count)
    )
    answers = [answer.decision for answer in service.data.stream(requests, timeout=60)]
    assert {answer.rule for answer in answers} == {"shop"}
    return {answer.decision_id for answer in answers}


def until(service: Running, name: str, value: float) -> None:
    end = time.monotonic() + 60
    while (seen := service.metric(name)) != value:
        assert time.monotonic() < end, f"{name}: {seen}, not {value}"
        time.sleep(0.05)


def test_every_event_in_the_spool_arrives_whatever_happens_to_the_service(
    tmp_path: Path, gateway: Gateway
) -> None:
    """Killed, and ended, while the gateway is down: it has each at least once, under one id and one number."""
    service = started(tmp_path, gateway)
    ids = warn(service, 500)
    until(service, "interceptor_sink_backlog_events", 0)
    gateway.down()
    ids |= warn(service, 3_000, first=500)
    until(service, "interceptor_spool_sequence", 3_500)
    service.signal(signal.SIGKILL)
    assert service.stop() == -signal.SIGKILL
    service = started(tmp_path, gateway)
    ids |= warn(service, 500, first=3_500)
    assert service.stop() == 0
    gateway.up()
    service = started(tmp_path, gateway)
    ids |= warn(service, 100, first=4_000)
    until(service, "interceptor_spool_sequence", 4_100)
    until(service, "interceptor_sink_backlog_events", 0)
    assert service.metric("interceptor_sink_dropped_total") == 0
    service.stop()
    numbers = {event["id"]: int(event["sequence"]) for event in gateway.events}
    assert numbers.keys() == ids
    assert sorted(numbers.values()) == list(range(1, 4_101))
    assert {event["data"]["decision_id"] for event in gateway.events} == ids
    lines = (tmp_path / "lines").read_text().splitlines()
    assert len(lines) == 4_100
    assert not any("+86138000" in line for line in lines)


def test_nobody_is_told_of_a_person_who_was_erased_before_the_gateway_came_back(
    tmp_path: Path, gateway: Gateway
) -> None:
    """Also of what a sink has taken from the spool, and tries to deliver."""
    gateway.down()
    service = started(tmp_path, gateway)
    warn(service, 20)
    until(service, "interceptor_spool_sequence", 20)
    becomes(lambda: service.metric("interceptor_sink_failures_total", sink="gateway") > 0)
    erased = service.admin("EraseNumber", access_pb2.EraseNumberRequest(number="+8613800000007"))
    assert (erased.events, erased.decisions) == (1, 1)
    assert list(erased.not_reached) == [
        "sink gateway (webhook): what it has delivered",
        "sink lines (file): what it has delivered",
    ]
    gateway.up()
    until(service, "interceptor_sink_backlog_events", 0)
    assert service.metric("interceptor_sink_dropped_total", sink="gateway") == 1
    service.stop()
    assert sorted(int(event["sequence"]) for event in gateway.events) == [*range(1, 8), *range(9, 21)]
    held = b"".join(path.read_bytes() for path in (tmp_path / "data" / "events").iterdir())
    assert b"13800000007" not in held


def test_what_a_full_spool_drops_is_counted_and_is_the_gaps(tmp_path: Path, gateway: Gateway) -> None:
    gateway.down()
    service = started(tmp_path, gateway, megabytes=8)
    warn(service, 30_000)
    until(service, "interceptor_spool_sequence", 30_000)
    gateway.up()
    warn(service, 100, first=30_000)
    until(service, "interceptor_spool_sequence", 30_100)
    until(service, "interceptor_sink_backlog_events", 0)
    dropped = service.metric("interceptor_sink_dropped_total", sink="gateway")
    service.stop()
    numbers = {int(event["sequence"]) for event in gateway.events}
    assert max(numbers) == 30_100
    assert max(numbers) - len(numbers) == dropped
    assert 10_000 < len(numbers) < 30_000
