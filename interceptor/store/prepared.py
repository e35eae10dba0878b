"""Small statements that are asked all the time: compiled once, and run past SQLAlchemy, for speed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Insert, Select, Update


class Prepared:
    """A statement whose parameters are given by name when it is run. For module level; any number of threads.

    SQLAlchemy takes ten times as long over a small statement as SQLite does, and a single add has several.

    Parameters
    ----------
    statement
        Of columns that are numbers and texts: they come and go as the driver has them.
    columns
        Of an insert or update: those that get a value from parameters of their names.
    """

    def __init__(
        self, statement: Select[Any] | Insert | Update | Delete, columns: Sequence[str] | None = None
    ) -> None:
        self._statement, self._columns = statement, columns
        #: by name of the dialect: text, order of the parameters if they have no names, those that are always the same
        self._compiled: dict[str, tuple[str, Sequence[str] | None, dict[str, object]]] = {}

    def rows(self, conn: Connection, **given: object) -> list[tuple[Any, ...]]:
        """Runs it; what it found or returns."""
        dialect = conn.dialect.name
        if dialect not in self._compiled:
            made: Any = self._statement.compile(conn.engine, column_keys=self._columns)
            same = {name: each.value for name, each in made.binds.items() if not each.required}
            self._compiled[dialect] = made.string, made.positiontup, same
        text, places, same = self._compiled[dialect]
        every = same | given
        driver: Any = conn.connection.driver_connection
        cursor = driver.execute(text, every if places is None else [every[name] for name in places])
        found: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
        return found

    def first(self, conn: Connection, **given: object) -> tuple[Any, ...] | None:
        """Runs it; the first row."""
        found = self.rows(conn, **given)
        return found[0] if found else None
