"""A policy small enough to reason about, and services that are about to be mistreated."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.running import LISTED, Running, write_policy

POLICY = """\
version: 1
trunks:
  default: {region: CN}
lists:
  fraud: {kind: number, file: fraud.csv}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
default: pass
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file that blocks LISTED."""
    return write_policy(tmp_path, POLICY, f"number\n{LISTED}\n")


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """``start(policy, *arguments)`` runs a service, gone at the test's end however the test has treated it."""
    services: list[Running] = []

    def begin(policy: Path, *arguments: str | Path) -> Running:
        services.append(Running(policy, *arguments))
        return services[-1]

    yield begin
    for each in services:
        if each.process.poll() is None:
            each.process.kill()
        each.stop()
