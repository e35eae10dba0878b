"""Servers that do what a test asks of them: one on grpcio, and one that writes its frames by hand."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np

from interceptor.loadtest.requests import Requests
from interceptor.pb.v1 import interception_pb2 as pb

PASS = pb.DecideResponse(verdict=pb.VERDICT_PASS, rule="default")


def requests_of(calls: list[dict[str, Any]], expected: list[int] | None = None, **settings: Any) -> Requests:
    """The calls, encoded."""
    messages = [pb.DecideRequest(**call).SerializeToString() for call in calls]
    offsets = np.cumsum([0, *map(len, messages)])
    return Requests(
        b"".join(messages), offsets, None if expected is None else np.array(expected, np.uint8), **settings
    )


class Grpcio:
    """A server on grpcio that answers as `decide` does, and remembers what it was asked.

    `decide` may raise Refusal. `streamed` gets the messages of a stream as they come.
    """

    def __init__(
        self,
        decide: Callable[[pb.DecideRequest], pb.DecideResponse] = lambda _: PASS,
        streamed: Callable[[Iterator[pb.DecideStreamRequest]], Iterator[pb.DecideStreamResponse]]
        | None = None,
        *options: tuple[str, int],
        listen: str = "127.0.0.1:0",
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.asked: list[pb.DecideRequest] = []
        self.remaining: list[float | None] = []  #: seconds a call had left when it came
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self._decide, self._streamed = decide, streamed
        self._server = grpc.server(ThreadPoolExecutor(16), options=list(options))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "interceptor.v1.InterceptionService",
                    {
                        "Decide": grpc.unary_unary_rpc_method_handler(
                            self._answer, pb.DecideRequest.FromString, pb.DecideResponse.SerializeToString
                        ),
                        "DecideStream": grpc.stream_stream_rpc_method_handler(
                            lambda messages, _: self._streamed(messages) if self._streamed else iter(()),
                            pb.DecideStreamRequest.FromString,
                            pb.DecideStreamResponse.SerializeToString,
                        ),
                    },
                ),
            )
        )
        if credentials is None:
            port = self._server.add_insecure_port(listen)
        else:
            port = self._server.add_secure_port(listen, credentials)
        self.address = listen if listen.startswith("unix:") else listen.removesuffix("0") + str(port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def _answer(self, call: pb.DecideRequest, context: grpc.ServicerContext) -> pb.DecideResponse:
        with self._lock:
            self.asked.append(call)
            self.remaining.append(context.time_remaining())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._decide(call)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.message)
        finally:
            with self._lock:
                self._at_once -= 1
        raise AssertionError("abort raises")


class Refusal(Exception):
    """An answer that is not OK."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        self.code, self.message = code, message


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113 section 4.1."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
OK_HEADERS = b"\x88"  # :status 200 (RFC 7541 appendix A)


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that enters no table (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def message(body: bytes) -> bytes:
    return b"\0" + len(body).to_bytes(4) + body


def answer(stream: int, body: bytes = PASS.SerializeToString(), status: bytes = b"0") -> bytes:
    """A whole unary answer."""
    return (
        frame(HEADERS, END_HEADERS, stream, OK_HEADERS)
        + frame(DATA, 0, stream, message(body))
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, literal(b"grpc-status", status))
    )


class Scripted:
    """A server that opens with `hello` and answers what it reads with the bytes of `reply(kind, stream, payload)`.

    `reply` is asked for every DATA frame; what it returns is written in pieces of `piece` bytes; None: it hangs up.
    """

    def __init__(
        self,
        reply: Callable[[int, int, bytes], bytes | None],
        hello: bytes = frame(SETTINGS, 0, 0),
        piece: int = 1 << 20,
    ) -> None:
        self._reply, self._hello, self._piece = reply, hello, piece
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self.connections:
            connection.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as incoming:
            try:
                connection.sendall(self._hello)
                incoming.read(24)  # the preface
                while head := incoming.read(9):
                    payload = incoming.read(int.from_bytes(head[:3]))
                    kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
                    said: bytes | None = b""
                    if kind == SETTINGS and not flags & ACK:
                        said = frame(SETTINGS, ACK, 0)
                    elif kind == DATA:
                        said = self._reply(kind, stream, payload)
                    if said is None:
                        return
                    for at in range(0, len(said), self._piece):
                        connection.sendall(said[at : at + self._piece])
            except (OSError, ValueError):
                return


def soon(true: Callable[[], bool], timeout: float = 20) -> bool:
    """Waits until something is true."""
    end = time.monotonic() + timeout
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    return true()
