"""A list of domains as it changes: what came on it and what went off it since it was last looked at."""

from collections.abc import Callable

import numpy as np

from interceptor.engine.spec import ListKind
from interceptor.store import changes
from interceptor.store.keysets import joined
from interceptor.store.lists import Lists
from interceptor.store.words import Keys, StoreRefusedError


class DomainFeed:
    """Follows one list of domains of the store. For one thread.

    Parameters
    ----------
    clock
        Milliseconds since the Unix epoch.
    """

    def __init__(self, lists: Lists, list_name: str, clock: Callable[[], int]) -> None:
        self._lists = lists
        self._name = list_name
        self._clock = clock
        self._revision = 0
        self._at_ms = 0

    def __call__(self) -> tuple[list[str], list[str]]:
        """Domains that are on the list now and domains that are not, of those that changes have touched.

        The first call gives all that is on it. A call that fails changes nothing: the next one tells it all.

        Raises
        ------
        StoreRefusedError
            There is no such list, or it is none of domains.
        StoreUnavailableError
            The database cannot be read now.
        """
        now_ms = self._clock()
        with self._lists.database.read() as conn:
            revision = changes.revision(conn)
        if not self._at_ms:
            keys = self._lists.content(self._name, now_ms)
            there = np.ones(len(keys), dtype=bool)
        else:
            keys = self._touched(revision, now_ms)
            there = self._lists.effective(self._name, keys, now_ms)
        with self._lists.database.read() as conn:
            roll = self._lists.roll(conn, self._name)
            if roll.kind is not ListKind.DOMAIN:
                raise StoreRefusedError(
                    f"list {self._name} is of kind {roll.kind}; a zone is made of a list of domains"
                )
            names = self._lists.names(conn, roll, keys)
        self._revision, self._at_ms = revision, now_ms
        on, off = keys.key[there].tolist(), keys.key[~there].tolist()
        return [names[key] for key in on if key in names], [names[key] for key in off if key in names]

    def _touched(self, revision: int, now_ms: int) -> Keys:
        parts = self._lists.due(self._at_ms, now_ms)
        if revision != self._revision:
            parts += self._lists.since(self._revision)
        return joined(keys for name, keys in parts if name == self._name)
