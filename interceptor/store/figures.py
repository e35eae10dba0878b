"""Lists as a whole: their figures, and all entries as a file that can be imported again."""

import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import IO, Any

import numpy as np
from sqlalchemy import Connection, Row, func, select, tuple_

from interceptor.engine.spec import ListKind
from interceptor.store import changes
from interceptor.store.canonical import NAMED, text_of
from interceptor.store.columns import PIECE, columns, few
from interceptor.store.rolls import Roll
from interceptor.store.schema import changes as made
from interceptor.store.schema import entries, lots, sources
from interceptor.store.showing import Showing
from interceptor.store.words import Int64s, Keys, ListState

#: bytes of an export that are kept in memory, and that are given at once
IN_MEMORY, GIVEN = 8 << 20, 1 << 16
#: words of lots that are remembered while a list is exported
REMEMBERED = 1 << 16
HEADER = ("number", "reason", "source", "valid_from", "valid_until", "note")

_ENTRY = (entries.c.key, entries.c.key2, entries.c.source_id)


class Figures(Showing):
    """Questions about all of a list."""

    def stats(self, list_name: str = "", *, now_ms: int) -> list[ListState]:
        """How large the lists are, in order of their names; or one of them."""
        with self.database.read() as conn:
            rolls = [self.roll(conn, list_name)] if list_name else list(self.rolls(conn).values())
            return [self._state(conn, roll, now_ms) for roll in sorted(rolls, key=lambda one: one.name)]

    def _state(self, conn: Connection, roll: Roll, now_ms: int) -> ListState:
        counts = (entries.c.list_id == roll.id, changes.live(), changes.holds(now_ms))
        query = select(*_ENTRY[:2], entries.c.lot_id).where(*counts).order_by(*_ENTRY)
        total = 0
        by_lot: Counter[int] = Counter()
        last: tuple[int, int] | None = None
        for key, key2, lot in columns(conn, query, 3):
            new = np.ones(len(key), dtype=bool)
            new[1:] = (key[1:] != key[:-1]) | (key2[1:] != key2[:-1])
            new[0] = last != (int(key[0]), int(key2[0]))
            last = (int(key[-1]), int(key2[-1]))
            total += int(new.sum())
            ids, counted = np.unique(lot, return_counts=True)
            by_lot.update(dict(zip(ids.tolist(), counted.tolist(), strict=True)))
        by_source: Counter[str] = Counter()
        by_reason: Counter[str] = Counter()
        ids = np.array(sorted(by_lot), dtype=np.int64)
        for row in self._lots(conn, ids):
            by_source[row.source] += by_lot[row.id]
            by_reason[row.reason] += by_lot[row.id]
        changed = select(func.max(made.c.live_ms)).where(
            made.c.list_id == roll.id, made.c.revision.is_not(None)
        )
        return ListState(
            name=roll.name,
            kind=roll.kind.value,
            entries=total,
            by_source=dict(sorted(by_source.items())),
            by_reason=dict(sorted(by_reason.items())),
            last_change_ms=conn.execute(changed).scalar(),
            retention_ms=roll.retention_ms,
        )

    def _lots(self, conn: Connection, ids: Int64s) -> Iterator[Row[Any]]:
        for start in range(0, len(ids), REMEMBERED):
            query = select(lots, sources.c.name.label("source")).join(
                sources, sources.c.id == lots.c.source_id
            )
            yield from conn.execute(query.where(self.one_of(lots.c.id, ids[start : start + REMEMBERED])))

    def export(self, list_name: str, *, source: str = "", now_ms: int) -> Iterator[bytes]:
        """A list as CSV with the columns of HEADER, in order of keys: equal states give equal bytes.

        Each source's entry is a row; those that have ended are left out. It is the list at one moment, however long
        it takes to be read: it is laid down in a file first.

        Parameters
        ----------
        source
            Only this one's entries; "": everybody's.
        """
        with ExitStack() as unfinished:
            laid = unfinished.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY))
            with self.database.read() as conn:
                roll = self.roll(conn, list_name)
                laid.write(_csv(roll.kind, [HEADER]))
                for rows in self._rows(conn, roll, source, now_ms):
                    laid.write(_csv(roll.kind, rows))
            laid.seek(0)
            unfinished.pop_all()
        return _given(laid)

    def _rows(
        self, conn: Connection, roll: Roll, source: str, now_ms: int
    ) -> Iterator[list[tuple[str, ...]]]:
        query = select(*_ENTRY, entries.c.lot_id).where(entries.c.list_id == roll.id, changes.live())
        if source:
            query = query.where(entries.c.source_id == self.source(conn, source)[0])
        said: dict[int, tuple[tuple[str, ...], int | None]] = {}
        after: tuple[int, ...] = ()
        while True:
            page = query.where(tuple_(*_ENTRY) > tuple_(*after)) if after else query
            key, key2, source_id, lot = few(conn, page.order_by(*_ENTRY).limit(PIECE), 4)
            if not len(key):
                return
            after = (int(key[-1]), int(key2[-1]), int(source_id[-1]))
            unknown = [each for each in np.unique(lot).tolist() if each not in said]
            if len(said) + len(unknown) > REMEMBERED:
                said.clear()
                unknown = np.unique(lot).tolist()
            for row in self._lots(conn, np.array(unknown, dtype=np.int64)):
                start, end = _written(row.valid_from_ms), _written(row.valid_until_ms)
                said[row.id] = (row.reason, row.source, start, end, row.note), row.valid_until_ms
            named = self.names(conn, roll, Keys(key, key2)) if roll.kind in NAMED else {}
            written = []
            for of, of2, its in zip(key.tolist(), key2.tolist(), lot.tolist(), strict=True):
                words, end_ms = said[its]
                if end_ms is None or end_ms > now_ms:
                    written.append((text_of(roll.kind, of, of2, named.get(of, "")), *words))
            yield written


def _csv(kind: ListKind, rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    if kind is ListKind.TRUNK:  # it may be named like a remark
        csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    else:
        csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _given(laid: IO[bytes]) -> Iterator[bytes]:
    with laid:
        while piece := laid.read(GIVEN):
            yield piece


def _written(at_ms: int | None) -> str:
    """A moment as ISO 8601 has it, to the millisecond."""
    if at_ms is None:
        return ""
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
