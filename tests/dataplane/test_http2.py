"""Calls over HTTP/2: what a client asks and what it hears, with the `h2` package as the client."""

import pytest
from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from dataplane.http2_client import (
    CHECK,
    DECIDE,
    DECIDE_STREAM,
    REPORT_CALL,
    WATCH,
    Client,
    framed,
    headers,
)
from interceptor.dataplane.words import Code, Method

SECOND = 1_000_000_000


def test_a_call_is_answered() -> None:
    client = Client()
    stream = client.ask(b"hello")
    assert client.probe.requests() == [(0, Method.METHOD_DECIDE, b"hello", 0)]
    heard = client.answer(stream)
    assert heard.headers == {":status": "200", "content-type": "application/grpc"}
    assert heard.messages == [b"hello"] and heard.data_frames == 1
    assert heard.trailers == {"grpc-status": "0"} and heard.ended and heard.reset is None
    assert client.probe.open_streams == 0
    assert client.probe.answered == {(Method.METHOD_DECIDE, Code.CODE_OK): 1}


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (DECIDE, Method.METHOD_DECIDE),
        (DECIDE_STREAM, Method.METHOD_DECIDE_STREAM),
        (REPORT_CALL, Method.METHOD_REPORT_CALL),
        (CHECK, Method.METHOD_HEALTH_CHECK),
        (WATCH, Method.METHOD_HEALTH_WATCH),
    ],
)
def test_methods_are_told_by_their_paths(path: str, method: Method) -> None:
    client = Client()
    client.ask(b"x", path=path)
    assert [asked[1:3] for asked in client.probe.requests()] == [(method, b"x")]


@pytest.mark.parametrize("length", [0, 1, 250, 251, 252, 5000, 60_000])
def test_messages_of_every_length_go_both_ways(length: int) -> None:
    client = Client()
    message = bytes(i % 251 for i in range(length))
    assert client.answer(client.ask(message)).messages == [message]


def test_a_message_larger_than_the_window_is_let_in_and_out() -> None:
    client = Client(window=20_000, max_message=300_000)
    message = bytes(i % 251 for i in range(250_000))
    stream = client.ask(message)
    client.echo()
    for _ in range(20):
        client.hear()
        client.say()
    assert client.heard[stream].messages == [message] and client.heard[stream].status == 0


def test_many_calls_at_once_are_answered_in_any_order() -> None:
    client = Client()
    streams = [client.ask(str(i).encode()) for i in range(200)]
    for handle, _, message, _ in reversed(client.probe.requests()):
        client.probe.reply(handle, message)
    client.hear()
    assert [client.heard[stream].messages for stream in streams] == [[str(i).encode()] for i in range(200)]
    assert client.probe.open_streams == 0


@pytest.mark.parametrize(
    ("timeout", "ns"),
    [
        ("1H", 3600 * SECOND),
        ("2M", 120 * SECOND),
        ("3S", 3 * SECOND),
        ("50m", 50_000_000),
        ("7u", 7000),
        ("99999999n", 99_999_999),
        ("0n", 0),
        ("00000001S", SECOND),
        ("99999999H", 1 << 60),
    ],
)
def test_a_deadline_counts_from_the_calls_arrival(timeout: str, ns: int) -> None:
    client = Client()
    client.now = 1000
    stream = client.open(grpc_timeout=timeout)
    client.now = 5000
    client.send(stream, framed(b"x"), end=True)
    assert client.probe.requests()[0][3] == 1000 + ns


def test_a_stream_has_no_deadline_of_its_own() -> None:
    client = Client()
    client.ask(b"x", path=DECIDE_STREAM, grpc_timeout="1S")
    assert client.probe.requests()[0][3] == 0


@pytest.mark.parametrize(
    "content_type",
    ["application/grpc", "application/grpc+proto", "application/grpc;x=1", "application/grpc+proto;x"],
)
def test_content_types_of_protobuf_are_taken(content_type: str) -> None:
    client = Client()
    assert client.answer(client.ask(b"x", content_type=content_type)).status == 0


def test_identity_is_an_encoding_like_none() -> None:
    client = Client()
    assert client.answer(client.ask(b"x", grpc_encoding="identity", grpc_accept_encoding="gzip")).status == 0


def test_fields_nobody_knows_are_passed_over() -> None:
    client = Client()
    assert (
        client.answer(client.ask(b"x", authorization="secret", x_trace_bin="AAEC", traceparent="00")).status
        == 0
    )


def test_fields_that_must_not_be_indexed_are_read() -> None:
    client = Client()
    client.h2.send_headers(
        1,
        [
            NeverIndexedHeaderTuple(":method", "POST"),
            NeverIndexedHeaderTuple(":path", DECIDE),
            (":scheme", "http"),
            (":authority", "test"),
            NeverIndexedHeaderTuple("content-type", "application/grpc"),
        ],
    )
    client.send(1, framed(b"x"), end=True)
    assert client.answer(1).status == 0


def test_the_end_may_come_behind_the_message() -> None:
    client = Client()
    stream = client.open()
    client.send(stream, framed(b"held"))
    assert client.probe.requests() == []
    client.say(b"\0" * 0)
    client.send(stream, b"", end=True)
    assert client.answer(stream).messages == [b"held"]


def test_the_end_may_be_a_trailer() -> None:
    client = Client()
    stream = client.open()
    client.send(stream, framed(b"held"))
    client.h2.send_headers(stream, [("x-checksum", "1"), ("grpc-timeout", "nonsense")], end_stream=True)
    client.say()
    assert client.answer(stream).messages == [b"held"]


def test_a_message_may_come_in_many_frames_with_padding() -> None:
    client = Client()
    stream = client.open()
    for byte in framed(b"in pieces"):
        client.h2.send_data(stream, bytes([byte]), pad_length=byte % 7)
    client.h2.end_stream(stream)
    client.say()
    assert client.answer(stream).messages == [b"in pieces"]


REFUSED: list[tuple[dict[str, str | None], int, str]] = [
    (
        {"path": "/interceptor.v1.InterceptionService/Undecide"},
        12,
        "unknown method /interceptor.v1.InterceptionSe",
    ),
    ({"path": "/"}, 12, "unknown method /"),
    ({"path": "/" + "x" * 9000}, 12, "unknown method /xxx"),
    ({"path": "/%?"}, 12, "unknown method /%25?"),
    ({"grpc_encoding": "gzip"}, 12, "grpc-encoding must be identity"),
    *(
        ({"grpc_timeout": timeout}, 13, "malformed grpc-timeout")
        for timeout in ["", "1", "S", "-1S", "1s", "123456789S", "1 S", "1.5S", "1SS"]
    ),
    ({"x_long": "x" * 20_000}, 8, "the header list is larger than the maximum of 16384 bytes"),
]


@pytest.mark.parametrize(("asked", "status", "text"), REFUSED)
def test_calls_are_refused_for_their_headers(asked: dict[str, str], status: int, text: str) -> None:
    client = Client()
    stream = client.ask(b"x", **asked)
    assert client.probe.requests() == []
    heard = client.answer(stream)
    assert heard.status == status and text in (heard.text or "")
    assert heard.headers[":status"] == "200" and heard.ended and heard.data == b""
    assert client.answer(client.ask(b"next")).messages == [b"next"], "the connection goes on"
    assert sum(client.probe.answered.values()) == 2


def test_a_refused_encoding_is_told_what_is_accepted() -> None:
    client = Client()
    assert client.answer(client.ask(b"x", grpc_encoding="gzip")).headers["grpc-accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/html", "application/json", "application/grpc+json", "application/grpc-web"],
)
def test_other_content_types_are_no_grpc(content_type: str | None) -> None:
    client = Client()
    heard = client.answer(client.ask(b"x", content_type=content_type))
    assert heard.headers == {":status": "415"} and heard.ended
    assert client.probe.answered == {(Method.METHOD_DECIDE, Code.CODE_INVALID_ARGUMENT): 1}


def test_a_call_is_a_post() -> None:
    client = Client()
    heard = client.answer(client.open(_method="GET", end=True))
    assert heard.headers == {":status": "405", "allow": "POST"} and heard.ended


@pytest.mark.parametrize("path", [DECIDE, DECIDE_STREAM])
@pytest.mark.parametrize(
    ("data", "status", "text"),
    [
        (framed(b"zipped", flag=1), 13, "marked as compressed"),
        (framed(b"odd", flag=2), 13, "must be 0 or 1"),
        (framed(b"x" * 70_000), 8, "a message of 70000 bytes is larger than the maximum of 65536 bytes"),
        (b"\0\xff\xff\xff\xff", 8, "a message of 4294967295 bytes"),
        (framed(b"whole")[:-1], 13, "ends in the middle of a message"),
        (b"\0\0", 13, "ends in the middle of a message"),
    ],
)
def test_calls_are_refused_for_their_messages(path: str, data: bytes, status: int, text: str) -> None:
    client = Client(window=1 << 20)
    stream = client.open(path)
    client.send(stream, data, end=True)
    assert client.probe.requests() == []
    heard = client.answer(stream)
    assert heard.status == status and text in (heard.text or "") and heard.ended
    assert client.probe.traffic["oversize"] == (status == 8)
    assert client.answer(client.ask(b"next")).messages == [b"next"]


@pytest.mark.parametrize("data", [b"", framed(b"one", b"two"), framed(b"one") + b"\0"])
def test_a_unary_call_has_one_message(data: bytes) -> None:
    client = Client()
    stream = client.open()
    client.send(stream, data, end=True)
    assert client.probe.requests() == []
    heard = client.answer(stream)
    assert heard.status == Code.CODE_UNIMPLEMENTED and "one message" in (heard.text or "")


def test_two_messages_are_refused_in_two_frames_too() -> None:
    client = Client()
    stream = client.open()
    client.send(stream, framed(b"one"))
    client.send(stream, framed(b"two"), end=True)
    assert client.answer(stream).status == Code.CODE_UNIMPLEMENTED


def test_a_client_that_is_refused_early_is_told_to_stop() -> None:
    client = Client()
    stream = client.open("/no/such")
    heard = client.answer(stream)
    assert heard.status == Code.CODE_UNIMPLEMENTED and heard.reset == ErrorCodes.NO_ERROR
    assert client.probe.open_streams == 0


def test_a_request_is_refused_with_a_status() -> None:
    client = Client()
    stream = client.ask(b"x")
    client.probe.refuse(0, Code.CODE_INVALID_ARGUMENT, "caller: 100 % wrong\nüber")
    client.hear()
    heard = client.heard[stream]
    assert heard.status == Code.CODE_INVALID_ARGUMENT and heard.ended and not heard.trailers
    assert heard.text == "caller: 100 %25 wrong%0A%C3%BCber"
    assert client.probe.answered == {(Method.METHOD_DECIDE, Code.CODE_INVALID_ARGUMENT): 1}


def test_a_status_message_is_cut_off_somewhere() -> None:
    client = Client()
    stream = client.ask(b"x")
    client.probe.refuse(0, Code.CODE_UNAVAILABLE, "\n" * 5000)
    client.hear()
    assert client.heard[stream].text == "%0A" * 256


def test_a_request_is_answered_once() -> None:
    client = Client()
    client.ask(b"x")
    client.probe.reply(0, b"y")
    with pytest.raises(KeyError, match="no request waits under 0"):
        client.probe.reply(0, b"z")


def test_a_call_that_is_cancelled_loses_its_place() -> None:
    client = Client()
    client.ask(b"first")
    cancelled = client.ask(b"second")
    client.ask(b"third")
    client.h2.reset_stream(cancelled, ErrorCodes.CANCEL)
    client.say()
    assert [message for _, _, message, _ in client.probe.requests()] == [b"first", b"third"]
    client.answer(1)
    assert client.probe.answered == {
        (Method.METHOD_DECIDE, Code.CODE_OK): 2,
        (Method.METHOD_DECIDE, Code.CODE_CANCELLED): 1,
    }


def test_a_call_cancelled_before_its_end_leaves_nothing() -> None:
    client = Client()
    stream = client.open()
    client.send(stream, framed(b"x" * 10_000)[:9000])
    assert client.probe.held_bytes >= 9000
    client.h2.reset_stream(stream, ErrorCodes.CANCEL)
    client.say()
    assert client.probe.held_bytes == 0 and client.probe.open_streams == 0


def test_a_length_that_is_only_announced_takes_no_memory() -> None:
    client = Client(max_message=1 << 24)
    for _ in range(100):
        client.send(client.open(), b"\0\0\xff\xff\xff" + b"x")
    assert client.probe.held_bytes < 100 * 1024


def test_a_full_batch_is_answered_in_between() -> None:
    client = Client(max_streams=3000)
    streams = [client.ask(str(i).encode()) for i in range(2500)]
    assert client.probe.overflowed == 2048
    client.answer(1)
    assert [client.heard[stream].messages for stream in streams] == [[str(i).encode()] for i in range(2500)]


@pytest.mark.parametrize("cut", range(1, 36, 5))
def test_a_reply_between_the_halves_of_a_request_costs_it_nothing(cut: int) -> None:
    client = Client()
    client.ask(b"first")
    client.h2.send_headers(3, headers())
    client.h2.send_data(3, framed(b"second"), end_stream=True)
    request = client.h2.data_to_send()
    client.say(request[:cut])
    client.echo()
    client.probe.output()  # the first stream is gone now
    client.say(request[cut:])
    assert [asked[1:3] for asked in client.probe.requests()] == [(Method.METHOD_DECIDE, b"second")]
