"""What the service manager is told over sd_notify(3), where there is one: started, reloading, alive, stopping."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress


def tell(*words: str) -> None:
    """Says it to whoever listens at $NOTIFY_SOCKET: READY=1, STOPPING=1, MAINPID=..., WATCHDOG=1. Raises nothing."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    if where.startswith("@"):  # of the abstract namespace
        where = "\0" + where[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto("\n".join(words).encode(), where)


class Watchdog:
    """Says that the service is alive, twice in the time that the manager gives it, for as long as `alive` returns."""

    def __init__(self, alive: Callable[[], object]) -> None:
        self._alive = alive
        self._period = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Does nothing where nobody waits for it."""
        if self._period and os.environ.get("NOTIFY_SOCKET"):
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._period):
            self._alive()  # what holds it up, or fails, lets the manager's patience end
            tell("WATCHDOG=1")
