"""The lists of the store as operators change them: guarded, on disk, in force with the next call, then acknowledged.

Every method may be called by any number of threads. What changes something audits it; who only asks is audited by
whoever lets him ask. All of them raise StoreUnavailableError while the database is away, StoreRefusedError for what
makes no sense here (an unknown list, a list that is read from a file), and what changes something also
GuardRefusedError, and StaleRevisionError when something else became live since the revision that was confirmed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from interceptor.engine.engine import ListContent
from interceptor.engine.spec import ListKind
from interceptor.runtime.clock import Clock
from interceptor.runtime.desk import FEW, Desk
from interceptor.runtime.filed import filed
from interceptor.runtime.guard import Guard, Impact
from interceptor.runtime.importing import Changed, Import, ImportProgress, Preview
from interceptor.runtime.leave import Leave
from interceptor.runtime.loader import Loader
from interceptor.store import facts
from interceptor.store.domainfeed import DomainFeed
from interceptor.store.imports import Order
from interceptor.store.rpz import zone_file
from interceptor.store.store import Store
from interceptor.store.words import (
    Action,
    Applied,
    Held,
    Keys,
    ListState,
    Mode,
    NewEntry,
    StoreRefusedError,
)

__all__ = [
    "Changed",
    "Erased",
    "Import",
    "ImportProgress",
    "ListFigures",
    "LiveLists",
    "Page",
    "Preview",
    "Shown",
]

#: a change of the store's lists, made or only tried: (store, now_ms, expected, dry_run) -> what it did or would do
Change = Callable[[Store, int, int | None, bool], Applied]


@dataclass(frozen=True)
class Shown:
    """All that is known of a number, a domain, a device ..."""

    entries: Sequence[Held]  #: by list and source
    stopped: int  #: remembered decisions that blocked it
    warned: int
    decision_ids: Sequence[str]  #: the last of these


@dataclass(frozen=True)
class Page:
    """A page of what was found."""

    entries: Sequence[Held]
    next_page: str  #: empty: that was all


@dataclass(frozen=True)
class ListFigures:
    """A list of the policy, or one the store still keeps."""

    state: ListState
    file: str = ""  #: what it is read from; empty: the store keeps it


@dataclass(frozen=True)
class Erased:
    """What was erased of a person's number."""

    entries: int
    decisions: int
    events: int  #: that waited for a sink
    not_reached: Sequence[str]  #: where it may stand still


#: takes a number out of what waits for sinks: how many events named it, and where it may stand still
Forget = Callable[[str], tuple[int, Sequence[str]]]


class LiveLists:
    """See the module."""

    def __init__(
        self, desk: Desk, loader: Loader, guard: Guard, leave: Leave, clock: Clock, *, forget: Forget
    ) -> None:
        self._desk = desk
        self._loader = loader
        self._guard = guard
        self._leave = leave
        self._forget = forget
        self._clock = clock

    def add(
        self,
        list_name: str,
        source: str,
        entries: Sequence[NewEntry],
        *,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Changed:
        """Puts entries on a list. confirmed: the revision of the Impact that was shown, to do it all the same."""

        def apply(store: Store, now: int, expected: int | None, dry: bool) -> Applied:
            return store.lists.add(
                list_name,
                source,
                entries,
                actor=actor,
                comment=comment,
                now_ms=now,
                expected=expected,
                dry_run=dry,
            )

        texts = [entry.text for entry in entries]
        at_once = all(entry.valid_from_ms is None for entry in entries)
        asked = (Action.ADD, list_name, texts)
        return self._change(asked, apply, actor=actor, confirmed=confirmed, dry_run=dry_run, all_on=at_once)

    def remove(
        self,
        list_name: str,
        texts: Sequence[str],
        *,
        source: str = "",
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Changed:
        """Takes entries off a list: those of one source, or everybody's when it is empty."""

        def apply(store: Store, now: int, expected: int | None, dry: bool) -> Applied:
            return store.lists.remove(
                list_name,
                texts,
                source=source,
                actor=actor,
                comment=comment,
                now_ms=now,
                expected=expected,
                dry_run=dry,
            )

        asked = (Action.REMOVE, list_name, texts)
        return self._change(asked, apply, actor=actor, confirmed=confirmed, dry_run=dry_run)

    def undo(
        self,
        revision: int,
        *,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Changed:
        """Reverts a change of a list as a whole."""

        store = self._desk.store
        wanted = store.undo.difference(revision)
        name = facts.list_of(store.database, revision)
        self._desk.check_changeable(name)
        impact = self.weighed(name, wanted.added, wanted.removed)
        if dry_run:
            tried = Changed(0, len(wanted.added), len(wanted.removed), wanted.unchanged)
            return replace(tried, impact=replace(impact, revision=wanted.revision))
        self.leave(Action.UNDO, name, impact, confirmed=confirmed, actor=actor)
        done = store.undo.undo(revision, actor=actor, comment=comment, now_ms=self._clock.now_ms())
        self.follow(name, done.touched)
        return told(done, impact)

    def begin_import(
        self,
        list_name: str,
        source: str,
        mode: Mode,
        *,
        file_name: str,
        size: int,
        sha256: str,
        reason: str = "",
        allow_bad: bool = False,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Import:
        """Begins to take a file, or goes on with one that was interrupted."""
        self._desk.check_changeable(list_name)
        order = Order(list_name, source, mode, file_name, size, sha256, reason, allow_bad)
        inner = self._desk.store.imports.open(order)
        return Import(self, inner, actor=actor, comment=comment, confirmed=confirmed, dry_run=dry_run)

    def set_retention(
        self,
        *,
        list_name: str = "",
        source: str = "",
        retention_ms: int | None,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
    ) -> Changed:
        """How long entries of a list, or of a source, stay that say no end, from now on; None: for good."""
        if list_name:
            self._desk.check_changeable(list_name)
        with self._desk.open() as store:
            done = store.lists.set_retention(
                list_name=list_name,
                source=source,
                retention_ms=retention_ms,
                actor=actor,
                comment=comment,
                now_ms=self._clock.now_ms(),
                expected=confirmed,
            )
        return Changed(done.revision)

    def erase(self, number: str, *, actor: str, comment: str) -> Erased:
        """Erases what the store, the remembered decisions and the spool know of a person's number."""
        with self._desk.open() as store:
            done = store.privacy.erase(number, actor=actor, comment=comment, now_ms=self._clock.now_ms())
            for name, keys in done.touched:
                self._desk.settle(name, keys)
        events, not_reached = self._forget(done.text)
        return Erased(done.entries, done.decisions, events, not_reached)

    def show(self, text: str, *, history: bool = False) -> Shown:
        """All that is known of a number, domain, device ..., in any form a list takes it."""
        store, now = self._desk.store, self._clock.now_ms()
        entries = store.lists.show(text, history=history, now_ms=now)
        entries += filed(self._loader.current, store.lists, text)
        forms = {each.text for each in entries} or {text}
        stopped = [store.decisions.stopped_by(form) for form in sorted(forms)]
        return Shown(
            entries,
            sum(each.stopped for each in stopped),
            sum(each.warned for each in stopped),
            [decision for each in stopped for decision in each.decision_ids],
        )

    def search(
        self,
        text: str,
        *,
        list_name: str = "",
        source: str = "",
        reason: str = "",
        limit: int = 100,
        page: str = "",
    ) -> Page:
        """Entries that begin with `text`, in their one form."""
        found, next_page = self._desk.store.lists.search(
            text,
            list_name=list_name,
            source=source,
            reason=reason,
            limit=limit or 100,
            page=page,
            now_ms=self._clock.now_ms(),
        )
        return Page(found, next_page)

    def export(self, list_name: str, *, file_format: str = "csv", source: str = "") -> Iterator[bytes]:
        """A list as the bytes of a file: CSV that can be imported again, or "rpz", a zone, of a list of domains."""
        store = self._desk.store
        if file_format == "csv":
            return store.lists.export(list_name, source=source, now_ms=self._clock.now_ms())
        if file_format != "rpz" or source:
            raise StoreRefusedError("a list is exported as csv, or as a whole as rpz")
        domains, _ = DomainFeed(store.lists, list_name, self._clock.now_ms)()
        return zone_file(domains, zone=list_name, serial=self._clock.now_ms() // 1000)

    def stats(self, list_name: str = "") -> tuple[Sequence[ListFigures], int]:
        """Sizes of one list or all, in order of their names, and the last live revision."""
        store = self._desk.store
        files = {each.name: each for each in self._desk.spec.lists if each.file is not None}
        figures = []
        if list_name not in files:
            kept = store.lists.stats(list_name, now_ms=self._clock.now_ms())
            figures = [ListFigures(each) for each in kept if each.name not in files]
        sizes = self._desk.sizes()
        for name, each in files.items():
            if list_name in ("", name):
                state = ListState(name, each.kind.value, sizes.get(name, 0), {}, {}, None, None)
                figures.append(ListFigures(state, each.file or ""))
        return sorted(figures, key=lambda one: one.state.name), store.revision()

    def check_domain(self, domain: str) -> Sequence[Held]:
        """The live entries of lists of domains that cover `domain`: it, or a domain above it."""
        of_domains = self._desk.lists_of(ListKind.DOMAIN)
        lists = self._desk.store.lists
        found = lists.show(domain, now_ms=self._clock.now_ms())
        found += filed(self._loader.current, lists, domain)
        return [held for held in found if held.live and held.list_name in of_domains]

    # ---- for imports

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def weighed(self, list_name: str, put: Keys, off: Keys) -> Impact:
        """What keys put on a list and taken off it would have meant for recent calls."""
        content = self._desk.content
        return self._weighed(list_name, content(list_name, put), content(list_name, off))

    def _weighed(self, list_name: str, put: ListContent, off: ListContent) -> Impact:
        kind = self._desk.kind_of(list_name)
        if kind is None:  # the policy in force has no such list
            return Impact(0, 0)
        return self._guard.of_list(self._desk.spec, list_name, kind, put, off)

    def leave(
        self, action: Action, list_name: str, impact: Impact, *, confirmed: int | None, actor: str
    ) -> None:
        """Whether a large change may go on. Raises GuardRefusedError, StaleRevisionError."""
        with self._desk.open() as store:
            self._leave.asked(store, impact, confirmed, actor=actor, action=action, subject=list_name)

    def follow(self, list_name: str, touched: Keys) -> None:
        """Puts into the engine what a large change has touched, all at once."""
        if len(touched) > FEW:
            self._loader.build(lambda: self._desk.settle_many(list_name, touched))
        elif len(touched):
            self._desk.settle_many(list_name, touched)

    def texts(self, list_name: str, keys: Keys) -> tuple[str, ...]:
        """Entries as they are written; without those of which the store has no text yet."""
        return facts.texts(self._desk.store.lists, list_name, keys)

    # ---- one change

    def _change(
        self,
        asked: tuple[Action, str, Sequence[str]],
        apply: Change,
        *,
        actor: str,
        confirmed: int | None,
        dry_run: bool,
        all_on: bool = False,
    ) -> Changed:
        """Asks the guard, makes it, has the engine follow: while nobody else changes anything."""
        action, list_name, texts = asked
        self._desk.check_changeable(list_name)
        with self._desk.open() as store:
            now = self._clock.now_ms()
            entries = self._desk.content_of_texts(list_name, texts)
            put, off = (entries, ListContent()) if action is Action.ADD else (ListContent(), entries)
            impact = self._weighed(list_name, put, off)
            if dry_run:
                return told(apply(store, now, None, True), replace(impact, revision=store.revision()))
            expected = self._leave.asked(
                store, impact, confirmed, actor=actor, action=action, subject=list_name
            )
            done = apply(store, now, expected, False)
            self._desk.settle(list_name, done.touched, all_on=all_on)
        return told(done, impact)


def told(done: Applied, impact: Impact) -> Changed:
    """What a change of the store did, or would do."""
    return Changed(
        done.revision, done.added, done.removed, done.unchanged, conflicts=done.conflicts, impact=impact
    )
