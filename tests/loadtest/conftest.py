"""The service a load test is tried on."""

from collections.abc import Iterator

import pytest

from service.running import Running, write_policy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service on the test policy, shared: its two fronts answer alike."""
    running = Running(write_policy(tmp_path_factory.mktemp("service")), "--pass-sample", "0")
    yield running
    running.stop()


@pytest.fixture(params=["data", "control"])
def address(service: Running, request: pytest.FixtureRequest) -> str:
    """Where the service answers: the data plane, and the portable front on grpcio."""
    return service.front(request.param).address
