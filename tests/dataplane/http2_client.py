"""A gRPC client for tests of HTTP/2: the `h2` package, in memory, opposite a session of the data plane."""

import struct
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings

from interceptor.dataplane.http2probe import SessionProbe

DECIDE = "/interceptor.v1.InterceptionService/Decide"
DECIDE_STREAM = "/interceptor.v1.InterceptionService/DecideStream"
REPORT_CALL = "/interceptor.v1.InterceptionService/ReportCall"
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"

Fields = list[tuple[str, str]]


def headers(path: str = DECIDE, **others: str | None) -> Fields:
    """A request's header list. ``grpc_timeout="1S"`` adds or replaces a field, None leaves it out; ``_method`` too."""
    fields: dict[str, str] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "test",
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "test/1",
    }
    for name, value in others.items():
        name = name.replace("_", "-") if not name.startswith("_") else ":" + name[1:]
        if value is None:
            del fields[name]
        else:
            fields[name] = value
    return list(fields.items())


def framed(*messages: bytes, flag: int = 0) -> bytes:
    """Messages with gRPC's prefix."""
    return b"".join(struct.pack(">BI", flag, len(message)) + message for message in messages)


@dataclass
class Heard:
    """What came back on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    data_frames: int = 0
    ended: bool = False
    reset: int | None = None

    @property
    def messages(self) -> list[bytes]:
        taken, left = [], self.data
        while left:
            flag, length = struct.unpack(">BI", left[:5])
            assert flag == 0 and len(left) >= 5 + length
            taken.append(left[5 : 5 + length])
            left = left[5 + length :]
        return taken

    @property
    def status(self) -> int | None:
        """The gRPC status; None: there is none (yet)."""
        said = self.trailers.get("grpc-status", self.headers.get("grpc-status"))
        return None if said is None else int(said)

    @property
    def text(self) -> str | None:
        return self.trailers.get("grpc-message", self.headers.get("grpc-message"))


class Client:
    """One connection. What it says is heard at once, in pieces of `piece` bytes.

    Parameters
    ----------
    acknowledge : bool
        Whether it takes what the server says during the handshake; otherwise its SETTINGS stay unacknowledged.
    take : bool
        Whether it lets the server send more DATA on a stream for what it received on it.
    bounds : int
        The session's.
    """

    def __init__(
        self, *, piece: int = 1 << 30, acknowledge: bool = True, take: bool = True, **bounds: int
    ) -> None:
        self.probe = SessionProbe(**bounds)
        self.piece = piece
        self.take = take
        self.now = 1
        self.waited = 0  #: nanoseconds that what it says waits before it is read
        self.speaking = 1  #: connections that have something to say when it is
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.heard: dict[int, Heard] = {}
        self.goaways: list[h2.events.ConnectionTerminated] = []
        self.h2.initiate_connection()
        self.say()
        if acknowledge:
            self.hear()
            self.say()

    def say(self, data: bytes | None = None) -> int:
        """Sends `data`, or what `h2` has to send. Returns what `receive` did."""
        data = self.h2.data_to_send() if data is None else data
        status = 0
        for at in range(0, len(data), self.piece):
            status = self.probe.receive(
                data[at : at + self.piece], self.now, self.now + self.waited, self.speaking
            )
        return status

    def open(self, path: str = DECIDE, *, end: bool = False, **others: str | None) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers(path, **others), end_stream=end)
        self.heard[stream] = Heard()
        self.say()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> int:
        """Puts bytes on a stream, as the server's windows let it, until the server resets it."""
        while len(data) > (
            room := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
        ):
            assert room, "the server leaves no window"
            self.h2.send_data(stream, data[:room])
            data = data[room:]
            self.say()
            self.hear()
            if self.heard[stream].reset is not None:
                return 0
        self.h2.send_data(stream, data, end_stream=end)
        return self.say()

    def ask(self, *messages: bytes, path: str = DECIDE, **others: str | None) -> int:
        """Opens a stream and ends it behind the messages."""
        stream = self.open(path, **others)
        self.send(stream, framed(*messages), end=True)
        return stream

    def echo(self) -> None:
        """Every request that waits is answered with its own bytes."""
        for handle, _, message, _ in self.probe.requests():
            self.probe.reply(handle, message)

    def hear(self) -> None:
        for event in self.h2.receive_data(self.probe.output()):
            if isinstance(event, h2.events.ConnectionTerminated):
                self.goaways.append(event)
            stream = getattr(event, "stream_id", None)
            if not stream:
                continue
            heard = self.heard.setdefault(stream, Heard())
            if isinstance(event, h2.events.ResponseReceived):
                heard.headers = dict(event.headers)
            elif isinstance(event, h2.events.TrailersReceived):
                heard.trailers = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                heard.data += event.data
                heard.data_frames += 1
                if self.take:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
                else:
                    self.h2.increment_flow_control_window(event.flow_controlled_length)
            elif isinstance(event, h2.events.StreamEnded):
                heard.ended = True
            elif isinstance(event, h2.events.StreamReset):
                heard.reset = int(event.error_code)

    def answer(self, stream: int) -> Heard:
        """What is heard on a stream once everything that waits is echoed."""
        self.echo()
        self.hear()
        self.say()
        return self.heard[stream]
