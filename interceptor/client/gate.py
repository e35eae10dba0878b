"""Keeps threads out of gRPC while the process forks: one that is in there then may crash or hang the child."""

import threading


class Gate:
    """Counts who is inside; `shut` lets nobody in any more, and waits until the last one has left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    def enter(self, seconds: float) -> bool:
        """False: it stayed shut for so long. Who got in has to `leave`."""
        with self._changed:
            if self._shut and not self._changed.wait_for(lambda: not self._shut, seconds):
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            if self._shut:
                self._changed.notify_all()

    @property
    def inside(self) -> int:
        """How many are inside; of a gate that was inherited: were, when the process was forked."""
        return self._inside

    def shut(self) -> None:
        with self._changed:
            self._shut = True

    def empty(self, seconds: float) -> None:
        """Waits until nobody is inside, for so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside, seconds)

    def open(self) -> None:
        with self._changed:
            self._shut = False
            self._changed.notify_all()
