"""What is looked at all the time: entries whose time has come, the trial, rules that block too much."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.demotion import Demotions
from interceptor.runtime.desk import Desk
from interceptor.runtime.logs import Log
from interceptor.runtime.trials import Trials
from interceptor.store import facts
from interceptor.store.feedback import Precision
from interceptor.store.words import StoreError

PERIOD = 0.5  # seconds: what begins or ends does so within one
#: seconds between two looks at what only metrics tell
FACTS = 15.0


@dataclass(frozen=True)
class Known:
    """What the store said last, for metrics."""

    revision: int = 0
    last_changes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    precision: Precision = field(default_factory=Precision)


class Upkeep(Background):
    """A thread of its own, not stepped back: operators wait for the lock it takes.

    What fails is tried again soon, and said once.
    """

    def __init__(self, desk: Desk, trials: Trials, demotions: Demotions, clock: Clock, log: Log) -> None:
        super().__init__("upkeep")
        self._desk = desk
        self._trials = trials
        self._demotions = demotions
        self._clock = clock
        self._log = log
        self._failing: set[str] = set()
        self._asked = -FACTS
        self.known = Known()

    @property
    def up(self) -> bool:
        """Whether the store could be read when it was last asked, and nothing failed to be written."""
        return "store" not in self._failing

    def _run(self) -> None:
        due = time.monotonic() + PERIOD
        while not self._stopping.wait(max(due - time.monotonic(), 0)):
            due = max(due, time.monotonic() - PERIOD) + PERIOD
            self._try("trial", self._trials.look)
            self._try("demotions", self._demotions.look)
            self._try("store", self._follow)

    def _try(self, what: str, look: Callable[[], None]) -> None:
        """Nothing that goes wrong with one of them may end the others."""
        try:
            look()
        except Exception as error:
            if what not in self._failing:
                self._log.error(
                    "upkeep fails, decisions go on",
                    what=what,
                    problem=str(error),
                    exc_info=not isinstance(error, StoreError),
                )
            self._failing.add(what)
        else:
            if what in self._failing:
                self._log.info("upkeep works again", what=what)
            self._failing.discard(what)

    def _follow(self) -> None:
        if self._desk.store.database.failing:
            self._desk.store.database.probe()
        settled = self._desk.look()
        if settled:
            self._log.info("list entries have begun or reached their end", entries=settled)
        store, now = self._desk.store, time.monotonic()
        revision = store.revision()
        if now - self._asked >= FACTS:
            self._asked = now
            self.known = Known(revision, facts.last_changes(store.database), store.feedback.precision())
            store.sent.sweep(self._clock.now_ms())
        else:
            self.known = replace(self.known, revision=revision)
