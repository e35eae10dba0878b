"""Data planes that end with the test that started them."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dataplane.planes import Serve
from interceptor.dataplane.server import DataPlane
from interceptor.engine.engine import Engine
from interceptor.engine.plan import NumberingPlan


@pytest.fixture
def serve(plan: NumberingPlan) -> Iterator[Serve]:
    """Starts data planes on one thread at 127.0.0.1, open unless `opened` is False, each with an engine of its own."""
    with ExitStack() as ends:

        def started(*, opened: bool = True, **settings: Any) -> DataPlane:
            engine = Engine(plan, repeats=1 << 10, events=1 << 10)
            settings = {
                "listen": ["127.0.0.1:0"],
                "threads": 1,
                "clock_offset_ns": 0,
                "tls": None,
                "client_names": None,
                **settings,
            }
            plane = DataPlane(engine, **settings)
            ends.callback(plane.close, 0)
            plane.start()
            if opened:
                plane.open()
            return plane

        yield started
