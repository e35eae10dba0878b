"""Workers that are forked from a process which has used its client, and goes on using it, have their answers too."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import grpc
import pytest

from client.conftest import PATIENT_MS, halt
from interceptor.client import Cause
from interceptor.client.breaker import memories
from interceptor.client.channel import Dialler
from interceptor.client.lines import PATIENCE_S, Lines
from interceptor.client.undecided import Undecided
from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, LISTED, Running, environment

FORKING = Path(__file__).parent / "forking.py"
PREFORK = Path(__file__).parent / "prefork.py"


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
        [sys.executable, FORKING, service.data.address, kind, str(forks)],
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


class Server:
    """prefork.py. One that does not do as it is told ends after a while, and every answer is then empty."""

    def __init__(self, target: str, *, deadline_ms: float, stream: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, PREFORK, target, str(deadline_ms), str(stream)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment(),
        )
        self._watch = threading.Timer(120, self._process.kill)
        self._watch.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # it ends when nothing tells it what to do any more, or is killed
            pass
        self._watch.cancel()

    def do(self, line: str) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{line}\n")
        return self._process.stdout.readline().strip()

    def asks_until(self, cause: str, *worker: int) -> None:
        for _ in range(2000):
            if (told := self.do(" ".join(map(str, ("ask", *worker))))) == cause:
                return
            assert told not in {"", "died", "hangs"}, told
            time.sleep(0.01)
        raise AssertionError(f"no call was {cause}")


@pytest.fixture
def halted(service: Running) -> Iterator[Callable[[], None]]:
    """``halted()``: the service hangs, until the test lets it go on or ends."""
    yield lambda: halt(service)
    service.signal(signal.SIGCONT)


def test_what_one_worker_finds_out_about_a_service_its_others_know(
    service: Running, stream: bool, halted: Callable[[], None]
) -> None:
    with Server(service.data.address, deadline_ms=50, stream=stream) as server:
        for n in range(3):
            assert server.do("fork") == "forked"
            server.asks_until("decided", n)
        halted()
        server.asks_until(Cause.OPEN, 0)
        # the others did not have to wait
        assert [server.do(f"ask {n}") for n in range(3)] == [Cause.OPEN] * 3
        server.do("end 0")  # who found out is gone; another one looks whether the service is back
        service.signal(signal.SIGCONT)
        server.asks_until("decided", 1)
        server.asks_until("decided", 2)


def test_a_fork_waits_for_a_call_that_cannot_be_broken_off(
    service: Running, halted: Callable[[], None]
) -> None:
    """Of workers that were forked meanwhile, gRPC's own threads killed every fourth."""
    with Server(service.data.address, deadline_ms=3000, stream=False) as server:
        server.asks_until("decided")
        halted()
        assert server.do("asking") == "asking"
        assert server.do("fork") == "forked"
        assert server.do("asked") == "True"
        service.signal(signal.SIGCONT)
        server.asks_until("decided")
        server.asks_until("decided", 0)


def test_a_stream_that_is_begun_while_the_process_forks_is_broken_off_too(service: Running) -> None:
    dialling = threading.Event()

    class Slow(Dialler):
        def dial(self, target: str) -> grpc.Channel:
            dialling.set()
            time.sleep(5 * PATIENCE_S)
            return super().dial(target)

    lines = Lines(
        [service.data.address],
        Slow(None),
        memories(1),
        streaming=True,
        deadline=PATIENT_MS / 1000,
        room=1,
        torn=False,
    )

    def ask() -> None:
        with contextlib.suppress(Undecided):
            lines.endpoints[0].decide(pb.DecideRequest(caller=LISTED, callee=CALLEE), PATIENT_MS / 1000)

    asking = threading.Thread(target=ask)
    asking.start()
    dialling.wait()
    lines.before_fork()
    assert not lines.in_use
    lines.after_fork()
    asking.join()
    lines.close(0)
