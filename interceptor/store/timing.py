"""What is on a list at a moment: the side of the lists that the engine follows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Select, and_, literal, or_, select, union_all

from interceptor.engine.spec import ListKind
from interceptor.store.changes import holds, live
from interceptor.store.columns import PIECE, columns, few, in_order
from interceptor.store.keysets import Mask, among, chained, keys_from, once
from interceptor.store.rolls import Rolls
from interceptor.store.schema import changes, entries, lots
from interceptor.store.words import Int64s, Keys

_KEYS = select(entries.c.key, entries.c.key2)
_ORDER = (entries.c.key, entries.c.key2)


class Timing(Rolls):
    """Questions of what counts, and when that changes."""

    def effective(self, list_name: str, keys: Keys, now_ms: int) -> Mask:
        """Which keys are on a list: some source's entry is live, and within its times. Shape (len(keys),)."""
        on = np.zeros(len(keys), dtype=bool)
        with self.database.read() as conn:
            roll = self.roll(conn, list_name)
            query = _KEYS.where(entries.c.list_id == roll.id, live(), holds(now_ms)).order_by(*_ORDER)
            for start in range(0, len(keys), PIECE):
                piece = slice(start, start + PIECE)
                asked = Keys(keys.key[piece], keys.key2[piece])
                on[piece] = among(asked, self._found(conn, query, asked.key))
        return on

    def _found(self, conn: Connection, query: Select[Any], asked: Int64s) -> Keys:
        """What a query finds of the keys asked for, and maybe of some between them.

        A list that has little between them is read from the first to the last: an eighth of the time of looking each
        one up, which matters after an import of millions.
        """
        most = 2 * len(asked)
        first, last = (literal(int(end), BigInteger) for end in (asked.min(), asked.max()))
        between = entries.c.key.between(first, last)
        found = few(conn, query.where(between).limit(most), 2)
        if len(found[0]) == most:
            found = few(conn, query.where(self.one_of(entries.c.key, np.unique(asked))), 2)
        return once(*found)

    def scan(self, list_name: str, now_ms: int) -> Iterator[Keys]:
        """All that is on a list, in order, each entry once, a bounded piece at a time."""
        with self.database.read() as conn:
            roll = self.roll(conn, list_name)
            query = _KEYS.where(entries.c.list_id == roll.id, live(), holds(now_ms))
            none = np.zeros(PIECE, dtype=np.int64)
            last = None
            for key, key2 in in_order(conn, query, 2):
                keys = once(key, key2 if roll.kind is ListKind.PAIR else none[: len(key)])
                if (int(keys.key[0]), int(keys.key2[0])) == last:  # of another source
                    keys = Keys(keys.key[1:], keys.key2[1:])
                if len(keys):
                    last = int(keys.key[-1]), int(keys.key2[-1])
                    yield keys

    def content(self, list_name: str, now_ms: int) -> Keys:
        """All that is on a list. 16 bytes an entry, and no more for long."""
        return chained(list(self.scan(list_name, now_ms)))

    def due(self, after_ms: int, until_ms: int) -> list[tuple[str, Keys]]:
        """By list, the keys of live entries that begin or end after `after_ms` and not after `until_ms`."""
        within = or_(
            and_(lots.c.valid_from_ms > after_ms, lots.c.valid_from_ms <= until_ms),
            and_(lots.c.valid_until_ms > after_ms, lots.c.valid_until_ms <= until_ms),
        )
        query = (
            select(entries.c.list_id, entries.c.key, entries.c.key2)
            .join(lots, lots.c.id == entries.c.lot_id)
            .where(entries.c.timed == 1, within, live())
        )
        return self._by_list(query)

    def since(self, revision: int) -> list[tuple[str, Keys]]:
        """By list, the keys that changes after a revision have touched."""
        what = select(entries.c.list_id, entries.c.key, entries.c.key2)
        came = what.join(changes, changes.c.id == entries.c.change_id).where(changes.c.revision > revision)
        went = what.join(changes, changes.c.id == entries.c.gone).where(changes.c.revision > revision)
        return self._by_list(union_all(came, went))

    def _by_list(self, query: object) -> list[tuple[str, Keys]]:
        parts: list[list[np.ndarray]] = []
        with self.database.read() as conn:
            rolls = self.rolls(conn)
            parts.extend(columns(conn, query, 3))
        if not parts:
            return []
        list_id, key, key2 = (np.concatenate(column) for column in zip(*parts, strict=True))
        return [
            (roll.name, keys_from(key[its], key2[its]))
            for roll in rolls.values()
            if (its := list_id == roll.id).any()
        ]
