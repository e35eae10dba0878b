"""What the generator sends, and that its counts add up: on the service's two fronts, and on grpcio."""

import math
import threading
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from interceptor.loadtest.generator import Generator
from interceptor.loadtest.requests import Requests
from interceptor.pb.v1 import interception_pb2 as pb
from loadtest.peers import (
    Grpcio,
    requests_of,
    soon,
)
from loadtest.runs import ONE, arrivals, outcome_of, together
from service.running import CALLEE, LISTED, Running, write_policy

PASSES, WARNS, BLOCKS = 1 << pb.VERDICT_PASS, 1 << pb.VERDICT_WARN, 1 << pb.VERDICT_BLOCK


# ------------------------------------------------------------------------------------------------- the service


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_in_open_loop_every_call_that_was_due_is_answered(address: str, mode: str) -> None:
    outcome, _ = outcome_of(
        address, mode=mode, rate=500, seed=7, connections=2, in_flight=100, grace=30, duration=0.5
    )
    assert outcome.answered == outcome.due == arrivals(7, 500, 0.5)
    assert outcome.opened == 2
    assert outcome.failed == 0


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_in_closed_loop_every_call_that_was_sent_is_answered(address: str, mode: str) -> None:
    outcome, _ = outcome_of(address, mode=mode, connections=2, grace=30)
    assert outcome.answered == outcome.due > 0


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_verdicts_are_counted_and_the_unexpected_ones_named(address: str, mode: str) -> None:
    calls = [
        {"call_id": "right-pass", "caller": "+8613711111111", "callee": CALLEE},
        {"call_id": "right-block", "caller": LISTED, "callee": CALLEE},
        {"call_id": "wrong", "caller": LISTED, "callee": CALLEE},
        {"call_id": "either", "caller": LISTED, "callee": CALLEE},
        {"call_id": "any", "caller": LISTED, "callee": CALLEE},
    ]
    requests = requests_of(calls, [PASSES, BLOCKS, PASSES | WARNS, PASSES | BLOCKS, 0])
    outcome, generator = outcome_of(address, requests, mode=mode, rate=200, grace=30)
    rounds = outcome.due // 5
    assert rounds > 0
    assert rounds <= outcome.mismatched <= rounds + 1
    assert outcome.verdicts[pb.VERDICT_BLOCK] + outcome.verdicts[pb.VERDICT_PASS] == outcome.due
    assert set(generator.mismatches) == {(2, pb.VERDICT_BLOCK)}


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_calls_that_are_refused_are_counted_by_status(address: str, mode: str) -> None:
    bad = requests_of([{"caller": "+86 137\n", "callee": CALLEE}])
    outcome, generator = outcome_of(address, bad, mode=mode, rate=100, grace=30)
    assert outcome.statuses[grpc.StatusCode.INVALID_ARGUMENT.value[0]] == outcome.answered == outcome.due > 0
    assert generator.first_error.startswith("status 3: caller")


def test_a_server_that_is_killed_costs_calls_and_no_time(tmp_path: Path) -> None:
    doomed = Running(write_policy(tmp_path))
    generators = [
        Generator(doomed.data.address, ONE, mode=mode, rate=300, duration=60, deadline_ms=100)
        for mode in ("unary", "stream")
    ]
    threads = [threading.Thread(target=generator.run) for generator in generators]
    for thread in threads:
        thread.start()
    try:
        assert soon(lambda: all(generator.outcome.answered > 20 for generator in generators))
        doomed.process.kill()
        assert soon(
            lambda: all(min(each.outcome.failed, each.outcome.unsent - 20) > 0 for each in generators)
        )
    finally:
        for generator, thread in zip(generators, threads, strict=True):
            generator.stop()
            thread.join()
        doomed.stop()
    for generator in generators:
        outcome = generator.outcome
        assert outcome.due == outcome.sent + outcome.unsent
        assert outcome.sent == outcome.answered + outcome.reset + outcome.lost + outcome.missing
        assert outcome.failed > 0
        assert generator.elapsed < 60


# ------------------------------------------------------------------------------------------------- what is sent


def test_calls_are_numbered_as_they_are_sent() -> None:
    calls = [{"call_id": f"{kind}-0000", "caller": "+8613700000"} for kind in "ab"]
    first = requests_of(calls, serials=[(4, 4), (16, 2)])
    with Grpcio() as server:
        outcome, _ = outcome_of(server.address, first, rate=300, first=9_990, grace=30)
        numbers = range(9_990, 9_990 + outcome.sent)
        assert sorted((call.call_id, call.caller) for call in server.asked) == sorted(
            (f"{'ab'[n % 2]}-{n % 10_000:04}", f"+86137{n % 100:02}000") for n in numbers
        )


def test_a_call_says_what_is_left_of_its_deadline() -> None:
    with Grpcio() as server:
        outcome_of(server.address, rate=200, deadline_ms=30_000, grace=30)
        assert server.remaining
        assert all(left is not None and 0 < left <= 30 for left in server.remaining)


def test_without_a_deadline_none_is_sent() -> None:
    with Grpcio() as server:
        outcome_of(server.address, rate=200, grace=30)
        assert all(left is None or left > 10**9 for left in server.remaining)


def test_messages_longer_than_a_frame_arrive_whole() -> None:
    long = requests_of(
        [{"call_id": "0000", "tags": {str(i): "x" * 1000 for i in range(40)}}], serials=[(2, 4)]
    )
    with Grpcio() as server:
        outcome, _ = outcome_of(server.address, long, rate=50, grace=30)
        assert outcome.statuses[0] == outcome.due == len(server.asked) > 0
        assert sorted(call.call_id for call in server.asked) == [f"{n:04}" for n in range(outcome.due)]
        assert {len(call.tags) for call in server.asked} == {40}


def test_the_servers_concurrent_streams_are_kept_to() -> None:
    with Grpcio(lambda _: together(server, 3), None, ("grpc.max_concurrent_streams", 3)) as server:
        outcome, _ = outcome_of(server.address, in_flight=12, rate=300, grace=30)
        # grpcio forgets an answered stream a moment after its client, and refuses the next one
        assert outcome.answered + outcome.reset == outcome.due
        assert server.most_at_once == 3


def test_in_closed_loop_so_many_calls_are_open() -> None:
    with Grpcio(lambda _: together(server, 8)) as server:
        outcome_of(server.address, in_flight=4, connections=2, grace=30)
        assert server.most_at_once == 8


# ------------------------------------------------------------------------------------------------- the run


def test_the_warm_up_is_not_counted() -> None:
    with Grpcio() as server:
        outcome, generator = outcome_of(server.address, rate=200, warm_up=0.2, grace=30, seed=5)
        assert outcome.due == arrivals(5, 200, 0.4) - arrivals(5, 200, 0.2)
        assert generator.series["sent"].sum() == len(server.asked) == arrivals(5, 200, 0.4)
        assert generator.series["seconds"][0] == -0.2


def test_a_run_can_be_stopped_and_watched() -> None:
    with Grpcio() as server:
        generator = Generator(server.address, ONE, rate=200, duration=60, grace=30)
        assert generator.elapsed == 0
        thread = threading.Thread(target=generator.run)
        thread.start()
        assert soon(lambda: generator.outcome.answered > 5)
        assert 0 < generator.elapsed < 60
        generator.stop()
        thread.join()
        assert generator.outcome.answered == generator.outcome.due
        with pytest.raises(RuntimeError, match="runs once"):
            generator.run()


def test_a_run_that_was_stopped_before_asks_nothing() -> None:
    with Grpcio() as server:
        generator = Generator(server.address, ONE, rate=1e6)
        generator.stop()
        generator.run()
        assert generator.outcome.sent == 0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"mode": "bidi"}, "mode 'bidi': it is unary or stream"),
        ({"connections": 0}, "connections 0: it is 1 .. 4096"),
        ({"in_flight": 65_537}, "in_flight 65537"),
        ({"connections": 4096, "in_flight": 65_536}, r"connections \* in_flight"),
        ({"rate": 0}, "rate 0"),
        ({"rate": math.nan}, "rate nan"),
        ({"duration": 0}, "duration 0"),
        ({"duration": math.inf}, "duration inf"),
        ({"deadline_ms": 60_001}, "deadline_ms 60001"),
        ({"interval": 0}, "interval 0"),
        ({"first": 2**62}, "first"),
    ],
)
def test_a_parameter_out_of_its_range_is_named(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Generator("127.0.0.1:1", ONE, **wrong)


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:", ":1", "localhost:0", "localhost:99999", "unix:"]
)
def test_what_is_no_address_is_named(address: str) -> None:
    with pytest.raises(ValueError, match=f"target '{address}'"):
        Generator(address, ONE)


@pytest.mark.parametrize(
    ("offsets", "settings", "why"),
    [
        ([0], {}, "offsets"),
        ([0, 3], {}, "offsets: at least two, from 0 to the 4 bytes"),
        ([1, 4], {}, "offsets"),
        ([0, 3, 2, 4], {}, "request 1 has -1 bytes"),
        ([0, 4], {"expected": np.zeros(2, np.uint8)}, "expected has the shape"),
        ([0, 4], {"serials": [(0, 1)] * 3}, "3 serials"),
        ([0, 4], {"serials": [(3, 2)]}, "serial of 2 digits at byte 3"),
        ([0, 4], {"serials": [(-1, 2)]}, "serial of 2 digits at byte -1"),
    ],
)
def test_requests_that_do_not_fit_are_named(offsets: list[int], settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Requests(b"abcd", np.array(offsets), **settings)
