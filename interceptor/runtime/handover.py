"""Handing over to a new process: what two processes of one data directory say to each other, old and new.

They talk over a Unix socket in the data directory, packets of JSON. The new one asks; the old one refuses changes from
then on and leaves the store, deciding all the while, and gives its listening sockets. When the new one answers calls
on them it says so, and the old one leaves: tells its clients to go, answers what is under way, hands over what it could
not keep any more, and ends. Whichever dies before that "leave", the other one serves on.
"""

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interceptor.runtime.background import Background
from interceptor.runtime.logs import Log
from interceptor.runtime.service import LEFT, Service
from interceptor.store.words import StoreError

NAME = "takeover"  #: of the socket in the data directory
VERSION = 1  #: of what is said
#: seconds: that a change under way may take before a new process is told to come again, that a new process may take
#: until it answers calls, and that it waits for an answer to what is done at once
FREEZING, STARTING, AT_ONCE = 30.0, 900.0, 60.0
ANSWERING = 120  #: seconds that a new process waits for its turn, and for what it is given
LOOK = 0.2  # seconds between looks whether to stop, or to take the store back
PACKET = 1 << 16
MOST_FDS = 128
PIECE = 50  # entries of a packet: each has 700 bytes at most


class HandoverError(Exception):
    """Nothing can be taken over; the message says what to do."""


class _GoneError(HandoverError):
    """Nobody is there any more."""


@dataclass
class Sockets:
    """Listening sockets by what is served on them, with what is to be known of each: JSON."""

    sockets: list[tuple[socket.socket, dict[str, Any]]] = field(default_factory=list)
    control: str = ""  #: address of the control port: it is not handed over, but bound anew

    def of(self, kind: str) -> list[tuple[socket.socket, dict[str, Any]]]:
        return [(each, about) for each, about in self.sockets if about["kind"] == kind]

    def close(self) -> None:
        """Those that nobody took."""
        for each, _ in self.sockets:
            each.close()


class Handover(Background):
    """The old process's side: waits for a new one, all the time that it serves.

    Parameters
    ----------
    directory
        The data directory.
    sockets
        What it listens on.
    settled
        Whether the process that this one took over from, if it did, is gone altogether. Three at once have no order in
        what they leave to each other.
    leave
        Called when the new process answers calls, with its pid: this one is to end, and call `finish` at last.
    """

    def __init__(
        self,
        directory: Path,
        service: Service,
        log: Log,
        *,
        sockets: Callable[[], Sockets],
        settled: Callable[[], bool],
        leave: Callable[[int], None],
    ) -> None:
        super().__init__("handover")
        self._service = service
        self._sockets = sockets
        self._settled = settled
        self._leave = leave
        self._log = log
        self._successor: socket.socket | None = None
        self._told = threading.Lock()
        self._directory = directory
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with _place(directory) as place:
                place.unlink(missing_ok=True)  # whose process is gone, or leaves
                self._listener.bind(str(place))
                place.chmod(0o600)
            self._listener.listen(1)
        except OSError as error:
            self._listener.close()
            raise HandoverError(
                f"{directory / NAME}: cannot listen for a new process: {error.strerror}"
            ) from error
        self._listener.settimeout(LOOK)

    @property
    def left(self) -> bool:
        """Whether a new process has taken over."""
        return self._successor is not None

    def say(self, **said: Any) -> None:
        """Tells the new process, if there is one; whether it hears is its own concern."""
        with self._told, suppress(OSError):
            if self._successor is not None:
                _send(self._successor, said)

    def finish(self) -> None:
        """All is over: what could not be kept any more goes to the new process."""
        for name, left in self._service.give().items():
            for at in range(0, len(left), PIECE):
                self.say(**{name: left[at : at + PIECE]})
        self.say(gone=True)
        if self._successor is not None:
            self._successor.close()

    def _run(self) -> None:
        with self._listener:
            while not self._stopping.is_set() and not self.left:
                try:
                    peer, _ = self._listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    self._stopping.wait(LOOK)
                    continue
                pid, uid = _peer(peer)
                if uid in {os.geteuid(), 0}:
                    self._serve(peer, pid)
                if not self.left:
                    peer.close()
        if not self.left:
            with suppress(OSError), _place(self._directory) as place:
                place.unlink()

    def _serve(self, peer: socket.socket, pid: int) -> None:
        peer.settimeout(AT_ONCE)
        try:
            asked = _receive(peer)
            if asked.get("takeover") != VERSION:
                _send(
                    peer,
                    {
                        "refused": f"this one speaks version {VERSION} of the takeover: stop it, then start anew"
                    },
                )
                return
        except (OSError, HandoverError):
            return
        until = time.monotonic() + FREEZING
        while not self._settled() and time.monotonic() < until and not self._stopping.wait(LOOK):
            pass
        if not self._settled():
            with suppress(OSError):
                _send(peer, {"refused": "the process before it is still leaving: try again in a moment"})
            return
        try:
            self._service.freeze(FREEZING)
        except StoreError as error:
            with suppress(OSError):
                _send(peer, {"refused": str(error)})
            return
        self._log.info("a new process is taking over: nothing can be changed meanwhile", pid=pid)
        if not self._given(peer):
            self._log.error("the new process did not take over: this one goes on", pid=pid)
            self._take_back()
            return
        peer.settimeout(AT_ONCE)
        self._successor = peer
        self._log.info("a new process has taken over: this one leaves", pid=pid)
        self._leave(pid)

    def _given(self, peer: socket.socket) -> bool:
        """Whether the new process has taken what it is given, and answers calls."""
        try:
            given = self._sockets()
            about = [each for _, each in given.sockets]
            said = json.dumps({"control": given.control, "sockets": about}).encode()
            socket.send_fds(peer, [said], [each.fileno() for each, _ in given.sockets])
            peer.settimeout(LOOK)
            for _ in range(int(STARTING / LOOK)):
                if self._stopping.is_set():
                    return False
                try:
                    return bool(_receive(peer).get("leave"))
                except TimeoutError:
                    continue
            _send(peer, {"over": f"it took more than {STARTING:.0f} seconds"})
        except (OSError, HandoverError):
            pass
        return False

    def _take_back(self) -> None:
        """The store is ours again as soon as the other is gone altogether."""
        while True:
            try:
                self._service.thaw()
            except StoreError as error:
                if self._stopping.wait(LOOK):
                    self._log.error("the store was not taken back", problem=str(error))
                    return
            else:
                self._log.info("changes are taken again")
                return


class Predecessor:
    """The new process's side: the running one, frozen, and what it gave."""

    def __init__(self, peer: socket.socket, pid: int, given: Sockets) -> None:
        self.pid = pid
        self.given = given
        self._peer = peer
        #: by name, what it could not keep any more; all of it once it is gone
        self.left: dict[str, list[Any]] = {name: [] for name in LEFT}

    @classmethod
    def ask(cls, directory: Path) -> "Predecessor | None":
        """Has the running process of that data directory prepare to leave; None: there is none.

        Raises HandoverError.
        """
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Only a blocking connect waits while others wait to be accepted; Python's own timeout would make it fail then.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", ANSWERING, 0))
        try:
            with _place(directory) as place:
                peer.connect(str(place))
            peer.settimeout(ANSWERING)
        except (FileNotFoundError, ConnectionRefusedError):
            peer.close()
            return None
        except BlockingIOError:
            peer.close()
            raise HandoverError("other processes are taking over already: try again in a moment") from None
        except OSError as error:
            peer.close()
            raise HandoverError(f"{directory / NAME}: {error.strerror}") from error
        try:
            pid, _ = _peer(peer)
            _send(peer, {"takeover": VERSION})
            said, fds, _, _ = socket.recv_fds(peer, PACKET, MOST_FDS)
            answer = _read(said)
        except OSError as error:
            peer.close()
            raise HandoverError(f"the running service did not answer: {error}; try again") from error
        except _GoneError:
            peer.close()
            raise HandoverError(
                "the running service has ended, or left to another process: try again"
            ) from None
        except HandoverError:
            peer.close()
            raise
        sockets = [socket.socket(fileno=fd) for fd in fds]
        if "refused" in answer or len(sockets) != len(answer["sockets"]):
            Sockets([(each, {}) for each in sockets]).close()
            peer.close()
            raise HandoverError(f"the running service (process {pid}) refused: {answer.get('refused')}")
        return cls(peer, pid, Sockets(list(zip(sockets, answer["sockets"], strict=True)), answer["control"]))

    def leave(self) -> None:
        """This process answers calls: the other is to go. Raises HandoverError when it has given us up by now."""
        try:
            self._peer.setblocking(False)
            with suppress(BlockingIOError):
                over = _receive(self._peer)
                raise HandoverError(f"the running service did not wait: {over.get('over')}")
            self._peer.settimeout(AT_ONCE)
            _send(self._peer, {"leave": True})
        except (OSError, _GoneError):
            pass  # it has died: nobody is there to leave

    def wait(self, word: str) -> bool:
        """Waits until it says that; False: it died before."""
        self._peer.settimeout(None)
        try:
            while True:
                said = _receive(self._peer)
                for name in LEFT & said.keys():
                    self.left[name] += said[name]
                if said.get(word):
                    return True
        except (OSError, HandoverError):
            return False

    def close(self) -> None:
        """Lets go of it: a process that has not been told to leave goes on."""
        self._peer.close()
        self.given.close()


@contextmanager
def _place(directory: Path) -> Iterator[Path]:
    """A path of the socket in that directory, however long its own is: that of a Unix socket has 107 bytes at most."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{fd}/{NAME}")
    finally:
        os.close(fd)


def _peer(one: socket.socket) -> tuple[int, int]:
    """Process and user at the other end."""
    pid, uid, _ = struct.unpack("3i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def _send(one: socket.socket, said: Mapping[str, Any]) -> None:
    one.send(json.dumps(said).encode())


def _receive(one: socket.socket) -> dict[str, Any]:
    """Raises OSError, TimeoutError; HandoverError when nobody is there any more, or it speaks another language."""
    return _read(one.recv(PACKET))


def _read(said: bytes) -> dict[str, Any]:
    if not said:
        raise _GoneError("the other process is gone")
    try:
        read = json.loads(said)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise HandoverError("the other process speaks another language")
    return read
