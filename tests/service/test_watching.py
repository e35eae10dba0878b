"""Decisions as they are made, over the stream that operators watch."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from interceptor.control.watching import WATCHERS
from interceptor.pb.v1 import access_pb2, interception_pb2, watch_pb2
from service.operating import becomes
from service.running import CALLEE, LISTED, Running, write_policy

Start = Callable[..., Running]
METHOD = "/interceptor.v1.AdminService/WatchDecisions"


def call(running: Running, **wanted: Any) -> Any:
    """The stream, under way."""
    send = running.control.channel.unary_stream(
        METHOD,
        request_serializer=watch_pb2.WatchDecisionsRequest.SerializeToString,
        response_deserializer=watch_pb2.WatchDecisionsResponse.FromString,
    )
    return send(watch_pb2.WatchDecisionsRequest(**wanted), timeout=120)


@contextmanager
def watched(running: Running, **wanted: Any) -> Iterator[Any]:
    stream = call(running, **wanted)
    try:
        yield stream
    finally:
        stream.cancel()


def refused(stream: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as error:
        next(stream)
    return error.value.code().name, error.value.details()


def rule(picture: Any, name: str) -> Any:
    return next(each for each in picture.rules if each.rule == name)


def until(stream: Any, found: Callable[[Any], bool]) -> Any:
    """The first picture of which that is so."""
    return next(picture for picture in stream if found(picture))


def test_what_is_decided_shows_with_its_rule_list_and_latency(service: Running) -> None:
    with watched(service, span_s=60) as stream:
        first = next(stream)
        for _ in range(30):
            service.decide(caller=LISTED, callee=CALLEE)
        for n in range(10):
            service.decide(caller=f"+861390000{n:04}", callee=CALLEE)
        service.decide(caller="+8613900000001", callee="112")
        last = until(stream, lambda picture: picture.decided >= first.decided + 41)
    assert last.decided == first.decided + 41
    span = last.span_ms / 1000
    assert round(last.decided_per_second * span) == 41
    assert round(last.blocked_per_second * span) == 30
    assert round(last.passed_per_second * span) == 11
    assert rule(last, "listed").total == rule(first, "listed").total + 30
    assert round(rule(last, "listed").per_second * span) == 30
    assert rule(last, "listed").verdict == interception_pb2.VERDICT_BLOCK
    assert rule(last, "emergency").total == rule(first, "emergency").total + 1
    assert rule(last, "often").shadow
    assert last.rules[0].rule == "listed"
    (fraud,) = [each for each in last.lists if each.list == "fraud"]
    assert (round(fraud.per_second * span), fraud.entries) == (30, 2)
    assert 0 < last.p50_ns <= last.p99_ns
    assert last.policy_revision == 1
    assert last.policy.endswith("policy.yaml")
    assert not last.callers


def test_a_second_in_which_nothing_was_decided_has_no_latency(service: Running) -> None:
    with watched(service, span_s=1) as stream:
        quiet = until(stream, lambda picture: not picture.decided_per_second)
    assert not quiet.HasField("p50_ns")
    assert not quiet.HasField("p99_ns")


def test_a_repeated_call_is_told_apart(service: Running) -> None:
    with watched(service, span_s=60) as stream:
        first = next(stream)
        for _ in range(3):
            service.decide(caller="+8613900000701", callee=CALLEE, call_id="watched@192.0.2.1")
        last = until(stream, lambda picture: picture.repeated_per_second > 0)
    assert last.decided == first.decided + 1
    assert round(last.repeated_per_second * last.span_ms / 1000) == 2


def test_callers_are_masked_and_looking_at_them_is_audited(service: Running) -> None:
    with watched(service, callers=5, whole_numbers=True) as stream:
        next(stream)
        for _ in range(4):
            service.decide(caller="+8613800000002", callee=CALLEE)
        service.decide(caller="+8613900000803", callee=CALLEE, user_agent="friendly-scanner")
        wanted = {"+86138******02": (4, 0, "listed"), "+86139******03": (0, 1, "scanner")}
        picture = until(stream, lambda each: wanted.keys() <= {caller.caller for caller in each.callers})
    seen = {each.caller: (each.blocked, each.warned, each.rule) for each in picture.callers}
    assert {caller: seen[caller] for caller in wanted} == wanted
    assert list(seen).index("+86138******02") < list(seen).index("+86139******03")
    assert picture.masked
    record = service.admin("ListAudit", access_pb2.ListAuditRequest(action="read")).records[0]
    assert (record.subject, record.detail) == ("callers", '{"callers": 5, "whole": false}')


def test_numbers_are_whole_where_service_and_viewer_want_it(start: Start, tmp_path: Path) -> None:
    running = start(write_policy(tmp_path), "--show-numbers", "--pass-sample", "1")
    for wanted, shown in ((True, LISTED), (False, "+86138******01")):
        with watched(running, callers=5, whole_numbers=wanted) as stream:
            next(stream)
            running.decide(caller=LISTED, callee=CALLEE)
            picture = until(stream, lambda each: each.callers)
        assert picture.callers[0].caller == shown
        assert picture.masked != wanted
    with watched(running, callers=5) as stream:
        next(stream)
        running.decide(caller="+8613900000001", callee=CALLEE)
        picture = until(stream, lambda each: any(caller.passes_seen for caller in each.callers))
    assert picture.pass_sample == 1


def test_who_comes_later_sees_nothing_of_callers_before(service: Running) -> None:
    with watched(service, callers=5) as stream:
        next(stream)
        service.decide(caller=LISTED, callee=CALLEE)
        until(stream, lambda each: each.callers)

    def forgotten() -> bool:  # the service knows that he has gone when it next tells him something
        with watched(service, callers=5) as stream:
            return not next(stream).callers

    becomes(forgotten)


def test_so_many_watch_at_once_and_no_more(service: Running) -> None:
    streams: list[Any] = []

    def seated() -> bool:  # those who watched before may not be gone yet
        stream = call(service)
        try:
            next(stream)
        except grpc.RpcError:
            return False
        streams.append(stream)
        return True

    try:
        for _ in range(WATCHERS):
            becomes(seated)
        assert refused(call(service)) == (
            "RESOURCE_EXHAUSTED",
            f"{WATCHERS} are watching already: ask again when one has left",
        )
        assert service.decide(caller=LISTED, callee=CALLEE).rule == "listed"
    finally:
        for stream in streams:
            stream.cancel()

    becomes(seated)
    streams.pop().cancel()


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"span_s": 61}, "span_s: 61 is more than 60"),
        ({"rows": 101}, "rows: 101 is more than 100"),
        ({"callers": 101}, "callers: 101 is more than 100"),
    ],
)
def test_too_much_is_refused(service: Running, wanted: dict[str, int], problem: str) -> None:
    assert refused(call(service, **wanted)) == ("INVALID_ARGUMENT", problem)


def test_only_the_hottest_are_told(service: Running) -> None:
    with watched(service, rows=1) as stream:
        picture = next(stream)
    assert (len(picture.rules), len(picture.lists)) == (1, 1)


def test_rates_go_on_across_a_reload(start: Start, tmp_path: Path) -> None:
    path = write_policy(tmp_path)
    running = start(path)
    running.decide(caller=LISTED, callee=CALLEE)
    with watched(running, span_s=60) as stream:
        next(stream)
        path.write_text(path.read_text().replace("id: busy", "id: busier"))
        running.reload()
        running.decide(caller=LISTED, callee=CALLEE)
        picture = until(stream, lambda each: each.policy_revision == 2 and each.decided == 2)
    assert rule(picture, "busier").total == 0
    assert rule(picture, "listed").total == 2
    assert round(rule(picture, "listed").per_second * picture.span_ms / 1000) == 1


def test_a_service_that_stops_ends_the_stream_and_waits_for_nobody(start: Start, tmp_path: Path) -> None:
    running = start(write_policy(tmp_path), "--grace", "600")
    stream = call(running)
    next(stream)
    assert running.stop() == 0
    assert all(
        picture.time_ms <= time.time() * 1000 + 60_000 for picture in stream
    )  # it ends without an error
