"""The lists that the store keeps: entries put on and taken off, durably, each with who, why and until when."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, exists, insert, select, update

from interceptor.engine.spec import ListContent, ListKind
from interceptor.store import changes, staging
from interceptor.store.canonical import NAMED
from interceptor.store.content import Identities, content_of
from interceptor.store.figures import Figures
from interceptor.store.keysets import joined, of_pairs, unsigned
from interceptor.store.prepared import Prepared
from interceptor.store.rolls import Cell, Roll
from interceptor.store.saying import LAST_MS, LONGEST_NOTE, LONGEST_REASON, Words, name_of_source, words_of
from interceptor.store.schema import entries, lists, lots, sources
from interceptor.store.timing import Timing
from interceptor.store.words import Action, Applied, Keys, NewEntry, StoreRefusedError

__all__ = ["LONGEST_NOTE", "LONGEST_REASON", "Lists", "Words", "name_of_source"]


class Lists(Timing, Figures):
    """See the module. Every method may be called by any number of threads.

    All raise StoreUnavailableError while the database is away, and StoreRefusedError for a list that is none.
    """

    def ensure(self, specs: Mapping[str, ListKind]) -> None:
        """Makes the lists that are not there yet; what a policy no longer names stays as it is.

        Raises
        ------
        StoreRefusedError
            A list has entries of another kind.
        """
        if self._missing(specs):
            with self.database.write() as conn:
                self._make(conn, specs)
        self._kinds = {**self._kinds, **specs}

    def _missing(self, specs: Mapping[str, ListKind]) -> bool:
        with self.database.read() as conn:
            there = {roll.name: roll.kind for roll in self.rolls(conn).values()}
        return any(there.get(name) is not kind for name, kind in specs.items())

    def _make(self, conn: Connection, specs: Mapping[str, ListKind]) -> None:
        there = {roll.name: roll for roll in self.rolls(conn).values()}
        for name, kind in specs.items():
            roll = there.get(name)
            if roll is None:
                conn.execute(insert(lists).values(name=name, kind=kind.value))
            elif roll.kind is not kind:
                if conn.execute(select(exists().where(entries.c.list_id == roll.id))).scalar_one():
                    raise StoreRefusedError(
                        f"list {name} holds entries of kind {roll.kind.value}, and had to be of kind {kind.value}: "
                        "give the new list another name"
                    )
                conn.execute(update(lists).where(lists.c.id == roll.id).values(kind=kind.value))

    # ---- putting on ------------------------------------------------------------------------------------------

    def add(
        self,
        list_name: str,
        source: str,
        new: Sequence[NewEntry],
        *,
        actor: str,
        comment: str = "",
        now_ms: int,
        expected: int | None = None,
        dry_run: bool = False,
    ) -> Applied:
        """Puts entries on a list, as one change. On disk when it returns.

        An entry that this source has already, with the same words, is left alone; with others, it has these from now
        on. One that says no end gets one from the retention of its list or source, whichever is shorter: said again,
        it stays for that long again. When nothing differs there is no change, and `revision` is 0.

        Parameters
        ----------
        new
            At most `changes.AT_ONCE`; an entry that stands there twice has the words of the last.
        expected
            The last live revision as it was shown to whom confirmed this.
        dry_run
            Only says what would change; `revision` is 0.

        Raises
        ------
        StoreRefusedError
            An entry is none, or its words cannot be kept; the message says which and why. Nothing was added.
        StaleRevisionError
            Something else became live since `expected`.
        """
        source = name_of_source(source)
        _check_count(new)
        kind = self.kind(list_name)
        written = [words_of(list_name, i, entry, now_ms) for i, entry in enumerate(new)]
        read = self.cells(list_name, kind, [entry.text for entry in new])
        wanted = {
            (cell.key, cell.key2): (cell, words)
            for cells, words in zip(read, written, strict=True)
            for cell in cells
        }
        with self._writing(dry_run) as conn:
            changes.expect(conn, expected)
            roll = self._as_read(conn, list_name, kind)
            source_id, kept_ms = self.source(conn, source, make=not dry_run)
            keeps = [kept for kept in (kept_ms, roll.retention_ms) if kept is not None]
            end = min(now_ms + min(keeps), LAST_MS) if keeps else None
            there = self._said(conn, roll, of_pairs(wanted), source_id)
            coming: dict[tuple[int, int], tuple[Cell, Words]] = {}
            for at, (cell, words) in wanted.items():
                if words.valid_until_ms is None:
                    words = replace(words, valid_until_ms=end)
                if there.get(at) != (words, True):
                    coming[at] = (cell, words)
            touched = of_pairs(coming)
            done = Applied(0, 0, roll.name, len(coming), 0, len(wanted) - len(coming), touched)
            if dry_run or not coming:
                return done
            digest = self.digest()
            replaced = of_pairs(at for at in coming if at in there)
            digest.remove(roll.id, source_id, replaced)
            digest.add(roll.id, source_id, touched)
            change, revision = changes.make(
                conn,
                Action.ADD,
                actor,
                now_ms,
                comment=comment,
                list_id=roll.id,
                source_id=source_id,
                subject=roll.name,
                detail={"source": source, "added": len(coming)},
                added=len(coming),
                digest=digest.hexdigest(),
            )
            if len(replaced):
                staging.let_go(conn, roll.id, source_id, change, replaced)
            self._bring(conn, roll, source_id, change, [coming[at] for at in sorted(coming)], actor)
        return replace(done, change=change, revision=revision)

    # ---- taking off ------------------------------------------------------------------------------------------

    def remove(
        self,
        list_name: str,
        texts: Sequence[str],
        *,
        source: str = "",
        actor: str,
        comment: str = "",
        now_ms: int,
        expected: int | None = None,
        dry_run: bool = False,
    ) -> Applied:
        """Takes entries off a list, as one change: those of one source, or everybody's. On disk when it returns.

        Entries that are not there count as unchanged. `removed` counts entries, each as often as sources had it.
        The other parameters and errors are those of `add`.
        """
        _check_count(texts)
        kind = self.kind(list_name)
        read = self.cells(list_name, kind, texts)
        wanted = of_pairs((cell.key, cell.key2) for cells in read for cell in cells)
        with self._writing(dry_run) as conn:
            changes.expect(conn, expected)
            roll = self._as_read(conn, list_name, kind)
            source_id = self.source(conn, source)[0] if source else None
            going = self._holders(conn, roll, wanted, source_id)
            touched = joined(going.values())
            count = sum(len(its) for its in going.values())
            done = Applied(0, 0, roll.name, 0, count, len(wanted) - len(touched), touched)
            if dry_run or not going:
                return done
            digest = self.digest()
            for its_id, its in going.items():
                digest.remove(roll.id, its_id, its)
            change, revision = changes.make(
                conn,
                Action.REMOVE,
                actor,
                now_ms,
                comment=comment,
                list_id=roll.id,
                source_id=source_id,
                subject=roll.name,
                detail={"source": source, "removed": count},
                removed=count,
                digest=digest.hexdigest(),
            )
            for its_id, its in going.items():
                staging.let_go(conn, roll.id, its_id, change, its)
        return replace(done, change=change, revision=revision)

    def set_retention(
        self,
        *,
        list_name: str = "",
        source: str = "",
        retention_ms: int | None,
        actor: str,
        comment: str = "",
        now_ms: int,
        expected: int | None = None,
    ) -> Applied:
        """How long entries of a list, or of a source, stay that say no end, from now on; None: for good.

        Entries that are there keep the end they have. `touched` is empty.
        """
        if bool(list_name) == bool(source):
            raise StoreRefusedError("a retention is that of a list or that of a source: name one of them")
        if retention_ms is not None and not 0 < retention_ms <= LAST_MS:
            raise StoreRefusedError(
                f"a retention of {retention_ms} ms is none; give more than 0, or none at all"
            )
        with self.database.write() as conn:
            changes.expect(conn, expected)
            table: Any = lists if list_name else sources
            if list_name:
                of_list = self.roll(conn, list_name).id
                change = changes.begin(
                    conn, Action.RETENTION, actor, now_ms, comment=comment, list_id=of_list
                )
                conn.execute(update(lists).where(lists.c.id == of_list).values(retention_ms=retention_ms))
            else:
                of_source, _ = self.source(conn, name_of_source(source), make=True)
                change = changes.begin(
                    conn, Action.RETENTION, actor, now_ms, comment=comment, source_id=of_source
                )
                conn.execute(update(table).where(table.c.id == of_source).values(retention_ms=retention_ms))
            revision = changes.go_live(
                conn,
                change,
                now_ms,
                subject=list_name or source,
                detail={"of": "list" if list_name else "source", "retention_ms": retention_ms},
            )
        return Applied(change, revision, list_name, 0, 0, 0, of_pairs(()))

    # ---- for the engine --------------------------------------------------------------------------------------

    def list_content(self, list_name: str, keys: Keys) -> ListContent:
        """What the engine's tables take of some entries of a list."""
        with self.database.read() as conn:
            roll = self.roll(conn, list_name)
            texts = self.names(conn, roll, keys) if roll.kind is ListKind.NETWORK else {}
        pairs = unsigned(keys.key2) if roll.kind is ListKind.PAIR else None
        return content_of(
            roll.kind,
            Identities(unsigned(keys.key), pairs),
            {key & 0xFFFF_FFFF_FFFF_FFFF: text for key, text in texts.items()},
        )

    # ---- rows ------------------------------------------------------------------------------------------------

    def _as_read(self, conn: Connection, name: str, kind: ListKind) -> Roll:
        """A list, of the kind by which entries of it were read before."""
        roll = self.roll(conn, name)
        if roll.kind is not kind:
            raise StoreRefusedError(f"list {name} has just become one of kind {roll.kind.value}: try again")
        return roll

    def _writing(self, dry_run: bool) -> AbstractContextManager[Connection]:
        return self.database.read() if dry_run else self.database.write()

    def _said(
        self, conn: Connection, roll: Roll, keys: Keys, source_id: int
    ) -> dict[tuple[int, int], tuple[Words, bool]]:
        """What a source's live entries say, and whether no change under way is about to let go of them."""
        given = self.as_given(np.unique(keys.key))
        found = self._saying.rows(conn, list=roll.id, source=source_id, given=given)
        return {(row[0], row[1]): (Words(*row[3:]), row[2] is None) for row in found}

    @cached_property
    def _saying(self) -> Prepared:
        said = (lots.c.reason, lots.c.note, lots.c.valid_from_ms, lots.c.valid_until_ms)
        its = (entries.c.list_id == bindparam("list"), entries.c.source_id == bindparam("source"))
        query = select(entries.c.key, entries.c.key2, entries.c.gone, *said)
        query = query.join(lots, lots.c.id == entries.c.lot_id)
        return Prepared(query.where(*its, self.one_given(entries.c.key), changes.live()))

    def _holders(self, conn: Connection, roll: Roll, keys: Keys, source_id: int | None) -> dict[int, Keys]:
        """Which of some entries are live, by the source that has them."""
        query = select(entries.c.source_id, entries.c.key, entries.c.key2).where(
            entries.c.list_id == roll.id, self.one_of(entries.c.key, np.unique(keys.key)), changes.live()
        )
        if source_id is not None:
            query = query.where(entries.c.source_id == source_id)
        wanted = set(zip(keys.key.tolist(), keys.key2.tolist(), strict=True))
        held: dict[int, list[tuple[int, int]]] = {}
        for row in conn.execute(query):
            if (row.key, row.key2) in wanted:
                held.setdefault(row.source_id, []).append((row.key, row.key2))
        return {its: of_pairs(held[its]) for its in sorted(held)}

    def _bring(  # noqa: PLR0917 - an entry has as many sides
        self,
        conn: Connection,
        roll: Roll,
        source_id: int,
        change: int,
        coming: Sequence[tuple[Cell, Words]],
        actor: str,
    ) -> None:
        """Entries, in order of their keys, that come when `change` becomes live."""
        different = list(dict.fromkeys(words for _, words in coming))
        made = staging.make_lots(
            conn,
            [
                {
                    "list_id": roll.id,
                    "source_id": source_id,
                    "change_id": change,
                    "reason": words.reason,
                    "note": words.note,
                    "valid_from_ms": words.valid_from_ms,
                    "valid_until_ms": words.valid_until_ms,
                    "added_by": actor,
                }
                for words in different
            ],
        )
        lot = dict(zip(different, made, strict=True))
        keys = of_pairs((cell.key, cell.key2) for cell, _ in coming)
        lots_of = np.array([lot[words] for _, words in coming], dtype=np.int64)
        timed = np.array([words.timed for _, words in coming])
        staging.bring(conn, roll.id, source_id, change, keys, lots_of, timed)
        if roll.kind in NAMED:
            staging.keep_names(conn, roll.id, keys, [cell.name or "" for cell, _ in coming])


def _check_count(some: Sequence[Any]) -> None:
    if not 0 < len(some) <= changes.AT_ONCE:
        raise StoreRefusedError(
            f"{len(some)} entries at once: give 1 to {changes.AT_ONCE}, and import a file of more"
        )
