"""Rows of a change under way, many at once: brought, let go of, and taken away again when it is given up."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    tuple_,
    update,
)

from interceptor.store.canonical import NAMED
from interceptor.store.changes import live
from interceptor.store.database import Database
from interceptor.store.keysets import Mask
from interceptor.store.prepared import Prepared
from interceptor.store.schema import changes, entries, lists, lots, names
from interceptor.store.words import Action, Int64s, Keys

#: rows of one transaction: about 10 ms, so that others get their turns
AT_ONCE = 1 << 14

_LOT = Prepared(
    insert(lots).returning(lots.c.id),
    ["list_id", "source_id", "change_id", "reason", "note", "valid_from_ms", "valid_until_ms", "added_by"],
)
_LOTS = insert(lots).returning(lots.c.id, sort_by_parameter_order=True)

_NAME = text(
    "INSERT INTO names (list_id, key, key2, text) VALUES (:list_id, :key, :key2, :text) ON CONFLICT DO NOTHING"
)

_COLUMNS = "list_id, key, key2, source_id, change_id, lot_id, timed"
#: a row of PostgreSQL's binary COPY: how many columns, and the length of each before it
_COPIED = np.dtype(
    [("columns", ">i2")]
    + [
        field
        for name, held in (
            ("list_id", ">i4"), ("key", ">i8"), ("key2", ">i8"), ("source_id", ">i4"),
            ("change_id", ">i8"), ("lot_id", ">i8"), ("timed", ">i2"),
        )
        for field in ((f"length of {name}", ">i4"), (name, held))
    ]
)  # fmt: skip
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"


def pieces(count: int) -> Iterator[slice]:
    """What to take at once of so many rows."""
    for start in range(0, count, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, count))


def bring(  # noqa: PLR0917 - an entry has as many sides
    conn: Connection, list_id: int, source_id: int, change: int, keys: Keys, lot: Int64s, timed: Mask
) -> None:
    """Entries, in order of their keys, that come when the change becomes live. `lot` and `timed` are by entry."""
    driver: Any = conn.connection.driver_connection  # past SQLAlchemy, for speed
    if conn.dialect.name == "sqlite":
        # One statement: whatever is done row by row in Python would take the GIL from others a million times. Each
        # member of the object is a row: "KEY:KEY2": LOT, the lot negative when it is timed.
        said = np.where(timed, -lot, lot).tolist()
        paired = bool(keys.key2.any())
        if paired:
            both = zip(keys.key.tolist(), keys.key2.tolist(), said, strict=True)
            rows = ",".join([f'"{key}:{key2}":{of}' for key, key2, of in both])
        else:
            rows = ",".join([f'"{key}":{of}' for key, of in zip(keys.key.tolist(), said, strict=True)])
        key2 = "CAST(substr(key, instr(key, ':') + 1) AS INTEGER)" if paired else "0"
        driver.execute(
            f"INSERT INTO entries ({_COLUMNS}) "
            f"SELECT ?, CAST(key AS INTEGER), {key2}, ?, ?, abs(value), value < 0 FROM json_each(?)",
            (list_id, source_id, change, f"{{{rows}}}"),
        )
        return
    copied = np.empty(len(keys), dtype=_COPIED)
    copied["columns"] = 7
    for name, values in (
        ("list_id", list_id), ("key", keys.key), ("key2", keys.key2), ("source_id", source_id),
        ("change_id", change), ("lot_id", lot), ("timed", timed),
    ):  # fmt: skip
        copied[f"length of {name}"] = _COPIED[name].itemsize
        copied[name] = values
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY entries ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(_COPY_HEAD + copied.tobytes() + _COPY_END)


def keep_names(conn: Connection, list_id: int, keys: Keys, texts: Sequence[str]) -> None:
    """Texts of entries whose keys do not tell them."""
    rows = [
        {"list_id": list_id, "key": key, "key2": key2, "text": name}
        for key, key2, name in zip(keys.key.tolist(), keys.key2.tolist(), texts, strict=True)
    ]
    conn.execute(_NAME, rows)


def make_lots(conn: Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Ids of new lots, in the order of their rows."""
    if len(rows) == 1:
        return [int(id_) for (id_,) in _LOT.rows(conn, **rows[0])]
    return [int(row.id) for row in conn.execute(_LOTS, rows)]


def let_go(conn: Connection, list_id: int, source_id: int, change: int, keys: Keys) -> None:
    """Entries of one source that go when the change becomes live. What another one under way wanted of them is void."""
    of_source = (entries.c.list_id == list_id, entries.c.source_id == source_id)
    conn.execute(update(entries).where(*of_source, live(), _one_of(conn, keys)).values(gone=change))


def withdraw(conn: Connection, list_id: int, source_id: int, change: int, keys: Keys) -> None:
    """Leaves entries of one source as they are now, whatever the change wanted of them."""
    its = (entries.c.list_id == list_id, entries.c.source_id == source_id, _one_of(conn, keys))
    conn.execute(delete(entries).where(*its, entries.c.change_id == change))
    conn.execute(update(entries).where(*its, entries.c.gone == change).values(gone=None))


def _one_of(conn: Connection, keys: Keys) -> ColumnElement[bool]:
    """Whether a row of `entries` is one of these: one parameter or two, however many they are."""
    if conn.dialect.name == "sqlite":
        if not keys.key2.any():
            key = func.json_each(json.dumps(keys.key.tolist())).table_valued("value")
            return and_(entries.c.key.in_(select(key.c.value)), entries.c.key2 == 0)
        pair = func.json_each(json.dumps(np.column_stack((keys.key, keys.key2)).tolist())).table_valued(
            "value"
        )
        both = [func.json_extract(pair.c.value, f"$[{i}]") for i in (0, 1)]
        return tuple_(entries.c.key, entries.c.key2).in_(select(*both))
    arrays = [bindparam(None, column.tolist(), type_=ARRAY(BigInteger)) for column in (keys.key, keys.key2)]
    row = func.unnest(*arrays).table_valued("key", "key2").render_derived()
    return tuple_(entries.c.key, entries.c.key2).in_(select(row.c.key, row.c.key2))


def abandon(database: Database, action: Action | None = None) -> None:
    """Gives up all changes under way, or those of one kind: nobody saw them, nobody will. `clear` takes them away."""
    which = and_(changes.c.revision.is_(None), changes.c.given_up == 0)
    if action is not None:
        which = and_(which, changes.c.action == action.value)
    with database.read() as conn:
        if conn.execute(select(changes.c.id).where(which)).first() is None:
            return
    with database.write() as conn:
        conn.execute(update(changes).where(which).values(given_up=1))


def clear(database: Database) -> None:
    """Takes the rows of changes that were given up away, in short transactions."""
    query = select(changes.c.id, lists.c.kind).outerjoin(lists, lists.c.id == changes.c.list_id)
    with database.read() as conn:
        given_up = conn.execute(query.where(changes.c.given_up == 1)).all()
    for change, kind in given_up:
        while not _clear_some(database, change, named=kind in NAMED):
            pass


def _clear_some(database: Database, change: int, *, named: bool) -> bool:
    """Takes some rows of a change away; True when there were none left, and it is away itself."""
    row = (entries.c.list_id, entries.c.key, entries.c.key2, entries.c.source_id, entries.c.change_id)
    came = select(*row).where(entries.c.change_id == change).order_by(*row).limit(AT_ONCE)
    went = select(*row).where(entries.c.gone == change).limit(AT_ONCE)
    with database.write() as conn:
        nameless = conn.execute(came).all() if named else []
        if conn.execute(delete(entries).where(tuple_(*row).in_(came))).rowcount:
            if nameless:
                _forget_names(conn, nameless)
            return False
        if conn.execute(update(entries).where(tuple_(*row).in_(went)).values(gone=None)).rowcount:
            return False
        conn.execute(delete(lots).where(lots.c.change_id == change))
        conn.execute(delete(changes).where(changes.c.id == change))
    return True


def _forget_names(conn: Connection, rows: Sequence[Any]) -> None:
    """Forgets the texts of entries of which no row is left."""
    held = select(entries.c.key).where(
        entries.c.list_id == names.c.list_id, entries.c.key == names.c.key, entries.c.key2 == names.c.key2
    )
    name = and_(
        names.c.list_id == bindparam("of_list"),
        names.c.key == bindparam("of_key"),
        names.c.key2 == bindparam("of_key2"),
    )
    conn.execute(
        delete(names).where(name, ~held.exists()),
        [{"of_list": row.list_id, "of_key": row.key, "of_key2": row.key2} for row in rows],
    )
