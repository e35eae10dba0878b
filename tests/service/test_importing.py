"""Imports over bad connections: taken up where they broke, and none starves the others."""

import contextlib
import hashlib
import socket
import threading
from pathlib import Path
from queue import SimpleQueue

import grpc
import pytest

from interceptor.control.answering import SEATS
from interceptor.pb.v1 import lists_pb2
from service.operating import add, becomes
from service.running import CALLEE, Cli, Running, refused

PIECE = 1 << 18
ROWS = 60_000


@pytest.fixture(scope="module")
def service(operated: Running) -> Running:
    return operated


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed of some pieces."""
    path = tmp_path_factory.mktemp("feed") / "feed.csv"
    path.write_text(
        "number,reason\n" + "".join(f"+86138{at:08},a reason of some length\n" for at in range(ROWS))
    )
    return path


class Open:
    """An import that a test drives message by message."""

    def __init__(self, service: Running, data: bytes, source: str) -> None:
        self._said: SimpleQueue[lists_pb2.ImportListRequest | None] = SimpleQueue()
        self._call = service.control.channel.stream_stream(
            "/interceptor.v1.AdminService/ImportList",
            request_serializer=lists_pb2.ImportListRequest.SerializeToString,
            response_deserializer=lists_pb2.ImportListResponse.FromString,
        )(iter(self._said.get, None), timeout=60)
        self._answers = iter(self._call)
        header = lists_pb2.ImportHeader(
            list="fraud",
            source=source,
            mode=lists_pb2.IMPORT_MODE_ADDITION,
            file_name="feed.csv",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        self.say(lists_pb2.ImportListRequest(header=header))

    def say(self, request: lists_pb2.ImportListRequest) -> None:
        self._said.put(request)

    def piece(self, offset: int, data: bytes) -> None:
        self.say(lists_pb2.ImportListRequest(piece=lists_pb2.ImportPiece(offset=offset, data=data)))

    def hear(self) -> lists_pb2.ImportListResponse:
        answer: lists_pb2.ImportListResponse = next(self._answers)
        self.sent_from = answer.send_from
        return answer

    def finish(self) -> lists_pb2.ListChange:
        while (answer := self.hear()).WhichOneof("step") != "change":
            assert answer.WhichOneof("step") == "progress"
        return answer.change

    def hang_up(self) -> None:
        self._said.put(None)
        self._call.cancel()


def test_a_client_that_goes_away_leaves_what_it_sent(service: Running, file: Path) -> None:
    data = file.read_bytes()
    first = Open(service, data, "police")
    assert first.hear().send_from == 0
    first.piece(0, data[:PIECE])
    first.piece(PIECE, data[PIECE : 2 * PIECE])
    first.hang_up()
    second: list[Open] = []

    def begun() -> bool:
        """Whether the first one's end has been noticed. Of what was under way then some may be lost."""
        second[:] = [Open(service, data, "police")]
        try:
            return second[0].hear().send_from >= 0
        except grpc.RpcError:
            return False

    becomes(begun)
    (again,) = second
    reached = again.sent_from
    assert reached in {0, PIECE, 2 * PIECE}
    for at in range(reached, len(data), PIECE):
        again.piece(at, data[at : at + PIECE])
    assert again.finish().added == ROWS
    again.hang_up()


def test_pieces_out_of_order_are_refused(service: Running, file: Path) -> None:
    data = file.read_bytes()
    wrong = Open(service, data, "bank")
    assert wrong.hear().send_from == 0
    wrong.piece(PIECE, data[PIECE : 2 * PIECE])
    status, _ = refused(wrong.hear)
    assert status == "INVALID_ARGUMENT"
    wrong.hang_up()


def test_what_is_no_header_is_refused(service: Running) -> None:
    call = service.control.channel.stream_stream("/interceptor.v1.AdminService/ImportList")
    for first in (
        b"\xff",
        lists_pb2.ImportListRequest(piece=lists_pb2.ImportPiece(data=b"x")).SerializeToString(),
    ):
        status, _ = refused(lambda first=first: next(iter(call(iter([first]), timeout=30))))
        assert status == "INVALID_ARGUMENT"


def test_hanging_imports_hold_up_neither_single_adds_nor_decisions(service: Running, file: Path) -> None:
    data = file.read_bytes()
    hanging = [Open(service, data + bytes([at]), f"feed {at}") for at in range(SEATS)]
    assert [each.hear().send_from for each in hanging] == [0] * SEATS
    status, message = refused(Open(service, data, "one more").hear)
    assert (status, "under way" in message) == ("RESOURCE_EXHAUSTED", True)
    assert add(service, "+8613911110001").added == 1
    assert service.control.decide(caller="+8613911110001", callee=CALLEE).rule == "listed"
    for each in hanging:
        each.hang_up()


class Flaky:
    """Between a client and the service: cuts each of the first `cuts` connections after so many bytes."""

    def __init__(self, to: str, cuts: int, after: int) -> None:
        host, _, port = to.rpartition(":")
        self._to = (host, int(port))
        self._cuts, self._after = cuts, after
        self._ends = contextlib.ExitStack()
        self._listening = self._ends.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for each in self._threads:
            each.join()
        self._ends.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._ends.enter_context(self._listening.accept()[0])
                far = self._ends.enter_context(socket.create_connection(self._to))
                self.connections += 1
                left = self._after if self.connections <= self._cuts else 1 << 60
                for ways in ((near, far, left), (far, near, 1 << 60)):
                    self._threads.append(threading.Thread(target=pump, args=ways))
                    self._threads[-1].start()


def pump(source: socket.socket, sink: socket.socket, left: int) -> None:
    """Passes up to `left` bytes on, then ends both ways."""
    with contextlib.suppress(OSError):
        while left > 0 and (data := source.recv(1 << 16)):
            sink.sendall(data)
            left -= len(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def test_the_command_goes_on_after_a_cut_connection(cli: Cli, service: Running, file: Path) -> None:
    flaky = Flaky(service.control.address, cuts=2, after=file.stat().st_size // 3)
    to = ("--list", "fraud", "--source", "over a bad line", "--server", flaky.address)
    done = cli("lists", "import", file, *to)
    flaky.close()
    assert (done.returncode, done.stderr) == (0, "")
    assert f'"added": "{ROWS}"' in done.stdout
    assert flaky.connections == 3
