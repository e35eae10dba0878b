"""A service that stops, starts again and reloads under its clients: no call in flight is lost."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from resource import RLIMIT_NICE, getrlimit

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub
from interop.calls import Turns, call, messages
from service.operating import becomes
from service.running import LIST, POLICY, Running, write_policy

SERVING, NOT_SERVING = 1, 2
#: at once, and not after the second that grpcio waits by default
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 100)]


def niceness(process: int) -> set[int]:
    """Of its threads."""
    found = set()
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(ProcessLookupError):
            found.add(os.getpriority(os.PRIO_PROCESS, int(thread.name)))
    return found


def test_an_open_stream_is_answered_to_its_end_while_the_service_stops(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    service = start(write_policy(tmp_path), "--listen", "127.0.0.1:0", "--grace", "20")
    with grpc.insecure_channel(service.data.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert next(watch).status == SERVING
        turns = Turns()
        stream = InterceptionServiceStub(channel).DecideStream(iter(turns), timeout=30)
        turns.say(*messages(0, 10))
        assert [next(stream).id for _ in range(10)] == list(range(10))
        service.signal(signal.SIGTERM)
        assert next(watch).status == NOT_SERVING
        turns.say(*messages(100, 10))
        assert [next(stream).id for _ in range(10)] == list(range(10))
        turns.end()
        assert list(stream) == []
        assert service.stop() == 0


def test_a_stop_does_not_wait_for_a_stream_beyond_its_grace(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    service = start(write_policy(tmp_path), "--listen", "127.0.0.1:0", "--grace", "0.5")
    with grpc.insecure_channel(service.data.address) as channel:
        turns = Turns()
        stream = InterceptionServiceStub(channel).DecideStream(iter(turns), timeout=30)
        turns.say(*messages(0, 1))
        assert next(stream).decision.rule == "default"
        assert service.stop() == 0
        turns.end()


@pytest.mark.skipif(
    os.geteuid() != 0 and getrlimit(RLIMIT_NICE)[0] < 20, reason="who stepped back may not step forward here"
)
def test_threads_that_stepped_back_behind_the_calls_hold_up_no_stop(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    """Each of them is waited for: at nice 19, beside busy neighbours, for seconds."""
    service = start(write_policy(tmp_path), "--grace", "60")
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    with grpc.insecure_channel(service.data.address) as channel:
        turns = Turns()
        stream = InterceptionServiceStub(channel).DecideStream(iter(turns), timeout=120)
        turns.say(*messages(0, 1))
        assert next(stream).decision.rule == "default"
        assert {ours, 19} <= niceness(service.process.pid)
        service.signal(signal.SIGTERM)
        becomes(lambda: niceness(service.process.pid) == {ours})
        turns.end()
        assert list(stream) == []
        assert service.stop() == 0


def test_a_channel_finds_the_service_that_was_started_again(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    policy = write_policy(tmp_path)
    address = f"unix:{tmp_path}/data.sock"
    first = start(policy, "--listen", address)
    with grpc.insecure_channel(address, RECONNECT) as channel:
        stub = InterceptionServiceStub(channel)
        assert stub.Decide(call(1), timeout=20).rule == "default"
        assert first.stop() == 0
        start(policy, "--listen", address)
        assert stub.Decide(call(2), timeout=20, wait_for_ready=True).rule == "default"


def test_reloads_under_load_lose_nothing(start: Callable[..., Running], tmp_path: Path) -> None:
    policy = write_policy(tmp_path)
    service = start(policy, "--listen", "127.0.0.1:0")
    stopped = threading.Event()
    asked = answered = 0
    refusals: list[str] = []

    def ask_singly() -> None:
        nonlocal answered
        with grpc.insecure_channel(service.data.address) as channel:
            stub = InterceptionServiceStub(channel)
            number = 0
            while not stopped.is_set():
                futures = [stub.Decide.future(call(number + i), timeout=20) for i in range(20)]
                number += 20
                for future in futures:
                    try:
                        answered += future.result().verdict == pb.VERDICT_PASS
                    except grpc.RpcError as error:
                        refusals.append(f"{error}")

    asking = threading.Thread(target=ask_singly)
    asking.start()
    try:
        with grpc.insecure_channel(service.data.address) as channel:
            turns = Turns()
            stream = InterceptionServiceStub(channel).DecideStream(iter(turns), timeout=60)
            for revision in range(5):
                turns.say(*messages(100_000 + 1000 * revision, 1000))
                newer = LIST + f"+86138111{revision:05},credit-record,police,\n"
                write_policy(tmp_path, POLICY + f"# {revision}\n", newer)
                service.reload()
                turns.say(*messages(200_000 + 1000 * revision, 1000))
                asked += 2000
            turns.end()
            answers = list(stream)
    finally:
        stopped.set()
        asking.join()
    assert len(answers) == asked
    assert {answer.decision.verdict for answer in answers} == {pb.VERDICT_PASS}
    assert refusals == []
    assert answered > 100
    assert len({answer.decision.policy_revision for answer in answers}) > 1
