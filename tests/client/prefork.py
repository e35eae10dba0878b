"""A server with worker processes: `python prefork.py TARGET DEADLINE_MS STREAM` makes a client, and does what its
standard input tells it, a line each, with a line for an answer:

    fork        forks a worker
    ask [N]     worker N asks once, or the server; answers the cause, "decided" without one, or what became of it
    asking      a thread of the server's own begins to ask; answers when it is inside gRPC
    asked       answers whether it has been answered
    end N       kills worker N
"""

import itertools
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

from interceptor.client import Screening

HANGS_S = 40
CALL = {"caller": "+8613800000001", "callee": "+8613900139000"}

target, deadline_ms, stream = sys.argv[1:]
client = Screening(target, deadline_ms=float(deadline_ms), stream=stream == "True")
workers: dict[int, "Worker"] = {}
numbers = itertools.count()
threads: list[threading.Thread] = []


def ask() -> str:
    return client.decide(CALL).cause or "decided"


class Worker:
    def __init__(self) -> None:
        asks, says = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(asks[1])  # it ends with the server
            while os.read(asks[0], 1):
                os.write(says[1], ask().ljust(20).encode())
            os._exit(0)
        os.close(asks[0])
        os.close(says[1])
        self._asks, self._says = asks[1], says[0]

    def ask(self) -> str:
        os.write(self._asks, b"?")
        if not select.select([self._says], [], [], HANGS_S)[0]:
            return "hangs"
        return os.read(self._says, 20).decode().strip() or "died"

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def fork() -> str:
    workers[next(numbers)] = Worker()
    return "forked"


def asking() -> str:
    threads.append(threading.Thread(target=ask, daemon=True))
    threads[-1].start()
    while not client.lines().in_use:
        time.sleep(0.001)
    return "asking"


def asked() -> str:
    return str(not threads[-1].is_alive())


def end(n: str) -> str:
    workers.pop(int(n)).end()
    return "ended"


DOES: dict[str, Callable[..., str]] = {
    "fork": fork,
    "ask": lambda *n: workers[int(*n)].ask() if n else ask(),
    "asking": asking,
    "asked": asked,
    "end": end,
}
for line in sys.stdin:
    name, *arguments = line.split()
    print(DOES[name](*arguments), flush=True)
for worker in workers.values():
    worker.end()
