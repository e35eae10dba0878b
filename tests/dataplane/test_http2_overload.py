"""More calls than can be answered in time: some are refused at once and unread, so that the others are not all late."""

from h2.errors import ErrorCodes

from dataplane.http2_client import Client

MS = 1_000_000


def outcomes(client: Client, streams: list[int]) -> list[int | None]:
    """By stream the code it was reset with, or None for one that was answered."""
    client.hear()
    client.echo()
    client.hear()
    return [client.heard[stream].reset for stream in streams]


def test_calls_that_would_wait_too_long_are_refused_and_the_others_answered() -> None:
    client = Client()
    client.service = MS
    asked = [client.ask(b"x", grpc_timeout="50m") for _ in range(20)]
    # of 50 ms a fifth may go by before it is a call's turn: ten calls of 1 ms stand before the last that is taken
    assert outcomes(client, asked) == [None] * 11 + [ErrorCodes.ENHANCE_YOUR_CALM] * 9
    assert client.probe.traffic["shed"] == 9
    assert outcomes(client, [client.ask(b"y", grpc_timeout="50m")]) == [None]


def test_calls_that_have_waited_too_long_already_are_refused() -> None:
    client = Client()
    assert outcomes(client, [client.ask(b"x", grpc_timeout="50m")]) == [None]
    client.waited = 30 * MS
    assert outcomes(client, [client.ask(b"x", grpc_timeout="50m")]) == [ErrorCodes.ENHANCE_YOUR_CALM]
    client.waited = 20 * MS
    assert outcomes(client, [client.ask(b"x", grpc_timeout="50m")]) == [None]


def test_who_says_no_deadline_waits_for_as_long_as_it_takes() -> None:
    client = Client()
    client.service, client.waited = MS, 1000 * MS
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
