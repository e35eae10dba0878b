"""A service that a file's tests share, on TCP and on a Unix socket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.running import Running, write_policy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("service")
    running = Running(
        write_policy(directory),
        "--pass-sample",
        "0",
        "--listen",
        "127.0.0.1:0",
        "--listen",
        f"unix:{directory}/data",
    )
    yield running
    running.stop()


@pytest.fixture(scope="module")
def unix_address(service: Running) -> str:
    """The shared service's Unix socket."""
    address: str = service.event("serving")["listen"][1]
    return address


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """``start(policy, *arguments)`` runs a service of the test's own, stopped at its end."""
    services: list[Running] = []

    def begin(policy: Path | str, *arguments: str | Path) -> Running:
        services.append(Running(policy, *arguments))
        return services[-1]

    yield begin
    for each in services:
        each.stop()
