"""Services that follow one another in one data directory."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from running.switches import policy_in, silence
from service.running import Running

Serve = Callable[..., Running]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(*arguments)`` runs a service of this test's data and state, gone at the test's end."""
    shared = Path("/dev/shm")
    state = Path(
        tempfile.mkdtemp(prefix="interceptor-test-", dir=shared if os.access(shared, os.W_OK) else None)
    )
    policy = policy_in(tmp_path)
    services: list[Running] = []

    def begin(*arguments: str | Path) -> Running:
        services.append(
            Running(policy, "--data", tmp_path / "data", "--state", state, "--grace", "1", *arguments)
        )
        return services[-1]

    yield begin
    silence()
    for each in services:
        if each.process.poll() is None:
            each.process.kill()
        each.stop()
    shutil.rmtree(state)
