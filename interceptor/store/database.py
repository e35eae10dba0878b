"""The database: opened, brought up to date, read by many and written by one at a time. SQLite, or PostgreSQL by URL."""

import contextlib
import os
import shutil
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool

from interceptor.store.words import StoreLeftError, StoreRefusedError, StoreUnavailableError

FILE = "store.sqlite"
#: how a store's tables came about, a file a step: v0001_lists.py is revision 0001
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = max(step.name[1:5] for step in MIGRATIONS.glob("versions/v*.py"))
#: says in a SQLite file's header whose it is: "INTC"
APPLICATION_ID = 0x494E5443
#: connections that read at the same time
READERS = 4
#: pages that each connection of SQLite keeps: the inner ones of tens of millions of entries, not what a scan reads
CACHE_KB = 8192
#: the key of the PostgreSQL advisory lock that a writing transaction holds: one writer, whoever else is connected
WRITER = 0x494E5443_57524954
#: bytes without which SQLite's disk counts as full, once something could not be written
ROOM = 1 << 20
#: how long a connection that leads nowhere is waited for
PATIENCE_S = 5

_POSTGRESQL: dict[str, Any] = {
    "connect_timeout": PATIENCE_S,
    "keepalives_idle": PATIENCE_S,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 2 * PATIENCE_S * 1000,
    # on disk means on disk; and a service that was stopped in the middle keeps nobody else out
    "options": "-c synchronous_commit=on -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
}


class Turns:
    """A lock that is given in the order in which it was asked for: an import's many short turns let others between."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()  # until the one before hands over
        except BaseException:  # an interrupted main thread
            with self._mutex:
                waits = mine in self._waiting
                if waits:
                    self._waiting.remove(mine)
            if not waits:
                self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()  # it stays taken
            else:
                self._taken = False


class Database:
    """The connections of a store. `place` says in messages what it is."""

    def __init__(self, readers: Engine, writer: Engine, place: str) -> None:
        self.place = place
        #: held by whoever stages a large change in many transactions: one at a time, so that each knows what is live
        self.staging = threading.Lock()
        self._readers, self._writer = readers, writer
        self._turns = Turns()
        self.frozen = False  #: another process is to write from now on
        #: whether something could not be written, and `probe` has not shown since that it can be again
        self.failing = False

    @classmethod
    def open(cls, data: Path, url: str | None = None) -> "Database":
        """The database in directory `data`, or the one `url` names, with every table it needs.

        Raises
        ------
        StoreUnavailableError
            It cannot be reached, read or written.
        StoreRefusedError
            It is none of ours, of a newer version of this program, or the URL is none.
        """
        database = _postgresql(url) if url else _sqlite(data / FILE)
        try:
            with database.write() as conn:
                _migrate(conn, database.place)
        except BaseException:
            database.close()
            raise
        return database

    @property
    def is_sqlite(self) -> bool:
        return self._writer.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state, however much is written meanwhile.

        Raises
        ------
        StoreUnavailableError
            The database cannot be read now.
        """
        with _told(self.place, "read"), self._readers.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection that is the only one that writes. What was written is on disk when the block is left.

        An exception leaves everything as it was. Turns are given in order of asking; so nobody waits for longer than
        the transactions before his, and each should be short.

        Raises
        ------
        StoreUnavailableError
            The database cannot be written now, or is frozen.
        """
        try:
            with self._turns, _told(self.place, "written"), self._writing() as conn, conn.begin():
                if not self.is_sqlite:
                    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")
                yield conn
        except StoreUnavailableError:
            self.failing = self.failing or not self.frozen
            raise

    def probe(self) -> None:
        """Writes what was there before, and looks for room: an empty transaction succeeds on a full disk, too.

        Raises
        ------
        StoreUnavailableError
            The database cannot be written, still.
        """
        with self.write() as conn:
            if self.is_sqlite:
                version = conn.exec_driver_sql("PRAGMA user_version").scalar_one()
                conn.exec_driver_sql(f"PRAGMA user_version = {version}")
            else:
                conn.exec_driver_sql("SELECT txid_current()")
        if self.is_sqlite and shutil.disk_usage(Path(self.place).parent).free < ROOM:
            raise _unavailable(self.place, "written", OSError("no space left on its disk"))
        self.failing = False

    def _writing(self) -> Connection:
        if self.frozen:
            raise StoreLeftError("a new process is taking over: ask again in a moment")
        return self._writer.connect()

    def freeze(self, patience: float) -> None:
        """Refuses changes from now on, once those under way are done; who reads goes on reading.

        Raises
        ------
        StoreUnavailableError
            A large change is not done within `patience` seconds.
        """
        if not self.staging.acquire(timeout=patience):
            raise StoreUnavailableError("a large change is being made: try again when it is done")
        try:
            with self._turns:
                self.frozen = True
        finally:
            self.staging.release()

    def thaw(self) -> None:
        """Takes changes again."""
        self.frozen = False

    def forget_log(self) -> None:
        """SQLite's log is emptied into the database, if nobody reads just now: what was erased is in neither then."""
        if self.is_sqlite:
            with (
                self._turns,
                _told(self.place, "written"),
                contextlib.closing(self._writer.raw_connection()) as raw,
            ):
                driver: Any = raw.driver_connection  # past the engine, which would begin a transaction
                driver.execute("PRAGMA busy_timeout = 100")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                driver.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000}")

    def close(self) -> None:
        """Ends every connection."""
        self._readers.dispose()
        self._writer.dispose()


@contextmanager
def _told(place: str, what: str) -> Iterator[None]:
    """What the database cannot do, in our words; what it was asked for in error stays as it is."""
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailableError(
            f"{place} cannot be {what} now: {READERS} others are at it; try again"
        ) from error
    except exc.DBAPIError as error:
        if error.connection_invalidated or _is_beyond_us(error.orig):
            raise _unavailable(place, what, error.orig) from error
        raise
    except Exception as error:
        if _is_beyond_us(error):  # out of the driver itself
            raise _unavailable(place, what, error) from error
        raise


def _is_beyond_us(error: BaseException | None) -> bool:
    """Whether a driver's error (PEP 249) is about the database, not about what was asked of it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return "Error" in names and (
        bool(names & {"OperationalError", "InterfaceError", "InternalError"})
        or type(error) is sqlite3.DatabaseError
    )


def _unavailable(place: str, what: str, error: BaseException | None) -> StoreUnavailableError:
    said = " ".join(str(error).split())[:300]
    advice = "look after the database and try again; decisions go on meanwhile"
    lower = said.lower()
    if "is full" in lower or "no space left" in lower:
        advice = "the disk is full: make room and try again"
    elif "readonly" in lower or "read-only" in lower or "unable to open" in lower:
        advice = "its directory cannot be written: change its permissions, or mount it for writing"
    elif "disk i/o" in lower:  # what SQLite makes of EIO, and of EROFS where the file was open before
        advice = (
            "its disk fails, or is read-only by now: see the system's log, and mount it for writing again"
        )
    elif "locked" in lower:
        advice = "another program holds it: end that, and try again"
    elif "malformed" in lower or "not a database" in lower:
        advice = "the file is damaged: put the last good copy in its place"
    elif "password" in lower or "authentication" in lower or "role" in lower:
        advice = "give a user and password that it knows"
    return StoreUnavailableError(f"{place} cannot be {what}: {said}; {advice}")


# ---- SQLite --------------------------------------------------------------------------------------------------


def _sqlite(path: Path) -> Database:
    place = str(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # its -wal and -shm get the same mode
    except OSError as error:
        raise StoreUnavailableError(
            f"{place} cannot be opened: {error.strerror}; the service must be able to write there"
        ) from error

    def connect() -> sqlite3.Connection:
        conn = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            theirs = conn.execute("PRAGMA application_id").fetchone()[0]
            empty = not conn.execute("SELECT 1 FROM sqlite_master").fetchone()
            if theirs != APPLICATION_ID and not (theirs == 0 and empty):
                raise StoreRefusedError(
                    f"{place} is a database of another program; name another data directory"
                )
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("PRAGMA synchronous=FULL")  # each commit is on disk
            conn.execute("PRAGMA foreign_keys=ON")
            conn.execute(f"PRAGMA cache_size=-{CACHE_KB}")
            conn.execute("PRAGMA temp_store=MEMORY")
            conn.execute("PRAGMA mmap_size=0")  # a disk that fails shall be an error, not a signal
            conn.execute("PRAGMA journal_size_limit=67108864")
            if empty:
                conn.execute(f"PRAGMA application_id={APPLICATION_ID}")
        except BaseException:
            conn.close()
            raise
        return conn

    def engine(size: int, begin: str) -> Engine:
        made = create_engine(
            "sqlite+pysqlite://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_use_lifo=True,  # one reader after the other uses one cache, not all of them in turn
        )
        event.listen(made, "begin", lambda conn: conn.connection.driver_connection.execute(begin))
        return made

    return Database(engine(READERS, "BEGIN"), engine(1, "BEGIN IMMEDIATE"), place)


# ---- PostgreSQL ----------------------------------------------------------------------------------------------


def _postgresql(written: str) -> Database:
    try:
        url: URL = make_url(written)
    except exc.ArgumentError:
        raise StoreRefusedError(
            "the store's URL is none; write it like postgresql://user:password@host/database"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StoreRefusedError(
            f"a store is kept in PostgreSQL (postgresql://...) or, without URL, in the data directory; "
            f"{url.get_backend_name()!r} is neither"
        )
    place = url.render_as_string(hide_password=True)
    url = url.set(drivername="postgresql+psycopg")

    def engine(size: int, isolation: str, read_only: bool) -> Engine:
        try:
            made = create_engine(
                url,
                pool_size=size,
                max_overflow=0,
                pool_pre_ping=True,  # a connection that the database ended is not used again
                connect_args=_POSTGRESQL,
                isolation_level=isolation,
            )
        except ImportError:
            raise StoreRefusedError(f"{place}: for PostgreSQL install call-interceptor[postgresql]") from None
        return made.execution_options(postgresql_readonly=True) if read_only else made

    # A writer sees what was there when it got its turn, statement by statement; a reader one state throughout.
    return Database(engine(READERS, "REPEATABLE READ", True), engine(1, "READ COMMITTED", False), place)


# ---- tables --------------------------------------------------------------------------------------------------


def _version(conn: Connection) -> str | None:
    """Of the tables that are there: the revision of the last migration that they went through."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(conn: Connection, place: str) -> None:
    """Makes the tables, or brings those of an older version up to date: in one transaction, or not at all."""
    if _version(conn) == NEWEST:
        return
    from alembic import command  # noqa: PLC0415 - a tenth of a second, which most starts need not take
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreRefusedError(
            f"{place} was made by a newer version of this program ({error}); install that one, or name another store"
        ) from error
