"""A service that a file's tests share, on TCP and on a Unix socket."""

from collections.abc import Iterator

import pytest

from service.conftest import start
from service.running import Running, write_policy

__all__ = ["service", "start", "unix_address"]


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
