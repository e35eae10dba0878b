"""More calls than can be answered in time: some are refused at once and unread, so that the others are not all late."""

import struct

import pytest
from h2.errors import ErrorCodes
from hypothesis import given
from hypothesis import strategies as st

from dataplane.http2_client import Client, Heard, framed, headers

MS = 1_000_000


def rst_stream(stream: int) -> bytes:
    return struct.pack(">IBI", 4 << 8 | 3, 0, stream) + struct.pack(">I", ErrorCodes.CANCEL)


def outcomes(client: Client, streams: list[int]) -> list[int | None]:
    """By stream the code it was reset with, or None for one that was answered."""
    client.hear()
    client.echo()
    client.hear()
    return [client.heard[stream].reset for stream in streams]


def ask_at_once(client: Client, calls: int, *, message: bytes = b"x", **others: str | None) -> list[int]:
    """Opens so many calls in one piece."""
    streams = []
    for _ in range(calls):
        streams.append(client.h2.get_next_available_stream_id())
        client.h2.send_headers(streams[-1], headers(**others))
        client.h2.send_data(streams[-1], framed(message), end_stream=True)
        client.heard[streams[-1]] = Heard()
    client.say()
    return streams


def settled() -> Client:
    """One of many. Its deadline is known, and its header fields are in the compression table."""
    client = Client()
    client.speaking = 1000
    assert outcomes(client, ask_at_once(client, 1, grpc_timeout="50m")) == [None]
    return client


def test_of_what_is_read_at_once_the_older_part_is_refused() -> None:
    client = settled()
    client.waited = 50 * MS  # the first came 50 ms ago, the last just now
    resets = outcomes(client, ask_at_once(client, 20, grpc_timeout="50m"))
    refused = resets.count(ErrorCodes.ENHANCE_YOUR_CALM)
    assert 11 <= refused <= 14  # those of more than 20 ms
    assert resets == [ErrorCodes.ENHANCE_YOUR_CALM] * refused + [None] * (20 - refused)
    assert client.probe.traffic["shed"] == refused


def test_a_call_is_refused_when_it_has_waited_for_two_fifths_of_its_deadline() -> None:
    client = settled()
    for waited, reset in (
        (21 * MS, ErrorCodes.ENHANCE_YOUR_CALM),
        (20 * MS, None),
        (60 * MS, ErrorCodes.ENHANCE_YOUR_CALM),
    ):
        client.waited = waited
        assert outcomes(client, ask_at_once(client, 1, grpc_timeout="50m")) == [reset]


@pytest.mark.parametrize(("connections", "calls"), [(1, 1), (1, 15), (8, 1), (16, 1)])
def test_where_few_wait_they_are_answered_however_late(connections: int, calls: int) -> None:
    client = settled()
    client.speaking = connections
    for waited in (21 * MS, 49 * MS, 60 * MS):
        client.waited = waited
        asked = ask_at_once(client, calls, message=b"x" * 60, grpc_timeout="50m")
        assert outcomes(client, asked) == [None] * calls


@pytest.mark.parametrize(("connections", "calls"), [(1, 50), (64, 1)])
def test_on_one_connection_or_on_many_a_crowd_is_refused_what_is_too_old(
    connections: int, calls: int
) -> None:
    client = settled()
    client.speaking = connections
    client.waited = 60 * MS
    asked = ask_at_once(client, calls, message=b"x" * 60, grpc_timeout="50m")
    assert outcomes(client, asked)[0] == ErrorCodes.ENHANCE_YOUR_CALM


def test_what_is_said_of_a_call_that_was_refused_unread_does_no_harm() -> None:
    client = settled()
    client.waited = 60 * MS
    (stream,) = ask_at_once(client, 1, grpc_timeout="50m")
    client.say(rst_stream(stream))  # they cross on the way
    assert outcomes(client, [stream]) == [ErrorCodes.ENHANCE_YOUR_CALM]
    client.waited = 0
    assert outcomes(client, ask_at_once(client, 1, grpc_timeout="50m")) == [None]
    client.say(rst_stream(stream))
    assert outcomes(client, ask_at_once(client, 1, grpc_timeout="50m")) == [None]


def test_what_is_new_to_the_compression_table_is_read() -> None:
    client = settled()
    client.waited = 60 * MS
    streams = ask_at_once(client, 1, grpc_timeout="49m", user_agent="another")
    client.hear()
    client.echo()
    client.hear()
    assert client.heard[streams[0]].reset is None
    client.waited = 0
    assert outcomes(client, ask_at_once(client, 1, grpc_timeout="49m", user_agent="another")) == [None]


def test_the_window_of_what_was_not_read_is_given_back() -> None:
    client = settled()
    client.waited = 60 * MS
    for _ in range(400):  # 400 kB, and a connection's window is 1 MiB at most, 64 KiB at first
        (stream,) = ask_at_once(client, 1, message=b"x" * 1000, grpc_timeout="50m")
        assert outcomes(client, [stream]) == [ErrorCodes.ENHANCE_YOUR_CALM]
    assert client.h2.outbound_flow_control_window > 1 << 19


@given(pieces=st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_however_it_is_cut_every_call_is_answered_or_refused(pieces: list[int]) -> None:
    client = settled()
    streams = []
    for _ in range(30):
        streams.append(client.h2.get_next_available_stream_id())
        client.h2.send_headers(streams[-1], headers(grpc_timeout="50m"))
        client.h2.send_data(streams[-1], framed(b"x" * 20), end_stream=True)
        client.heard[streams[-1]] = Heard()
    data, at = client.h2.data_to_send(), 0
    client.waited = 60 * MS
    for size in [*pieces, len(data)]:
        assert client.say(data[at : at + size]) == 0
        at += size
    assert set(outcomes(client, streams)) <= {None, ErrorCodes.ENHANCE_YOUR_CALM}
    assert all(client.heard[stream].ended or client.heard[stream].reset for stream in streams)


def test_who_says_no_deadline_waits_for_as_long_as_it_takes() -> None:
    client = Client()
    client.waited = 1000 * MS
    assert outcomes(client, [client.ask(b"x") for _ in range(100)]) == [None] * 100


def test_giving_up_when_the_deadline_has_passed_is_no_abuse() -> None:
    client = Client(max_resets=20, resets_a_second=1)
    for _ in range(100):
        stream = client.ask(b"x", grpc_timeout="50m")
        client.waited = 45 * MS
        client.h2.reset_stream(stream, ErrorCodes.CANCEL)
        assert client.say() == 0
        client.waited = 0
        client.now += 50 * MS


def test_a_deadline_nobody_means_does_not_excuse_resets() -> None:
    client = Client(max_resets=20, resets_a_second=1)
    resets = 0
    while resets < 100:
        client.h2.reset_stream(client.ask(b"x", grpc_timeout="1n"), ErrorCodes.CANCEL)
        if client.say():
            break
        resets += 1
    assert resets == 20
