"""The warned and blocked decisions that are remembered, in a file of their own: for `why`, and for what an entry did.

Nothing here is acknowledged to anybody: a crash may take the last batch, and a file that is broken is begun anew.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from interceptor.store.words import StoreUnavailableError

MAX_ROWS = 1_000_000
MAX_AGE_MS = 30 * 24 * 3600 * 1000
#: rows taken away with each batch at most, so that no batch takes long
PRUNED = 16_384

_VERSION = 2
_TABLE = """
CREATE TABLE decisions (
    n INTEGER PRIMARY KEY, -- in order of time
    decision_id TEXT NOT NULL UNIQUE, time_ms INTEGER NOT NULL, verdict TEXT NOT NULL, rule TEXT NOT NULL,
    reason TEXT NOT NULL, block_class TEXT NOT NULL, policy_revision INTEGER NOT NULL, caller TEXT NOT NULL,
    callee TEXT NOT NULL, trunk TEXT NOT NULL, imei TEXT NOT NULL, imsi TEXT NOT NULL, shadow_rules TEXT NOT NULL,
    cell TEXT NOT NULL DEFAULT ''
);
CREATE INDEX decisions_of_caller ON decisions (caller);
CREATE INDEX decisions_of_device ON decisions (substr(imei, 1, 14));
CREATE INDEX decisions_of_card ON decisions (imsi);
CREATE INDEX decisions_of_cell ON decisions (cell);
"""
#: what makes a file of version 1 one of version 2
_CELLS = """
ALTER TABLE decisions ADD COLUMN cell TEXT NOT NULL DEFAULT '';
CREATE INDEX decisions_of_device ON decisions (substr(imei, 1, 14));
CREATE INDEX decisions_of_card ON decisions (imsi);
CREATE INDEX decisions_of_cell ON decisions (cell);
"""
#: by whom or what decisions are found: the condition, whose one parameter is the text
_THEIRS = {
    "caller": "caller = ?",
    "imei": "substr(imei, 1, 14) = substr(?, 1, 14)",
    "imsi": "imsi = ?",
    "cell": "cell = ?",
}


class Remembered(NamedTuple):
    """One decision. Numbers are not masked here: whoever shows them does that."""

    decision_id: str  #: 16 hexadecimal digits
    time_ms: int
    verdict: str  #: "WARN" or "BLOCK"
    rule: str
    reason: str
    block_class: str
    policy_revision: int
    caller: str  #: normalised when it is a number, else as signalled
    callee: str
    trunk: str = ""
    imei: str = ""
    imsi: str = ""
    shadow_rules: str = ""  #: separated by ","
    cell: str = ""  #: as signalled; up to 48 bytes are kept


@dataclass(frozen=True)
class Stopped:
    """What became of the calls of a number, as far as they are remembered."""

    stopped: int = 0  #: blocked
    warned: int = 0
    decision_ids: Sequence[str] = ()  #: the last of both, the last first


_COLUMNS = ", ".join(Remembered._fields)
_INSERT = f"INSERT OR IGNORE INTO decisions ({_COLUMNS}) VALUES ({', '.join('?' * len(Remembered._fields))})"


class RememberedDecisions:
    """`Store.decisions`: DIR/decisions.sqlite. Any number of threads.

    Parameters
    ----------
    path
        The file; made, with mode 0600, when it is not there.
    max_rows, max_age_ms
        Beyond these the oldest go, some with each batch.

    Raises
    ------
    StoreUnavailableError
        The file cannot be opened or made. From every method: it cannot be read or written.
    """

    def __init__(self, path: Path, *, max_rows: int = MAX_ROWS, max_age_ms: int = MAX_AGE_MS) -> None:
        self._path = path
        self._max_rows = max_rows
        self._max_age_ms = max_age_ms
        self._lock = threading.Lock()
        self._noted: list[Remembered] = []
        with self._telling():
            try:
                self._db = _opened(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._set_aside()
                self._db = _opened(path)

    def close(self) -> None:
        with self._lock:
            with suppress(sqlite3.Error):
                self._write_noted()
            self._db.close()

    def note(self, batch: Sequence[Remembered]) -> None:
        """Takes a batch that is written with the next one to be remembered, or when somebody asks, and no sooner.

        A thousand rows at once cost half of what they do one by one: their keys lie all over the indexes.
        """
        with self._lock:
            self._noted += batch

    def remember(self, batch: Sequence[Remembered], now_ms: int) -> None:
        """Keeps a batch and what is noted, all of it or nothing, and lets some of the oldest go. Known ones are passed
        over."""
        with self._lock, self._telling():
            rows, self._noted = [*self._noted, *batch], []
            with self._db:
                self._db.executemany(_INSERT, rows)
                self._prune(now_ms)

    def get(self, decision_id: str) -> Remembered | None:
        """The decision; None when it is not, or no longer, remembered."""
        with self._asked():
            row = self._db.execute(
                f"SELECT {_COLUMNS} FROM decisions WHERE decision_id = ?", (decision_id,)
            ).fetchone()
        return Remembered(*row) if row else None

    def stopped_by(self, caller: str, limit: int = 10) -> Stopped:
        """What became of the calls of a caller, whose number is given in its one form (+8613800138000)."""
        with self._asked():
            counts = dict(
                self._db.execute(
                    "SELECT verdict, count(*) FROM decisions WHERE caller = ? GROUP BY verdict", (caller,)
                ).fetchall()
            )
            last = self._db.execute(
                "SELECT decision_id FROM decisions WHERE caller = ? ORDER BY n DESC LIMIT ?", (caller, limit)
            ).fetchall()
        return Stopped(counts.get("BLOCK", 0), counts.get("WARN", 0), tuple(row[0] for row in last))

    def of(self, what: str, text: str, since_ms: int, until_ms: int, limit: int) -> list[Remembered]:
        """The last decisions of a caller, a device, a card or a cell, at most `limit`, the oldest first.

        Parameters
        ----------
        what
            ``caller``, ``imei`` (two are of one device when their first 14 digits are the same), ``imsi`` or ``cell``.
        since_ms, until_ms
            From when on, and before when.
        """
        with self._asked():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM decisions WHERE {_THEIRS[what]} AND time_ms >= ? AND time_ms < ? "
                "ORDER BY n DESC LIMIT ?",
                (text, since_ms, until_ms, limit),
            ).fetchall()
        return [Remembered(*row) for row in reversed(rows)]

    def erase(self, text: str) -> list[str]:
        """Forgets every decision with that number, IMEI or IMSI on any side of the call; which ones they were.

        A broken file that was set aside goes as a whole: who is in it cannot be told. Two IMEIs are of one device when
        their first 14 digits are the same.
        """
        theirs = (
            "FROM decisions WHERE ?1 IN (caller, callee, imsi) OR substr(imei, 1, 14) = substr(?1, 1, 14)"
        )
        with self._asked():
            with self._db:
                ids = [row[0] for row in self._db.execute(f"SELECT decision_id {theirs}", (text,))]
                self._db.execute(f"DELETE {theirs}", (text,))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # nor does the log keep it
            for _, broken in self._files():
                broken.unlink(missing_ok=True)
        return ids

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """For one who asks: what is noted is written before."""
        with self._lock, self._telling():
            self._write_noted()
            yield

    def _write_noted(self) -> None:
        if self._noted:
            with self._db:
                self._db.executemany(_INSERT, self._noted)
            self._noted = []

    def _prune(self, now_ms: int) -> None:
        first, last = self._db.execute("SELECT min(n), max(n) FROM decisions").fetchone()
        if first is None:
            return
        oldest = "SELECT n, time_ms FROM decisions ORDER BY n LIMIT ?"
        (aged,) = self._db.execute(
            f"SELECT max(n) FROM ({oldest}) WHERE time_ms < ?", (PRUNED, now_ms - self._max_age_ms)
        ).fetchone()
        end = max(last - self._max_rows, aged or 0)
        if end >= first:
            self._db.execute(
                "DELETE FROM decisions WHERE n IN (SELECT n FROM decisions WHERE n <= ? ORDER BY n LIMIT ?)",
                (end, PRUNED),
            )

    def _set_aside(self) -> None:
        for file, broken in self._files():
            if file.exists():
                file.replace(broken)

    def _files(self) -> Iterator[tuple[Path, Path]]:
        """Each file of the database, and where it is set aside when it is broken."""
        for end in ("", "-wal", "-shm"):
            name = self._path.name + end
            yield self._path.with_name(name), self._path.with_name(f"{name}.broken")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailableError(
                f"the remembered decisions in {self._path} cannot be read or written: {error}; "
                "make room or let the service write there, and try again"
            ) from error


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # its log gets the same mode
    db = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA secure_delete = ON").fetchall()  # what is erased is not in the file either
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            with db:
                if version != 1:
                    db.execute("DROP TABLE IF EXISTS decisions")
                for statement in (_CELLS if version == 1 else _TABLE).split(";")[:-1]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("SELECT 1 FROM decisions LIMIT 1").fetchall()
    except BaseException:
        db.close()
        raise
    return db
