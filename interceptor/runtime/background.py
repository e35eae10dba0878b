"""Threads that work beside the calls for as long as the service runs."""

import threading
from abc import ABC, abstractmethod


class Background(ABC):
    """A thread of its own, from `start` to `stop`."""

    def __init__(self, name: str) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Has it finish what it is doing, and waits for that."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Until `_stopping` is set."""
