"""A circuit breaker: a service that fails is left alone until a health check says that it is back.

gRPC's own outlier detection does most of it, and was tried (grpcio 1.85). But a refused question is a failure to it, so
that malformed ones shut out a healthy service; a stream of many calls is one to it; and when it lets a service in once
more, live calls find out whether that answers, at the price of their deadline. Here a health check does.
"""

import threading
import time

#: It opens after so many calls in a row without an answer, over so many seconds: one hiccup fails many that run beside
#: each other.
FAILURES = 5
LASTING_S = 0.1


class Breaker:
    """Open: the service is not to be asked. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._since = 0.0
        self.open = False

    def answered(self) -> None:
        """The service answered a call, be it by a refusal."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> bool:
        """A call was not answered. True: that has opened it, and the caller sees to it that `restored` is called."""
        now = time.monotonic()
        with self._lock:
            if not self._failures:
                self._since = now
            self._failures += 1
            opens = not self.open and self._failures >= FAILURES and now - self._since >= LASTING_S
            self.open |= opens
            return opens

    def restored(self) -> None:
        """A health check was good. One more failure and it is open again; one answer, and all is forgotten."""
        with self._lock:
            self._failures = FAILURES - 1
            self.open = False
