"""A service with a data port, which a file's tests share."""

from collections.abc import Iterator

import pytest

from service.running import Running, write_policy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(write_policy(tmp_path_factory.mktemp("service")), "--pass-sample", "0")
    yield running
    running.stop()
