"""DecideStream and Health/Watch over HTTP/2: many messages on one stream, and readers that are slow."""

from typing import Any

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from dataplane.http2_client import DECIDE_STREAM, WATCH, Client, framed
from interceptor.dataplane.words import Code, Method

OK = {"grpc-status": "0"}


def messages(client: Client) -> list[bytes]:
    return [message for _, _, message, _ in client.probe.requests()]


def test_messages_are_answered_as_they_come() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"a", b"bb"))
    assert messages(client) == [b"a", b"bb"]
    heard = client.answer(stream)
    assert heard.messages == [b"a", b"bb"] and heard.data_frames == 1 and not heard.ended
    client.send(stream, framed(b"ccc"), end=True)
    heard = client.answer(stream)
    assert heard.messages == [b"a", b"bb", b"ccc"] and heard.trailers == OK and heard.ended
    assert client.probe.traffic["messages_in"] == 3
    assert client.probe.answered == {(Method.METHOD_DECIDE_STREAM, Code.CODE_OK): 1}


def test_the_end_may_come_when_everything_is_answered() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"a"))
    client.answer(stream)
    client.send(stream, b"", end=True)
    client.hear()
    assert client.heard[stream].trailers == OK and client.heard[stream].data_frames == 1


def test_the_status_waits_for_the_last_reply() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"a", b"b"), end=True)
    client.probe.reply(1, b"b")
    client.hear()
    assert client.heard[stream].messages == [b"b"] and not client.heard[stream].ended
    client.probe.reply(0, b"a")
    client.hear()
    assert client.heard[stream].messages == [b"b", b"a"] and client.heard[stream].trailers == OK


def test_a_stream_without_messages_ends_well() -> None:
    client = Client()
    heard = client.answer(client.open(DECIDE_STREAM, end=True))
    assert heard.headers["grpc-status"] == "0" and heard.ended


def test_replies_that_gather_share_their_frames() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    for i in range(500):
        client.send(stream, framed(b"%03d" % i))
    heard = client.answer(stream)
    assert heard.messages == [b"%03d" % i for i in range(500)] and heard.data_frames == 1


def test_an_error_follows_the_replies_to_what_came_before_it() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"good", b"fine") + framed(b"zipped", flag=1) + framed(b"never read"))
    assert messages(client) == [b"good", b"fine"]
    heard = client.answer(stream)
    assert heard.messages == [b"good", b"fine"]
    assert heard.trailers["grpc-status"] == "13" and "compressed" in heard.trailers["grpc-message"]
    assert heard.reset == ErrorCodes.NO_ERROR and client.probe.open_streams == 0


def test_a_refusal_ends_a_stream_that_has_ended_itself() -> None:
    client = Client()
    stream = client.ask(b"a", b"b", path=DECIDE_STREAM)
    client.probe.refuse(0, Code.CODE_PERMISSION_DENIED, "not you")
    client.probe.refuse(1, Code.CODE_PERMISSION_DENIED, "nor you")
    client.hear()
    assert (
        client.heard[stream].status == Code.CODE_PERMISSION_DENIED and client.heard[stream].text == "not you"
    )
    assert client.probe.answered == {(Method.METHOD_DECIDE_STREAM, Code.CODE_PERMISSION_DENIED): 1}


def test_a_refusal_ends_a_stream_that_goes_on() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"a", b"b"))
    client.probe.refuse(0, Code.CODE_PERMISSION_DENIED, "not you")
    client.probe.reply(1, b"b")
    client.hear()
    assert (
        client.heard[stream].messages == [b"b"] and client.heard[stream].status == Code.CODE_PERMISSION_DENIED
    )
    assert client.send(stream, framed(b"c")) == 0 if client.heard[stream].reset is None else True


def test_a_stream_cancelled_with_messages_waiting_leaves_no_place_taken() -> None:
    client = Client()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(*(b"%d" % i for i in range(10))))
    other = client.ask(b"other")
    client.send(stream, framed(b"more"))
    client.h2.reset_stream(stream, ErrorCodes.CANCEL)
    client.say()
    assert messages(client) == [b"other"]
    assert client.answer(other).messages == [b"other"]
    assert client.probe.answered[Method.METHOD_DECIDE_STREAM, Code.CODE_CANCELLED] == 1


def test_a_batch_of_one_stream_may_be_full() -> None:
    client = Client(window=1 << 20, max_unsent=1 << 20)
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(*(b"%04d" % i for i in range(1500))), end=True)
    assert client.probe.overflowed == 1024
    heard = client.answer(stream)
    assert heard.messages == [b"%04d" % i for i in range(1500)] and heard.trailers == OK


WINDOW, UNSENT, SIZE = 10_000, 5_000, 100
#: what one stream may hold: the window's messages, twice over for growth, and the unsent replies likewise
BOUND = 2 * (WINDOW + 1024) + 2 * (UNSENT + WINDOW + 1024)


def starve(client: Client, stream: int) -> int:
    """Sends messages to a server whose replies nobody takes, until it lets no more in. Returns how many."""
    sent = 0
    while client.h2.local_flow_control_window(stream) >= SIZE + 5:
        client.send(stream, framed(sent.to_bytes(4, "big") * (SIZE // 4)))
        sent += 1
        client.echo()
        client.hear()
        client.probe.resume(client.now)
        assert client.probe.held_bytes <= BOUND
        assert sent < 10_000, "a client that takes nothing may send without end"
    return sent


def test_a_slow_reader_bounds_its_own_memory_and_loses_nothing() -> None:
    client = Client(take=False, window=WINDOW, max_unsent=UNSENT)
    stream = client.open(DECIDE_STREAM)
    sent = starve(client, stream)
    assert client.answer(client.ask(b"another")).messages == [b"another"], "nobody else is stalled"

    client.take = True
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.h2.increment_flow_control_window(1 << 20)
    client.h2.end_stream(stream)
    for _ in range(10):
        client.say()
        client.probe.resume(client.now)
        client.echo()
        client.hear()
    heard = client.heard[stream]
    assert [int.from_bytes(message[:4], "big") for message in heard.messages] == list(range(sent))
    assert heard.trailers == OK and client.probe.open_streams == 0


ACTS = st.one_of(
    st.tuples(st.just("send"), st.lists(st.integers(0, 600), max_size=20)),
    st.tuples(st.just("take"), st.integers(1, 4000)),
    st.tuples(st.sampled_from(["answer", "gather", "resume"]), st.just(0)),
)


@given(acts=st.lists(ACTS, max_size=60), piece=st.sampled_from([1, 7, 100, 1 << 30]))
def test_however_a_stream_stalls_each_message_is_answered_once_and_in_order(
    acts: list[tuple[str, Any]], piece: int
) -> None:
    client = Client(take=False, piece=piece, window=WINDOW, max_unsent=1000)
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 500})
    client.say()
    client.hear()
    stream = client.open(DECIDE_STREAM)
    sent: list[bytes] = []

    def act(what: str, how: Any) -> None:
        if what == "send":
            for length in how:
                message = b"%d:" % len(sent) + b"x" * length
                if client.h2.local_flow_control_window(stream) >= len(message) + 5:
                    client.send(stream, framed(message))
                    sent.append(message)
        elif what == "take":
            client.h2.increment_flow_control_window(how, stream)
            client.say()
        elif what == "answer":
            client.echo()
        elif what == "gather":
            client.hear()
            client.say()
        else:
            client.probe.resume(client.now)

    for what, how in acts:
        act(what, how)
    client.h2.end_stream(stream)
    client.say()
    for _ in range(100):
        for what, how in [("answer", 0), ("take", 2000), ("gather", 0), ("resume", 0)]:
            if not client.heard[stream].ended:
                act(what, how)
    assert client.heard[stream].messages == sent and client.heard[stream].status == Code.CODE_OK
    assert client.probe.open_streams == 0


def test_a_slow_reader_may_go_at_any_time() -> None:
    client = Client(take=False, window=WINDOW, max_unsent=UNSENT)
    stream = client.open(DECIDE_STREAM)
    starve(client, stream)
    client.h2.reset_stream(stream, ErrorCodes.CANCEL)
    client.say()
    client.probe.resume(client.now)
    assert client.probe.held_bytes == 0 and client.probe.open_streams == 0 and client.probe.requests() == []


def test_what_is_held_back_may_turn_out_to_be_wrong() -> None:
    client = Client(take=False, window=WINDOW, max_unsent=100)
    client.h2.update_settings({4: 0})
    client.say()
    client.hear()
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"a" * 200))
    client.echo()
    client.send(stream, framed(b"held") + framed(b"zipped", flag=1))
    assert client.probe.requests() == []
    client.h2.increment_flow_control_window(1000, stream)
    client.say()
    client.hear()
    client.probe.resume(client.now)
    assert messages(client) == [b"held"]
    heard = client.answer(stream)
    assert heard.messages == [b"a" * 200, b"held"] and heard.status == Code.CODE_INTERNAL


@pytest.mark.parametrize("cut", [1, 4, 5, 7])
def test_what_is_held_back_may_end_within_a_message(cut: int) -> None:
    client = Client(take=False, window=WINDOW, max_unsent=100)
    stream = client.open(DECIDE_STREAM)
    client.send(stream, framed(b"a" * 200))
    client.echo()
    client.send(stream, framed(b"held") + framed(b"cut off")[:cut])
    client.hear()
    client.probe.resume(client.now)
    client.send(stream, framed(b"cut off")[cut:], end=True)
    assert messages(client) == [b"held", b"cut off"]
    assert client.answer(stream).trailers == OK


def watching(client: Client, first: bytes) -> int:
    stream = client.ask(b"", path=WATCH)
    client.probe.reply(client.probe.requests()[0][0], first)
    client.hear()
    return stream


def test_a_watch_hears_of_every_change_until_it_goes() -> None:
    client = Client()
    stream = watching(client, b"\x08\x01")
    for serving in [True, False, False, True]:
        client.probe.watch_all(serving)
        client.hear()
    heard = client.heard[stream]
    assert heard.messages == [b"\x08\x01", b"\x08\x02", b"\x08\x01"] and not heard.ended
    client.h2.reset_stream(stream, ErrorCodes.CANCEL)
    client.say()
    client.probe.watch_all(False)
    assert client.probe.answered == {(Method.METHOD_HEALTH_WATCH, Code.CODE_CANCELLED): 1}


def test_who_watches_an_unknown_service_hears_no_more_of_it() -> None:
    client = Client()
    stream = watching(client, b"\x08\x03")
    client.probe.watch_all(True)
    client.hear()
    assert client.heard[stream].messages == [b"\x08\x03"]
