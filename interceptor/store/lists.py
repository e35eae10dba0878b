"""The lists that the store keeps: entries put on and taken off, durably, each with who, why and until when."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, bindparam, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from interceptor.engine.spec import ListContent, ListKind
from interceptor.store import changes
from interceptor.store.content import Identities, content_of
from interceptor.store.keysets import of_pairs, unsigned
from interceptor.store.rolls import LONGEST_NAME, Cell, Roll
from interceptor.store.schema import entries, lists, lots, names, sources
from interceptor.store.showing import Showing
from interceptor.store.timing import Timing
from interceptor.store.words import Action, Applied, Keys, NewEntry, StoreRefusedError

LONGEST_REASON, LONGEST_NOTE = 64, 2_000
#: the end of the year 9999, beyond which no date is written
LAST_MS = 253_402_300_799_999

_LET_GO = (
    update(entries)
    .where(
        entries.c.list_id == bindparam("of_list"),
        entries.c.key == bindparam("of_key"),
        entries.c.key2 == bindparam("of_key2"),
        entries.c.source_id == bindparam("of_source"),
        entries.c.change_id == bindparam("of_change"),
    )
    .values(gone=bindparam("by_change"))
)


@dataclass(frozen=True)
class Words:
    """What an entry says."""

    reason: str
    note: str
    valid_from_ms: int | None
    valid_until_ms: int | None


@dataclass(frozen=True)
class _Row:
    """An entry of one source as the database has it."""

    key: int
    key2: int
    source_id: int
    change_id: int
    gone: int | None  # by a change under way


class Lists(Timing, Showing):
    """See the module. Every method may be called by any number of threads.

    All raise StoreUnavailableError while the database is away, and StoreRefusedError for a list that is none.
    """

    def ensure(self, specs: Mapping[str, ListKind], now_ms: int) -> None:
        """Makes the lists that are not there yet; what a policy no longer names stays as it is.

        Raises
        ------
        StoreRefusedError
            A list has entries of another kind.
        """
        if self._missing(specs):
            with self.database.write() as conn:
                self._make(conn, specs)

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
        with self.database.read() as conn:
            roll = self.roll(conn, list_name)
        written = [_checked(roll, i, entry, now_ms) for i, entry in enumerate(new)]
        wanted = {
            (cell.key, cell.key2): (cell, words)
            for cells, words in zip(self.cells(roll, [entry.text for entry in new]), written, strict=True)
            for cell in cells
        }
        with self._writing(dry_run) as conn:
            changes.expect(conn, expected)
            source_id, kept_ms = self.source(conn, source, make=not dry_run)
            roll = self.roll(conn, list_name)
            keeps = [kept for kept in (kept_ms, roll.retention_ms) if kept is not None]
            end = now_ms + min(keeps) if keeps else None
            there = self._there(conn, roll, of_pairs(wanted), source_id)
            fresh: dict[Words, list[Cell]] = {}
            replaced: list[_Row] = []
            for at, (cell, words) in wanted.items():
                if words.valid_until_ms is None:
                    words = replace(words, valid_until_ms=end)
                row, has = there.get(at, (None, None))
                if row is not None:
                    if has == words and row.gone is None:
                        continue
                    replaced.append(row)
                fresh.setdefault(words, []).append(cell)
            touched = of_pairs((cell.key, cell.key2) for cells in fresh.values() for cell in cells)
            done = Applied(0, 0, roll.name, len(touched), 0, len(wanted) - len(touched), touched)
            if dry_run or not fresh:
                return done
            change = changes.begin(
                conn, Action.ADD, actor, now_ms, comment=comment, list_id=roll.id, source_id=source_id
            )
            _let_go(conn, roll, replaced, change)
            for words, cells in fresh.items():
                _bring(conn, roll, source_id, change, words, cells, actor)
            digest = self.digest()
            digest.add(roll.id, source_id, touched)
            digest.remove(roll.id, source_id, of_pairs((row.key, row.key2) for row in replaced))
            revision = changes.go_live(
                conn,
                change,
                now_ms,
                subject=roll.name,
                detail={"source": source, "added": len(touched)},
                added=len(touched),
                digest=digest.hexdigest(),
            )
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
        with self.database.read() as conn:
            roll = self.roll(conn, list_name)
        wanted = of_pairs((cell.key, cell.key2) for cells in self.cells(roll, texts) for cell in cells)
        with self._writing(dry_run) as conn:
            changes.expect(conn, expected)
            source_id = self.source(conn, source)[0] if source else None
            going = self._holders(conn, roll, wanted, source_id)
            touched = of_pairs((row.key, row.key2) for row in going)
            done = Applied(0, 0, roll.name, 0, len(going), len(wanted) - len(touched), touched)
            if dry_run or not going:
                return done
            change = changes.begin(
                conn, Action.REMOVE, actor, now_ms, comment=comment, list_id=roll.id, source_id=source_id
            )
            _let_go(conn, roll, going, change)
            digest = self.digest()
            for its in sorted({row.source_id for row in going}):
                digest.remove(
                    roll.id, its, of_pairs((row.key, row.key2) for row in going if row.source_id == its)
                )
            revision = changes.go_live(
                conn,
                change,
                now_ms,
                subject=roll.name,
                detail={"source": source, "removed": len(going)},
                removed=len(going),
                digest=digest.hexdigest(),
            )
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

    def _writing(self, dry_run: bool) -> AbstractContextManager[Connection]:
        return self.database.read() if dry_run else self.database.write()

    def _there(
        self, conn: Connection, roll: Roll, keys: Keys, source_id: int
    ) -> dict[tuple[int, int], tuple[_Row, Words]]:
        query = (
            select(*_ROW, lots.c.reason, lots.c.note, lots.c.valid_from_ms, lots.c.valid_until_ms)
            .join(lots, lots.c.id == entries.c.lot_id)
            .where(entries.c.list_id == roll.id, entries.c.source_id == source_id, changes.live())
            .where(self.one_of(entries.c.key, np.unique(keys.key)))
        )
        return {(row[0], row[1]): (_Row(*row[:5]), Words(*row[5:])) for row in conn.execute(query)}

    def _holders(self, conn: Connection, roll: Roll, keys: Keys, source_id: int | None) -> list[_Row]:
        query = select(*_ROW).where(
            entries.c.list_id == roll.id,
            self.one_of(entries.c.key, np.unique(keys.key)),
            changes.live(),
        )
        if source_id is not None:
            query = query.where(entries.c.source_id == source_id)
        wanted = set(zip(keys.key.tolist(), keys.key2.tolist(), strict=True))
        return [_Row(*row) for row in conn.execute(query) if (row[0], row[1]) in wanted]


_ROW = (entries.c.key, entries.c.key2, entries.c.source_id, entries.c.change_id, entries.c.gone)


def name_of_source(source: str) -> str:
    source = source.strip()
    if not 0 < len(source) <= LONGEST_NAME or not source.isprintable():
        raise StoreRefusedError(
            f"{source[:40]!r} is no name of a source: whose entries these are takes 1 to {LONGEST_NAME} "
            "printable characters"
        )
    return source


def _check_count(some: Sequence[Any]) -> None:
    if not 0 < len(some) <= changes.AT_ONCE:
        raise StoreRefusedError(
            f"{len(some)} entries at once: give 1 to {changes.AT_ONCE}, and import a file of more"
        )


def _checked(roll: Roll, i: int, entry: NewEntry, now_ms: int) -> Words:
    """The words of an entry; StoreRefusedError when they cannot be kept."""
    reason, start, end = entry.reason.strip(), entry.valid_from_ms, entry.valid_until_ms
    wrong = ""
    if len(reason) > LONGEST_REASON or not (reason.isprintable()):
        wrong = f"the reason is one word of at most {LONGEST_REASON} printable characters"
    elif len(entry.note) > LONGEST_NOTE or "\0" in entry.note:
        wrong = f"the note has at most {LONGEST_NOTE} characters, none of them NUL"
    elif any(at is not None and not 0 <= at <= LAST_MS for at in (start, end)):
        wrong = "begin and end are milliseconds since 1970, up to the year 9999"
    elif end is not None and end <= now_ms:
        wrong = "its end has passed"
    elif end is not None and start is not None and end <= start:
        wrong = "it ends before it begins"
    if wrong:
        raise StoreRefusedError(f"list {roll.name}: entry {i + 1} ({entry.text[:40]!r}): {wrong}")
    return Words(reason, entry.note, start, end)


def _let_go(conn: Connection, roll: Roll, rows: Iterable[_Row], change: int) -> None:
    """These go when `change` becomes live. What another change under way wanted of them is void."""
    going = [
        {
            "of_list": roll.id,
            "of_key": row.key,
            "of_key2": row.key2,
            "of_source": row.source_id,
            "of_change": row.change_id,
            "by_change": change,
        }
        for row in rows
    ]
    if going:
        conn.execute(_LET_GO, going)


def _bring(  # noqa: PLR0917 - an entry has as many sides
    conn: Connection, roll: Roll, source_id: int, change: int, words: Words, cells: list[Cell], actor: str
) -> None:
    """These come when `change` becomes live."""
    lot = (
        insert(lots)
        .values(
            list_id=roll.id,
            source_id=source_id,
            change_id=change,
            reason=words.reason,
            note=words.note,
            valid_from_ms=words.valid_from_ms,
            valid_until_ms=words.valid_until_ms,
            added_by=actor,
        )
        .returning(lots.c.id)
    )
    row = {
        "list_id": roll.id,
        "source_id": source_id,
        "change_id": change,
        "lot_id": conn.execute(lot).scalar_one(),
        "timed": int(words.valid_from_ms is not None or words.valid_until_ms is not None),
    }
    conn.execute(insert(entries), [{**row, "key": cell.key, "key2": cell.key2} for cell in cells])
    named = [
        {"list_id": roll.id, "key": cell.key, "key2": cell.key2, "text": cell.name}
        for cell in cells
        if cell.name is not None
    ]
    if named:
        dialect: Any = sqlite if conn.dialect.name == "sqlite" else postgresql
        conn.execute(dialect.insert(names).on_conflict_do_nothing(), named)
