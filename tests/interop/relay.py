"""A TCP relay between a client and a server that does to bytes what networks do to them."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self


class Relay:
    """Listens on `address` and passes on what comes, both ways, to `target`.

    Parameters
    ----------
    target
        ``HOST:PORT``.
    piece
        Bytes passed on in one write, hence mostly in one segment.
    delay
        Seconds each piece waits.
    cut_after
        Bytes from the client after which a connection is cut; None: never.
    """

    def __init__(
        self, target: str, *, piece: int = 1 << 16, delay: float = 0, cut_after: int | None = None
    ) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._piece = piece
        self.delay = delay
        self.cut_after = cut_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.accepted = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._open):
            end.close()

    def cut(self) -> None:
        """Ends every connection."""
        cut(*self._open)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the end of the listener
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                server = socket.create_connection(self._target)
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._open.append(end)
                for ends in ((client, server, True), (server, client, False)):
                    self._threads.append(threading.Thread(target=self._pass, args=ends))
                    self._threads[-1].start()

    def _pass(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                for i in range(0, len(data), self._piece):
                    if self.delay:
                        time.sleep(self.delay)
                    piece = data[i : i + self._piece]
                    if from_client and self.cut_after is not None and passed + len(piece) >= self.cut_after:
                        sink.sendall(piece[: self.cut_after - passed])
                        cut(source, sink)
                        return
                    sink.sendall(piece)
                    passed += len(piece)
            sink.shutdown(socket.SHUT_WR)


def cut(*ends: socket.socket) -> None:
    """Ends connections in both directions, whatever is under way; bytes that still come are answered by a reset."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
