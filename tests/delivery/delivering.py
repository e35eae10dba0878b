"""Sinks of a test: a spool with events in it, and the threads that deliver, without a service around them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from interceptor.delivery.courier import Courier
from interceptor.delivery.envelope import Record, record
from interceptor.delivery.outlets import Outlets
from interceptor.delivery.settings import Sinks
from interceptor.runtime.masking import masked

SOURCE = "interceptor/test"
TIME_MS = 1_772_353_800_123  # 2026-03-01T08:30:00.123Z


def decision(number: int, **data: Any) -> Record:
    """The event of a warned call; its id is its number."""
    name = f"{number:016x}"
    said = {
        "decision_id": name,
        "verdict": "warn",
        "rule": "shop",
        "reason": "fake-ecommerce-service",
        "policy_revision": 1,
        "caller": f"+86138{number:08}",
        "callee": "+8613900139000",
        "call_id": f"{number}@10.0.0.1",
    }
    return record("decision", name, TIME_MS + number, said | data)


def name_of(number: int) -> str:
    """The id of that decision."""
    return f"{number:016x}"


class Delivering:
    """Outlets in a directory of their own, started."""

    def __init__(self, directory: Path, *sinks: dict[str, Any], megabytes: int = 8) -> None:
        self.directory = directory / "events"
        self._stopped = False
        self.told: list[dict[str, Any]] = []
        #: of the spool and of what is kept for how long, milliseconds
        self.now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        self.outlets = Outlets(
            Sinks.model_validate({"version": 1, "spool": {"megabytes": megabytes}, "sinks": sinks}),
            directory=self.directory,
            source=SOURCE,
            masked=masked,
            key=b"k" * 16,
            begin=lambda: None,
            clock=lambda: self.now(),  # noqa: PLW0108 - a test may replace it
            log=structlog.wrap_logger(None, processors=[self._hear]),
        )
        self.spool = self.outlets.spool
        self.outlets.start()

    def courier(self, name: str) -> Courier:
        return next(each for each in self.outlets.couriers if each.name == name)

    def put(self, *numbers: int, **data: Any) -> None:
        self.spool.append([decision(number, **data) for number in numbers])

    def until(self, reached: Callable[[], bool], timeout: float = 30) -> None:
        """Waits for what threads do."""
        end = time.monotonic() + timeout
        while not reached():
            assert time.monotonic() < end, (
                self.told,
                {each.name: (each.delivered, each.failures, each.refused) for each in self.outlets.couriers},
            )
            time.sleep(0.01)

    def emptied(self, name: str) -> None:
        """Waits until that sink has nothing left."""
        self.until(lambda: self.courier(name).reader.backlog == 0)

    def problems(self) -> list[str]:
        """What was logged that says `problem`."""
        return [each["problem"] for each in self.told if "problem" in each]

    def stop(self) -> None:
        if not self._stopped:
            self.outlets.stop()
        self._stopped = True

    def _hear(self, _logger: object, _method: str, said: dict[str, Any]) -> Any:
        self.told.append(said)
        raise structlog.DropEvent
