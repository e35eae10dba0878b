"""A file's entries against those their source has: two orders merged piece by piece, words compared by content."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from interceptor.store.changes import live
from interceptor.store.columns import in_order
from interceptor.store.feed import Indexes, SourceRows
from interceptor.store.keysets import Mask, among, chained, chosen, of_pairs, some
from interceptor.store.lists import Words
from interceptor.store.rolls import Roll, Rolls
from interceptor.store.schema import entries, lots
from interceptor.store.words import Int64s, Keys

#: lots of the database whose words are kept in memory
KEPT_LOTS = 100_000


@dataclass(frozen=True, eq=False)
class SourceDifference:
    """What an import does to the entries of one source."""

    source: str
    fresh: Keys  #: entries it brings: added ones, and those that get other words
    words: Indexes  #: of these; one index when all have it
    names: Any  #: texts of these, as an arrow array; None where keys tell texts
    changed: Keys  #: of these, the ones the source has with other words
    removed: Keys  #: entries the source has and the file has not, of a replacement
    unchanged: int

    def added(self) -> Keys:
        """Entries that the source has not."""
        return some(self.fresh, ~among(self.fresh, self.changed)) if len(self.changed) else self.fresh

    def reaches(self, touched: Keys | None) -> bool:
        """Whether any of these entries is among those it changes."""
        return touched is not None and any(
            bool(among(touched, keys).any()) for keys in (self.fresh, self.removed)
        )

    def without(self, touched: Keys) -> "SourceDifference":
        """The same, but for entries that somebody else touched meanwhile."""
        left = ~among(self.fresh, touched)
        if left.all():
            fresh, words, names = self.fresh, self.words, self.names
        else:
            fresh = some(self.fresh, left)
            words = self.words if len(self.words) == 1 else self.words[left]
            names = None if self.names is None else self.names.filter(left)
        return replace(
            self,
            fresh=fresh,
            words=words,
            names=names,
            changed=chosen(self.changed, ~among(self.changed, touched)),
            removed=chosen(self.removed, ~among(self.removed, touched)),
        )


@dataclass(frozen=True)
class Retention:
    """The end of entries that say none. Half of it may pass before one that is said again is given its whole length."""

    now_ms: int
    length_ms: int | None

    @classmethod
    def of(cls, now_ms: int, *lengths_ms: int | None) -> "Retention":
        """The shortest of those that there are."""
        return cls(now_ms, min((length for length in lengths_ms if length is not None), default=None))

    def end(self, until_ms: int | None) -> int | None:
        """When an entry ends that is brought now."""
        return self.now_ms + self.length_ms if until_ms is None and self.length_ms is not None else until_ms

    def agrees(self, until_ms: int | None, kept_until_ms: int | None) -> bool:
        """Whether an entry that ends at `kept_until_ms` is as the file has it."""
        if until_ms is not None or self.length_ms is None or kept_until_ms is None:
            return until_ms == kept_until_ms and (until_ms is not None or self.length_ms is None)
        return self.now_ms + self.length_ms // 2 < kept_until_ms <= self.now_ms + self.length_ms


def compare(
    conn: Connection,
    rolls: Rolls,
    roll: Roll,
    part: SourceRows,
    words: Sequence[Words],
    *,
    source_id: int,
    replacement: bool,
    retention: Retention,
    progress: Callable[[int], None],
) -> SourceDifference:
    """What differs between a file and what the source of its rows has.

    Parameters
    ----------
    source_id
        0 when nothing ever came from there.
    replacement
        Whether entries the file does not have are removed.
    progress
        Called with the number of rows of the source that were looked at.
    """
    query = select(entries.c.key, entries.c.key2, entries.c.lot_id).where(
        entries.c.list_id == roll.id, entries.c.source_id == source_id, live()
    )
    agreeing = _Agreeing(rolls, words, retention)
    is_fresh = np.ones(len(part.keys), dtype=bool)
    changed: list[npt.NDArray[np.intp]] = []
    removed: list[Keys] = []
    start = looked_at = 0
    for key, key2, lot in in_order(conn, query, 3):
        there = Keys(key, key2)
        end = _after(part.keys, int(key[-1]), int(key2[-1]))
        at = places(some(part.keys, slice(start, end)), there)
        found = at >= 0
        rows = at[found] + start
        same = agreeing.masks(conn, lot[found], part.said(rows))
        is_fresh[rows[same]] = False
        changed.append(rows[~same])
        if replacement and not found.all():
            removed.append(some(there, ~found))
        start = end
        looked_at += len(key)
        progress(looked_at)
    everything = bool(is_fresh.all())
    return SourceDifference(
        source=part.source,
        fresh=part.keys if everything else some(part.keys, is_fresh),
        words=part.words if everything else part.said(is_fresh),
        names=part.names if everything or part.names is None else part.names.filter(is_fresh),
        changed=some(part.keys, np.concatenate(changed)) if changed else of_pairs(()),
        removed=chained(removed),
        unchanged=len(part.keys) - int(is_fresh.sum()),
    )


class _Agreeing:
    """Which lots of the database say what which words of the file say."""

    def __init__(self, rolls: Rolls, words: Sequence[Words], retention: Retention) -> None:
        self._rolls, self._words, self._retention = rolls, words, retention
        self._lots: dict[int, Words] = {}

    def masks(self, conn: Connection, lot: Int64s, word: Indexes) -> Mask:
        """For each lot and word beside it, whether they say the same."""
        lots_here, which = np.unique(lot, return_inverse=True)
        self._look_up(conn, lots_here)
        code = which * len(self._words) + word
        codes, which = np.unique(code, return_inverse=True)
        agree = [
            self._agree(int(lots_here[code // len(self._words)]), code % len(self._words))
            for code in codes.tolist()
        ]
        return np.array(agree, dtype=bool)[which]

    def _agree(self, lot: int, word: int) -> bool:
        kept, said = self._lots[lot], self._words[word]
        return replace(kept, valid_until_ms=said.valid_until_ms) == said and self._retention.agrees(
            said.valid_until_ms, kept.valid_until_ms
        )

    def _look_up(self, conn: Connection, wanted: Int64s) -> None:
        if len(self._lots) > KEPT_LOTS:
            self._lots.clear()
        missing = [lot for lot in wanted.tolist() if lot not in self._lots]
        if missing:
            query = select(lots.c.id, lots.c.reason, lots.c.note, lots.c.valid_from_ms, lots.c.valid_until_ms)
            for row in conn.execute(query.where(self._rolls.one_of(lots.c.id, np.array(missing)))):
                self._lots[row[0]] = Words(*row[1:])


def places(among_these: Keys, asked: Keys) -> npt.NDArray[np.intp]:
    """Where each of `asked` is in `among_these`, -1 where it is not. Both are in order, the latter each once."""
    if not len(among_these) or not len(asked):
        return np.full(len(asked), -1, dtype=np.intp)
    if not (among_these.key2.any() or asked.key2.any()):
        at = np.searchsorted(among_these.key, asked.key)
        at[at == len(among_these)] = 0
        return np.where(among_these.key[at] == asked.key, at, -1)
    key = np.concatenate((among_these.key, asked.key))
    key2 = np.concatenate((among_these.key2, asked.key2))
    order = np.lexsort((key2, key))  # stable: whatever is asked for comes after the same one among these
    is_first = np.ones(len(key), dtype=bool)
    is_first[1:] = (np.diff(key[order]) != 0) | (np.diff(key2[order]) != 0)
    first = order[np.flatnonzero(is_first)[np.cumsum(is_first) - 1]]
    at = np.full(len(key), -1, dtype=np.intp)
    at[order] = np.where(first < len(among_these), first, -1)
    return at[len(among_these) :]


def _after(keys: Keys, key: int, key2: int) -> int:
    """How many keys are not after (key, key2)."""
    start, end = (int(np.searchsorted(keys.key, key, side)) for side in ("left", "right"))
    return start + int(np.searchsorted(keys.key2[start:end], key2, "right"))
