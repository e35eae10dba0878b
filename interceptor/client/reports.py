"""Reports on their way: what holds up no call waits here, within bounds, and is sent from a thread of its own."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from interceptor.client.endpoint import PAUSE_S, Endpoint
from interceptor.client.tally import Tally
from interceptor.client.undecided import Undecided

AT_ONCE = 64
SECONDS = 1.0  #: how long a report may take


class Report(NamedTuple):
    method: str  #: of the service
    message: Any
    repeatable: bool  #: it has an id by which it counts once, however often it is sent


class Reports:
    """A bounded queue. Reports with an id are sent until a service takes them; what finds the queue full is lost."""

    def __init__(self, endpoints: Sequence[Endpoint], tally: Tally, room: int) -> None:
        self._endpoints = endpoints
        self._tally = tally
        self._room = room
        self._changed = threading.Condition()
        self._waiting: deque[Report] = deque()
        self._sender: threading.Thread | None = None
        self._closed = threading.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, report: Report) -> bool:
        """False: there is no room, or it is closed; the report is lost and counted."""
        with self._changed:
            if taken := len(self._waiting) < self._room and not self._closed.is_set():
                self._waiting.append(report)
                if self._sender is None:
                    self._sender = threading.Thread(
                        target=self._send, name="interceptor-reports", daemon=True
                    )
                    self._sender.start()
                self._changed.notify()
        if not taken:
            self._tally.report("lost")
        return taken

    def close(self, seconds: float) -> None:
        """Takes no more, and gives those that wait so long to be sent."""
        with self._changed:
            self._closed.set()
            sender = self._sender
            self._changed.notify()
        if sender is not None:
            sender.join(seconds)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        self._tally.report("lost", left)

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed.is_set())
                batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            if not batch:
                return
            while batch := self._unsent(batch):
                if self._closed.wait(PAUSE_S):  # a last try has been made
                    self._tally.report("lost", len(batch))
                    return

    def _unsent(self, batch: Sequence[Report]) -> list[Report]:
        """Sends them all at once to the service that calls go to; returns those that are to be sent again."""
        endpoint = next((each for each in self._endpoints if each.worth_asking()), None)
        if endpoint is None:
            return list(batch)
        sent = [(report, started(endpoint, report)) for report in batch]
        again, failed = [], False
        for report, answer in sent:
            try:
                answer.result()
            except Undecided as why:
                failed = failed or not why.refused
                if why.refused or not report.repeatable:
                    self._tally.report("refused" if why.refused else "lost")
                else:
                    again.append(report)
            else:
                self._tally.report("sent")
        if failed:
            endpoint.failed()
        else:
            endpoint.breaker.answered()
        return again


def started(endpoint: Endpoint, report: Report) -> Future[Any]:
    """Its answer to come, also where it cannot even be sent."""
    try:
        return endpoint.send(report.method, report.message, SECONDS)
    except Undecided as why:
        failed: Future[Any] = Future()
        failed.set_exception(why)
        return failed
