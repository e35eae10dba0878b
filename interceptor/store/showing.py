"""What people see of the lists: one entry with all that is known of it, and searches, page by page."""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, or_, select, true, tuple_

from interceptor.engine.spec import ListKind
from interceptor.store import changes
from interceptor.store.beginnings import number_ranges, ranges
from interceptor.store.canonical import NAMED, PAIRED_BY, text_of
from interceptor.store.columns import PIECE
from interceptor.store.covering import Covering, covering
from interceptor.store.rolls import Roll, Rolls
from interceptor.store.schema import changes as made
from interceptor.store.schema import entries, lots, names, sources
from interceptor.store.words import Held, Keys, StoreRefusedError

#: a page of a search has at most so many
MOST_FOUND = 1_000

#: the change that an entry's words came with, and the one that let go of it
_ORIGIN, _GONE = made.alias("origin"), made.alias("gone_by")
_ORDER = (entries.c.key, entries.c.key2, entries.c.source_id)


class Showing(Rolls):
    """Questions of people."""

    def show(self, text: str, *, history: bool = False, now_ms: int) -> list[Held]:
        """All entries that stand for a text, exact and wider ones, list by list.

        Parameters
        ----------
        text
            A number, a domain, an IMEI ... in any form its list takes.
        history
            Entries that are gone, too.
        """
        found: list[Held] = []
        with self.database.read() as conn:
            for roll in self.rolls(conn).values():
                wanted = covering(self.reader(roll.kind), text)
                if wanted:
                    query = _held(roll, now_ms).where(_one_of(wanted))
                    query = query.where(changes.came() if history else changes.live())
                    rows = conn.execute(query.order_by(*_ORDER, entries.c.change_id))
                    found += [_told(roll, row) for row in rows]
        return found

    def search(
        self,
        text: str = "",
        *,
        list_name: str = "",
        source: str = "",
        reason: str = "",
        limit: int = 100,
        page: str = "",
        now_ms: int,
    ) -> tuple[list[Held], str]:
        """Entries whose text begins with `text`, list by list; and the page to go on with, "" at the end.

        Parameters
        ----------
        text
            As entries are shown: "+8613", "example".
        limit
            At most so many, up to MOST_FOUND.
        page
            What the last answer gave; "": the first.

        Raises
        ------
        StoreRefusedError
            There is no such list, or the page is none.
        """
        limit = max(1, min(limit, MOST_FOUND))
        after = _after(page)
        found: list[Held] = []
        last = after
        with self.database.read() as conn:
            rolls = [self.roll(conn, list_name)] if list_name else self.rolls(conn).values()
            for roll in sorted(rolls, key=lambda one: one.id):
                if roll.id < after[0]:
                    continue
                query = _held(roll, now_ms).where(changes.live(), self._begins(roll, text))
                if source:
                    query = query.where(sources.c.name == source)
                if reason:
                    query = query.where(lots.c.reason == reason)
                if roll.id == after[0]:
                    query = query.where(tuple_(*_ORDER) > tuple_(*after[1:]))
                for row in conn.execute(query.order_by(*_ORDER).limit(limit + 1 - len(found))):
                    if len(found) == limit:
                        return found, base64.urlsafe_b64encode(json.dumps(last).encode()).decode()
                    found.append(_told(roll, row))
                    last = [roll.id, row.key, row.key2, row.source_id]
        return found, ""

    def _begins(self, roll: Roll, text: str) -> ColumnElement[bool]:
        """Whether the text of an entry begins with a text."""
        if not text:
            return true()
        if roll.kind in NAMED:
            return names.c.text.startswith(
                text.lower() if roll.kind is ListKind.DOMAIN else text, autoescape=True
            )
        if roll.kind is ListKind.PAIR and PAIRED_BY in text:
            callee, _, caller = text.partition(PAIRED_BY)
            keys = covering(self.reader(ListKind.NUMBER), callee)
            return and_(_one_of(keys), _within(entries.c.key2, number_ranges(caller)) if caller else true())
        return _within(entries.c.key, ranges(roll.kind, text))

    def names(self, conn: Connection, roll: Roll, keys: Keys) -> dict[int, str]:
        """What the store keeps as the texts of some keys."""
        texts: dict[int, str] = {}
        for start in range(0, len(keys), PIECE):
            some = self.one_of(names.c.key, keys.key[start : start + PIECE])
            found = conn.execute(select(names.c.key, names.c.text).where(names.c.list_id == roll.id, some))
            texts.update((row.key, row.text) for row in found)
        return texts


def _held(roll: Roll, now_ms: int) -> Select[Any]:
    """All that is known of the entries of a list."""
    name_of = and_(
        names.c.list_id == entries.c.list_id,
        names.c.key == entries.c.key,
        names.c.key2 == entries.c.key2,
    )
    return (
        select(
            *_ORDER,
            names.c.text,
            sources.c.name.label("source"),
            lots.c.reason,
            lots.c.note,
            lots.c.valid_from_ms,
            lots.c.valid_until_ms,
            lots.c.added_by,
            _ORIGIN.c.live_ms.label("added_ms"),
            _ORIGIN.c.revision,
            and_(changes.live(), changes.holds(now_ms)).label("live"),
            _GONE.c.revision.label("gone_revision"),
            _GONE.c.actor.label("gone_by"),
            _GONE.c.live_ms.label("gone_ms"),
        )
        .join(lots, lots.c.id == entries.c.lot_id)
        .join(sources, sources.c.id == entries.c.source_id)
        .join(_ORIGIN, _ORIGIN.c.id == lots.c.change_id)
        .outerjoin(_GONE, and_(_GONE.c.id == entries.c.gone, _GONE.c.revision.is_not(None)))
        .outerjoin(names, name_of)
        .where(entries.c.list_id == roll.id)
    )


def _told(roll: Roll, row: Row[Any]) -> Held:
    return Held(
        list_name=roll.name,
        text=text_of(roll.kind, row.key, row.key2, row.text or ""),
        source=row.source,
        reason=row.reason,
        note=row.note,
        valid_from_ms=row.valid_from_ms,
        valid_until_ms=row.valid_until_ms,
        added_by=row.added_by,
        added_ms=row.added_ms,
        revision=row.revision,
        live=bool(row.live),
        gone_revision=row.gone_revision,
        gone_by=row.gone_by or "",
        gone_ms=row.gone_ms,
    )


def _one_of(wanted: Iterable[Covering]) -> ColumnElement[bool]:
    return or_(
        false(),
        *(
            entries.c.key == key if key2 is None else and_(entries.c.key == key, entries.c.key2 == key2)
            for key, key2 in wanted
        ),
    )


def _within(column: ColumnElement[int], some: Sequence[tuple[int, int]]) -> ColumnElement[bool]:
    return or_(false(), *(column.between(first, last) for first, last in some))


def _after(page: str) -> list[int]:
    """Where a page begins: behind this list, key, key2 and source."""
    if not page:
        return [0, 0, 0, 0]
    try:
        after = json.loads(base64.urlsafe_b64decode(page.encode()))
        if len(after) == 4 and all(type(part) is int and abs(part) < 1 << 63 for part in after):
            return list(after)
    except ValueError:
        pass
    raise StoreRefusedError(f"{page[:40]!r} is no page of a search: take what the last answer gave")
