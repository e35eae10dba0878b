"""Services for tests: one that a file's tests share, and ones of a test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.running import Front, Running, write_policy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service on the test policy, shared: a test uses callers of its own and leaves policy and process alone."""
    running = Running(write_policy(tmp_path_factory.mktemp("service")), "--pass-sample", "0")
    yield running
    running.stop()


@pytest.fixture(params=["data", "control"])
def front(request: pytest.FixtureRequest, service: Running) -> Front:
    """Each of the shared service's ports that answer switches: what a call means is the same at both."""
    return service.front(request.param)


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
