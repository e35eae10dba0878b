"""A thread a sink: takes events from the spool, delivers them, tries again for as long as they are kept."""

import random
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from interceptor.delivery.envelope import Spooled
from interceptor.delivery.rotation import RotatingFile
from interceptor.delivery.selection import Selection
from interceptor.delivery.settings import SinkEntry
from interceptor.delivery.sink import Away, Event, Refused, Sink
from interceptor.delivery.spool import Reader

PERIOD = 0.1  # seconds between looks for new events
#: seconds before it is tried again: doubled each time, from the first to the last, with jitter
FIRST, LAST = 0.5, 60.0
#: a receiver that asks for more time than this is asked again all the same
PATIENCE = 3600.0
#: seconds a service that stops goes on delivering what it has
STOPPING = 2.0


class Courier:
    """Delivers to one sink, in order, each event at least once.

    Parameters
    ----------
    reader
        Its place in the spool.
    set_aside
        Where events go that the receiver refuses for good.
    begin
        Called first on its thread.
    """

    def __init__(
        self,
        entry: SinkEntry,
        sink: Sink,
        reader: Reader,
        selection: Selection,
        *,
        set_aside: RotatingFile,
        begin: Callable[[], None],
        clock: Callable[[], int],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self.name = entry.name
        self.reader = reader
        self._entry = entry
        self._sink = sink
        self._selection = selection
        self._set_aside = set_aside
        self._begin = begin
        self._clock = clock
        self._log = log
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sink {entry.name}", daemon=True)
        self._tries = 0  # that failed, since the last that did not
        self.delivered = 0  #: events
        self.failures = 0  #: attempts
        self.refused = 0  #: events that were set aside
        #: events that could not be delivered for as long as they are kept, or before they were erased
        self.expired = 0

    @property
    def dropped(self) -> int:
        """Events it will never see: their numbers are left out in what it delivers."""
        return self.reader.dropped + self.expired

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest event that it took from the spool has waited."""
        since = self.reader.since_ms
        return 0.0 if since is None else max(self._clock() - since, 0) / 1000

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Has it end soon; see `ended`. What it could not deliver stays in the spool."""
        self._stopping.set()

    def ended(self, timeout: float) -> bool:
        """Waits for its end so long, in seconds; whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._begin()
        end = None
        while True:
            if self._stopping.is_set() and end is None:
                end = time.monotonic() + STOPPING
            if end is not None and time.monotonic() > end:
                break
            taken = self.reader.take(self._entry.batch)
            if taken:
                if not self._delivered(self._chosen(taken)):
                    break  # and takes nothing further, which would be committed over what is left
                self._commit()
            elif end is not None:
                break
            else:
                self._stopping.wait(PERIOD)
        self._sink.close()
        self._set_aside.close()

    def _commit(self) -> None:
        try:
            self.reader.commit()
        except OSError as error:  # files that all sinks have behind them could not be taken away
            self._log.error("spool cannot let go of a file", sink=self.name, problem=str(error))

    def _chosen(self, taken: Sequence[Spooled]) -> Sequence[Event]:
        """Those it is asked for. One that another version wrote in a way of its own is left out, and counted."""
        chosen = []
        for each in taken:
            try:
                event = self._selection.event(each)
            except ValueError as error:
                self.refused += 1
                self._log.error(
                    "an event cannot be read", sink=self.name, sequence=each.sequence, problem=repr(error)
                )
            else:
                if event is not None:
                    chosen.append(event)
        return chosen

    def _delivered(self, events: Sequence[Event]) -> bool:
        """Whether all went where they go, before the service was to stop."""
        left = [events]
        while left:
            left[0] = self._kept(left[0])
            if not left[0]:
                left.pop(0)
                continue
            try:
                self._sink.deliver(left[0])
            except Refused as error:
                self._take_apart(left, str(error))
            except Away as error:
                if not self._again(str(error), error.retry_after_s):
                    return False
            except Exception as error:
                self._log.exception("a sink failed", sink=self.name)
                if not self._again(repr(error), 0.0):
                    return False
            else:
                self.delivered += len(left.pop(0))
                if self._tries:
                    self._log.info("sink delivers again", sink=self.name, failed=self._tries)
                self._tries = 0
        return True

    def _kept(self, events: Sequence[Event]) -> Sequence[Event]:
        """Without those that have waited for too long, or were erased meanwhile."""
        oldest, erased = self._clock() - self._entry.keep_hours * 3_600_000, self.reader.erased
        kept = [event for event in events if event.at_ms >= oldest and event.sequence not in erased]
        self.expired += len(events) - len(kept)
        return kept

    def _take_apart(self, left: list[Sequence[Event]], problem: str) -> None:
        """Halves what was refused, until the event is found that it was refused for; that one is set aside."""
        events = left.pop(0)
        if len(events) > 1:
            half = len(events) // 2
            left[:0] = [events[:half], events[half:]]
            return
        self.refused += 1
        if self.refused == 1:
            self._log.error("sink refuses an event, it is set aside", sink=self.name, problem=problem)
        try:
            self._set_aside.write([events[0].text + b"\n"])
        except OSError as error:
            self._log.error("what was refused is not kept", sink=self.name, problem=str(error))

    def _again(self, problem: str, at_least_s: float) -> bool:
        """Waits before the next attempt; False if the service stops meanwhile."""
        self.failures += 1
        if self._tries == 0:
            self._log.error(
                "sink does not deliver, its events wait in the spool", sink=self.name, problem=problem
            )
        delay = min(FIRST * 2 ** min(self._tries, 20), LAST) * random.uniform(0.5, 1.0)
        self._tries += 1
        return not self._stopping.wait(max(delay, min(at_least_s, PATIENCE)))
