"""Workers that are forked from a process which has used its client, and goes on using it, have their answers too."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from client.conftest import PATIENT_MS, Ask
from interceptor.client import Cause, Screening
from service.running import CALLEE, LISTED, Running, environment

SERVER = Path(__file__).parent / "forking.py"


@pytest.mark.parametrize(
    "kind",
    [
        *("unary", "stream", "async-unary", "async-stream", "from-c-unary"),
        *("prepared-unary", "prepared-stream", "unprepared-stream"),
    ],
)
def test_every_forked_worker_is_answered_or_told_why_not(
    kind: str, service: Running, scale: Callable[[int, int], int]
) -> None:
    forks = scale(60, 1000)
    done = subprocess.run(
        [sys.executable, SERVER, service.data.address, kind, str(forks)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["workers"] == {"well": forks}, done.stderr
    assert told["afterwards"] == "listed"
    # a call that a fork would have to wait for too long is broken off, and answered otherwise
    assert told["threads"].get("", 0) > 0 or kind in {"from-c-unary", "unprepared-stream"}


class Worker:
    """A forked process that asks when it is told to, and says what became of it."""

    def __init__(self, client: Screening) -> None:
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            while os.read(ours[0], 1):
                os.write(theirs[1], client.decide(caller=LISTED, callee=CALLEE).cause.encode().ljust(20))
            os._exit(0)
        os.close(ours[0])
        os.close(theirs[1])
        self._asks, self._says = ours[1], theirs[0]

    def ask(self) -> str:
        """The cause; none: it was decided."""
        os.write(self._asks, b"?")
        return os.read(self._says, 20).decode().strip()

    def asks_until(self, cause: str) -> None:
        for _ in range(2000):
            if self.ask() == cause:
                return
            time.sleep(0.01)
        raise AssertionError(f"no call was {cause or 'decided'}")

    def end(self) -> None:
        os.close(self._asks)
        os.close(self._says)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads and a fork: what is tested
def test_what_one_worker_finds_out_about_a_service_its_others_know(service: Running, screening: Ask) -> None:
    client = screening(service.data.address, deadline_ms=50)
    workers = [Worker(client) for _ in range(3)]
    try:
        for worker in workers:
            worker.asks_until("")
        service.signal(signal.SIGSTOP)
        workers[0].asks_until(Cause.OPEN)
        assert [worker.ask() for worker in workers] == [Cause.OPEN] * 3  # the others did not have to wait
        workers.pop(0).end()  # who found out is gone; another one looks whether the service is back
        service.signal(signal.SIGCONT)
        workers[0].asks_until("")
        workers[1].asks_until("")
    finally:
        service.signal(signal.SIGCONT)
        for worker in workers:
            worker.end()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads and a fork: what is tested
def test_a_worker_forked_while_a_call_could_not_be_broken_off_asks_nobody(service: Running) -> None:
    client = Screening(service.data.address, deadline_ms=PATIENT_MS)
    assert client.decide(caller=LISTED, callee=CALLEE).decided
    service.signal(signal.SIGSTOP)
    try:
        asking = threading.Thread(target=client.decide, kwargs={"caller": LISTED, "callee": CALLEE})
        asking.start()
        while not client.lines().in_use:
            time.sleep(0.001)
        worker = Worker(client)
        assert [worker.ask() for _ in range(3)] == [Cause.FORKING] * 3
        worker.end()
    finally:
        service.signal(signal.SIGCONT)
    asking.join()
    assert client.decide(caller=LISTED, callee=CALLEE).decided
    client.close(0)
