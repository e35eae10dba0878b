"""Switches that go on asking while the service below them changes, and whose every call is accounted for."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event, Semaphore, Thread
from threading import enumerate as threads

import grpc

from interceptor.pb.v1 import entities_pb2, interception_pb2_grpc
from interceptor.pb.v1 import interception_pb2 as pb
from service.running import Front, Running, write_policy

POLICY = """\
version: 1
trunks:
  default: {region: CN}
lists:
  fraud: {kind: number}
  noisy: {kind: number}
guard: {share: 1}
entities: {caller: 20000}
counters:
  calls: {count: call, per: caller, window: 24h}
  people: {distinct: callee, per: caller, window: 24h}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
  - {id: noisy, when: call.user_agent.startsWith("friendly"), verdict: warn, class: analytics, reason: scanner,
     add_to: {list: noisy, key: caller, for: 1h}}
default: pass
"""
CALLEES = 40
PATIENCE = 30.0
PAUSE = 0.004


def policy_in(directory: Path) -> Path:
    return write_policy(directory, POLICY)


class Asking(Thread):
    """One switch, whose calls come from a number of its own."""

    def __init__(self, address: str, number: int, identity: grpc.ChannelCredentials | None = None) -> None:
        super().__init__(daemon=True)
        self.address = address
        self._identity = identity
        self.caller = f"+86138001380{number:02d}"
        self.asked = 0
        self.failed: list[str] = []
        self.slowest = 0.0
        self._hung_up = Event()
        self._given_up = False
        self.start()

    def give_up(self) -> None:
        """Asks no more, whatever is not answered: the test has failed."""
        self._given_up = True
        self._hung_up.set()

    def hang_up(self) -> None:
        self._hung_up.set()
        self.join(PATIENCE)
        assert not self.is_alive()

    def call(self, n: int) -> pb.DecideRequest:
        return pb.DecideRequest(
            call_id=f"{self.caller}-{n}", caller=self.caller, callee=f"+861390013{n % CALLEES:04d}"
        )

    def channel(self) -> grpc.Channel:
        # Several channels of one process share a connection unless they are told not to.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self._identity is None:
            return grpc.insecure_channel(self.address, options)
        return grpc.secure_channel(self.address, self._identity, options)


class OneByOne(Asking):
    """Asks over one channel, which goes to a new connection when it is told to."""

    def run(self) -> None:
        with self.channel() as channel:
            while not self._hung_up.wait(PAUSE):
                self.ask(channel)

    def ask(self, channel: grpc.Channel) -> None:
        begun = time.monotonic()
        try:
            interception_pb2_grpc.InterceptionServiceStub(channel).Decide(
                self.call(self.asked), timeout=PATIENCE
            )
        except grpc.RpcError as error:
            self.failed.append(f"{error.code()}: {error.details()}")
        self.asked += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)


class Anew(OneByOne):
    """Connects for each call: none may be refused."""

    def run(self) -> None:
        while not self._hung_up.wait(5 * PAUSE):
            with self.channel() as channel:
                self.ask(channel)


class Streaming(Asking):
    """Asks over a stream, and on a new one again what the last left unanswered."""

    def run(self) -> None:
        self.answered: set[int] = set()
        self.streams = 0
        while not self._given_up and (not self._hung_up.is_set() or len(self.answered) < self.asked):
            self.streams += 1
            with self.channel() as channel:
                try:
                    self._ask(channel)
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.UNAVAILABLE:
                        self.failed.append(f"{error.code()}: {error.details()}")

    def _ask(self, channel: grpc.Channel) -> None:
        over, room = Event(), Semaphore(16)

        def calls() -> Iterator[pb.DecideStreamRequest]:
            for n in [n for n in range(self.asked) if n not in self.answered]:
                yield pb.DecideStreamRequest(id=n, call=self.call(n))
            while not over.is_set() and not self._hung_up.wait(PAUSE):
                if room.acquire(timeout=PAUSE):
                    n, self.asked = self.asked, self.asked + 1
                    yield pb.DecideStreamRequest(id=n, call=self.call(n))

        try:
            for answer in interception_pb2_grpc.InterceptionServiceStub(channel).DecideStream(calls()):
                self.answered.add(answer.id)
                room.release()
        finally:
            over.set()


def switches(front: Front, identity: grpc.ChannelCredentials | None = None) -> list[Asking]:
    """Some of each kind."""
    kinds = (OneByOne, OneByOne, Anew, Streaming)
    asking = [kind(front.address, number, identity) for number, kind in zip(count(), kinds, strict=False)]
    for each in asking:
        while each.asked < 3:
            time.sleep(0.01)
    return asking


def silence() -> None:
    """Nobody asks on behind a test that has failed: that would keep a core from the next ones."""
    for each in threads():
        if isinstance(each, Asking):
            each.give_up()


def counted(service: Running, caller: str) -> dict[str, int]:
    """The counters of a caller, by name."""
    found = service.admin("ShowEntity", entities_pb2.ShowEntityRequest(key=[caller], kind="caller"))
    return {counter.name: counter.value for each in found.entities for counter in each.counters}


def check(service: Running, asking: list[Asking]) -> None:
    """They hang up, and every call was answered, and counted once."""
    for each in asking:
        each.hang_up()
    failed = {each.caller: each.failed for each in asking if each.failed}
    assert not failed, failed
    told = {each.caller: counted(service, each.caller) for each in asking}
    asked = {each.caller: each.asked for each in asking}
    assert {caller: values["calls"] for caller, values in told.items()} == asked, (told, asked)
    # beyond 16 it is an estimate, in a sketch that both processes have used
    assert all(abs(values["people"] - CALLEES) <= 4 for values in told.values()), told
