"""What the generator makes of answers and connections: late, in pieces, out of order, broken, or none at all."""

import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import grpc
import pytest

from interceptor.dataplane.tls import TlsClient
from interceptor.loadtest.generator import Generator
from interceptor.loadtest.histogram import bounds_ns
from interceptor.pb.v1 import interception_pb2 as pb
from loadtest.peers import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
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
    soon,
)
from loadtest.runs import ONE, arrivals, decided, echo, has_ipv6, open_stream, outcome_of, streamed
from service.certificates import Authority, needs_openssl

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
