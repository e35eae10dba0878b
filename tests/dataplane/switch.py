"""A switch's end of one connection, frame by frame: what a client library would never do can be done with it."""

import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Self, TypeVar

import h2.config
import h2.connection
import h2.events

Found = TypeVar("Found")

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
GOAWAY = 7  #: a frame's type
TIMEOUT = 30  #: seconds after which a test has failed, however slow the machine


class Switch:
    """A connection with its preface sent. Messages are raw protobuf, an empty one by default."""

    def __init__(self, address: str, *, buffer: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.socket = connect(address, buffer)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.http = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self.http.initiate_connection()
        self.events: list[h2.events.Event] = []
        self.goaways: list[int] = []  #: the last stream's number of every GOAWAY
        self.ended = False
        self._unread = b""
        self.send()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def begin(
        self,
        path: str = CHECK,
        message: bytes | None = b"",
        *,
        end: bool = True,
        more: Iterable[tuple[str, str]] = (),
    ) -> int:
        """Puts a request among what is to be sent. Returns its stream."""
        stream = self.http.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *more,
        ]
        self.http.send_headers(stream, headers)
        if message is not None:
            self.http.send_data(stream, b"\0" + len(message).to_bytes(4) + message, end_stream=end)
        return stream

    def ask(self, path: str = CHECK, message: bytes = b"") -> bytes:
        """Asks and waits: the reply's message. AssertionError when the call ends in an error."""
        stream = self.begin(path, message)
        self.send()
        trailers = self.until(lambda: self.trailers(stream))
        assert trailers["grpc-status"] == "0", trailers
        return self.data(stream)[5:]

    def read(self) -> bool:
        """Takes what comes next. False: the other side has closed."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self._unread += data
        while len(self._unread) >= 9 + (length := int.from_bytes(self._unread[:3])):
            frame, self._unread = self._unread[: 9 + length], self._unread[9 + length :]
            if frame[3] == GOAWAY:  # h2 would hear nothing after the first
                self.goaways.append(int.from_bytes(frame[9:13]))
            else:
                self.events += self.http.receive_data(frame)
        for event in self.events:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                event.flow_controlled_length = 0
        if not self.ended:
            self.send()
        return True

    def until(self, look: Callable[[], Found | None]) -> Found:
        """Reads on until `look` finds something. AssertionError when the connection ends before."""
        while (found := look()) is None:
            assert self.read(), f"the connection ended; heard {self.events}"
        return found

    def until_closed(self) -> None:
        while self.read():
            pass

    def trailers(self, stream: int) -> dict[str, str] | None:
        """What ended the stream, once it has ended; of a reset one ``{"reset": code}``."""
        for event in self.events:
            if isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                return {"reset": str(int(event.error_code))}
            if isinstance(event, h2.events.TrailersReceived) and event.stream_id == stream:
                return dict(event.headers)
            if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                headers = dict(event.headers)
                if "grpc-status" in headers:
                    return headers
        return None

    def data(self, stream: int) -> bytes:
        """What the stream has brought so far."""
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream
        )


def connect(address: str, buffer: int | None = None) -> socket.socket:
    """A bare socket. buffer: bytes the kernel takes for us before it makes the other side wait."""
    if address.startswith("unix:"):
        one = socket.socket(socket.AF_UNIX)
        target: str | tuple[str, int] = address.removeprefix("unix:")
    else:
        host, _, port = address.rpartition(":")
        one = socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET)
        target = (host.strip("[]"), int(port))
    one.settimeout(TIMEOUT)
    if buffer is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    try:
        one.connect(target)
    except OSError:
        one.close()
        raise
    return one
