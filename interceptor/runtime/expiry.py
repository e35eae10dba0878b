"""Takes list entries away when their valid_until has come."""

from interceptor.engine.engine import Engine
from interceptor.runtime.background import Background
from interceptor.runtime.clock import Clock
from interceptor.runtime.loader import Loaded, Loader
from interceptor.runtime.logs import Log

PERIOD = 1.0  # seconds between looks: valid_until is a matter of days, not of calls


class Expiry(Background):
    """Looks once a second, on a thread of its own, for entries of the policy in force whose time is up."""

    def __init__(self, engine: Engine, loader: Loader, clock: Clock, log: Log) -> None:
        super().__init__("expiry")
        self._engine = engine
        self._loader = loader
        self._clock = clock
        self._log = log
        self._loaded: Loaded | None = None
        self._looked_ms = 0  # entries that end up to here are gone

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD):
            # On the builder thread, so that no reload swaps the lists meanwhile.
            self._loader.build(self._remove_ended)

    def _remove_ended(self) -> None:
        loaded, now = self._loader.current, self._clock.now_ms()
        if loaded is None:
            return
        if loaded is not self._loaded:
            self._loaded, self._looked_ms = loaded, loaded.read_ms
        for name, each in loaded.lists.items():
            ended = each.expiries.between(self._looked_ms, now)
            if len(ended):
                gone = self._engine.remove(name, ended)
                self._log.info("list entries have reached their end", list=name, entries=gone)
        self._looked_ms = now
