"""Undoing: what a change of a list did is reverted as a whole, as a change of its own, which can be undone as well.

An entry of one source is as a change left it when it has the words (the lot) that came with the change, or is not
there if the change took it off. Then it gets back what it had before: the same lot, so exports are equal. Everything
else was touched since; it is left, and counted.
"""

import time
from collections.abc import Callable

from sqlalchemy import Connection, and_, delete, exists, func, select, union_all

from interceptor.store import changes, staging
from interceptor.store.database import Database
from interceptor.store.lists import Lists
from interceptor.store.reverting import Reverting, Undone, all_keys, all_pairs, same
from interceptor.store.schema import changes as made
from interceptor.store.schema import entries
from interceptor.store.words import Action, Applied, Difference, StoreRefusedError

#: done, of how many entries
Progress = Callable[[int, int], None]

#: how long a transaction of a large undo is to take: so long does a single add wait for it
SHORT_S = 0.02
SHORTEST_STEP, LONGEST_STEP = 1_024, 16_384

_LISTS = {Action.ADD, Action.REMOVE, Action.IMPORT, Action.UNDO}


class Undo:
    """`Store.undo`. Any number of threads; large ones and imports wait for each other."""

    def __init__(self, lists: Lists, at_once: int = changes.AT_ONCE) -> None:
        self._lists = lists
        self._at_once = at_once  # entries of an undo in one transaction
        self._database: Database = lists.database

    def difference(self, revision: int) -> Difference:
        """What undoing a change would do: entries it puts on, takes off, and gives their earlier words back.

        Raises
        ------
        StoreRefusedError
            There is no such change of a list, or it is undone already.
        """
        with self._database.read() as conn:
            undone = self._find(conn, revision)
            before, brought, now = (entries.alias(name) for name in ("before", "brought", "now"))
            it_took = exists().where(same(before), before.c.gone == undone.id)
            it_brought = exists().where(same(brought), brought.c.change_id == undone.id)
            is_there = exists().where(same(now), changes.live(now))
            as_brought = exists().where(same(now), now.c.lot_id == entries.c.lot_id, changes.live(now))
            goes = and_(entries.c.change_id == undone.id, as_brought)
            comes = and_(entries.c.gone == undone.id, ~it_brought, ~is_there)
            key = select(entries.c.key, entries.c.key2)
            changed = select(func.count()).select_from(entries).where(goes, it_took)
            return Difference(
                added=all_pairs(conn, key.where(comes)),
                removed=all_pairs(conn, key.where(goes, ~it_took)),
                changed=conn.execute(changed).scalar_one(),
                unchanged=0,
                revision=changes.revision(conn),
            )

    def undo(
        self,
        revision: int,
        *,
        actor: str,
        comment: str = "",
        now_ms: int,
        expected: int | None = None,
        progress: Progress | None = None,
    ) -> Applied:
        """Reverts a change of a list. On disk when it returns, and in force at one moment, however large it is.

        When everything was touched since there is no change, and the answer's `revision` is 0.

        Parameters
        ----------
        revision
            Of the change.
        expected
            The last live revision as it was shown to whom confirmed this.

        Raises
        ------
        StoreRefusedError
            There is no such change of a list, or it is undone already.
        StaleRevisionError
            Something else became live since `expected`.
        """
        with self._database.write() as conn:
            changes.expect(conn, expected)
            touched = self._size(conn, revision)
            if touched <= self._at_once:
                work = Reverting(self._lists, self._find(conn, revision), actor, comment, now_ms)
                work.begin(conn)
                work.revert(conn, work.undone.keys)
                work.sum_up(conn)
                if work.reverted:
                    return work.go_live(conn)
                conn.execute(delete(made).where(made.c.id == work.change))
                return work.nothing()
        with self._database.staging:
            try:
                with self._database.read() as conn:
                    work = Reverting(self._lists, self._find(conn, revision), actor, comment, now_ms)
                return self._staged(work, expected, progress or (lambda done, total: None))
            except BaseException:
                staging.abandon(self._database, Action.UNDO)
                raise
            finally:
                staging.clear(self._database)

    def _staged(self, work: Reverting, expected: int | None, progress: Progress) -> Applied:
        """In short transactions, of which nobody sees anything before the last one.

        What others make live meanwhile stays as they left it. `expected` is about the moment it begins.
        """
        with self._database.write() as conn:
            changes.expect(conn, expected)
            work.begin(conn)
            seen = changes.revision(conn)
        keys, at, step = work.undone.keys, 0, SHORTEST_STEP
        while at < len(keys):
            with self._database.write() as conn:
                begun = time.perf_counter()
                work.revert(conn, keys[at : at + step])
                took = time.perf_counter() - begun
            at += step
            step = int(min(LONGEST_STEP, max(SHORTEST_STEP, step * SHORT_S / took)))
            progress(min(at, len(keys)), len(keys))
        while True:
            with self._database.read() as conn:
                work.sum_up(conn)
            if not work.reverted:
                break
            with self._database.write() as conn:
                now = changes.revision(conn)
                if not work.give_way(conn, seen):
                    return work.go_live(conn)
                seen = now
        staging.abandon(self._database, Action.UNDO)
        return work.nothing()

    # ---- what is to be undone --------------------------------------------------------------------------------

    def _size(self, conn: Connection, revision: int) -> int:
        """How many rows a change touched, or more than can be done at once."""
        change = select(made.c.id).where(made.c.revision == revision).scalar_subquery()
        row = select(entries.c.key)
        touched = union_all(row.where(entries.c.change_id == change), row.where(entries.c.gone == change))
        some = touched.limit(self._at_once + 1).subquery()
        return int(conn.execute(select(func.count()).select_from(some)).scalar_one())

    def _find(self, conn: Connection, revision: int) -> Undone:
        row = conn.execute(select(made).where(made.c.revision == revision)).first()
        if row is None:
            raise StoreRefusedError(
                f"there is no revision {revision}; the last one is {changes.revision(conn)}"
            )
        if row.action not in _LISTS:
            advice = {
                Action.POLICY: "put an earlier policy into force by `interceptor policy rollback`",
                Action.RETENTION: "set the retention again",
            }.get(Action(row.action), "it cannot be undone")
            raise StoreRefusedError(f"revision {revision} is no change of a list ({row.action}): {advice}")
        by = _undone_by(conn, row.id)
        if by is not None:
            raise StoreRefusedError(
                f"revision {revision} is undone already, by revision {by}; undo that one to have it back"
            )
        key = select(entries.c.key)
        touched = union_all(key.where(entries.c.change_id == row.id), key.where(entries.c.gone == row.id))
        return Undone(row.id, revision, self._lists.rolls(conn)[row.list_id], all_keys(conn, touched))


def _undone_by(conn: Connection, change: int) -> int | None:
    """The revision of the undo that holds; an undo that was undone does not."""
    query = select(made.c.id, made.c.revision).where(made.c.reverts == change, made.c.revision.is_not(None))
    for undo in conn.execute(query.order_by(made.c.revision.desc())).all():
        if _undone_by(conn, undo.id) is None:
            return int(undo.revision)
    return None
