"""The service as operators run it: a process of its own, on a port of its own, stopped when the test is over."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from interceptor.pb.v1 import interception_pb2, interception_pb2_grpc

#: how a process runs the command line, also on a debug build or an installed wheel
INTERCEPTOR = (sys.executable, "-P", "-m", "interceptor.cli.main")
PATIENCE = 60.0  # seconds until a process that says nothing counts as dead


class Running:
    """A service that was started, and what it has said on stderr so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log lines so far."""
        lines = self._said.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def heard(self, event: str, times: int = 1) -> dict[str, Any]:
        """Waits until the log says `event` for the `times`-th time; returns that line."""
        until = time.monotonic() + PATIENCE
        while True:
            found = [line for line in self.log if line["event"] == event]
            if len(found) >= times:
                return found[times - 1]
            ended = self.process.poll()
            assert ended is None, f"the service ended with {ended} and said:\n{self._said.read_text()}"
            assert time.monotonic() < until, f"no {event!r} in:\n{self._said.read_text()}"
            time.sleep(0.02)

    @property
    def control(self) -> str:
        return str(self.heard("serving")["control"])

    def metrics(self) -> str:
        """The metrics page."""
        address = self.heard("serving")["metrics"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=PATIENCE) as page:
            return str(page.read().decode())

    def metric(self, sample: str) -> float:
        """One sample of the metrics page, such as ``name`` or ``name{label="value"}``."""
        for line in self.metrics().splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        raise AssertionError(f"no {sample} in the metrics")

    def decide(self, **call: Any) -> interception_pb2.DecideResponse:
        """Asks about one call on a connection of its own."""
        with grpc.insecure_channel(self.control) as channel:
            stub = interception_pb2_grpc.InterceptionServiceStub(channel)
            answer: interception_pb2.DecideResponse = stub.Decide(
                interception_pb2.DecideRequest(**call), timeout=PATIENCE, wait_for_ready=True
            )
            return answer

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end; returns the exit code, negative for a signal."""
        return self.process.wait(PATIENCE)


@contextmanager
def serve(
    directory: Path, *options: str | Path, control: str = "127.0.0.1:0", metrics: str = "127.0.0.1:0"
) -> Iterator[Running]:
    """Starts a service that keeps its files in `directory`; it is gone afterwards."""
    said = directory / f"stderr-{time.monotonic_ns()}"
    command = [*INTERCEPTOR, "serve", "--control", control, "--metrics", metrics, *map(str, options)]
    with said.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, stdout=stderr, env={**os.environ, "NO_COLOR": "1"})
    try:
        yield Running(process, said)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
