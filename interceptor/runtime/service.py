"""The running service: engine, clock, policy, lists, decision log and metrics, started and stopped together."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interceptor.engine.engine import Decision, Engine, Explanation
from interceptor.numbering import load_plan
from interceptor.runtime.clock import Clock
from interceptor.runtime.events import DecisionLog, EventDrain
from interceptor.runtime.expiry import Expiry
from interceptor.runtime.loader import Fault, Loaded, Loader, LoadError, Progress
from interceptor.runtime.logs import Log
from interceptor.runtime.masking import masked
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.runtime.tally import Tally


@dataclass(frozen=True)
class Settings:
    """What a service is started with."""

    policy: Path
    home: str = "CN"  #: region (ISO 3166-1) whose dial plan reads numbers where no trunk says otherwise
    cache: Path | None = None  #: directory that keeps the numbering plan; None: the user's cache
    decision_log: Path | None = None
    show_numbers: bool = False  #: whether the decision log holds whole numbers
    pass_sample: int = 1000  #: one of how many passed calls goes to the decision log
    allow_bad: bool = False  #: keep the good rows of a list file of which more than 1 % are bad


class NotReadyError(Exception):
    """No policy has been published yet, or the service is stopping."""


class Service:
    """One engine under one policy file.

    `decide` and `explain` may be called by any number of threads; `load`, `open`, `reload` and `stop` by one at a time.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self.clock = Clock()
        self.tally = Tally()
        self.outcomes = RecentOutcomes()
        plan = load_plan(settings.cache)
        self.engine = Engine(
            plan, home=settings.home, boot_ms=self.clock.now_ms(), pass_sample=settings.pass_sample
        )
        self.loader = Loader(
            self.engine,
            plan,
            self.clock,
            self.outcomes,
            settings.policy,
            home=settings.home,
            allow_bad=settings.allow_bad,
        )
        self._expiry = Expiry(self.engine, self.loader, self.clock, log)
        sink = (
            DecisionLog(settings.decision_log, self.outcomes, show_numbers=settings.show_numbers)
            if settings.decision_log is not None
            else None
        )
        self._drain = EventDrain(self.engine, sink, self.tally, log)
        self._reloading = threading.Lock()
        self.ready = False

    def load(self, progress: Progress | None = None) -> Loaded:
        """Loads policy and lists for the first time. Raises LoadError when there is nothing good to serve."""
        return self.loader.load(progress)

    def open(self, loaded: Loaded) -> None:
        """Begins to decide calls under what was loaded."""
        self._take(loaded)
        self._expiry.start()
        self._drain.start()
        self.ready = True

    def reload(self) -> Loaded:
        """Reads policy and lists again. Raises LoadError, the last good policy still in force, or NotReadyError."""
        if not self.ready:
            raise NotReadyError(
                "the service is still loading, or stopping: ask again when health says SERVING"
            )
        with self._reloading:
            try:
                loaded = self.loader.load()
            except LoadError as error:
                self.tally.reload_failed()
                problem = self._shown(str(error)) if error.fault == Fault.LISTS else str(error)
                self._log.error(
                    "reload failed, the last good policy stays", fault=error.fault, problem=problem
                )
                raise
            self._take(loaded)
        return loaded

    def stop(self) -> None:
        """Ends the threads; what they still have to write is written."""
        self.ready = False
        self._expiry.stop()
        self._drain.stop()
        self.loader.close()

    def decide(self, call: Mapping[str, Any]) -> Decision:
        """Decides a call now. Raises CallError, or NotReadyError."""
        if not self.ready:
            raise NotReadyError("the service has no policy in force yet: ask again when health says SERVING")
        return self.engine.decide(call, self.clock.now_ms())

    def explain(self, call: Mapping[str, Any]) -> tuple[Explanation, Loaded]:
        """What `decide` would answer, and the policy it goes by. Raises CallError, or NotReadyError."""
        loaded = self.loader.current
        if not self.ready or loaded is None:
            raise NotReadyError("the service has no policy in force yet: ask again when health says SERVING")
        return self.engine.explain(call, self.clock.now_ms()), loaded

    def _take(self, loaded: Loaded) -> None:
        """Counts and tells what is in force."""
        self.tally.reload_succeeded(time.time())
        for name, each in loaded.lists.items():
            if each.bad:
                first = [(line, self._shown(reason)) for line, reason in each.first_bad]
                self._log.warning("list has bad rows", list=name, bad=each.bad, first=first)
        self._log.info(
            "policy in force",
            policy=loaded.spec.source,
            revision=loaded.revision,
            digest=loaded.spec.digest,
            rules=len(loaded.spec.rules),
            lists={name: each.rows - each.bad - each.expired for name, each in loaded.lists.items()},
        )

    def _shown(self, text: str) -> str:
        """What a list file says, as the log may say it."""
        return text if self._settings.show_numbers else masked(text)
