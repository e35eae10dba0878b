"""Many rows of whole numbers out of the database as arrays, a bounded piece at a time; past SQLAlchemy, for speed."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Select, func, literal, select, tuple_

from interceptor.store.schema import entries
from interceptor.store.words import Int64s

#: rows of a piece
PIECE = 1 << 14

# PostgreSQL's manual, COPY, "Binary Format"
_COPY_HEADER = 19  # signature, flags, length of the extension
_COPY_END = b"\xff\xff"
_FIELD = (("length", ">i4"), ("value", ">i8"))
_UNASKED = "the database sent something else than the whole numbers that it was asked for"


def columns(conn: Connection, query: Any, width: int) -> Iterator[list[Int64s]]:
    """Rows of a query for `width` whole numbers, none of them NULL: one array for each column, piece by piece.

    Until the last piece was taken nothing else may be asked of the connection: PostgreSQL is in the middle of a COPY.
    """
    compiled = query.compile(conn.engine)
    if conn.dialect.name == "sqlite":
        cursor = conn.connection.cursor()
        try:
            cursor.execute(compiled.string, [compiled.params[name] for name in compiled.positiontup])
            while rows := cursor.fetchmany(PIECE):
                numbers = np.fromiter(chain.from_iterable(rows), np.int64, count=len(rows) * width)
                yield _columns(numbers.reshape(-1, width))
        finally:
            cursor.close()
    else:
        yield from _copied(conn, compiled, width)


def in_order(conn: Connection, query: Select[Any], width: int) -> Iterator[list[Int64s]]:
    """The same of a query for the key and key2 of entries of one list, and more, in order of these two.

    Each piece is asked for when it is wanted: between two of them the connection is free. Of rows with the same key
    and key2 some may be left out.
    """
    place = (entries.c.key, entries.c.key2)
    page = query.order_by(*place).limit(PIECE)
    piece = few(conn, page, width)
    while len(piece[0]):
        yield piece
        at = tuple_(*(literal(int(column[-1]), BigInteger) for column in piece[:2]))
        piece = few(conn, page.where(tuple_(*place) > at), width)


def few(conn: Connection, query: Any, width: int) -> list[Int64s]:
    """The columns of a query for whole numbers that finds a few pieces at most, in its order.

    On SQLite they come as one row, of texts of many numbers: it is put together without the GIL, where fetching rows
    takes it for each of them, and others wait.
    """
    if conn.dialect.name == "sqlite":
        rows = query.subquery()
        found = conn.execute(select(*(func.group_concat(column) for column in rows.c))).one()
        return [np.fromstring(text or "", dtype=np.int64, sep=",") for text in found]
    pieces = list(columns(conn, query, width))
    if not pieces:
        return [np.zeros(0, dtype=np.int64)] * width
    return [np.concatenate(column) for column in zip(*pieces, strict=True)]


def _copied(conn: Connection, compiled: Any, width: int) -> Iterator[list[Int64s]]:
    """By COPY in its binary format: each row is as long as the next one, so an array can be laid over them."""
    row = np.dtype(
        [("fields", ">i2"), *((f"{part}{i}", kind) for i in range(width) for part, kind in _FIELD)]
    )
    names = [f"column{i}" for i in range(width)]
    wide = ", ".join(f"{name}::bigint" for name in names)  # some are kept in four bytes
    query = f"COPY (SELECT {wide} FROM ({compiled.string}) AS asked({', '.join(names)})) TO STDOUT (FORMAT BINARY)"
    driver: Any = conn.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(query, compiled.params) as copy:
        kept, size, at = [], 0, _COPY_HEADER
        for block in copy:
            kept.append(bytes(block))
            size += len(block)
            if size - at >= PIECE * row.itemsize:
                data = b"".join(kept)
                n = (len(data) - at) // row.itemsize
                yield _numbers(data, row, at, n, width)
                kept, at = [data[at + n * row.itemsize :]], 0
                size = len(kept[0])
        data = b"".join(kept)
        n = (len(data) - at) // row.itemsize
        if data[at + n * row.itemsize :] != _COPY_END:
            raise ValueError(_UNASKED)
        if n:
            yield _numbers(data, row, at, n, width)


def _numbers(data: bytes, row: np.dtype[np.void], at: int, n: int, width: int) -> list[Int64s]:
    rows = np.frombuffer(data, dtype=row, count=n, offset=at)
    if not (rows["fields"] == width).all() or not all((rows[f"length{i}"] == 8).all() for i in range(width)):
        raise ValueError(_UNASKED)
    return [rows[f"value{i}"].astype(np.int64) for i in range(width)]


def _columns(rows: Int64s) -> list[Int64s]:
    return [np.ascontiguousarray(rows[:, i]) for i in range(rows.shape[1])]
