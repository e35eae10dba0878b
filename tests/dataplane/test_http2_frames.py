"""HTTP/2 by hand: how frames may come, and what a client may not do to the service."""

import struct
from itertools import pairwise

import pytest
from h2.errors import ErrorCodes
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from dataplane.http2_client import DECIDE, DECIDE_STREAM, Client, Fields, framed, headers
from interceptor.dataplane.http2probe import SessionProbe
from interceptor.dataplane.words import Code, Ending, Method

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, END_HEADERS, PADDED, PRIORITISED, ACK = 1, 4, 8, 0x20, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SECOND = 1_000_000_000


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


HELLO = PREFACE + frame(SETTINGS) + frame(SETTINGS, ACK)


def request(
    stream: int, message: bytes, *, path: str = DECIDE, encoder: Encoder | None = None, **more: str
) -> bytes:
    block = (encoder or Encoder()).encode(headers(path, **more))
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, framed(message))


def block(fields: Fields, *, huffman: bool = True) -> bytes:
    return Encoder().encode(fields, huffman=huffman)


def frames_of(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload of each frame."""
    found = []
    while data:
        length = int.from_bytes(data[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", data[3:9])
        found.append((kind, flags, stream, data[9 : 9 + length]))
        data = data[9 + length :]
    return found


def greeted(**bounds: int) -> SessionProbe:
    probe = SessionProbe(**bounds)
    assert probe.receive(HELLO) == 0
    probe.output()
    return probe


def asked(probe: SessionProbe) -> list[bytes]:
    return [message for _, _, message, _ in probe.requests()]


def goaway_of(probe: SessionProbe) -> int | None:
    """The error code of the GOAWAY that is waiting to be sent."""
    for kind, _, _, payload in frames_of(probe.output()):
        if kind == GOAWAY:
            return int.from_bytes(payload[4:8], "big")
    return None


# ------------------------------------------------------------------------------------------------ how frames may come


def test_the_service_says_what_it_allows() -> None:
    probe = SessionProbe(max_streams=7, window=12345, max_headers=4321)
    settings = frames_of(probe.output())[0]
    assert settings[0] == SETTINGS
    said = dict(struct.iter_unpack(">HI", settings[3]))
    assert said == {3: 7, 4: 12345, 6: 4321, 9: 1}


@pytest.mark.parametrize("huffman", [True, False])
def test_a_header_block_may_come_in_pieces(huffman: bool) -> None:
    probe = greeted()
    whole = block(headers(), huffman=huffman)
    cuts = [whole[:10], whole[10:11], b"", whole[11:40], whole[40:]]
    probe.receive(frame(HEADERS, 0, 1, cuts[0]))
    for piece in cuts[1:-1]:
        probe.receive(frame(CONTINUATION, 0, 1, piece))
    probe.receive(frame(CONTINUATION, END_HEADERS, 1, cuts[-1]) + frame(DATA, END_STREAM, 1, framed(b"x")))
    assert asked(probe) == [b"x"]


def test_padding_is_no_part_of_a_message() -> None:
    probe = greeted()
    padded = bytes([5]) + block(headers()) + b"\0" * 5
    probe.receive(frame(HEADERS, END_HEADERS | PADDED, 1, padded))
    probe.receive(frame(DATA, PADDED, 1, b"\x03" + framed(b"padded")[:4] + b"\0" * 3))
    probe.receive(frame(DATA, PADDED, 1, b"\x00" + framed(b"padded")[4:]))
    probe.receive(frame(DATA, PADDED | END_STREAM, 1, b"\xff" + b"\0" * 255))
    assert asked(probe) == [b"padded"]


def test_priorities_and_unknown_frames_are_passed_over() -> None:
    probe = greeted()
    probe.receive(
        frame(PRIORITY, 0, 99, b"\0\0\0\x0b\x10")
        + frame(0xEE, 0xFF, 1, b"?")
        + frame(0x10, 0, 0, b"\0\0\0\1u=1")
    )
    prioritised = b"\0\0\0\0\x10" + block(headers())
    probe.receive(frame(HEADERS, END_HEADERS | PRIORITISED, 1, prioritised) + frame(0xEE, 0, 1))
    probe.receive(frame(DATA, END_STREAM, 1, framed(b"x")))
    assert asked(probe) == [b"x"] and probe.receive(b"") == 0


def test_a_ping_is_answered() -> None:
    probe = greeted()
    probe.receive(frame(PING, 0, 0, b"12345678"))
    assert frames_of(probe.output()) == [(PING, ACK, 0, b"12345678")]


def test_what_is_left_of_padding_does_not_hold_up_a_message_already_there() -> None:
    probe = greeted()
    whole = frame(HEADERS, END_HEADERS, 1, block(headers())) + frame(
        DATA, PADDED | END_STREAM, 1, b"\x09" + framed(b"kept while its padding comes") + b"\0" * 9
    )
    probe.receive(whole[:-4])
    assert asked(probe) == []
    probe.receive(whole[-4:])
    assert asked(probe) == [b"kept while its padding comes"]


def conversation() -> bytes:
    """Everything a decent client may say, on one connection."""
    encoder = Encoder()
    first = request(1, b"first", encoder=encoder)
    stream = encoder.encode(headers(DECIDE_STREAM, grpc_timeout="1S"))
    refused = encoder.encode(headers("/no/such", x_long="x" * 300))
    seventh = request(7, b"m" * 1000, encoder=encoder)
    trailed = encoder.encode(headers(grpc_timeout="20m"))
    streamed = framed(b"a", b"", b"c" * 300)
    said = [
        HELLO,
        first,
        frame(HEADERS, END_HEADERS, 3, stream),
        frame(DATA, 0, 3, streamed[:8]),
        frame(HEADERS, 0, 5, refused[:20]) + frame(CONTINUATION, END_HEADERS, 5, refused[20:]),
        frame(PING, 0, 0, b"pingpong"),
        frame(DATA, PADDED, 3, b"\x02" + streamed[8:40] + b"\0\0"),
        frame(DATA, 0, 5, b"for nobody"),
        seventh,
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\1\0"),
        frame(DATA, END_STREAM, 3, streamed[40:]),
        frame(HEADERS, END_HEADERS, 9, trailed),
        frame(DATA, 0, 9, framed(b"trailed")),
        frame(HEADERS, END_HEADERS | END_STREAM, 9, encoder.encode([("x-sum", "1")])),
        request(11, b"gone", encoder=encoder) + frame(RST_STREAM, 0, 11, b"\0\0\0\x08"),
        request(13, b"last", encoder=encoder),
    ]
    return b"".join(said)


CONVERSATION = conversation()


def heard_by(
    pieces: list[bytes],
) -> tuple[list[tuple[Method, bytes, int]], dict[int, bytes], dict[int, bytes]]:
    """What was asked, and what is written on each stream (its DATA, its header blocks), when it comes in `pieces`."""
    probe = SessionProbe()
    for piece in pieces:
        assert probe.receive(piece) == 0
    requests = [(method, message, deadline) for _, method, message, deadline in probe.requests()]
    for handle, _, message, _ in probe.requests():
        probe.reply(handle, message[::-1])
    data: dict[int, bytes] = {}
    blocks: dict[int, bytes] = {}
    for kind, _, stream, payload in frames_of(probe.output()):
        if kind == DATA:
            data[stream] = data.get(stream, b"") + payload
        elif kind == HEADERS:
            blocks[stream] = blocks.get(stream, b"") + payload
    return requests, data, blocks


AT_ONCE = heard_by([CONVERSATION])


def test_the_conversation_is_heard() -> None:
    requests, data, _ = AT_ONCE
    assert [message for _, message, _ in requests] == [
        b"first",
        b"a",
        b"",
        b"m" * 1000,
        b"c" * 300,
        b"trailed",
        b"last",
    ]
    assert sorted(data) == [1, 3, 7, 9, 13]


def test_a_byte_at_a_time_is_heard_like_all_at_once() -> None:
    assert heard_by([CONVERSATION[at : at + 1] for at in range(len(CONVERSATION))])[:2] == AT_ONCE[:2]


@given(cuts=st.lists(st.integers(0, len(CONVERSATION))))
def test_pieces_of_any_size_are_heard_like_all_at_once(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(CONVERSATION)]
    pieces = [CONVERSATION[start:end] for start, end in pairwise(at)]
    assert heard_by(pieces) == AT_ONCE


# --------------------------------------------------------------------------------------------------- malformed messages

GOOD = headers()


def without(name: str) -> Fields:
    return [field for field in GOOD if field[0] != name]


MALFORMED: dict[str, Fields] = {
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no path": without(":path"),
    "an empty path": [(name, "" if name == ":path" else value) for name, value in GOOD],
    "two paths": [(":path", DECIDE), *GOOD],
    "two methods": [(":method", "POST"), *GOOD],
    "a pseudo field behind another": [*without(":scheme"), (":scheme", "http")],
    "an unknown pseudo field": [(":speed", "fast"), *GOOD],
    "a response's pseudo field": [(":status", "200"), *GOOD],
    "connection": [*GOOD, ("connection", "keep-alive")],
    "keep-alive": [*GOOD, ("keep-alive", "1")],
    "proxy-connection": [*GOOD, ("proxy-connection", "x")],
    "transfer-encoding": [*GOOD, ("transfer-encoding", "chunked")],
    "upgrade": [*GOOD, ("upgrade", "h2c")],
    "te that is not trailers": [(name, "gzip" if name == "te" else value) for name, value in GOOD],
    "upper case": [*GOOD, ("X-Trace", "1")],
    "upper case in a long name": [*GOOD, ("x-trace-of-this-calL", "1")],
    "a space in a name": [*GOOD, ("x trace", "1")],
    "a colon in a name": [*GOOD, ("x:trace", "1")],
    "a name that is not ASCII": [*GOOD, ("x-tr\xe4ce", "1")],
    "a control character in a name": [*GOOD, ("x-trace-\x7f", "1")],
    "an empty name": [*GOOD, ("", "1")],
    "a line break": [*GOOD, ("x-trace", "1\nx-injected: 2")],
    "a carriage return at the end of a long value": [*GOOD, ("x-trace", "123456789abcdef\r")],
    "a value that begins with a space": [*GOOD, ("x-trace", " 1")],
    "a value that ends with a tab": [*GOOD, ("x-trace", "1\t")],
    "a NUL": [*GOOD, ("x-trace", "1\0")],
    "a length that is not the body's": [*GOOD, ("content-length", "7")],
    "a length that is no number": [*GOOD, ("content-length", "1e1")],
    "two lengths": [*GOOD, ("content-length", "6"), ("content-length", "6")],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_reset_and_nothing_else(fields: Fields) -> None:
    probe = greeted()
    raw = Encoder().encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields])
    probe.receive(frame(HEADERS, END_HEADERS, 1, raw) + frame(DATA, END_STREAM, 1, framed(b"x")))
    assert asked(probe) == []
    assert [f for f in frames_of(probe.output()) if f[2] == 1] == [(RST_STREAM, 0, 1, b"\0\0\0\1")]
    probe.receive(request(3, b"next"))
    assert asked(probe) == [b"next"] and probe.open_streams == 1


@pytest.mark.parametrize("length", ["6", "0006"])
def test_a_length_that_is_the_bodys_is_fine(length: str) -> None:
    probe = greeted()
    fields = headers(content_length=length)
    probe.receive(frame(HEADERS, END_HEADERS, 1, block(fields)) + frame(DATA, END_STREAM, 1, framed(b"x")))
    assert asked(probe) == [b"x"]


@pytest.mark.parametrize(
    ("flags", "trailer"),
    [
        (END_HEADERS, [("x-sum", "1")]),
        (END_HEADERS | END_STREAM, [(":path", DECIDE)]),
        (END_HEADERS | END_STREAM, [("X-Sum", "1")]),
    ],
    ids=["without an end", "with a pseudo field", "in upper case"],
)
def test_a_malformed_trailer_resets_its_call(flags: int, trailer: Fields) -> None:
    probe = greeted()
    encoder = Encoder()
    probe.receive(frame(HEADERS, END_HEADERS, 1, encoder.encode(headers())) + frame(DATA, 0, 1, framed(b"x")))
    probe.receive(frame(HEADERS, flags, 1, encoder.encode(trailer)))
    assert asked(probe) == []
    assert frames_of(probe.output()) == [(RST_STREAM, 0, 1, b"\0\0\0\1")]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        PREFACE + frame(PING, 0, 0, b"12345678"),
        HELLO + frame(DATA, 0, 1, b"idle"),
        HELLO + frame(DATA, 0, 0, b"of the connection"),
        HELLO + frame(HEADERS, END_HEADERS, 2, block(headers())),
        HELLO + frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"),
        HELLO + frame(HEADERS, 0, 1, block(headers())) + frame(PING, 0, 0, b"12345678"),
        HELLO + frame(CONTINUATION, END_HEADERS, 1, block(headers())),
        HELLO + frame(PING, 0, 0, b"short"),
        HELLO + frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + block(headers())),
        HELLO + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
        HELLO + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
        HELLO + frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff"),
        HELLO + frame(DATA, 0, 1, b"x" * 16385),
        HELLO + request(3, b"x") + request(1, b"x") + frame(DATA, 0, 5, b"x"),
        HELLO + frame(RST_STREAM, 0, 1, b"\0\0\0\0"),
    ],
)
def test_broken_http2_ends_the_connection(sent: bytes) -> None:
    probe = SessionProbe()
    status = probe.receive(sent)
    frames = frames_of(probe.output())
    assert frames[-1][0] == GOAWAY and int.from_bytes(frames[-1][3][4:8], "big") != 0
    assert probe.ending == Ending.ENDED_PROTOCOL and (status == -1 or probe.finished)


# --------------------------------------------------------------------------------------------------------------- floods


def test_streams_over_the_maximum_are_refused() -> None:
    probe = SessionProbe(max_streams=10)
    probe.receive(PREFACE + frame(SETTINGS))
    probe.receive(b"".join(request(1 + 2 * i, b"%d" % i) for i in range(15)))
    assert asked(probe) == [b"%d" % i for i in range(10)]
    resets = [f for f in frames_of(probe.output()) if f[0] == RST_STREAM]
    assert resets == [
        (RST_STREAM, 0, 21 + 2 * i, struct.pack(">I", ErrorCodes.REFUSED_STREAM)) for i in range(5)
    ]
    assert probe.traffic["streams_refused"] == 5
    probe.reply(0, b"room again")
    probe.output()
    probe.receive(request(31, b"later"))
    assert asked(probe)[-1] == b"later"


def test_a_client_that_knows_the_maximum_and_goes_over_it_ends_its_connection() -> None:
    probe = greeted(max_streams=3)
    probe.receive(b"".join(request(1 + 2 * i, b"x") for i in range(4)))
    assert goaway_of(probe) == ErrorCodes.PROTOCOL_ERROR and probe.ending == Ending.ENDED_PROTOCOL


def cancelled(stream: int, **more: str) -> bytes:
    return request(stream, b"x", **more) + frame(RST_STREAM, 0, stream, struct.pack(">I", ErrorCodes.CANCEL))


def test_rapid_resets_end_the_connection() -> None:
    probe = greeted(max_resets=20, resets_a_second=10)
    assert probe.receive(b"".join(cancelled(1 + 2 * i) for i in range(20))) == 0
    assert probe.receive(b"".join(cancelled(101 + 2 * i) for i in range(50))) == -1
    assert probe.ending == Ending.ENDED_ABUSE and goaway_of(probe) == ErrorCodes.ENHANCE_YOUR_CALM
    assert probe.receive(request(301, b"too late")) == -1 and b"too late" not in asked(probe)


def test_all_calls_of_a_client_may_expire_while_we_do_not_run() -> None:
    """They come with their ends: as many as may be open at once. Calls without a deadline do not expire."""
    probe = greeted(max_streams=50, max_resets=20, resets_a_second=1)
    expired = [cancelled(1 + 2 * i, grpc_timeout="50m") for i in range(200)]
    assert probe.receive(b"".join(expired[:50])) == 0
    probe.output()
    probe.receive(request(1001, b"the next"))
    assert asked(probe)[-1:] == [b"the next"]
    probe = greeted(max_streams=50, max_resets=20, resets_a_second=1)
    assert probe.receive(b"".join(expired)) == -1
    assert probe.ending == Ending.ENDED_ABUSE and goaway_of(probe) == ErrorCodes.ENHANCE_YOUR_CALM


def test_cancelling_now_and_then_is_fine() -> None:
    probe = greeted(max_resets=20, resets_a_second=10)
    for i in range(200):
        assert probe.receive(cancelled(1 + 2 * i), (i + 1) * SECOND // 10) == 0
        probe.output()
    assert probe.answered == {(Method.METHOD_DECIDE, Code.CODE_CANCELLED): 200}


@pytest.mark.parametrize(
    "error", [b"\0\0\0\0", b"\x7f\xff\xff\xff"], ids=["no increment", "too large an increment"]
)
def test_making_us_reset_counts_like_resetting(error: bytes) -> None:
    probe = greeted(max_resets=20, resets_a_second=1)
    status = 0
    for i in range(60):
        stream = 1 + 2 * i
        status = probe.receive(request(stream, b"x") + frame(WINDOW_UPDATE, 0, stream, error))
        for handle, *_ in probe.requests():
            probe.reply(handle, b"for nothing")
        probe.output()
        if status or probe.finished:
            break
    assert probe.ending in (Ending.ENDED_ABUSE, Ending.ENDED_PROTOCOL) and i <= 21


def test_malformed_requests_without_end_end_the_connection() -> None:
    probe = greeted(max_resets=20, resets_a_second=1)
    raw = block(MALFORMED["connection"])
    for i in range(30):
        status = probe.receive(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, raw))
        probe.output()
    assert status == -1 and probe.ending == Ending.ENDED_ABUSE


def test_a_header_block_without_end_ends_the_connection() -> None:
    probe = greeted(max_headers=16384)
    status = probe.receive(frame(HEADERS, 0, 1, block(headers())))
    sent = 0
    while status == 0 and sent < 1 << 20:
        status = probe.receive(frame(CONTINUATION, 0, 1, b"\0\1x" + b"\x7f\x81\x70" + b"v" * 14464))
        sent += 14464
    assert status == -1 and sent < 100_000 and probe.ending == Ending.ENDED_ABUSE
    assert goaway_of(probe) == ErrorCodes.ENHANCE_YOUR_CALM


def test_empty_continuations_without_end_end_the_connection() -> None:
    probe = greeted()
    probe.receive(frame(HEADERS, 0, 1, block(headers())))
    assert probe.receive(frame(CONTINUATION, 0, 1) * 1000) == -1
    assert probe.ending == Ending.ENDED_ABUSE


def test_a_bomb_of_indexed_fields_is_reset_before_it_is_unfolded() -> None:
    probe = greeted(max_headers=8192)
    encoder = Encoder()
    raw = encoder.encode(headers()) + encoder.encode([("x-bomb", "b" * 4000)]) + b"\xbe" * 4000
    assert probe.receive(frame(HEADERS, END_HEADERS | END_STREAM, 1, raw)) == 0
    assert [f[0] for f in frames_of(probe.output())] == [RST_STREAM]
    assert probe.traffic["oversize"] == 1 and asked(probe) == []
    probe.receive(request(3, b"next", encoder=encoder))
    assert asked(probe) == [b"next"], "the bomb's field is in the table, and the connection goes on"


@pytest.mark.parametrize(
    "flood",
    [frame(PING, 0, 0, b"flooding"), frame(SETTINGS), frame(SETTINGS, 0, 0, b"\0\4\0\0\0\1")],
    ids=["PING", "SETTINGS", "SETTINGS of windows"],
)
def test_floods_of_what_wants_an_answer_end_the_connection(flood: bytes) -> None:
    probe = greeted()
    assert probe.receive(flood * 3000) == -1
    assert probe.ending == Ending.ENDED_ABUSE
    assert len(probe.output()) < 100_000


def test_empty_data_without_end_ends_the_connection() -> None:
    probe = greeted()
    probe.receive(frame(HEADERS, END_HEADERS, 1, block(headers())))
    assert probe.receive(frame(DATA, 0, 1) * 999) == 0
    assert probe.receive(frame(DATA, 0, 1) * 10) == -1
    assert probe.ending == Ending.ENDED_ABUSE


def test_streams_refused_without_end_end_the_connection() -> None:
    probe = SessionProbe(max_streams=1)
    probe.receive(PREFACE + frame(SETTINGS))
    raw = block(headers())
    flood = b"".join(frame(HEADERS, END_HEADERS, 1 + 2 * i, raw) for i in range(20_000))
    assert probe.receive(flood) == -1
    assert probe.ending == Ending.ENDED_ABUSE


# -------------------------------------------------------------------------------------------------------------- leaving


def test_leaving_in_two_steps_loses_no_call() -> None:
    client = Client()
    stream = client.ask(b"in flight")
    client.probe.goaway(final=False)
    client.hear()
    assert (
        client.goaways[0].last_stream_id == 2**31 - 1 and client.goaways[0].error_code == ErrorCodes.NO_ERROR
    )
    client.probe.receive(request(3, b"crossed the warning"))
    client.probe.goaway(final=True)
    client.probe.receive(request(5, b"too late"))
    assert asked(client.probe) == [b"in flight", b"crossed the warning"]
    assert not client.probe.finished
    frames = frames_of(client.probe.output())
    assert frames[0][0] == GOAWAY and frames[0][3][:4] == b"\0\0\0\3"
    client.echo()
    assert {f[2] for f in frames_of(client.probe.output())} == {stream, 3}
    assert client.probe.finished and client.probe.ending == Ending.ENDED_BY_CLIENT


def test_an_idle_connection_leaves_at_once() -> None:
    probe = greeted()
    probe.goaway(final=False)
    probe.output()
    assert not probe.finished
    probe.goaway(final=True)
    probe.output()
    assert probe.finished


def test_one_connection_too_many_is_told_so() -> None:
    probe = SessionProbe()
    probe.turn_away()
    frames = frames_of(probe.output())
    assert frames[0][0] == SETTINGS and frames[-1][0] == GOAWAY and frames[-1][3] == bytes(8)
    assert probe.finished and probe.ending == Ending.ENDED_EXCESS


def test_a_client_that_says_goodbye_hears_its_last_replies() -> None:
    probe = greeted()
    probe.receive(request(1, b"x") + frame(GOAWAY, 0, 0, bytes(8)))
    assert not probe.finished
    probe.reply(0, b"y")
    probe.output()
    assert probe.finished and probe.ending == Ending.ENDED_BY_CLIENT


def test_requests_that_stay_incomplete_are_reset() -> None:
    probe = greeted()
    probe.receive(frame(HEADERS, END_HEADERS, 1, block(headers())), SECOND)
    encoder = Encoder()
    probe.receive(frame(HEADERS, 0, 3, encoder.encode(headers(DECIDE_STREAM))), 2 * SECOND)
    assert probe.expire(SECOND) == 0
    assert probe.expire(2 * SECOND) == 1
    assert frames_of(probe.output()) == [(RST_STREAM, 0, 1, struct.pack(">I", ErrorCodes.CANCEL))]
    assert probe.open_streams == 1 and probe.expire(2 * SECOND) == 0
    assert probe.expire(3 * SECOND) == 1, "half a header list is half a request"


def test_only_half_a_message_makes_a_stream_late() -> None:
    probe = greeted()
    probe.receive(frame(HEADERS, END_HEADERS, 1, block(headers(DECIDE_STREAM))), SECOND)
    probe.receive(frame(DATA, 0, 1, framed(b"whole")), SECOND)
    probe.reply(0, b"")
    probe.output()
    assert probe.expire(10 * SECOND) == 0, "an idle stream is no late one"
    probe.receive(frame(DATA, 0, 1, framed(b"half")[:7]), 5 * SECOND)
    assert probe.expire(5 * SECOND) == 0
    assert probe.expire(6 * SECOND) == 1


def test_replies_nobody_takes_make_a_stream_late() -> None:
    probe = greeted()
    probe.receive(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + request(1, b"x"), SECOND)
    probe.receive(b"", 3 * SECOND)
    probe.reply(0, b"y")
    probe.output()
    assert probe.expire(3 * SECOND) == 0
    assert probe.expire(4 * SECOND) == 1
    probe.output()
    assert probe.open_streams == 0


def test_a_call_that_waits_for_us_is_never_late() -> None:
    probe = greeted()
    probe.receive(request(1, b"x"), SECOND)
    assert probe.expire(100 * SECOND) == 0
    probe.reply(0, b"y")
    assert (DATA, 0, 1, framed(b"y")) in frames_of(probe.output())
