"""grpcio as it is installed, sync and aio, against the data port: all it can do to a server."""

import asyncio
import time
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub
from interop.calls import Turns, call, messages
from service.running import CALLEE, LISTED, Running, refused

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


@pytest.fixture
def channel(service: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.data.address) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.Channel) -> InterceptionServiceStub:
    return InterceptionServiceStub(channel)


# ------------------------------------------------------------------------------------------------- calls


def test_a_call_is_decided(stub: InterceptionServiceStub) -> None:
    response, rpc = stub.Decide.with_call(pb.DecideRequest(caller=LISTED, callee=CALLEE), timeout=10)
    assert (response.verdict, response.rule, response.reason) == (pb.VERDICT_BLOCK, "listed", "credit-record")
    assert rpc.code() is grpc.StatusCode.OK


def test_both_ports_decide_alike_and_count_together(service: Running, stub: InterceptionServiceStub) -> None:
    rules = [
        (
            stub.Decide(call(1), timeout=10)
            if i % 2
            else service.decide(caller=call(1).caller, callee=CALLEE)
        ).rule
        for i in range(7)
    ]
    assert rules == ["default"] * 5 + ["busy"] * 2


def test_aio_asks_a_thousand_at_once(service: Running) -> None:
    async def ask() -> list[pb.DecideResponse]:
        async with grpc.aio.insecure_channel(service.data.address) as channel:
            stub = InterceptionServiceStub(channel)
            return await asyncio.gather(*(stub.Decide(call(1000 + i), timeout=20) for i in range(1000)))

    assert [answer.verdict for answer in asyncio.run(ask())] == [pb.VERDICT_PASS] * 1000


def test_threads_share_a_channel(stub: InterceptionServiceStub) -> None:
    futures = [stub.Decide.future(call(2000 + i), timeout=20) for i in range(200)]
    assert {future.result().verdict for future in futures} == {pb.VERDICT_PASS}


def test_an_empty_request_and_one_of_every_field_are_answered(stub: InterceptionServiceStub) -> None:
    assert stub.Decide(pb.DecideRequest(), timeout=10).verdict == pb.VERDICT_PASS
    full = pb.DecideRequest(
        call_id="a84b4c76e66710", caller="<sip:+8613700000009@example.org;user=phone>", callee="tel:+8613900139000",
        asserted_identity="+8613700000009", privacy="id", redirecting=["+8613700000001", "+8613700000002"],
        trunk="default", domain="example.org", user_agent="friendly-scanner", source_ip="192.0.2.1",
        imsi="460001234567890", imei="490154203237518", cell="460-00-1234", verstat="TN-Validation-Passed",
        attestation="A", international_ingress=True, roaming=False, sim_age_days=0, event_time_ms=1,
        tags={"dealer": "d"},
    )  # fmt: skip
    assert stub.Decide(full, timeout=10).rule == "scanner"


def test_a_refusal_names_the_field(stub: InterceptionServiceStub) -> None:
    code, message = refused(lambda: stub.Decide(call(3, user_agent="x" * 5000), timeout=10))
    assert (code, message.partition(":")[0]) == ("INVALID_ARGUMENT", "user_agent")


def test_reports_are_answered_by_nothing(stub: InterceptionServiceStub) -> None:
    report = pb.ReportCallRequest(call_id="x", event=pb.CALL_EVENT_ENDED)
    assert stub.ReportCall(report, timeout=10) == pb.ReportCallResponse()
    card = pb.ReportSubscriptionRequest(event=pb.SUBSCRIPTION_EVENT_SMS_RECEIVED, number="+8613700000009")
    assert stub.ReportSubscription(card, timeout=10) == pb.ReportSubscriptionResponse()


def test_what_the_service_does_not_do_is_said(channel: grpc.Channel) -> None:
    for method in ("/interceptor.v1.InterceptionService/Undecide", "/nobody.Service/Decide"):
        code, _ = refused(lambda method=method: channel.unary_unary(method)(b"", timeout=10))
        assert code == "UNIMPLEMENTED"


# ------------------------------------------------------------------------------------------------- streams


def test_a_stream_with_1024_in_flight_is_answered_whole(stub: InterceptionServiceStub) -> None:
    answers = list(stub.DecideStream(messages(10_000, 1024), timeout=20))
    assert sorted(answer.id for answer in answers) == list(range(1024))
    assert {answer.decision.verdict for answer in answers} == {pb.VERDICT_PASS}


def test_aio_streams_both_ways_at_once(service: Running) -> None:
    async def ask() -> set[int]:
        async with grpc.aio.insecure_channel(service.data.address) as channel:
            stream = InterceptionServiceStub(channel).DecideStream(timeout=20)
            answered = set()
            for message in messages(20_000, 256):
                await stream.write(message)
            answered.add((await stream.read()).id)
            for message in messages(20_000, 256):
                await stream.write(pb.DecideStreamRequest(id=message.id + 256, call=message.call))
            await stream.done_writing()
            while (answer := await stream.read()) is not grpc.aio.EOF:
                answered.add(answer.id)
            return answered

    assert asyncio.run(ask()) == set(range(512))


def test_many_streams_share_a_connection(stub: InterceptionServiceStub) -> None:
    streams = [stub.DecideStream(messages(30_000 + 100 * i, 100), timeout=20) for i in range(10)]
    assert [len(list(stream)) for stream in streams] == [100] * 10


def test_a_bad_message_is_answered_in_its_place_and_the_stream_goes_on(stub: InterceptionServiceStub) -> None:
    bad = pb.DecideStreamRequest(id=1, call=call(4, user_agent="x" * 5000))
    answers = {
        answer.id: answer
        for answer in stub.DecideStream(
            iter([bad, *messages(40_000, 1), bad, *messages(40_000, 1)]), timeout=10
        )
    }
    assert answers[0].decision.rule == "default"
    assert (answers[1].error.code, answers[1].error.field) == (
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        "user_agent",
    )


def test_a_reader_that_takes_its_time_gets_everything(stub: InterceptionServiceStub) -> None:
    stream = stub.DecideStream(messages(50_000, 20_000), timeout=60)
    first = next(stream)
    time.sleep(0.3)
    assert {first.id} | {answer.id for answer in stream} == set(range(20_000))


# ------------------------------------------------------------------------------------------------- deadlines, cancels


def test_a_deadline_ends_an_open_stream_and_nothing_else(stub: InterceptionServiceStub) -> None:
    turns = Turns()
    turns.say(*messages(5, 1))
    stream = stub.DecideStream(iter(turns), timeout=0.5)
    assert next(stream).decision.rule == "default"
    assert refused(lambda: next(stream))[0] == "DEADLINE_EXCEEDED"
    turns.end()
    assert stub.Decide(call(5), timeout=10).rule == "default"


def test_calls_are_cancelled_in_whatever_state_they_are(stub: InterceptionServiceStub) -> None:
    futures = [stub.Decide.future(call(60_000 + i), timeout=10) for i in range(200)]
    for future in futures[::2]:
        future.cancel()
    assert all(future.cancelled() or future.result() for future in futures[::2])
    assert {future.result().verdict for future in futures[1::2]} == {pb.VERDICT_PASS}


def test_a_cancelled_stream_ends_and_nothing_else(stub: InterceptionServiceStub) -> None:
    turns = Turns()
    turns.say(*messages(7, 1))
    stream = stub.DecideStream(iter(turns), timeout=10)
    next(stream)
    stream.cancel()
    assert refused(lambda: next(stream))[0] == "CANCELLED"
    turns.end()
    assert stub.Decide(call(7), timeout=10).rule == "default"


def test_aio_cancels(service: Running) -> None:
    async def cancel() -> pb.DecideResponse:
        async with grpc.aio.insecure_channel(service.data.address) as channel:
            stub = InterceptionServiceStub(channel)
            for i in range(20):
                stream = stub.DecideStream(timeout=10)
                await stream.write(pb.DecideStreamRequest(id=1, call=call(70_000 + i)))
                assert (await stream.read()).id == 1
                stream.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await stream.read()
            return await stub.Decide(call(8), timeout=10)

    assert asyncio.run(cancel()).rule == "default"


# ------------------------------------------------------------------------------------------------- metadata, sizes


def test_metadata_of_every_kind_is_taken(stub: InterceptionServiceStub) -> None:
    metadata = (
        ("x-text", "switch 1"),
        ("x-text", "again"),
        ("x-bytes-bin", bytes(range(256))),
        ("x-empty", ""),
    )
    assert stub.Decide(call(9), metadata=metadata, timeout=10).rule == "default"


def test_more_metadata_than_a_server_must_take_is_refused_and_the_channel_lives(
    stub: InterceptionServiceStub,
) -> None:
    code, _ = refused(lambda: stub.Decide(call(10), metadata=(("x-long", "x" * 40_000),), timeout=10))
    assert code in {"RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"}
    assert stub.Decide(call(10), timeout=10).rule == "default"


def padded(number: int, nbytes: int) -> bytes:
    """A request of `nbytes`, the most of it in a field that no server knows."""
    data = call(number).SerializeToString()
    tag = b"\xa2\x3f"  # field 1012, a text
    for digits in range(1, 5):
        length = nbytes - len(data) - len(tag) - digits
        varint = bytes(length >> 7 * i & 127 | 128 * (i < digits - 1) for i in range(digits))
        if length < 1 << 7 * digits:
            return data + tag + varint + b"x" * length
    raise AssertionError


def test_a_message_as_large_as_allowed_is_taken_and_one_byte_more_is_refused(channel: grpc.Channel) -> None:
    ask = channel.unary_unary("/interceptor.v1.InterceptionService/Decide")
    largest = padded(11, 64 * 1024)
    assert len(largest) == 64 * 1024
    assert pb.DecideResponse.FromString(ask(largest, timeout=10)).rule == "default"
    for nbytes in (64 * 1024 + 1, 1 << 20, 3 << 20):
        assert refused(lambda nbytes=nbytes: ask(padded(11, nbytes), timeout=10))[0] == "RESOURCE_EXHAUSTED"
    assert pb.DecideResponse.FromString(ask(largest, timeout=10)).rule == "default"


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_message_is_refused_and_told_what_is_not(
    compression: grpc.Compression, stub: InterceptionServiceStub
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        stub.Decide(call(12, user_agent="x" * 500), compression=compression, timeout=10)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert stub.Decide(call(12), compression=grpc.Compression.NoCompression, timeout=10).rule == "default"


# ------------------------------------------------------------------------------------------------- the connection


def test_a_unix_socket_serves_too(unix_address: str) -> None:
    with grpc.insecure_channel(unix_address) as channel:
        assert InterceptionServiceStub(channel).Decide(call(13), timeout=10).rule == "default"
        assert (
            len(list(InterceptionServiceStub(channel).DecideStream(messages(80_000, 100), timeout=10))) == 100
        )


def test_health_is_told_and_watched(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "interceptor.v1.InterceptionService"):
        request = health_pb2.HealthCheckRequest(service=name)
        assert health.Check(request, timeout=10).status == SERVING
        watch = health.Watch(request, timeout=10)
        assert next(watch).status == SERVING
        watch.cancel()
    stranger = health_pb2.HealthCheckRequest(service="nobody")
    assert refused(lambda: health.Check(stranger, timeout=10))[0] == "NOT_FOUND"
    watch = health.Watch(stranger, timeout=10)
    assert next(watch).status == SERVICE_UNKNOWN
    watch.cancel()


def test_keepalive_pings_are_answered_without_end(service: Running) -> None:
    options = [
        ("grpc.keepalive_time_ms", 20),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    states: list[grpc.ChannelConnectivity] = []
    with grpc.insecure_channel(service.data.address, options) as channel:
        assert InterceptionServiceStub(channel).Decide(call(14), timeout=10).rule == "default"
        channel.subscribe(states.append)
        time.sleep(1)
        assert InterceptionServiceStub(channel).Decide(call(14), timeout=10).rule == "default"
    assert set(states) <= {grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.SHUTDOWN}


def test_a_retry_policy_and_wait_for_ready_change_nothing(service: Running) -> None:
    config = '{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s",' \
        ' "maxBackoff": "0.1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}'  # fmt: skip
    with grpc.insecure_channel(service.data.address, [("grpc.service_config", config)]) as channel:
        stub = InterceptionServiceStub(channel)
        assert stub.Decide(call(15), timeout=10, wait_for_ready=True).rule == "default"
