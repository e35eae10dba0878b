"""The rows of an undo: what its change brought goes, what it took comes back, where nothing was touched since."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Exists,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from interceptor.store import changes
from interceptor.store.columns import columns
from interceptor.store.keysets import joined, keys_from, of_pairs
from interceptor.store.rolls import Roll, Rolls
from interceptor.store.schema import changes as made
from interceptor.store.schema import entries
from interceptor.store.words import Action, Applied, Int64s, Keys


@dataclass(frozen=True)
class Undone:
    """The change to be undone."""

    id: int
    revision: int
    roll: Roll
    keys: Int64s  #: of all entries it touched, in order, each once


class Reverting:
    """One undo, from its beginning until it is live."""

    def __init__(self, rolls: Rolls, undone: Undone, actor: str, comment: str, now_ms: int) -> None:
        self.undone = undone
        self.change = 0
        self._cells = 0  # entries, by source, that the change touched
        self._rolls, self._actor, self._comment, self._now_ms = rolls, actor, comment, now_ms
        self._added = self._removed = 0
        self._touched = of_pairs(())
        self._digest = ""

    def begin(self, conn: Connection) -> None:
        self.change = changes.begin(
            conn,
            Action.UNDO,
            self._actor,
            self._now_ms,
            comment=self._comment,
            list_id=self.undone.roll.id,
            reverts=self.undone.id,
        )

    def revert(self, conn: Connection, keys: Int64s) -> None:
        """The entries of some of its keys; nobody sees it yet."""
        given = {"given": self._rolls.as_given(keys)}
        self._cells += conn.execute(self._count, given).scalar_one()
        for step in self._steps:
            conn.execute(step, given)

    @cached_property
    def _here(self) -> ColumnElement[bool]:
        return and_(entries.c.list_id == self.undone.roll.id, self._rolls.one_given(entries.c.key))

    @cached_property
    def _count(self) -> Select[int]:
        """How many entries it touched."""
        took = and_(it_is(entries.c.gone, self.undone.id), ~self._it_brought())
        touched = or_(it_is(entries.c.change_id, self.undone.id), took)
        return select(func.count()).select_from(entries).where(self._here, touched)

    @cached_property
    def _steps(self) -> tuple[Executable, ...]:
        """What it brought goes; what it took comes back, in its place or where nothing is."""
        now = entries.alias("now")
        same_lot = self._it_brought(lambda brought: brought.c.lot_id == entries.c.lot_id)
        let_go = update(entries).where(self._here, changes.live(), same_lot).values(gone=self.change)
        it_took = and_(self._here, it_is(entries.c.gone, self.undone.id))
        let_go_here = exists().where(same(now), it_is(now.c.gone, self.change))
        there = exists().where(same(now), changes.live(now))
        return (
            let_go,
            self._bring_back(and_(it_took, let_go_here)),
            self._bring_back(and_(it_took, ~self._it_brought(), ~there)),
        )

    def _it_brought(self, which: Callable[[Any], ColumnElement[bool]] | None = None) -> Exists:
        brought = entries.alias("brought")
        its = exists().where(same(brought), brought.c.change_id == self.undone.id)
        return its.where(which(brought)) if which is not None else its

    def _bring_back(self, which: ColumnElement[bool]) -> Executable:
        copied = ["list_id", "key", "key2", "source_id", "lot_id", "timed"]
        change = literal(self.change).label("change_id")
        rows = select(*(entries.c[name] for name in copied), change).where(which)
        return insert(entries).from_select([*copied, "change_id"], rows)

    def give_way(self, conn: Connection, since: int) -> bool:
        """Takes out what became live after revision `since`: it was acknowledged, and stays. Whether there was some."""
        later = select(made.c.id).where(made.c.revision > since)
        cell = select(entries.c.key, entries.c.key2, entries.c.source_id)
        own = self.undone.keys
        touched = {
            tuple(row)
            for reached in (entries.c.change_id, entries.c.gone)
            for row in conn.execute(cell.where(entries.c.list_id == self.undone.roll.id, reached.in_(later)))
            if own[min(int(np.searchsorted(own, row.key)), len(own) - 1)] == row.key
        }
        for key, key2, source_id in sorted(touched):
            here = (
                entries.c.list_id == self.undone.roll.id,
                entries.c.key == key,
                entries.c.key2 == key2,
                entries.c.source_id == source_id,
            )
            conn.execute(delete(entries).where(*here, entries.c.change_id == self.change))
            conn.execute(update(entries).where(*here, entries.c.gone == self.change).values(gone=None))
        return bool(touched)

    @property
    def reverted(self) -> int:
        """Entries that are as they were before; when it was summed up."""
        return self._added + self._removed

    @property
    def conflicts(self) -> int:
        """Entries that were touched since."""
        return self._cells - self.reverted

    def sum_up(self, conn: Connection) -> None:
        """Finds what it adds and removes, as it stands now: for its record and for the engine."""
        digest = self._rolls.digest()
        row = select(entries.c.key, entries.c.key2, entries.c.source_id)
        counts, touched = [], []
        for which, into in (
            (entries.c.change_id == self.change, digest.add),
            (entries.c.gone == self.change, digest.remove),
        ):
            counts.append(0)
            for key, key2, source_id in columns(conn, row.where(which), 3):
                keys = Keys(key, key2)
                into(self.undone.roll.id, source_id, keys)
                counts[-1] += len(keys)
                touched.append(keys_from(key, key2))
        came = entries.alias("came")
        both = exists().where(same(came), came.c.change_id == self.change)
        replaced = conn.execute(
            select(func.count()).select_from(entries).where(entries.c.gone == self.change, both)
        ).scalar_one()
        self._added, self._removed = counts[0], counts[1] - replaced
        self._touched = joined(touched)
        self._digest = digest.hexdigest()

    def go_live(self, conn: Connection) -> Applied:
        """As it was summed up."""
        revision = changes.go_live(
            conn,
            self.change,
            self._now_ms,
            subject=self.undone.roll.name,
            detail={
                "undone": self.undone.revision,
                "added": self._added,
                "removed": self._removed,
                "conflicts": self.conflicts,
            },
            added=self._added,
            removed=self._removed,
            digest=self._digest,
        )
        return Applied(
            self.change,
            revision,
            self.undone.roll.name,
            self._added,
            self._removed,
            0,
            self._touched,
            self.conflicts,
        )

    def nothing(self) -> Applied:
        """Everything was touched since."""
        return Applied(0, 0, self.undone.roll.name, 0, 0, 0, of_pairs(()), self.conflicts)


def same(other: Any) -> ColumnElement[bool]:
    """Whether a row is about the same entry of the same source as the row of `entries`."""
    cell = ("list_id", "key", "key2", "source_id")
    return and_(*(other.c[name] == entries.c[name] for name in cell))


def it_is(column: Any, change: int) -> ColumnElement[bool]:
    """Whether a column is a change's id; by looking at the row, not by an index, which would give the whole change."""
    return and_(column + 0 == change)


def all_keys(conn: Connection, query: Any) -> Int64s:
    """The keys a query for `key` finds, in order, each once."""
    parts = [key for (key,) in columns(conn, query, 1)]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)


def all_pairs(conn: Connection, query: Any) -> Keys:
    """The keys a query for `key` and `key2` finds."""
    return joined([keys_from(key, key2) for key, key2 in columns(conn, query, 2)])
