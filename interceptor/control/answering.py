"""How a method of AdminService is answered: read, admitted, run, and whatever goes wrong told as a status.

What stands behind a method is plain Python: a request and a caller go in, a response comes out, an error says what was
wrong. This is the only place that knows how gRPC wants it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

import grpc
from google.protobuf.message import Message

from interceptor.control.authorising import Gate
from interceptor.control.border import LARGEST_CALL, Unreadable
from interceptor.control.reading import reader
from interceptor.control.refusing import Refusal, refusal, turn_down
from interceptor.runtime.tally import Tally

SEATS = 8  # requests that may take long, at once: each holds a thread of the server
PATIENCE = 60.0  # seconds that a stream may stand still before it is ended

written = methodcaller("SerializeToString")


@dataclass(frozen=True)
class Method:
    """What answers one method of AdminService.

    Parameters
    ----------
    answer
        ``answer(request, caller)`` gives the response; of a method that streams, an iterator of responses. Of
        ImportList, ``answer(requests, caller, line)``.
    request
        Kind of message that is asked with.
    most
        Bytes of one request.
    long
        It may take seconds or more: only so many of these at once.
    read
        Reads the request, where `reading.reader` does not.
    """

    answer: Callable[..., Any]
    request: type[Message]
    most: int = LARGEST_CALL
    long: bool = False
    read: Callable[[bytes], Any] | None = None


class Line:
    """The connection a stream goes over: whether somebody is still there, and that he is not waited for without end."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context
        self._moved = time.monotonic()
        self._over = threading.Event()
        if not context.add_callback(self._over.set):
            self._over.set()

    @property
    def cut(self) -> bool:
        """Whether the client has gone, or was sent away."""
        return self._over.is_set()

    def moved(self) -> None:
        """Something came, or was taken."""
        self._moved = time.monotonic()

    def watch(self) -> None:
        """Ends the stream once it has stood still for too long; returns when it has ended."""
        while not self._over.wait(1.0):
            if time.monotonic() - self._moved > PATIENCE:
                self._context.cancel()  # type: ignore[no-untyped-call]  # a gap of its stubs
                return


class Answering:
    """Makes gRPC's handlers of methods."""

    def __init__(self, gate: Gate, tally: Tally) -> None:
        self._gate = gate
        self._tally = tally
        self._seats = threading.BoundedSemaphore(SEATS)

    def handlers(self, service: Any, methods: Mapping[str, Method]) -> "grpc.GenericRpcHandler[Any, Any]":
        """The handlers of `service`, a descriptor all of whose methods are in `methods`."""
        return grpc.method_handlers_generic_handler(
            service.full_name,
            {each.name: self._handler(each, methods[each.name]) for each in service.methods},
        )

    def _handler(self, described: Any, method: Method) -> "grpc.RpcMethodHandler[Any, Any]":
        read = method.read or reader(method.request, method.most)
        if described.client_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._exchanging(described.name, method), read, written
            )
        if described.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(described.name, method), read, written
            )
        return grpc.unary_unary_rpc_method_handler(self._answering(described.name, method), read, written)

    def _answering(self, name: str, method: Method) -> Callable[..., Message]:
        def answer(request: Any, context: grpc.ServicerContext) -> Message:
            with self._told(context):
                caller = self._gate.admit(name, context)
                readable(request)
                with self._seated(method):
                    response: Message = method.answer(request, caller)
                return response

        return answer

    def _streaming(self, name: str, method: Method) -> Callable[..., Iterator[Message]]:
        def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
            with self._told(context):
                caller = self._gate.admit(name, context)
                readable(request)
                with self._seated(method), watched(context) as line:
                    for response in method.answer(request, caller):
                        yield response
                        line.moved()

        return answer

    def _exchanging(self, name: str, method: Method) -> Callable[..., Iterator[Message]]:
        def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Message]:
            with self._told(context):
                caller = self._gate.admit(name, context)
                with self._seated(method), watched(context) as line:
                    for response in method.answer(arriving(requests, line), caller, line):
                        line.moved()
                        yield response
                        line.moved()

        return answer

    @contextmanager
    def _seated(self, method: Method) -> Iterator[None]:
        if not method.long:
            yield
            return
        if not self._seats.acquire(blocking=False):
            raise Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{SEATS} long requests (imports, exports, undoing ...) are under way: ask again when one has ended",
            )
        try:
            yield
        finally:
            self._seats.release()

    @contextmanager
    def _told(self, context: grpc.ServicerContext) -> Iterator[None]:
        """An error that is the caller's to know ends the request with its status."""
        try:
            yield
        except Exception as error:
            told = refusal(error)
            if told is None:
                raise
            turn_down(context, self._tally, told)


def readable(request: Any) -> None:
    """Raises Refusal when what came is no request."""
    if isinstance(request, Unreadable):
        code = grpc.StatusCode.RESOURCE_EXHAUSTED if request.too_large else grpc.StatusCode.INVALID_ARGUMENT
        raise Refusal(code, request.message)


def arriving(requests: Iterator[Any], line: Line) -> Iterator[Any]:
    """The messages of a stream as they come."""
    for request in requests:
        line.moved()
        readable(request)
        yield request


@contextmanager
def watched(context: grpc.ServicerContext) -> Iterator[Line]:
    """The connection, with an eye on it."""
    line = Line(context)
    threading.Thread(target=line.watch, name="line", daemon=True).start()
    yield line
