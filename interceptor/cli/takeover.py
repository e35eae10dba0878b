"""One process after another without a gap: `serve --takeover` in the new one, and what the old one does then."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from interceptor.cli import supervisor
from interceptor.cli.failing import Failure
from interceptor.control.server import ControlServer
from interceptor.dataplane.listeners import Listener
from interceptor.engine.state import StateError
from interceptor.runtime.addresses import ListenError
from interceptor.runtime.handover import Handover, HandoverError, Predecessor, Sockets
from interceptor.runtime.logs import Log
from interceptor.runtime.service import Service
from interceptor.store.words import StoreError

if TYPE_CHECKING:
    from interceptor.cli.serving import Fronts, Options

#: seconds in which the control port is to become free, and between two attempts
PORT_FREE, PORT_AGAIN = 30.0, 0.01
#: seconds that an operator's request has, when its process leaves to another one
OPERATORS = 1.0
#: seconds that a process which is to end itself waits for the end of the one that it took over from
SETTLING = 30.0
OPTION = "--takeover"


class Succession:
    """Whom this process takes over from, and who takes over from it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._handover: Handover | None = None
        self._predecessor: Predecessor | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._heir: threading.Thread | None = None  # waits for the end of the process before

    # ---- new -------------------------------------------------------------------------------------------------

    def ask(self, options: "Options") -> Predecessor | None:
        """Has the running service of the same --data prepare to leave; None: there is none. Raises Failure."""
        directory = options.settings().data
        try:
            self._predecessor = Predecessor.ask(directory)
        except HandoverError as error:
            raise Failure(str(error)) from None
        if self._predecessor is None:
            self._log.info("nobody to take over from: an ordinary start", data=str(directory))
        else:
            self._log.info("taking over", pid=self._predecessor.pid)
        return self._predecessor

    def inherit(self, service: Service) -> None:
        """Waits, on a thread of its own, for the end of the other process; what was shared with it is ours then."""
        self._heir = threading.Thread(target=self._inherit, args=(service,), name="inherit", daemon=True)
        self._heir.start()

    def settle(self) -> None:
        """Before this process ends: what is left to it by one that is about to end, too, is taken up first."""
        if self._heir is not None:
            self._heir.join(SETTLING)

    def _settled(self) -> bool:
        return self._heir is None or not self._heir.is_alive()

    def _inherit(self, service: Service) -> None:
        assert self._predecessor is not None
        ended = self._predecessor.wait("gone")
        try:
            service.succeed(died=not ended, left=self._predecessor.left)
        except (StateError, StoreError, TypeError, ValueError) as error:
            self._log.error("what the process before has left is not taken up whole", problem=str(error))
        else:
            self._log.info("the process before is gone", pid=self._predecessor.pid, in_order=ended)

    # ---- old -------------------------------------------------------------------------------------------------

    def wait(self, fronts: "Fronts", options: "Options") -> None:
        """Waits for a new process from now on. One that cannot be waited for is told of, and no error."""
        try:
            self._handover = Handover(
                options.settings().data,
                fronts.service,
                self._log,
                sockets=lambda: sockets_of(fronts),
                settled=self._settled,
                leave=self._leave,
            )
        except HandoverError as error:
            self._log.warning("no new process can take over", problem=str(error))
        else:
            self._handover.start()

    @property
    def left(self) -> bool:
        """Whether a new process has taken over: this one ends."""
        return self._handover is not None and self._handover.left

    def spawn(self) -> None:
        """Starts the program anew, as it lies on the disk by now, to take over from this one."""
        if self._child is not None and self._child.poll() is None:
            self._log.warning("a new process is starting already", pid=self._child.pid)
            return
        command = [each for each in sys.orig_argv if each != OPTION]
        try:
            self._child = subprocess.Popen([*command, OPTION])
        except OSError as error:
            self._log.error("no new process can be started, this one goes on", problem=str(error))
        else:
            self._log.info("a new process was started", pid=self._child.pid)

    def control_closed(self) -> None:
        """The control port is free for the other process."""
        if self._handover is not None:
            self._handover.say(control=True)

    def stop(self) -> None:
        """Nobody can take over any more."""
        if self._handover is not None:
            self._handover.stop()

    def finish(self) -> None:
        """The last thing that this process does."""
        if self._handover is not None and self._handover.left:
            self._handover.finish()
        if self._predecessor is not None:
            self._predecessor.close()

    def _leave(self, pid: int) -> None:
        supervisor.tell(f"MAINPID={pid}")
        os.kill(os.getpid(), signal.SIGTERM)


def sockets_of(fronts: "Fronts") -> Sockets:
    """What a process listens on, for another one."""
    given = Sockets(control=fronts.control.address)
    for each in fronts.plane.listeners:
        given.sockets.append((each.socket, {"kind": "listen", "address": each.address, "file": each.file}))
    if fronts.page is not None:
        given.sockets.append((fronts.page.socket, {"kind": "metrics", "address": fronts.page.address}))
    if fronts.zones is not None:
        for each_socket in fronts.zones.sockets:
            given.sockets.append((each_socket, {"kind": "zones", "port": fronts.zones.port}))
    return given


def listening(asked: tuple[str, ...], given: Sockets) -> list[str | Listener]:
    """What is to be listened on: sockets of the process before, where it had them, and addresses else."""
    had = [
        Listener(each, about["address"], tuple(about["file"]) if about["file"] else None, owned=False)
        for each, about in given.of("listen")
    ]
    found: list[str | Listener] = []
    for address in asked:
        same = next((each.address for each in had if _same(address, each.address)), None)
        mine = [each for each in had if each.address == same]
        had = [each for each in had if each.address != same]
        found += mine or [address]
    return found


def _same(asked: str, had: str) -> bool:
    """Whether an address is the one that a socket has; port 0 is any of the host's."""
    if asked == had or asked.startswith("unix:"):
        return asked == had
    host, _, port = asked.rpartition(":")
    return int(port or 0) == 0 and had.rpartition(":")[0] == host


def control_of(asked: str, given: Sockets) -> str:
    """The address of the control port: of port 0, the one that the process before had."""
    return given.control if _same(asked, given.control) else asked


def metrics_socket(asked: str, given: Sockets) -> socket.socket | None:
    """The page's, where the process before had that address."""
    return next((each for each, about in given.of("metrics") if _same(asked, about["address"])), None)


def zone_sockets(asked: str, given: Sockets) -> tuple[socket.socket, socket.socket] | None:
    """The same of the zones: for datagrams, and for connections."""
    had = given.of("zones")
    if len(had) == 2 and int(asked.rpartition(":")[2] or 0) in {0, had[0][1]["port"]}:
        return had[0][0], had[1][0]
    return None


def bind_again(control: ControlServer) -> None:
    """Takes a port that is about to be free. Raises ListenError."""
    until = time.monotonic() + PORT_FREE
    while True:
        try:
            return control.bind()
        except ListenError:
            if time.monotonic() > until:
                raise
            time.sleep(PORT_AGAIN)
