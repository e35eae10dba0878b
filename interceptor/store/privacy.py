"""`interceptor privacy erase`: takes a person's number out of the store, and leaves the audit trail verifiable.

The rows of entries go, live ones and those of the past, and those of imports under way. What stays of each is its MAC
in `erased`, which the digests of the audit trail are computed from as well as from the entry itself. An undo of an
earlier change works on the rows of `entries`, so it does not bring the number back; the erasure itself is no change
of a list, so it cannot be undone. A file that is imported later may put the number on a list again.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from interceptor.engine.keys import KeyKind, digits_key_of, key_digits_of
from interceptor.engine.number import imei_key_of, imsi_key_of
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.store import changes
from interceptor.store.canonical import text_of
from interceptor.store.decisions import RememberedDecisions
from interceptor.store.digests import entry_macs, number_mac, text_mac
from interceptor.store.entries import SEPARATORS, SHORTEST_NUMBER, Reader
from interceptor.store.schema import changes as made
from interceptor.store.schema import entries, erased, feedback, lists, lots
from interceptor.store.words import Action, Keys, StoreRefusedError, StoreUnavailableError

if TYPE_CHECKING:
    from interceptor.store.database import Database

#: a device has 14 digits or more, a subscriber's identity too, as no number that is written without "+" has
IDENTITY_DIGITS = 14


@dataclass(frozen=True, eq=False)
class Erased:
    """What was erased, and is on disk."""

    revision: int
    text: str  #: the number, as it is written
    entries: int  #: that were live or gone
    decisions: int
    touched: Sequence[tuple[str, Keys]]  #: what is on lists no longer


class Privacy:
    """`Store.privacy`. Any number of threads.

    Parameters
    ----------
    copies
        What else may hold a number, and is put out of the way by being called: the image of the lists, which is made
        anew out of the database, and files whose import was interrupted, which are sent again.
    """

    def __init__(
        self,
        database: "Database",
        decisions: RememberedDecisions,
        *,
        plan: NumberingPlan,
        home: str,
        secret: bytes,
        audit_key: bytes,
        copies: Sequence[Callable[[], None]],
    ) -> None:
        self._database = database
        self._decisions = decisions
        self._reader = Reader(ListKind.NUMBER, plan, home, secret)
        self._audit_key = audit_key
        self._copies = copies

    def erase(self, number: str, *, actor: str, comment: str, now_ms: int) -> Erased:
        """Erases what is known of a telephone number, IMEI or IMSI.

        Parameters
        ----------
        comment
            Why: a request's reference. It is kept, so the number does not belong in it.

        Raises
        ------
        StoreRefusedError
            The text is no number, or stands in the comment.
        """
        keys = self._keys(number.strip())
        kind = next(iter(keys))
        shown = text_of(kind, keys[kind][0])
        digits = shown.removeprefix("+")
        if len(digits) >= SHORTEST_NUMBER and digits in comment.translate(SEPARATORS):
            raise StoreRefusedError("the comment has the number in it, and comments are kept: leave it out")
        forgotten = self._decisions.erase(shown)
        with self._database.write() as conn:
            for forget in self._copies:
                forget()
            if self._database.is_sqlite:
                conn.exec_driver_sql("PRAGMA secure_delete = ON")  # nothing of the rows stays in the file
            rows = [
                row for condition in _held(conn, keys) for row in _take_out(conn, condition, self._audit_key)
            ]
            _blank(conn, rows)
            for some in _pieces(forgotten):
                conn.execute(delete(feedback).where(feedback.c.decision_id.in_(some)))
            change = changes.begin(conn, Action.ERASE, actor, now_ms, comment=comment)
            revision = changes.go_live(
                conn,
                change,
                now_ms,
                subject=number_mac(self._audit_key, keys[kind][0]),
                detail={"entries": len(rows), "decisions": len(forgotten)},
            )
            touched = _touched(conn, rows)
        with contextlib.suppress(StoreUnavailableError):  # it is erased; what is written next covers the log
            self._database.forget_log()
        return Erased(revision, shown, len(rows), len(forgotten), touched)

    def named(self, text: str) -> str:
        """How a record of the audit trail names what somebody looked for: no clear text, and the same one each time.

        A number in whatever form it is written has the name that its erasure has.
        """
        try:
            keys = self._keys(text.strip())
        except StoreRefusedError:
            return text_mac(self._audit_key, text.strip().lower())
        return number_mac(self._audit_key, next(iter(keys.values()))[0])

    def _keys(self, number: str) -> dict[ListKind, list[int]]:
        """The keys it has on lists of each kind; the first kind is the one it is taken for."""
        bare = number.encode()
        # 00: an international number
        whole = number.isascii() and number.isdigit() and not number.startswith("00")
        if whole and len(number) >= IDENTITY_DIGITS:
            keys = {ListKind.SUBSCRIBER: [imsi_key_of(bare)], ListKind.DEVICE: [imei_key_of(bare)]}
            known = {kind: its for kind, its in keys.items() if its[0]}
            if known:
                return known
        try:
            key = self._reader.read(number)[0].key
        except ValueError as error:
            raise StoreRefusedError(f"nothing was erased: {error}") from None
        prefix = (
            digits_key_of(KeyKind.KEY_PREFIX, key_digits_of(key)) if key >> 58 == KeyKind.KEY_NUMBER else 0
        )
        return {ListKind.NUMBER: [key], ListKind.PAIR: [key], ListKind.PREFIX: [prefix] if prefix else []}


def erased_since(conn: Connection, revision: int) -> bool:
    """Whether anything was erased after a revision: what was copied out of the database then may still hold it."""
    later = (made.c.revision > revision) & (made.c.action == Action.ERASE.value)
    return conn.execute(select(made.c.id).where(later).limit(1)).first() is not None


def _held(conn: Connection, keys: Mapping[ListKind, Sequence[int]]) -> Iterator[ColumnElement[bool]]:
    """What the rows of the number are, list by list: each time what is not yet taken out."""
    for list_id, kind in conn.execute(select(lists.c.id, lists.c.kind)).all():
        for key in keys.get(ListKind(kind), ()):
            signed = key - (1 << 64) if key >> 63 else key
            of_list = entries.c.list_id == list_id
            yield and_(of_list, entries.c.key == signed)
            if kind == ListKind.PAIR:
                # reads all of the list: nobody else asks by caller
                yield and_(of_list, entries.c.key2 == signed)


def _take_out(conn: Connection, condition: ColumnElement[bool], audit_key: bytes) -> Sequence[Row[Any]]:
    """Entries that are so go; their MACs stay."""
    rows = conn.execute(select(entries).where(condition)).all()
    if rows:
        column = {
            name: np.array([row._mapping[name] for row in rows]) for name in ("key", "key2", "source_id")
        }
        macs = entry_macs(
            audit_key, rows[0].list_id, column["source_id"], Keys(column["key"], column["key2"])
        )
        kept = [
            {
                "list_id": row.list_id,
                "mac": mac.tobytes(),
                "source_id": row.source_id,
                "change_id": row.change_id,
                "gone": row.gone,
            }
            for row, mac in zip(rows, macs, strict=True)
        ]
        conn.execute(insert(erased), kept)
        conn.execute(delete(entries).where(condition))
    return rows


def _blank(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    """Notes and comments that were made about this number alone: they may name whose it is."""
    for some in _pieces(sorted({row.lot_id for row in rows})):
        others = select(entries.c.lot_id).where(
            entries.c.change_id == lots.c.change_id, entries.c.lot_id == lots.c.id
        )
        alone = lots.c.id.in_(some) & (lots.c.note != "") & ~others.exists()
        conn.execute(update(lots).where(alone).values(note=""))
    about = {row.change_id for row in rows} | {row.gone for row in rows if row.gone is not None}
    for some in _pieces(sorted(about)):
        brought = select(entries.c.key).where(entries.c.change_id == made.c.id)
        let_go = select(entries.c.key).where(entries.c.gone == made.c.id)
        alone = made.c.id.in_(some) & (made.c.comment != "") & ~brought.exists() & ~let_go.exists()
        conn.execute(update(made).where(alone).values(comment=""))


def _touched(conn: Connection, rows: Sequence[Row[Any]]) -> list[tuple[str, Keys]]:
    names = {row.id: row.name for row in conn.execute(select(lists.c.id, lists.c.name))}
    touched = []
    for list_id in sorted({row.list_id for row in rows}):
        pairs = sorted({(row.key, row.key2) for row in rows if row.list_id == list_id})
        both = np.array(pairs, dtype=np.int64)
        touched.append((names[list_id], Keys(both[:, 0].copy(), both[:, 1].copy())))
    return touched


def _pieces(values: list[Any]) -> Iterator[list[Any]]:
    """As many as one statement takes."""
    return (values[start : start + 500] for start in range(0, len(values), 500))
