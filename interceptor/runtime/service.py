"""The running service: engine, clock, policy, lists, decision log and metrics, started and stopped together."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interceptor.engine.engine import Decision, Engine, Explanation
from interceptor.numbering import load_plan
from interceptor.runtime.additions import Additions
from interceptor.runtime.clock import Clock
from interceptor.runtime.clues import Clues
from interceptor.runtime.demotion import Demotions, Jump
from interceptor.runtime.desk import Desk
from interceptor.runtime.entities import Entities
from interceptor.runtime.events import DecisionLog, EventDrain
from interceptor.runtime.expiry import Expiry
from interceptor.runtime.guard import Guard
from interceptor.runtime.imaging import Imaging
from interceptor.runtime.leave import Leave
from interceptor.runtime.live import LiveLists
from interceptor.runtime.loader import Fault, Loaded, Loader, LoadError, Progress
from interceptor.runtime.logs import Log
from interceptor.runtime.masking import masked
from interceptor.runtime.outcomes import RecentOutcomes
from interceptor.runtime.policies import LivePolicies
from interceptor.runtime.protection import Protection
from interceptor.runtime.recent import RecentCalls
from interceptor.runtime.remembering import Remembering
from interceptor.runtime.state import Copying, Fetching, Place, open_state, tell
from interceptor.runtime.tally import Tally
from interceptor.runtime.trials import Trials
from interceptor.runtime.upkeep import Upkeep
from interceptor.runtime.watching import Watching
from interceptor.runtime.why import Decisions
from interceptor.store.store import Store
from interceptor.store.words import StoreError

if TYPE_CHECKING:  # a service without sinks loads nothing of them
    from interceptor.delivery.settings import Sinks
    from interceptor.runtime.earlywarnings import EarlyWarnings
    from interceptor.runtime.once import Once
    from interceptor.runtime.publishing import Publishing
    from interceptor.runtime.reminders import Reminders

#: what a process leaves to the one that follows: entries that rules made, and what was sent today
LEFT = frozenset({"additions", "sent"})
#: seconds in which a process that has handed over lets go of the spool
SPOOL_FREE = 15.0


def state_directory() -> Path:
    """Where this user's service keeps what must outlive it, when nothing else is said (XDG Base Directory)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "interceptor"


@dataclass(frozen=True)
class Settings:
    """What a service is started with."""

    policy: Path | None = None  #: a file to follow; None: the policy is the store's
    #: directory of the store, its image and imports under way
    data: Path = field(default_factory=state_directory)
    store_url: str | None = None  #: of a PostgreSQL database; None: SQLite in `data`
    home: str = "CN"  #: region (ISO 3166-1) whose dial plan reads numbers where no trunk says otherwise
    cache: Path | None = None  #: directory that keeps the numbering plan; None: the user's cache
    decision_log: Path | None = None
    #: whether the decision log, and what operators are shown of calls, has whole numbers
    show_numbers: bool = False
    calls_in_flight: int = 1 << 20  #: calls whose reports can be joined to their decision
    pass_sample: int = 1000  #: one of how many passed calls goes to the decision log
    state: Place = None  #: where counters lie; None: in memory of the process's own, and end with it
    copy_s: float = 600.0  #: seconds between copies of them to disk; 0: none
    sinks: "Sinks | None" = None  #: where events go; None: nowhere
    allow_bad: bool = False  #: keep the good rows of a list file of which more than 1 % are bad


class NotReadyError(Exception):
    """No policy has been published yet, or the service is stopping."""


class Service:
    """One engine and its store, under one policy.

    `decide` and `explain` may be called by any number of threads; `load`, `open`, `reload` and `stop` by one at a time.
    What operators ask goes to `lists`, `policies`, `decisions`, `watching`, `clues` and `entities`.
    """

    def __init__(self, settings: Settings, log: Log, *, beside: bool = False) -> None:
        """Opens store, state and spool. Raises StoreError, StateError, SinksError, SpoolError when that cannot be.

        beside: another process decides with the same state, and has the spool, until `succeed`.
        """
        self._settings = settings
        self._log = log
        self.clock = clock = Clock()
        self.tally = Tally()
        self.outcomes = RecentOutcomes()
        plan = load_plan(settings.cache)
        self.store = Store.open(
            settings.data, settings.store_url, plan=plan, home=settings.home, clock=clock.now_ms
        )
        self.state = open_state(settings.state, self.store.secret, settings.data, log, beside=beside)
        self.engine = engine = Engine(
            plan,
            home=settings.home,
            secret=self.store.secret,
            boot_ms=clock.now_ms(),
            pass_sample=settings.pass_sample,
            state=self.state,
            calls_in_flight=settings.calls_in_flight,
        )
        shown = settings.show_numbers
        self.loader = loader = Loader(
            engine, plan, clock, self.outcomes, home=settings.home, allow_bad=settings.allow_bad
        )
        self.desk = desk = Desk(engine, loader, self.store, clock, log)
        self.recent = RecentCalls(engine)
        guard = Guard(engine, self.recent, Protection(plan, settings.home, desk.contents), show_numbers=shown)
        leave = Leave(clock, self.tally)
        self.trials = Trials(engine, desk, self.outcomes, clock, log, show_numbers=shown)
        self._once: list[Once] = []
        self.reminders: Reminders | None = None
        self.early_warnings: EarlyWarnings | None = None
        self._beside = beside
        if beside and settings.sinks is not None:
            from interceptor.delivery.outlets import try_out  # noqa: PLC0415 - what only a service with sinks needs

            try_out(settings.sinks)
        self.publishing = None if settings.sinks is None or beside else self._publishing(settings.sinks)
        self.demotions = Demotions(engine, desk, clock, log, heard=self._demoted)
        self.additions = Additions(engine, loader, desk, clock, log)
        self.remembering = Remembering(desk, self.outcomes, clock, log)
        self.lists = LiveLists(desk, loader, guard, leave, clock, forget=self._forget)
        self.policies = LivePolicies(
            settings.policy,
            desk,
            loader,
            guard=guard,
            leave=leave,
            trials=self.trials,
            demotions=self.demotions,
            additions=self.additions,
            clock=clock,
            log=log,
        )
        self.decisions = Decisions(desk, loader, clock, show_numbers=shown)
        self.entities = Entities(engine, desk, clock)
        self.clues = Clues(engine, desk, self.entities, clock)
        self.watching = Watching(
            engine, self.outcomes, clock, pass_sample=settings.pass_sample, show_numbers=shown
        )
        self._expiry = Expiry(engine, loader, clock, log)
        self.upkeep = Upkeep(desk, self.trials, self.demotions, clock, log)
        self._fetching = Fetching(self.state)
        self.copying = Copying(self.state, settings.copy_s, clock, log)
        self.imaging = Imaging(self.store, clock, log)
        sink = (
            DecisionLog(settings.decision_log, self.outcomes, show_numbers=shown)
            if settings.decision_log is not None
            else None
        )
        self._looks = [self.remembering.look]
        self._listeners = [self.remembering.take, self.additions.take, self.trials.take, self.watching.take]
        if self.publishing is not None:
            self._hear(self.publishing)
        self._drain = EventDrain(
            engine,
            sink,
            recent=self.recent,
            listeners=self._listeners,
            looks=self._looks,
            clock=clock,
            tally=self.tally,
            log=log,
        )
        self._reloading = threading.Lock()
        self.ready = False

    def load(self, progress: Progress | None = None) -> Loaded:
        """Loads policy and lists for the first time. Raises LoadError when there is nothing good to serve."""
        return self.policies.begin(progress)

    def open(self, loaded: Loaded) -> None:
        """Begins to decide calls under what was loaded."""
        self._take(loaded)
        tell(self.state, self._log)
        self._expiry.start()
        self.upkeep.start()
        self.additions.start()
        self.watching.start()
        self._fetching.start()
        if not self._beside:
            self._own()
        if not self._beside or self._settings.sinks is None:
            self._drain.start()
        self.ready = True

    def _own(self) -> None:
        """Nobody else works with what it keeps."""
        self.imaging.start()
        self.copying.start()
        if self.publishing is not None:
            self.publishing.start()

    def give(self) -> dict[str, list[Any]]:
        """What it could not keep any more, for the process that goes on: by LEFT, as JSON has it."""
        sent = [(until, key.hex()) for once in self._once for key, until in once.waiting.items()]
        return {"additions": self.additions.give(), "sent": sent}

    def succeed(self, *, died: bool, left: Mapping[str, Sequence[Any]]) -> None:
        """The process before is gone: what was shared with it is this one's alone.

        died: before it was done. left: what it could not keep, as it said by `give`. Raises StateError when somebody
        else has taken the state, SinksError and SpoolError, when the rest is done; TypeError, ValueError for what is no
        such thing, and StoreError.
        """
        try:
            self.engine.succeed(died=died)
            self.additions.inherit(left["additions"])
            if left["sent"]:
                from interceptor.runtime.once import by_end  # noqa: PLC0415 - what only a service with sinks needs

                for until, keys in by_end({bytes.fromhex(key): until for until, key in left["sent"]}).items():
                    self.store.sent.remember(until, keys)
        finally:
            try:
                if self._settings.sinks is not None:
                    self.publishing = self._published(self._settings.sinks)
                    self._hear(self.publishing)
            finally:
                self._own()
                if self._settings.sinks is not None:
                    self._drain.start()

    def freeze(self, patience: float) -> None:
        """Leaves what it keeps to another process, and goes on deciding. Raises StoreUnavailableError, as Store.freeze.

        What changes something is refused from now on, as while the store is away.
        """
        with self._reloading:
            self.store.freeze(patience)
        self.copying.ours = False

    def thaw(self) -> None:
        """The other process has given up. Raises StoreRefusedError while it still has the store."""
        self.store.thaw()
        self.copying.ours = True

    def reload(self) -> Loaded:
        """Reads policy and lists again. Raises LoadError, StoreError: the last policy stays; and NotReadyError."""
        if not self.ready:
            raise NotReadyError(
                "the service is still loading, or stopping: ask again when health says SERVING"
            )
        with self._reloading:
            if self.store.database.frozen:
                raise NotReadyError("a new process is taking over: ask again in a moment")
            try:
                loaded = self.policies.reload()
            except LoadError as error:
                self.tally.reload_failed()
                problem = self._shown(str(error)) if error.fault == Fault.LISTS else str(error)
                self._log.error(
                    "reload failed, the last good policy stays", fault=error.fault, problem=problem
                )
                raise
            except StoreError as error:
                self.tally.reload_failed()
                self._log.error(
                    "reload failed, the last good policy stays", fault="store", problem=str(error)
                )
                raise
            except Exception:
                self.tally.reload_failed()
                self._log.exception("reload failed, the last good policy stays")
                raise
            self._take(loaded)
        return loaded

    def stop(self) -> None:
        """Ends the threads; what they still have to write is written."""
        self.ready = False
        self._expiry.stop()
        self.upkeep.stop()
        self._fetching.stop()
        self.imaging.stop()
        self.copying.stop()
        self.watching.stop()
        self._drain.stop()
        if self.publishing is not None:
            self.publishing.stop()
        self.additions.stop()
        self.loader.close()
        self.store.close()
        if self.state is not None:
            self.state.close()

    def decide(self, call: Mapping[str, Any]) -> Decision:
        """Decides a call now. Raises CallError, or NotReadyError."""
        self._demand_ready()
        return self.engine.decide(call, self.clock.now_ms())

    def report(self, report: Mapping[str, Any]) -> str:
        """Takes a report of a call now: `Engine.report`. Raises CallError, or NotReadyError."""
        self._demand_ready()
        return self.engine.report(report, self.clock.now_ms())

    def report_subscription(self, event: str, card: Mapping[str, Any]) -> str:
        """Takes a report of a card now: `Engine.report_subscription`. Raises CallError, or NotReadyError."""
        self._demand_ready()
        return self.engine.report_subscription(event, card, self.clock.now_ms())

    def _demand_ready(self) -> None:
        if not self.ready:
            raise NotReadyError("the service has no policy in force yet: ask again when health says SERVING")

    def explain(self, call: Mapping[str, Any]) -> tuple[Explanation, Loaded]:
        """What `decide` would answer, and the policy it goes by. Raises CallError, or NotReadyError."""
        loaded = self.loader.current
        if not self.ready or loaded is None:
            raise NotReadyError("the service has no policy in force yet: ask again when health says SERVING")
        return self.engine.explain(call, self.clock.now_ms()), loaded

    def _forget(self, number: str) -> tuple[int, list[str]]:
        """Takes a number out of the spool: how many events named it, and where it may stand still."""
        not_reached, events = [], 0
        if self._settings.decision_log is not None and self._settings.show_numbers:
            not_reached.append(f"decision log {self._settings.decision_log}")
        if self.publishing is not None:
            try:
                events = self.publishing.outlets.erase(number)
            except OSError as error:
                not_reached.append(f"spool: {error.strerror}")
        elif self._settings.sinks is not None:
            not_reached.append("spool: the process before has it still, erase it again in a moment")
        if self._settings.sinks is not None:
            not_reached += [
                f"sink {sink.name} ({sink.kind}): what it has delivered"
                for sink in self._settings.sinks.sinks
            ]
        return events, not_reached

    def _demoted(self, jump: Jump) -> None:
        if self.publishing is not None:
            self.publishing.demoted(jump)

    def _hear(self, publishing: "Publishing") -> None:
        self._listeners.append(publishing.take)
        self._looks.append(publishing.look)

    def _published(self, sinks: "Sinks") -> "Publishing":
        """The same, when the process before has the spool until its end, which is near."""
        from interceptor.delivery.spool import SpoolError  # noqa: PLC0415

        until = time.monotonic() + SPOOL_FREE
        while True:
            try:
                return self._publishing(sinks)
            except SpoolError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def _publishing(self, sinks: "Sinks") -> "Publishing":
        from interceptor.policy.zones import zone_of  # noqa: PLC0415 - what only a service with sinks needs
        from interceptor.runtime.earlywarnings import EarlyWarnings  # noqa: PLC0415
        from interceptor.runtime.once import Once  # noqa: PLC0415
        from interceptor.runtime.publishing import Publishing  # noqa: PLC0415
        from interceptor.runtime.reminders import Reminders  # noqa: PLC0415

        home = zone_of(self._settings.home)
        self._once = [Once(self.store.sent, self.store.secret, self._log) for _ in range(2)]
        if sinks.reminders is not None:
            self.reminders = Reminders(sinks.reminders, self.outcomes, self._once[0], self.engine.plan, home)
        if sinks.early_warnings is not None:
            self.early_warnings = EarlyWarnings(sinks.early_warnings, self.outcomes, self._once[1], home)
        return Publishing(
            sinks,
            self.outcomes,
            [maker for maker in (self.reminders, self.early_warnings) if maker is not None],
            data=self._settings.data,
            identity=self.store.identity,
            secret=self.store.secret,
            clock=self.clock,
            log=self._log,
        )

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
