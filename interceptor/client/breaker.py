"""A circuit breaker: a service that fails is left alone until a health check says that it is back.

gRPC's own outlier detection does most of it, and was tried (grpcio 1.85). But a refused question is a failure to it, so
that malformed ones shut out a healthy service; a stream of many calls is one to it; and when it lets a service in once
more, live calls find out whether that answers, at the price of their deadline. Here a health check does.

What worker processes see of a service they see together. Each by itself, 16 workers would pay 16 times for an outage;
and a worker to whom few calls come would take one late answer for another outage, where others were just answered.
"""

import mmap
import threading
import time
from collections.abc import Sequence
from typing import TypeAlias

#: It opens after so many calls in a row without an answer, over so many seconds: one hiccup fails many that run beside
#: each other.
FAILURES = 5
LASTING_S = 0.1

#: Where a breaker's number of failures, time of the first, and whether it is open lie in its memory.
COUNT, SINCE, OPEN, SIZE = 0, 1, 2, 3


Memory: TypeAlias = "memoryview[float]"


def memories(n: int) -> Sequence[Memory]:
    """Room for so many breakers, that processes forked from now on share."""
    shared = memoryview(mmap.mmap(-1, n * SIZE * 8)).cast("d")
    return [shared[i * SIZE : (i + 1) * SIZE] for i in range(n)]


class Breaker:
    """Open: the service is not to be asked. Shared by threads, and by all breakers that have the same memory.

    Between processes there is no lock: of two failures at one moment one may not be counted.
    """

    def __init__(self, memory: Memory) -> None:
        self._lock = threading.Lock()
        self._memory = memory

    @property
    def open(self) -> bool:
        return bool(self._memory[OPEN])

    def answered(self) -> None:
        """The service answered a call, be it by a refusal."""
        if self._memory[COUNT]:
            self._memory[COUNT] = 0

    def failed(self) -> bool:
        """A call was not answered. True: that has opened it, and the caller sees to it that `restored` is called."""
        now, memory = time.monotonic(), self._memory
        with self._lock:
            if not memory[COUNT]:
                memory[SINCE] = now
            memory[COUNT] += 1
            opens = not memory[OPEN] and memory[COUNT] >= FAILURES and now - memory[SINCE] >= LASTING_S
            if opens:
                memory[OPEN] = 1
            return bool(opens)

    def restored(self) -> None:
        """A health check was good. One answer, and all is forgotten; without one it is open again soon."""
        with self._lock:
            if self.open:  # another process's may have been good as well, and calls been answered since
                self._memory[SINCE], self._memory[COUNT] = time.monotonic(), FAILURES - 1
                self._memory[OPEN] = 0
