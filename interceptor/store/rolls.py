"""What every room of the lists stands on: which lists and sources there are, how texts become keys, keys become SQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Text,
    any_,
    bindparam,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.types import TypeEngine

from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.store import arrow as pa
from interceptor.store.database import Database
from interceptor.store.digests import ChangeDigest
from interceptor.store.entries import FEW, Reader
from interceptor.store.keysets import keys_from, signed
from interceptor.store.prepared import Prepared
from interceptor.store.schema import lists, sources
from interceptor.store.words import Int64s, Keys, StoreRefusedError, StoreUnknownError

_ROLL = Prepared(select(lists).where(lists.c.name == bindparam("name")))
_SOURCE = Prepared(select(sources.c.id, sources.c.retention_ms).where(sources.c.name == bindparam("name")))


@dataclass(frozen=True)
class Roll:
    """One list."""

    id: int
    name: str
    kind: ListKind
    retention_ms: int | None


@dataclass(frozen=True)
class Cell:
    """An entry as it was read."""

    key: int  # signed
    key2: int
    name: str | None  # what `names` keeps of it


class Rolls:
    """The lists of one store, and what their entries are read by."""

    def __init__(
        self, database: Database, plan: NumberingPlan, home: str, secret: bytes, audit_key: bytes
    ) -> None:
        self.database = database
        self.home = home
        self._plan, self._secret, self._audit_key = plan, secret, audit_key
        self._kinds: dict[str, ListKind] = {}  # of the lists that were made sure of
        # which few texts were read last, and as what
        self._read: tuple[object, list[list[Cell]]] = (None, [])

    def reader(self, kind: ListKind) -> Reader:
        """What entries of such a list are read by."""
        return Reader(kind, self._plan, self.home, self._secret)

    def digest(self, folder: Path | None = None) -> ChangeDigest:
        """The digest of a change that is being made; one of millions of entries needs room in a folder."""
        return ChangeDigest(self._audit_key, folder)

    def roll(self, conn: Connection, name: str) -> Roll:
        """A list by its name; StoreUnknownError when the store has none such."""
        found = _ROLL.first(conn, name=name)
        if found is None:
            known = conn.execute(select(lists.c.name).order_by(lists.c.name).limit(20)).scalars().all()
            raise StoreUnknownError(
                f"the store has no list {name[:64]!r}; it has {', '.join(known) or 'none: name one in the policy'}"
            )
        return _roll(*found)

    def kind(self, name: str) -> ListKind:
        """Kind of a list. It changes but while the list is empty, by `Lists.ensure`."""
        known = self._kinds.get(name)
        if known is not None:
            return known
        with self.database.read() as conn:
            return self.roll(conn, name).kind

    def rolls(self, conn: Connection) -> dict[int, Roll]:
        """Every list, by id."""
        return {row.id: _roll(*row) for row in conn.execute(select(lists).order_by(lists.c.name))}

    def source(self, conn: Connection, name: str, *, make: bool = False) -> tuple[int, int | None]:
        """Id and retention of a source; id 0 when nothing ever came from there, unless it is to be made."""
        found = _SOURCE.first(conn, name=name)
        if found is not None:
            return found[0], found[1]
        if not make:
            return 0, None
        return conn.execute(insert(sources).values(name=name).returning(sources.c.id)).scalar_one(), None

    def cells(self, list_name: str, kind: ListKind, texts: Sequence[str]) -> list[list[Cell]]:
        """What each text is: one entry, or of a range several. StoreRefusedError names the first that is none."""
        asked = (list_name, kind, tuple(texts))
        before, cells = self._read
        if before == asked:  # as when a change is made that was just tried on recent calls
            return cells
        trimmed = [text.strip() for text in texts]
        judged = self.reader(kind).keys(pa.array(trimmed, pa.large_string()))
        if judged.bad.any():
            first = int(np.argmax(judged.bad))
            count = int(judged.bad.sum())
            more = f"; so are {count - 1} more of {len(texts)}" if count > 1 else ""
            raise StoreRefusedError(f"list {list_name}: entry {first + 1}: {judged.why(first)}{more}")
        cells = [[] for _ in texts]
        names: Sequence[str | None] = judged.names or [None] * len(judged.key)
        for row, key, key2, name in zip(
            judged.row.tolist(), signed(judged.key).tolist(), signed(judged.key2).tolist(), names, strict=True
        ):
            cells[row].append(Cell(key, key2, name))
        if len(texts) <= FEW:
            self._read = asked, cells
        return cells

    def keys_of(self, list_name: str, texts: Sequence[str]) -> Keys:
        """Keys of entries as they are written; StoreRefusedError names the first that is none."""
        cells = [cell for those in self.cells(list_name, self.kind(list_name), texts) for cell in those]
        return keys_from([cell.key for cell in cells], [cell.key2 for cell in cells])

    def one_of(self, column: ColumnElement[int], keys: Int64s) -> ColumnElement[bool]:
        """Whether a column is one of some keys: one parameter, however many they are."""
        if len(keys) == 1:
            return column == literal(int(keys[0]), BigInteger)
        return self._one_of(column, bindparam(None, self.as_given(keys), type_=self._given))

    def one_given(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        """The same of keys that are given when it is asked, as parameter `given`: `as_given` makes it of keys."""
        return self._one_of(column, bindparam("given", type_=self._given))

    def as_given(self, keys: Int64s) -> Any:
        return json.dumps(keys.tolist()) if self.database.is_sqlite else keys.tolist()

    @property
    def _given(self) -> TypeEngine[Any]:
        return Text() if self.database.is_sqlite else ARRAY(BigInteger)

    def _one_of(self, column: ColumnElement[int], given: BindParameter[Any]) -> ColumnElement[bool]:
        if self.database.is_sqlite:
            each = func.json_each(given).table_valued("value")
            return column.in_(select(each.c.value))
        return column == any_(given)


def _roll(list_id: int, name: str, kind: str, retention_ms: int | None) -> Roll:
    return Roll(list_id, name, ListKind(kind), retention_ms)
