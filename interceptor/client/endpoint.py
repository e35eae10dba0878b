"""One service as one process sees it: its channel, its stream, and whether it is worth asking."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc

from interceptor.client.answer import Cause
from interceptor.client.breaker import Breaker
from interceptor.client.channel import Dialler
from interceptor.client.gate import Gate
from interceptor.client.stream import Decision, Stream
from interceptor.client.undecided import Undecided, of_call
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub

HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}; the request, about all services, is empty
PROBE_S = 1.0  #: how long a health check may take
PAUSE_S = 0.2  #: between two of them


class Endpoint:
    """All methods may be called from any thread. What is asked raises, or ends with, Undecided alone."""

    def __init__(
        self, target: str, dialler: Dialler, gate: Gate, breaker: Breaker, *, streaming: bool
    ) -> None:
        self.target = target
        self.breaker = breaker
        self._dialler = dialler
        self._gate = gate
        self._streaming = streaming
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._service: InterceptionServiceStub | None = None
        self._stream: Stream | None = None
        self._under_way: set[Any] = set()  # calls of gRPC that nobody's thread is in
        self._closed = threading.Event()
        self._watched = False

    @property
    def streams(self) -> bool:
        """Whether a stream is open, and has threads inside gRPC."""
        return self._stream is not None and not self._stream.ended

    def worth_asking(self) -> bool:
        """False: it failed a moment ago. From then on this process watches it as well as the one that found out, which
        may be gone."""
        if not self.breaker.open:
            return True
        self._be_watched()
        return False

    def decide(self, request: pb.DecideRequest, seconds: float) -> pb.DecideResponse:
        """Asks, and waits for the decision."""
        if self._streaming:
            decision = self.begin(request, seconds)
            try:
                return decision.result(seconds)
            except TimeoutError:
                decision.cancel()
                raise Undecided(Cause.DEADLINE, f"no answer within {seconds * 1000:.0f} ms") from None
        self._enter(seconds)
        try:
            response: pb.DecideResponse = self._reached().Decide(request, timeout=seconds)
            return response
        except grpc.RpcError as error:
            raise of_call(error) from None
        except ValueError as hung_up:  # how grpcio says that another thread has closed the channel
            raise Undecided(Cause.CLOSED, str(hung_up)) from None
        finally:
            self._gate.leave()

    def begin(self, request: pb.DecideRequest, seconds: float) -> Decision:
        """Asks, and returns the decision to come; cancelling that cancels the question."""
        if not self._streaming:
            return self.send("Decide", request, seconds)
        return self._inside(seconds, lambda: self._shared(request, seconds))

    def send(self, method: str, request: Any, seconds: float) -> Future[Any]:
        """Calls a unary method, and returns its answer to come."""
        return self._inside(seconds, lambda: self._alone(getattr(self._reached(), method), request, seconds))

    def failed(self) -> None:
        """It gave no answer. After several in a row it is watched from a thread, until it is well again."""
        if self.breaker.failed():
            self._be_watched()

    def healthy(self, seconds: float) -> bool:
        """Whether it says within that time that it is serving; connects if need be."""
        try:
            check = self._inside(
                seconds, lambda: self._alone(self._health(), b"", seconds, wait_for_ready=True)
            )
            return bool(check.result() == SERVING)
        except Undecided:
            return False

    def break_off(self) -> None:
        """Ends the stream, reports and health checks that are under way; what waits there is undecided."""
        stream = self._stream
        if stream is not None:
            stream.end()
        for call in list(self._under_way):
            call.cancel()

    def close(self) -> None:
        """Hangs up for good: nothing is asked or watched any more."""
        self._closed.set()
        self.break_off()
        with self._lock:
            channel, self._channel, self._service = self._channel, None, None
        if channel is not None:
            channel.close()

    def _be_watched(self) -> None:
        with self._lock:
            begins, self._watched = not self._watched, True
        if begins:
            threading.Thread(target=self._watch, name="interceptor-watch", daemon=True).start()

    def _watch(self) -> None:
        self.break_off()  # who still waits there would wait in vain
        while self.breaker.open:  # until a health check is good, ours or another process's
            if self.healthy(PROBE_S):
                self.breaker.restored()
            elif self._closed.wait(PAUSE_S):
                break
        with self._lock:
            self._watched = False

    def _inside(self, seconds: float, ask: Callable[[], Future[Any]]) -> Future[Any]:
        self._enter(seconds)
        try:
            answer = ask()
        except ValueError as hung_up:
            self._gate.leave()
            raise Undecided(Cause.CLOSED, str(hung_up)) from None
        except BaseException:
            self._gate.leave()
            raise
        answer.add_done_callback(lambda _: self._gate.leave())
        return answer

    def _enter(self, seconds: float) -> None:
        if not self._gate.enter(seconds):
            raise Undecided(Cause.FORKING, "this process was forking")

    def _alone(self, method: Any, request: Any, seconds: float, **how: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        call = method.future(request, timeout=seconds, **how)
        self._under_way.add(call)

        def ended(_: object) -> None:
            self._under_way.discard(call)
            settle(answer, call)

        answer.add_done_callback(lambda _: call.cancel() if answer.cancelled() else None)
        call.add_done_callback(ended)
        return answer

    def _shared(self, request: pb.DecideRequest, seconds: float) -> Decision:
        service = self._reached()
        with self._lock:
            if self._stream is None or self._stream.ended:
                self._stream = Stream(service)
            stream = self._stream
        return stream.ask(request, seconds)

    def _reached(self) -> InterceptionServiceStub:
        """The service's stub, on a channel of this process."""
        with self._lock:
            if self._closed.is_set():
                raise Undecided(Cause.CLOSED, "the client is closed")
            if self._service is None:
                self._channel = self._dialler.dial(self.target)
                self._service = InterceptionServiceStub(self._channel)  # type: ignore[no-untyped-call]
            return self._service

    def _health(self) -> Any:
        self._reached()
        channel = self._channel
        if channel is None:  # closed meanwhile
            raise Undecided(Cause.CLOSED, "the client is closed")
        return channel.unary_unary(HEALTH)  # type: ignore[call-arg]  # a gap of its stubs


def settle(answer: Future[Any], call: Any) -> None:
    """Hands over what a call came to, unless nobody wants it any more."""
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(call.result())
    except grpc.RpcError as error:
        answer.set_exception(of_call(error))
    except grpc.FutureCancelledError:
        answer.set_exception(Undecided(Cause.UNAVAILABLE, "the connection was closed"))
