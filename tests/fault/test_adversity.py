"""Clients that are slow, rude or hostile: each costs itself, nobody beside it notices, and what it took comes back."""

import random
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dataplane.raw import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    OPENING,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    fields,
    frame,
    kinds,
    message,
    request,
)
from dataplane.switch import CHECK, TIMEOUT, WATCH, Switch, connect
from fault.plane import DECIDE, DECIDE_STREAM, LISTED_CALL, Neighbour, Plane, eventually
from interceptor.pb.v1 import interception_pb2 as pb
from service.certificates import Authority, needs_openssl

MIB = 1 << 20
Scale = Callable[[int, int], int]

UNARY = frame(HEADERS, END_HEADERS, 1, request(DECIDE)) + frame(DATA, END_STREAM, 1, message(LISTED_CALL))
#: bytes of memory the allocators of a process may keep of what it has given back
KEPT = 6 * MIB


@pytest.fixture(scope="module")
def shared() -> Iterator[Plane]:
    """A data plane that one test after the other mistreats."""
    with Plane(stall_s=0.5) as plane:
        yield plane


@pytest.fixture
def plane(shared: Plane) -> Iterator[Plane]:
    with undisturbed(shared):
        yield shared


@contextmanager
def undisturbed(plane: Plane, growth: int = KEPT) -> Iterator[None]:
    """Another client beside gets every answer; the data plane has its files and its memory back afterwards.

    growth: bytes of memory that it may have more at the end.
    """
    eventually(lambda: plane.connections() == 0)
    with Neighbour(plane):
        files, resident = plane.files(), plane.resident()
        plane.forget()
        yield
        eventually(lambda: plane.connections() == 1)
        assert plane.files() == files
        eventually(lambda: plane.resident() < resident + growth)


def heard(one: socket.socket) -> bytes:
    """All that comes until the other side closes, however it does that."""
    data = b""
    while True:
        try:
            piece = one.recv(1 << 16)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def fill(one: socket.socket, piece: bytes, most: int = 64 * MIB) -> None:
    """Sends a piece over and over, reading nothing, until the other side takes no more and hangs up."""
    for _ in range(most // len(piece)):
        try:
            one.sendall(piece)
        except ConnectionError:
            return
    raise AssertionError(f"{most} bytes were taken of a client that reads nothing")


def drip(one: socket.socket, data: bytes, until: int) -> None:
    """Sends a byte at a time until a frame of type `until` comes, or the end."""
    one.settimeout(0.02)
    came = b""
    for i in range(len(data)):
        try:
            one.sendall(data[i : i + 1])
            piece = one.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError:
            return
        came += piece
        if not piece or until in {kind for kind, _ in kinds(came)}:
            return
    raise AssertionError(f"all of it was taken, a byte at a time; heard {kinds(came)}")


# --- slow ones


@pytest.mark.parametrize(
    ("greeting", "slowly"),
    [
        pytest.param(b"", OPENING * 40, id="preface"),
        pytest.param(
            OPENING, frame(HEADERS, END_HEADERS, 1, request(DECIDE) + fields(x="y" * 99) * 20), id="headers"
        ),
        pytest.param(
            OPENING + UNARY[: -len(LISTED_CALL)], b"\x12\xff\x01" + b"9" * 2000, id="message"
        ),
    ],
)  # fmt: skip
def test_a_byte_at_a_time(plane: Plane, greeting: bytes, slowly: bytes) -> None:
    with closing(connect(plane.address)) as slow:
        slow.sendall(greeting)
        drip(slow, slowly, until=RST_STREAM)


def test_a_request_a_byte_at_a_time_is_answered_as_any_other(plane: Plane) -> None:
    with closing(connect(plane.address)) as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in OPENING + UNARY:
            slow.sendall(bytes([byte]))
        came = b""
        while (HEADERS, 1) not in (found := kinds(came)) or found.count((HEADERS, 1)) < 2:
            came += slow.recv(1 << 16)
        assert b"listed-fraud" in came


def test_thousands_of_idle_connections(shared: Plane, scale: Scale) -> None:
    many = scale(500, 5_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, many + 500)), hard))
    try:
        with undisturbed(shared, KEPT + many * 4096), ExitStack() as all_of_them:
            resident = shared.resident()
            for _ in range(many):
                one = all_of_them.enter_context(closing(connect(shared.address)))
                one.sendall(OPENING)
            eventually(lambda: shared.connections() == many + 1)
            assert shared.ended() == {}
            assert shared.resident() - resident < many * 32 * 1024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_openssl
def test_a_handshake_that_never_ends(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    service = authority.issue("localhost", "DNS:localhost")
    with Plane(stall_s=0.5, tls=[str(service.certificate), str(service.key)]) as plane:
        client_hello = bytes.fromhex("160301020001000200")
        with ExitStack() as all_of_them:
            for sent in (b"", client_hello[:3], client_hello, client_hello + b"\0" * 100) * 10:
                one = all_of_them.enter_context(closing(connect(plane.address)))
                one.sendall(sent)
                one.settimeout(TIMEOUT)
            eventually(lambda: sum(plane.ended().values()) == 40)
        assert plane.ended().keys() <= {"stalled", "tls"}
        assert plane.ended()["stalled"] >= 30


# --- ones that go


def test_connections_cut_anywhere(plane: Plane, scale: Scale) -> None:
    chance = random.Random(1)
    said = (
        OPENING
        + UNARY
        + frame(PING, 0, 0, b"8 bytes!")
        + frame(HEADERS, END_HEADERS, 3, request(DECIDE_STREAM))
    )
    said += frame(DATA, 0, 3, message(LISTED_CALL) * 3)
    for _ in range(scale(300, 10_000)):
        with closing(connect(plane.address)) as cut:
            cut.sendall(said[: chance.randrange(len(said) + 1)])
            if chance.random() < 0.5:  # RST instead of FIN
                cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


# --- ones that take nothing


@pytest.mark.parametrize("path", [DECIDE, DECIDE_STREAM, CHECK])
def test_who_asks_and_never_reads(plane: Plane, path: str) -> None:
    block, ask = request(path), message(LISTED_CALL if path == DECIDE else b"")
    if path == DECIDE_STREAM:
        ask = message(pb.DecideStreamRequest(id=1, call=pb.DecideRequest(caller="1")).SerializeToString())
        piece = frame(DATA, 0, 1, ask * 100)
    with closing(connect(plane.address, 4096)) as greedy:
        resident = plane.resident()
        greedy.sendall(
            OPENING
            + frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff")
            + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\0\0")
        )
        if path == DECIDE_STREAM:
            greedy.sendall(frame(HEADERS, END_HEADERS, 1, block))
            fill(greedy, piece)
        else:
            with pytest.raises(ConnectionError):
                for stream in range(1, 2_000_000, 2):
                    greedy.sendall(
                        frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, ask)
                    )
        assert plane.resident() < resident + 16 * MIB
        eventually(lambda: plane.connections() == 1)
        assert plane.ended() == {"stalled": 1}


# --- rude ones


def floods() -> Iterator[Any]:
    stream_1 = frame(HEADERS, END_HEADERS, 1, request(WATCH)) + frame(DATA, END_STREAM, 1, message(b""))
    unfinished = frame(HEADERS, 0, 1, request(DECIDE))
    for name, more in (
        ("rapid reset", b""),
        ("rapid reset of calls with a deadline", fields(grpc_timeout="50m")),
    ):
        reset = [
            frame(HEADERS, END_HEADERS | END_STREAM, stream, request(DECIDE) + more)
            + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
            for stream in range(1, 4001, 2)
        ]
        yield pytest.param(b"", b"".join(reset), id=name)
    yield pytest.param(b"", frame(PING, 0, 0, b"8 bytes!") * 20_000, id="PING")
    yield pytest.param(b"", frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1") * 20_000, id="SETTINGS")
    yield pytest.param(unfinished, frame(CONTINUATION, 0, 1, b"") * 20_000, id="empty CONTINUATION")
    yield pytest.param(unfinished, frame(CONTINUATION, 0, 1, fields(x="y")) * 20_000, id="CONTINUATION")
    yield pytest.param(
        frame(HEADERS, END_HEADERS, 1, request(DECIDE)), frame(DATA, 0, 1) * 20_000, id="empty DATA"
    )
    without_a_path = [frame(HEADERS, END_HEADERS, stream, b"\x83\x86") for stream in range(1, 4001, 2)]
    yield pytest.param(b"", b"".join(without_a_path), id="malformed requests")
    yield pytest.param(
        stream_1, frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 1_000, id="WINDOW_UPDATE too large"
    )


@pytest.mark.parametrize(("first", "flood"), list(floods()))
def test_a_flood_ends_the_connection_that_it_comes_on(plane: Plane, first: bytes, flood: bytes) -> None:
    with closing(connect(plane.address)) as rude:
        rude.sendall(OPENING + first)
        with suppress(OSError):
            rude.sendall(flood)
            rude.shutdown(socket.SHUT_WR)
        came = heard(rude)
        eventually(lambda: plane.connections() == 1)
        assert sum(plane.ended().values()) == 1
        assert plane.ended().keys() <= {"abuse", "protocol", "by_client"}
        assert GOAWAY in {kind for kind, _ in kinds(came)} or not plane.ended().get("by_client")


def test_frames_that_ask_for_nothing_cost_nothing(plane: Plane) -> None:
    with Switch(plane.address) as talkative:
        for kind, size in ((PRIORITY, 5), (0x7F, 100), (WINDOW_UPDATE, 4)):
            piece = frame(kind, 0, 0 if kind == WINDOW_UPDATE else 1, b"\0\0\0\1" + b"\1" * (size - 4))
            talkative.socket.sendall(piece * 2_000)
        assert talkative.ask() == b"\x08\x01"


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /interceptor.v1.InterceptionService/Decide HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
        random.Random(1).randbytes(100_000),
        OPENING[:24] + random.Random(2).randbytes(100_000),
    ],
    ids=["HTTP/1.1", "upgrade", "TLS", "garbage", "garbage behind the preface"],
)
def test_what_is_no_http2_is_closed(plane: Plane, said: bytes) -> None:
    with closing(connect(plane.address)) as stranger:
        with suppress(OSError):
            stranger.sendall(said)
        heard(stranger)
        eventually(lambda: plane.connections() == 1)
        assert plane.ended() == {"protocol": 1}


# --- too many


def test_more_connections_than_there_may_be() -> None:
    with Plane(max_connections=20) as plane, undisturbed(plane), ExitStack() as all_of_them:
        switches = [all_of_them.enter_context(Switch(plane.address)) for _ in range(60)]
        for switch in switches[19:]:
            switch.until_closed()
            assert switch.goaways == [0]
        assert [switch.ask() for switch in switches[:19]] == [b"\x08\x01"] * 19
        assert plane.ended() == {"excess": 41}


def test_more_streams_than_a_connection_may_have() -> None:
    with Plane(max_streams=10) as plane, undisturbed(plane), closing(connect(plane.address)) as eager:
        eager.sendall(OPENING)
        for stream in range(1, 61, 2):
            eager.sendall(frame(HEADERS, END_HEADERS, stream, request(DECIDE_STREAM)))
        eager.sendall(frame(PING, 0, 0, b"8 bytes!"))
        came = b""
        while (PING, 0) not in kinds(came):
            came += eager.recv(1 << 16)
        refused = [stream for kind, stream in kinds(came) if kind == RST_STREAM]
        assert refused == list(range(21, 61, 2))
        assert plane.traffic()["streams_refused"] == 20


def test_more_connections_than_files() -> None:
    with Plane(files=60) as plane, undisturbed(plane):
        with ExitStack() as all_of_them:
            many = [all_of_them.enter_context(closing(connect(plane.address))) for _ in range(80)]
            eventually(lambda: plane.connections() + plane.traffic()["refused"] == len(many) + 1)
            assert plane.traffic()["refused"] >= 20
        eventually(lambda: plane.connections() == 1)
        with Switch(plane.address) as switch:
            assert switch.ask() == b"\x08\x01"
