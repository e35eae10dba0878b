"""Keys of entries as sorted arrays: made, joined, compared. What the engine calls a key is seen as signed here."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.store.words import Int64s, Keys

Mask = npt.NDArray[np.bool_]


def signed(keys: npt.NDArray[np.uint64]) -> Int64s:
    """The engine's keys as the database has them; no copy."""
    return keys.view(np.int64)


def unsigned(keys: Int64s) -> npt.NDArray[np.uint64]:
    """The database's keys as the engine has them; no copy."""
    return np.ascontiguousarray(keys).view(np.uint64)


def keys_from(key: npt.ArrayLike, key2: npt.ArrayLike | None = None) -> Keys:
    """Keys in any order, each as often as you like -> in order, each once."""
    first = np.ascontiguousarray(key, dtype=np.int64)
    if key2 is None:
        first = np.unique(first)
        return Keys(first, np.zeros(len(first), dtype=np.int64))
    second = np.ascontiguousarray(key2, dtype=np.int64)
    if not second.any():
        return keys_from(first)
    order = np.lexsort((second, first))
    return once(first[order], second[order])


def once(key: Int64s, key2: Int64s) -> Keys:
    """Keys in order, as often as you like -> each once."""
    if len(key) < 2:
        return Keys(key, key2)
    new = np.ones(len(key), dtype=bool)
    new[1:] = (key[1:] != key[:-1]) | (key2[1:] != key2[:-1])
    return Keys(key, key2) if new.all() else Keys(key[new], key2[new])


def of_pairs(pairs: Iterable[tuple[int, int]]) -> Keys:
    """Few keys, as pairs."""
    rows = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2)
    return Keys(np.ascontiguousarray(rows[:, 0]), np.ascontiguousarray(rows[:, 1]))


def chained(parts: Sequence[Keys]) -> Keys:
    """Keys of which each part comes after the one before."""
    full = [part for part in parts if len(part)]
    if len(full) == 1:
        return full[0]
    if not full:
        return of_pairs(())
    key = np.concatenate([part.key for part in full])
    if any(part.key2.any() for part in full):
        return Keys(key, np.concatenate([part.key2 for part in full]))
    return Keys(key, np.zeros(len(key), dtype=np.int64))  # which takes no memory before somebody writes there


def some(keys: Keys, which: Any) -> Keys:
    """The keys where a mask is set, of a slice, or at indexes. Zeros are not copied: they take no memory before."""
    key = keys.key[which]
    return Keys(key, keys.key2[which] if keys.key2.any() else np.zeros(len(key), dtype=np.int64))


def chosen(keys: Keys, mask: Mask) -> Keys:
    """The same of a mask, which may well be set everywhere."""
    return keys if mask.all() else some(keys, mask)


def joined(parts: Iterable[Keys]) -> Keys:
    """All of them, in order, each once."""
    each = list(parts)
    if len(each) == 1:
        return each[0]
    if not each:
        return of_pairs(())
    return keys_from(
        np.concatenate([part.key for part in each]), np.concatenate([part.key2 for part in each])
    )


def among(asked: Keys, found: Keys) -> Mask:
    """Which of `asked` are in `found`: shape (len(asked),)."""
    if not len(found) or not len(asked):
        return np.zeros(len(asked), dtype=bool)
    if not (asked.key2.any() or found.key2.any()):
        at = np.minimum(np.searchsorted(found.key, asked.key), len(found) - 1)
        return np.asarray(found.key[at] == asked.key)
    key = np.concatenate((found.key, asked.key))
    key2 = np.concatenate((found.key2, asked.key2))
    order = np.lexsort((key2, key))  # stable: one found comes right before the same one asked for
    key, key2 = key[order], key2[order]
    twice = np.zeros(len(key), dtype=bool)
    twice[1:] = (key[1:] == key[:-1]) & (key2[1:] == key2[:-1])
    mask = np.zeros(len(key), dtype=bool)
    mask[order] = twice
    return mask[len(found) :]


def as_signed(key: int) -> int:
    """One of the engine's keys as the database has it."""
    return key - (1 << 64) if key >> 63 else key
