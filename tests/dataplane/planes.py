"""Data planes of a test's own, and what is asked of them."""

import time
from collections.abc import Callable

from dataplane.switch import TIMEOUT
from interceptor.dataplane.server import DataPlane

#: starts a data plane with the settings given; the fixture `serve`
Serve = Callable[..., DataPlane]


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what is bound to come."""
    late = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < late, "it did not come to pass"
        time.sleep(0.005)


def ended(plane: DataPlane) -> dict[str, int]:
    """Why connections have ended, without those that did not."""
    return {why: count for why, count in plane.traffic()["ended"].items() if count}
