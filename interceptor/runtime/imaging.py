"""Keeps the image of the lists near what the store holds, so that the next start is a short one."""

import threading
import time
from contextlib import suppress

from interceptor.runtime.clock import Clock
from interceptor.runtime.loader import step_back
from interceptor.runtime.logs import Log
from interceptor.runtime.memory import give_back
from interceptor.store import facts
from interceptor.store.store import Store
from interceptor.store.words import StoreError

PERIOD = 1.0  # seconds between looks
#: entries changed since the last image, from which a stop makes one: to replay them would make the next start long
MANY = 100_000
#: seconds for which nothing changed before an image is made, and those after which one is made all the same
QUIET, STALE = 10.0, 600.0


class Imaging:
    """A thread of its own, at nice 19: an image of millions takes seconds, and entries that end wait for nobody.

    It begins with what imports of an earlier process have left behind.
    """

    def __init__(self, store: Store, clock: Clock, log: Log) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imaging", daemon=True)
        self._failing = False
        self.made_ms = 0  #: when the last image was begun, in milliseconds since the Unix epoch; 0: none was

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        step_back()
        give_back()  # what the start took
        made = seen = 0  # revisions
        changed = tried = time.monotonic()
        cleaned = False
        while not self._stopping.wait(PERIOD):
            now = time.monotonic()
            try:
                if not cleaned:
                    self._store.imports.clean()
                    cleaned = True
                revision = self._store.revision()
                if revision != seen:
                    seen, changed = revision, now
                if revision == made or (now - changed < QUIET and now - tried < STALE):
                    continue
                tried = now
                begun_ms = self._clock.now_ms()
                made = self._store.images.save(begun_ms)
                self.made_ms = begun_ms
                self._failing = False
            except StoreError as error:
                changed = now  # not again at once
                if not self._failing:
                    self._log.warning(
                        "no image of the lists, the next start takes longer", problem=str(error)
                    )
                self._failing = True
            give_back()
        with suppress(StoreError):
            if facts.changed_since(self._store.database, made) >= MANY:
                self._store.images.save(self._clock.now_ms())
