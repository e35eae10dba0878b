"""A service that a file's tests share, and clients that are closed when a test ends."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interceptor.client import Screening
from service.conftest import start
from service.running import Running, write_policy

__all__ = ["service", "start"]

#: A deadline for what is to be answered: a shared machine may be slow.
PATIENT_MS = 30_000

Ask = Callable[..., Screening]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("service")
    running = Running(
        write_policy(directory),
        *("--listen", "127.0.0.1:0", "--listen", f"unix:{directory}/data"),
    )
    yield running
    running.stop()


@pytest.fixture(params=[False, True], ids=["unary", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Both ways of asking."""
    asked: bool = request.param
    return asked


@pytest.fixture
def screening(stream: bool) -> Iterator[Ask]:
    """``screening(targets, ...)`` is a client of either kind, patient unless a deadline is given."""
    clients: list[Screening] = []

    def make(targets: Any, **settings: Any) -> Screening:
        clients.append(Screening(targets, **{"stream": stream, "deadline_ms": PATIENT_MS, **settings}))
        return clients[-1]

    yield make
    for client in clients:
        client.close(0)


def halt(service: Running) -> None:
    """It hangs when this returns, all its threads."""
    service.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, service.process.pid, os.WSTOPPED)
