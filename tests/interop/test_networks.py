"""Between a stock client and the service lies a network: it splits, delays and cuts."""

import threading

import grpc
import pytest

from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub
from interop.calls import call, messages
from interop.relay import Relay
from service.running import Running, refused


def test_one_byte_at_a_time_is_as_good_as_all_at_once(service: Running) -> None:
    with Relay(service.data.address, piece=1) as relay, grpc.insecure_channel(relay.address) as channel:
        stub = InterceptionServiceStub(channel)
        for i in range(3):
            assert stub.Decide(call(i), timeout=20).rule == "default"
        answers = list(stub.DecideStream(messages(10, 30), timeout=20))
        assert sorted(answer.id for answer in answers) == list(range(30))


@pytest.mark.parametrize("piece", [8, 9, 10, 100])
def test_pieces_that_end_inside_frames_are_put_together(service: Running, piece: int) -> None:
    with Relay(service.data.address, piece=piece) as relay, grpc.insecure_channel(relay.address) as channel:
        answers = list(InterceptionServiceStub(channel).DecideStream(messages(1000 * piece, 200), timeout=20))
        assert sorted(answer.id for answer in answers) == list(range(200))


def test_a_call_that_comes_after_its_deadline_costs_the_next_one_nothing(service: Running) -> None:
    with Relay(service.data.address) as relay, grpc.insecure_channel(relay.address) as channel:
        stub = InterceptionServiceStub(channel)
        assert stub.Decide(call(1), timeout=20).rule == "default"
        relay.delay = 0.3
        assert refused(lambda: stub.Decide(call(2), timeout=0.1))[0] == "DEADLINE_EXCEEDED"
        relay.delay = 0
        assert stub.Decide(call(3), timeout=20).rule == "default"


def test_a_connection_cut_at_any_byte_is_replaced(service: Running) -> None:
    with Relay(service.data.address, cut_after=1) as relay:
        for cut_after in [*range(1, 60), *range(60, 400, 17)]:
            relay.cut_after = cut_after
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(relay.address, options) as channel:
                ask = InterceptionServiceStub(channel).Decide
                assert refused(lambda ask=ask: ask(call(5), timeout=20))[0] == "UNAVAILABLE"
        relay.cut_after = None
        with grpc.insecure_channel(relay.address) as channel:
            assert InterceptionServiceStub(channel).Decide(call(6), timeout=20).rule == "default"


def test_the_same_channel_finds_back_after_a_cut(service: Running) -> None:
    options = [("grpc.initial_reconnect_backoff_ms", 10), ("grpc.min_reconnect_backoff_ms", 10)]
    with Relay(service.data.address) as relay, grpc.insecure_channel(relay.address, options) as channel:
        stub = InterceptionServiceStub(channel)
        assert stub.Decide(call(7), timeout=20).rule == "default"
        noticed = threading.Event()
        channel.subscribe(lambda state: state is grpc.ChannelConnectivity.READY or noticed.set())
        relay.cut()
        assert noticed.wait(20)
        assert stub.Decide(call(8), timeout=20, wait_for_ready=True).rule == "default"
        assert relay.accepted == 2
