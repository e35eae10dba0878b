"""From the keys of a list's entries to what the engine's tables take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.keys import KeyKind, key_digits_of
from interceptor.engine.prefixes import PrefixRoot
from interceptor.engine.spec import ListContent, ListKind
from interceptor.store.networks import packed_network

UInt64s = npt.NDArray[np.uint64]

#: kinds of list that hold prefixes, and what digits they are of
ROOTS = {
    ListKind.PREFIX: PrefixRoot.ROOT_NUMBER,
    ListKind.DEVICE: PrefixRoot.ROOT_IMEI,
    ListKind.SUBSCRIBER: PrefixRoot.ROOT_IMSI,
}


@dataclass(frozen=True, eq=False)
class Identities:
    """Keys of entries of one list, column by column."""

    key: UInt64s
    key2: UInt64s | None  #: of the caller; None for a list of any other kind than pair

    @classmethod
    def none(cls, kind: ListKind) -> "Identities":
        empty = np.zeros(0, dtype=np.uint64)
        return cls(empty, empty if kind is ListKind.PAIR else None)

    @classmethod
    def joined(cls, kind: ListKind, parts: list["Identities"]) -> "Identities":
        if not parts:
            return cls.none(kind)
        second = [part.key2 for part in parts if part.key2 is not None]
        return cls(np.concatenate([part.key for part in parts]), np.concatenate(second) if second else None)

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, which: Any) -> "Identities":
        return Identities(self.key[which], None if self.key2 is None else self.key2[which])

    def order(self) -> npt.NDArray[np.intp]:
        return np.argsort(self.key) if self.key2 is None else np.lexsort((self.key2, self.key))

    def differs_from_previous(self) -> npt.NDArray[np.bool_]:
        differs = np.ones(len(self), dtype=bool)
        differs[1:] = self.key[1:] != self.key[:-1]
        if self.key2 is not None:
            differs[1:] |= self.key2[1:] != self.key2[:-1]
        return differs

    def find(self, key: int, key2: int) -> int | None:
        """Where an entry is among ones in order."""
        start, end = (int(np.searchsorted(self.key, np.uint64(key), side)) for side in ("left", "right"))
        if self.key2 is not None:
            start += int(np.searchsorted(self.key2[start:end], np.uint64(key2)))
        found = start < end and (self.key2 is None or int(self.key2[start]) == key2)
        return start if found else None


def content_of(kind: ListKind, entries: Identities, names: Mapping[int, str]) -> ListContent:
    """What the engine holds of some entries.

    Parameters
    ----------
    kind
        Of the list.
    entries
        Their keys, as the engine has them (unsigned).
    names
        The text of each key of a network.
    """
    if entries.key2 is not None:
        return ListContent(pairs=np.column_stack((entries.key, entries.key2)))
    if kind is ListKind.NETWORK:
        return ListContent(networks=[packed_network(names[key]) for key in np.unique(entries.key).tolist()])
    if kind not in ROOTS:
        return ListContent(entries.key)
    prefix = np.asarray(entries.key >> np.uint64(58) == KeyKind.KEY_PREFIX)
    return ListContent(
        entries.key[~prefix],
        [(ROOTS[kind], key_digits_of(key)) for key in np.unique(entries.key[prefix]).tolist()],
    )
