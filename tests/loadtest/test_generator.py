"""The generator against servers that are not ours: its counts add up whatever they do."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from interceptor.dataplane.tls import TlsClient
from interceptor.loadtest.generator import Generator
from interceptor.loadtest.histogram import bounds_ns
from interceptor.loadtest.outcome import Outcome
from interceptor.loadtest.requests import Requests
from interceptor.pb.v1 import interception_pb2 as pb
from loadtest.peers import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    OK_HEADERS,
    PASS,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Grpcio,
    Refusal,
    Scripted,
    answer,
    frame,
    literal,
    message,
    requests_of,
    soon,
)
from service.certificates import Authority, needs_openssl
from service.running import CALLEE, LISTED, Running, write_policy

ONE = requests_of([{"call_id": "0000", "caller": "+8613788888888", "callee": CALLEE}])
PASSES, WARNS, BLOCKS = 1 << pb.VERDICT_PASS, 1 << pb.VERDICT_WARN, 1 << pb.VERDICT_BLOCK


def outcome_of(address: str, requests: Requests = ONE, **settings: Any) -> tuple[Outcome, Generator]:
    """Runs to the end; the counts add up, whatever happened."""
    generator = Generator(address, requests, **{"duration": 0.2, "in_flight": 4, **settings})
    generator.run()
    outcome = generator.outcome
    assert outcome.due == outcome.sent + outcome.unsent
    assert outcome.sent == outcome.answered + outcome.reset + outcome.lost + outcome.missing
    assert outcome.answered == sum(outcome.statuses)
    assert outcome.statuses[0] == sum(outcome.verdicts) == generator.latency.total
    assert outcome.sent == generator.lag.total
    series = generator.series
    if not settings.get("warm_up"):
        assert series["sent"].sum() == outcome.sent
        assert series["ok"].sum() == outcome.ok
        assert series["late"].sum() == outcome.late
        assert series["unsent"].sum() == outcome.unsent
    return outcome, generator


def arrivals(seed: int, rate: float, seconds: float) -> int:
    """How many calls a Poisson process of this seed has: SplitMix64, exponential gaps."""
    mask, state, at, calls = 2**64 - 1, seed, 0.0, -1
    while at < seconds * 1e9:
        calls += 1
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        at -= math.log((((z ^ z >> 31) >> 11) + 1) / 2**53) / rate * 1e9
    return calls


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
        assert soon(lambda: all(generator.outcome.unsent > 20 for generator in generators))
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


# ------------------------------------------------------------------------------------------------- what comes back


def test_a_stalling_server_shows_in_every_latency_behind_the_stall() -> None:
    awake = threading.Event()
    with Grpcio(lambda _: awake.wait(20) and PASS) as server:
        generator = Generator(server.address, ONE, rate=200, seed=2, duration=0.2, in_flight=2, grace=30)
        thread = threading.Thread(target=generator.run)
        thread.start()
        assert soon(lambda: generator.elapsed > 0.3)
        assert generator.outcome.sent == 2
        awake.set()
        thread.join()
    # Two calls were sent; the clock of the others ran from when they were due.
    waited = generator.outcome.due - 2
    assert generator.outcome.answered == generator.outcome.due == arrivals(2, 200, 0.2)
    assert generator.latency.percentile(100 * 3 / generator.outcome.due) > 100_000_000
    assert (bounds_ns() > 100_000_000) @ generator.lag.counts >= waited


def test_answers_behind_their_deadline_are_late() -> None:
    with Scripted(lambda _, stream, __: time.sleep(0.05) or answer(stream)) as server:
        outcome, generator = outcome_of(server.address, rate=40, in_flight=1, deadline_ms=20, grace=30)
        assert outcome.late == outcome.statuses[0] == outcome.sent > 0
        assert outcome.ok == 0
        assert generator.latency.min_ns > 20_000_000


def test_a_call_whose_deadline_passes_in_the_queue_is_not_sent() -> None:
    with Scripted(lambda *_: b"") as server:
        outcome, _ = outcome_of(server.address, rate=500, seed=3, in_flight=2, deadline_ms=10, grace=0.05)
        assert (outcome.sent, outcome.missing) == (2, 2)
        assert outcome.due == arrivals(3, 500, 0.2)


def test_replies_may_come_a_byte_at_a_time() -> None:
    with Scripted(lambda _, stream, __: answer(stream), piece=1) as server:
        outcome, _ = outcome_of(server.address, rate=100, grace=30)
        assert outcome.verdicts[pb.VERDICT_PASS] == outcome.due > 0


def test_streamed_replies_may_come_a_byte_at_a_time() -> None:
    def reply(_: int, stream: int, payload: bytes) -> bytes:
        return open_stream(stream) + b"".join(
            frame(DATA, 0, stream, message(decided(asked.id).SerializeToString()))
            for asked in streamed(payload)
        )

    with Scripted(reply, piece=1) as server:
        outcome, _ = outcome_of(server.address, mode="stream", rate=100, grace=30)
        assert outcome.verdicts[pb.VERDICT_WARN] == outcome.due > 0


def test_a_stream_keeps_to_a_window_of_a_few_bytes() -> None:
    taken = bytearray()

    def sip(_: int, stream: int, payload: bytes) -> bytes:
        assert len(payload) <= 7
        said = b"" if stream in opened else open_stream(stream)
        opened.add(stream)
        taken.extend(payload)
        if len(taken) >= 5 and len(taken) == 5 + int.from_bytes(taken[1:5]):
            asked = pb.DecideStreamRequest.FromString(bytes(taken[5:]))
            said += frame(DATA, 0, stream, message(decided(asked.id).SerializeToString()))
            taken.clear()
        more = len(payload).to_bytes(4)
        return said + frame(WINDOW_UPDATE, 0, stream, more) + frame(WINDOW_UPDATE, 0, 0, more)

    opened: set[int] = set()
    window = (4).to_bytes(2) + (7).to_bytes(4)  # SETTINGS_INITIAL_WINDOW_SIZE
    with Scripted(sip, hello=frame(SETTINGS, 0, 0, window)) as server:
        outcome, _ = outcome_of(server.address, mode="stream", in_flight=1, rate=100, grace=30)
        assert outcome.verdicts[pb.VERDICT_WARN] == outcome.due > 0
        assert len(server.connections) == 1


def test_streamed_replies_may_come_in_another_order() -> None:
    def in_pairs(messages: Iterator[pb.DecideStreamRequest]) -> Iterator[pb.DecideStreamResponse]:
        for one, other in zip(messages, messages, strict=False):
            yield decided(other.id)
            yield decided(one.id)

    seed = next(seed for seed in count(1) if arrivals(seed, 200, 0.2) % 2 == 0)
    with Grpcio(lambda _: PASS, in_pairs) as server:
        outcome, _ = outcome_of(server.address, mode="stream", rate=200, seed=seed, grace=30)
        assert outcome.verdicts[pb.VERDICT_WARN] == outcome.due > 0
        assert outcome.unexpected == 0


def test_answers_nobody_waits_for_are_counted() -> None:
    def twice(messages: Iterator[pb.DecideStreamRequest]) -> Iterator[pb.DecideStreamResponse]:
        for asked in messages:
            yield from (decided(asked.id), decided(asked.id), decided(1 << 40))

    with Grpcio(lambda _: PASS, twice) as server:
        outcome, _ = outcome_of(server.address, mode="stream", rate=100, in_flight=1, grace=30)
        assert outcome.answered == outcome.due > 0
        assert outcome.unexpected > 0


def test_streams_that_are_reset_are_counted() -> None:
    with Scripted(lambda _, stream, __: frame(RST_STREAM, 0, stream, (7).to_bytes(4))) as server:
        outcome, _ = outcome_of(server.address, rate=100)
        assert outcome.reset == outcome.due > 0


def test_an_answer_of_http_alone_is_of_unknown_status() -> None:
    refusal = b"\x8c"  # :status 404
    with Scripted(lambda _, stream, __: frame(HEADERS, END_HEADERS | END_STREAM, stream, refusal)) as server:
        outcome, _ = outcome_of(server.address, rate=100)
        assert outcome.statuses[grpc.StatusCode.UNKNOWN.value[0]] == outcome.due > 0


def test_the_first_error_is_told_as_it_was_meant() -> None:
    def refuse(_: pb.DecideRequest) -> pb.DecideResponse:
        raise Refusal(grpc.StatusCode.UNAVAILABLE, "no policy: 尚无策略")

    with Grpcio(refuse) as server:
        outcome, generator = outcome_of(server.address, rate=100, grace=30)
        assert outcome.statuses[14] == outcome.due > 0
        assert generator.first_error == "status 14: no policy: 尚无策略"


# ------------------------------------------------------------------------------------------------- connections


def test_a_connection_that_is_cut_is_opened_anew() -> None:
    answered: list[int] = []

    def three_and_out(_: int, stream: int, __: bytes) -> bytes | None:
        answered.append(stream)
        return answer(stream) if len(answered) % 4 else None

    with Scripted(three_and_out) as server:
        outcome, _ = outcome_of(server.address, rate=50, in_flight=1, duration=0.5, grace=30)
        assert outcome.opened > 1
        assert outcome.failed >= outcome.lost > 0
        assert outcome.statuses[0] > 3


def test_after_goaway_the_calls_go_elsewhere() -> None:
    def one_and_goodbye(_: int, stream: int, __: bytes) -> bytes:
        return frame(GOAWAY, 0, 0, stream.to_bytes(4) + bytes(4)) + answer(stream)

    with Scripted(one_and_goodbye) as server:
        outcome, _ = outcome_of(server.address, rate=40, in_flight=1, connections=4, grace=30)
        assert outcome.answered == outcome.due > 0
        assert outcome.opened > 4 or outcome.due <= 4
        assert outcome.failed == 0


def test_a_stream_that_ends_is_opened_anew() -> None:
    trailers = literal(b"grpc-status", b"14") + literal(b"grpc-message", b"draining")

    def over(_: int, stream: int, payload: bytes) -> bytes:
        return open_stream(stream) + frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)

    with Scripted(over) as server:
        outcome, generator = outcome_of(server.address, mode="stream", rate=40, duration=0.5, grace=30)
        assert outcome.lost > 1
        assert outcome.failed > 1
        assert generator.first_error == "status 14: draining"


def test_a_server_that_speaks_something_else_is_no_target() -> None:
    webserver = Scripted(lambda *_: b"", hello=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with webserver, pytest.raises(ConnectionError, match="it does not speak HTTP/2"):
        Generator(webserver.address, ONE).run()


def test_a_server_that_turns_connections_away_is_no_target() -> None:
    busy = Scripted(lambda *_: b"", hello=frame(SETTINGS, 0, 0) + frame(GOAWAY, 0, 0, bytes(8)))
    with busy, pytest.raises(ConnectionError, match="takes no more connections"):
        Generator(busy.address, ONE).run()


def test_a_stream_of_broken_messages_is_given_up() -> None:
    for broken in (b"\0" + (2**32 - 1).to_bytes(4), b"\0" + (70_000).to_bytes(4), message(b"\x0a\x05abc")):
        with Scripted(
            lambda _, stream, __, said=broken: open_stream(stream) + frame(DATA, 0, stream, said)
        ) as server:
            outcome, _ = outcome_of(server.address, mode="stream", rate=40, in_flight=40, grace=30)
            assert outcome.lost == outcome.due > 0


def test_no_server_is_no_target(tmp_path: Path) -> None:
    for address in ("127.0.0.1:1", f"unix:{tmp_path / 'nobody.sock'}"):
        with pytest.raises(ConnectionError, match=f"no connection to {address}: "):
            Generator(address, ONE).run()


@pytest.mark.parametrize("listen", ["unix:{}/service.sock", "[::1]:0"])
def test_a_server_on_a_unix_socket_or_ipv6_is_a_target(tmp_path: Path, listen: str) -> None:
    if listen.startswith("[") and not has_ipv6():
        pytest.skip("no IPv6 here")
    with Grpcio(listen=listen.format(tmp_path)) as server:
        outcome, _ = outcome_of(server.address, rate=100, grace=30)
        assert outcome.statuses[0] == outcome.due > 0


@needs_openssl
def test_under_tls_both_ends_show_who_they_are(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, switch = authority.issue("service", "DNS:localhost"), authority.issue("switch", "DNS:switch-1")
    credentials = grpc.ssl_server_credentials(
        [(own.key.read_bytes(), own.certificate.read_bytes())], authority.ca.read_bytes(), True
    )
    known = TlsClient(authority.ca, switch.certificate, switch.key, "localhost")
    with Grpcio(lambda _: PASS, echo, credentials=credentials) as server:
        for mode in ("unary", "stream"):
            outcome, _ = outcome_of(server.address, mode=mode, tls=known, rate=200, connections=2, grace=30)
            assert outcome.statuses[0] == outcome.due > 0
        for stranger in (
            TlsClient(authority.ca, switch.certificate, switch.key, "elsewhere"),
            TlsClient(authority.ca, None, None, "localhost"),
        ):
            with pytest.raises(ConnectionError, match=r"TLS handshake failed|closed the connection"):
                Generator(server.address, ONE, tls=stranger).run()


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


def together(server: Grpcio, calls: int) -> pb.DecideResponse:
    """Answers nobody before so many calls have been there at once."""
    assert soon(lambda: server.most_at_once >= calls)
    return PASS


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def open_stream(stream: int) -> bytes:
    return frame(HEADERS, END_HEADERS, stream, OK_HEADERS)


def streamed(payload: bytes) -> Iterator[pb.DecideStreamRequest]:
    """The messages of a DATA frame that holds whole ones."""
    while payload:
        size = int.from_bytes(payload[1:5])
        yield pb.DecideStreamRequest.FromString(payload[5 : 5 + size])
        payload = payload[5 + size :]


def echo(messages: Iterator[pb.DecideStreamRequest]) -> Iterator[pb.DecideStreamResponse]:
    for asked in messages:
        yield decided(asked.id)


def decided(identity: int) -> pb.DecideStreamResponse:
    return pb.DecideStreamResponse(id=identity, decision=pb.DecideResponse(verdict=pb.VERDICT_WARN))
