"""What was sent once and is not to be sent again before its time is over: reminders, early warnings.

It is known by MACs alone: no number is kept here.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from interceptor.store.schema import sent

if TYPE_CHECKING:
    from interceptor.store.database import Database

#: keys that one statement asks for, and rows that one sweep takes away: no turn at the database is long
ASKED, SWEPT = 1_000, 16_384

#: both run past SQLAlchemy, which takes longer over a row than the database does
_KNOWN = "SELECT key FROM sent WHERE until_ms = ? AND key "
_NEW = "INSERT INTO sent (until_ms, key) VALUES ({0}, {0}) ON CONFLICT DO NOTHING"


class Sent:
    """`Store.sent`. Any number of threads.

    Whoever sends asks first, sends, and remembers then: who dies in between sends the same again, and nothing is lost.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database

    def known(self, until_ms: int, keys: Sequence[bytes]) -> set[bytes]:
        """Which of the keys were sent for a time that ends at `until_ms`, milliseconds since the epoch.

        Raises
        ------
        StoreUnavailableError
            The database cannot be read.
        """
        with self._database.read() as conn:
            return {
                row[0]
                for some in _pieces(keys)
                for row in conn.exec_driver_sql(*self._asking(until_ms, some)).all()
            }

    def _asking(self, until_ms: int, keys: Sequence[bytes]) -> tuple[str, tuple[Any, ...]]:
        if self._database.is_sqlite:
            return _KNOWN + f"IN ({','.join('?' * len(keys))})", (until_ms, *keys)
        return _KNOWN.replace("?", "%s") + "= ANY(%s)", (until_ms, list(keys))

    def remember(self, until_ms: int, keys: Sequence[bytes]) -> None:
        """Remembers keys of 16 bytes until then; those it has already stay.

        Raises
        ------
        StoreUnavailableError
            The database cannot be written; none of them is remembered.
        """
        if keys:
            rows = [(until_ms, key) for key in sorted(keys)]  # a page is touched once
            with self._database.write() as conn:
                conn.exec_driver_sql(_NEW.format("?" if self._database.is_sqlite else "%s"), rows)

    def sweep(self, now_ms: int) -> int:
        """Forgets some of those whose time is over; how many, 0 when there were none."""
        with self._database.read() as conn:
            over = select(sent.c.until_ms, sent.c.key).where(sent.c.until_ms <= now_ms)
            rows = conn.execute(over.order_by(sent.c.until_ms, sent.c.key).limit(SWEPT)).all()
        if not rows:
            return 0
        last = rows[-1]
        with self._database.write() as conn:
            upto = (sent.c.until_ms < last.until_ms) | (
                (sent.c.until_ms == last.until_ms) & (sent.c.key <= last.key)
            )
            return conn.execute(delete(sent).where(upto)).rowcount


def _pieces(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + ASKED] for start in range(0, len(keys), ASKED))
