"""One long DecideStream that calls asked at the same time share, each under an id of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import count
from queue import SimpleQueue

import grpc

from interceptor.client.answer import Cause
from interceptor.client.undecided import Undecided, of_call, of_message
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub

Decision = Future[pb.DecideResponse]


class Stream:
    """Open until it breaks or is ended; every question that waits then fails with Undecided."""

    def __init__(self, service: InterceptionServiceStub) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, Decision] = {}
        self._ids = count(1)
        self._ended: Undecided | None = None
        self._questions: SimpleQueue[pb.DecideStreamRequest | None] = SimpleQueue()
        self._call = service.DecideStream(self._worth_asking())
        self._reader = threading.Thread(target=self._read, name="interceptor-stream", daemon=True)
        self._reader.start()

    @property
    def ended(self) -> bool:
        return self._ended is not None

    def ask(self, request: pb.DecideRequest, seconds: float) -> Decision:
        """The decision to come, or Undecided. Who does not want it any more cancels it."""
        decision: Decision = Future()
        with self._lock:
            if self._ended is not None:
                raise self._ended.again()
            number = next(self._ids)
            self._waiting[number] = decision
        decision.add_done_callback(lambda _: self._waiting.pop(number, None))
        self._questions.put(
            pb.DecideStreamRequest(id=number, deadline_ms=max(1, int(seconds * 1000)), call=request)
        )
        return decision

    def end(self) -> None:
        """Breaks it off, and waits until its threads are out of gRPC."""
        self._call.cancel()
        self._reader.join()

    def _worth_asking(self) -> Iterator[pb.DecideStreamRequest]:
        """What is still waited for: a service that was stuck need not decide calls whose time is up."""
        while (question := self._questions.get()) is not None:
            if question.id in self._waiting:
                yield question

    def _read(self) -> None:
        try:
            for response in self._call:
                self._settle(response)
            ended = Undecided(Cause.UNAVAILABLE, "the service ended the stream")
        except grpc.RpcError as error:
            ended = of_call(error)
        with self._lock:
            self._ended = ended
            left = list(self._waiting.values())
        for decision in left:
            fail(decision, ended.again())
        self._questions.put(None)

    def _settle(self, response: pb.DecideStreamResponse) -> None:
        decision = self._waiting.get(response.id)
        if decision is None:  # nobody waits for it any more
            return
        if response.WhichOneof("result") == "decision":
            if decision.set_running_or_notify_cancel():
                decision.set_result(response.decision)
        else:
            fail(decision, of_message(response.error))


def fail(decision: Decision, why: Undecided) -> None:
    """Ends it without a decision, unless it has been cancelled."""
    if decision.set_running_or_notify_cancel():
        decision.set_exception(why)
