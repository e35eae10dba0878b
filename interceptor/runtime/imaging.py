"""Keeps the image of the lists near what the store holds, so that the next start is a short one."""

import time
from contextlib import suppress

from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.logs import Log
from interceptor.runtime.memory import give_back
from interceptor.runtime.niceness import step_back
from interceptor.store import facts
from interceptor.store.store import Store
from interceptor.store.words import StoreError

PERIOD = 1.0  # seconds between looks
#: entries changed since the last image, from which a stop makes one: to replay them would make the next start long
MANY = 100_000
#: seconds for which nothing changed before an image is made, and those after which one is made all the same
QUIET, STALE = 10.0, 600.0


class Imaging(Background):
    """A thread of its own, at nice 19: an image of millions takes seconds, and entries that end wait for nobody.

    It begins with what imports of an earlier process have left behind.
    """

    def __init__(self, store: Store, clock: Clock, log: Log) -> None:
        super().__init__("imaging")
        self._store = store
        self._clock = clock
        self._log = log
        self._cleaned = self._failing = False
        self._seen = 0  # revision
        self._changed = self._tried = time.monotonic()

    def _run(self) -> None:
        step_back()
        give_back()  # what the start took
        while not self._stopping.wait(PERIOD):
            try:
                self._look()
            except Exception as error:
                self._changed = time.monotonic()  # not again at once
                if not self._failing:
                    self._log.warning(
                        "no image of the lists, the next start takes longer",
                        problem=str(error),
                        exc_info=not isinstance(error, StoreError),
                    )
                self._failing = True
        with suppress(StoreError):
            if (
                not self._store.database.frozen
                and facts.changed_since(self._store.database, self._made_at()) >= MANY
            ):
                self._store.images.save(self._clock.now_ms())

    def _look(self) -> None:
        if self._store.database.frozen:
            return
        if not self._cleaned:
            self._store.imports.clean()
            self._cleaned = True
        revision, now = self._store.revision(), time.monotonic()
        if revision != self._seen:
            self._seen, self._changed = revision, now
        if revision == self._made_at() or (now - self._changed < QUIET and now - self._tried < STALE):
            return
        self._tried = now
        self._store.images.save(self._clock.now_ms())
        self._failing = False
        give_back()

    def _made_at(self) -> int:
        """Revision of the image that there is; 0 when there is none."""
        made = self._store.images.made
        return 0 if made is None else made.revision
