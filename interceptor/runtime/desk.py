"""The desk: where store and engine are kept in step. What the store says is the truth, and the engine follows it.

One lock. Whoever changes something holds it from the look at recent calls to the commit and to the engine, so that
what is acknowledged is in force. After a commit the keys it touched are *settled*: the store is asked which of them
are on the list now, and the engine told. That is right whatever else happened to them, and may be done twice.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.spec import ListKind, Spec
from interceptor.runtime.clock import Clock
from interceptor.runtime.loader import Checked, Loaded, Loader
from interceptor.runtime.logs import Log
from interceptor.store.content import Identities, content_of
from interceptor.store.facts import texts
from interceptor.store.keysets import among, chosen, joined, keys_from, unsigned
from interceptor.store.networks import packed_network
from interceptor.store.store import Store
from interceptor.store.words import Keys, StoreError, StoreRefusedError

#: so many keys are put into the tables in place; more are built beside them and swapped in
FEW = 4096


class Desk:
    """Keeps one engine in step with one store. Any number of threads."""

    def __init__(self, engine: Engine, loader: Loader, store: Store, clock: Clock, log: Log) -> None:
        self._engine = engine
        self._loader = loader
        self._clock = clock
        self._log = log
        self.store = store
        self._lock = threading.Lock()
        #: lists of the store that the engine has
        self._kept: Mapping[str, ListKind] = {}
        #: by list: what is settled while many of its keys are being put into the engine
        self._journals: dict[str, list[list[Keys]]] = {}
        #: what is on lists that were asked for as a whole, until it changes
        self._contents: dict[str, ListContent] = {}
        self._caching = threading.Lock()
        #: what could not be settled, as the store was away
        self._behind: list[tuple[str, Keys]] = []
        #: what begins or ends up to here is settled
        self.looked_ms = 0

    @contextmanager
    def open(self) -> Iterator[Store]:
        """The lock: whoever is inside is the only one who changes lists and policies."""
        with self._lock:
            yield self.store

    def install(self, checked: Checked, revision: int) -> Loaded:
        """Puts a policy into force, with what the store has on its lists. On the builder thread. Raises LoadError."""
        store, now = self.store, self._clock.now_ms()
        kept = self.make_lists(checked.spec)
        replayed, since = store.revision(), now
        content: dict[str, ListContent] = {}
        image = store.images.load() if not self._kept else None
        for name, kind in kept.items():
            if self._kept.get(name) == kind:
                continue
            if image is not None and name in image.lists:
                keys = image.lists[name]
                replayed, since = image.revision, image.at_ms
            else:
                keys = store.lists.content(name, now)
            content[name] = store.lists.list_content(name, keys)
        loaded = self._loader.publish(checked, revision, content)
        with self._lock:
            self._kept = kept
            self._contents.clear()
            self.looked_ms = self.looked_ms or now
            # what happened while the tables were built, or since the image
            for name, keys in store.lists.since(replayed):
                self._settle(name, keys)
            for name, keys in store.lists.due(since, self._clock.now_ms()):
                self._settle(name, keys)
        return loaded

    def make_lists(self, spec: Spec) -> Mapping[str, ListKind]:
        """Has the store keep the lists of a policy that have no file; which these are.

        Raises StoreRefusedError when it has one of them with entries of another kind.
        """
        kept = {each.name: each.kind for each in spec.lists if each.file is None}
        self.store.lists.ensure(kept)
        return kept

    @property
    def spec(self) -> Spec:
        """The policy in force."""
        return self._engine.spec

    def kind_of(self, name: str) -> ListKind | None:
        """Kind of a list of the store that the policy in force has."""
        return self._kept.get(name)

    def check_changeable(self, name: str) -> None:
        """Raises StoreRefusedError for a list that the policy in force reads from a file."""
        for each in self.spec.lists:
            if each.name == name and each.file is not None:
                raise StoreRefusedError(
                    f"lists.{name} is read from {each.file}: change that file and run `interceptor reload`; or leave "
                    f"out its `file` in the policy, and import the file once"
                )

    def sizes(self) -> Mapping[str, int]:
        """Entries of each list of the policy in force, as the engine counts them."""
        sizes: Mapping[str, int] = self._engine.stats()["list_sizes"]
        return sizes

    def lists_of(self, kind: ListKind) -> frozenset[str]:
        """Lists of a kind that the policy in force has."""
        return frozenset(each.name for each in self.spec.lists if each.kind is kind)

    def contents(self, name: str) -> ListContent:
        """What is on a list of the policy in force, wherever it is kept."""
        loaded = self._loader.current
        if loaded is not None and name in loaded.lists:
            return loaded.lists[name].content
        with self._caching:
            if name not in self._contents:
                keys = self.store.lists.content(name, self._clock.now_ms())
                self._contents[name] = self.content(name, keys)
            return self._contents[name]

    def content(self, name: str, keys: Keys) -> ListContent:
        """What the engine's tables take of entries of a list of the store; nothing when the engine has no such list.

        Networks have their texts in the store: those of an import that is not applied yet are left out.
        """
        kind = self._kept.get(name)
        if kind is None or not len(keys):
            return ListContent()
        if kind is ListKind.NETWORK:
            known = texts(self.store.lists, name, keys)
            return ListContent(networks=[packed_network(text) for text in known])
        pairs = unsigned(keys.key2) if kind is ListKind.PAIR else None
        return content_of(kind, Identities(unsigned(keys.key), pairs), {})

    def content_of_texts(self, name: str, written: Sequence[str]) -> ListContent:
        """The same of entries as they are written. Raises StoreRefusedError for the first that is none."""
        kind = self._kept.get(name)
        if kind is None:
            return ListContent()
        cells = [cell for those in self.store.lists.cells(name, kind, written) for cell in those]
        if kind is ListKind.NETWORK:
            return ListContent(
                networks=[packed_network(cell.name) for cell in cells if cell.name is not None]
            )
        return self.content(name, keys_from([cell.key for cell in cells], [cell.key2 for cell in cells]))

    def settle(self, name: str, touched: Keys, *, all_on: bool = False) -> None:
        """Tells the engine what the store says of some keys of a list. The lock is held; they are few.

        all_on: what it says is known: they are on it. When the store cannot be asked, it is done as soon as it can
        (`look`), and StoreUnavailableError raised now.
        """
        try:
            self._settle(name, touched, all_on=all_on)
        except StoreError:
            self._behind.append((name, touched))
            raise

    def settle_many(self, name: str, touched: Keys) -> None:
        """The same for any number of keys, all at once for every call, without the lock: others change single entries.

        Off the threads that decide calls: the builder's, or another at nice 19.
        """
        if len(touched) <= FEW:
            with self._lock:
                self.settle(name, touched)
            return
        journal: list[Keys] = []  # what was settled singly meanwhile is newer
        with self._lock:
            self._journals[name] = [*self._journals.get(name, ()), journal]
        try:
            if name in self._kept:
                on = self.store.lists.effective(name, touched, self._clock.now_ms())
                put, off = chosen(touched, on), chosen(touched, ~on)
                newer = joined(journal)
                put, off = chosen(put, ~among(put, newer)), chosen(off, ~among(off, newer))
                self._engine.apply(name, self.content(name, put), self.content(name, off))
        except StoreError:
            with self._lock:
                if all(keys is not touched for _, keys in self._behind):
                    self._behind.append((name, touched))
            raise
        finally:
            with self._lock:
                self._journals[name] = [each for each in self._journals[name] if each is not journal]
                for keys in journal:  # one may have come between the look and the engine's own journal
                    self.settle(name, keys)

    def look(self) -> int:
        """Settles what began or ended since the last look, and what is behind; returns how many keys."""
        with self._lock:
            now = self._clock.now_ms()
            due = [*self._behind, *self.store.lists.due(self.looked_ms, now)]
            self.looked_ms, self._behind = now, due  # whatever fails below is behind
            few = [each for each in due if len(each[1]) <= FEW]
            for name, keys in few:
                self._settle(name, keys)
            self._behind = many = [each for each in due if len(each[1]) > FEW]
        for name, keys in many:
            self.settle_many(name, keys)
            with self._lock:
                self._behind = [each for each in self._behind if each[1] is not keys]
        return sum(len(keys) for _, keys in due)

    def _settle(self, name: str, touched: Keys, *, all_on: bool = False) -> None:
        for journal in self._journals.get(name, ()):
            journal.append(touched)
        with self._caching:
            self._contents.pop(name, None)
        if name not in self._kept or not len(touched):
            return
        if all_on:
            self._engine.add(name, self.content(name, touched))
            return
        on = self.store.lists.effective(name, touched, self._clock.now_ms())
        put, off = self.content(name, chosen(touched, on)), self.content(name, chosen(touched, ~on))
        if len(touched) > FEW:
            self._engine.apply(name, put, off)
            return
        if len(put):
            self._engine.add(name, put)
        if len(off):
            self._engine.remove(name, off)
