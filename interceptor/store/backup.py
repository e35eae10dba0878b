"""A copy of what a service keeps, made while it runs, and put back: whole or not at all, and verified both times."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import func, select

from interceptor.store import changes
from interceptor.store.database import FILE, Database
from interceptor.store.directory import DataDirectory
from interceptor.store.images import FILE as IMAGE
from interceptor.store.schema import entries, policies
from interceptor.store.verifying import verify
from interceptor.store.words import StoreRefusedError, StoreUnavailableError

MANIFEST = "backup.json"
DECISIONS = "decisions.sqlite"


@dataclass(frozen=True)
class Backup:
    """What is in a copy. Secret and audit key of the installation are in it, too: it is as precious as the service."""

    revision: int  #: the last live one
    entries: int  #: rows of lists, ended ones included
    policies: int
    records: int  #: of the audit trail
    last_hash: str  #: of its last record
    files: dict[str, str]  #: name -> SHA-256


def make(data: Path, target: Path) -> Backup:
    """Copies the databases of a data directory, one state of each, into a new directory. A service may go on with them.

    Raises StoreRefusedError, StoreUnavailableError; nothing is left then.
    """
    if not (data / FILE).is_file():
        raise StoreRefusedError(
            f"{data}: there is no store to back up; name the service's directory by --data"
        )
    new = target.with_name(f"{target.name}.new")
    if target.exists():
        raise StoreRefusedError(f"{target} is there already: name another directory")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        for name in (FILE, DECISIONS):
            if (data / name).is_file():
                _copy(data / name, new / name)
        made = _looked_at(new)
        with (new / MANIFEST).open("w") as file:
            json.dump(asdict(made), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        new.rename(target)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(new, ignore_errors=True)
        raise StoreUnavailableError(f"{target}: not made: {error}; make room, and try again") from error
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return made


def restore(source: Path, data: Path) -> Backup:
    """Puts a copy into a data directory in which there is no store. Raises as `make`; nothing is there then."""
    said = read(source)
    for path in _all_of((data / FILE, data / DECISIONS)):  # a log alone would be taken for one of the copy
        if path.exists():
            raise StoreRefusedError(
                f"{path} is there: move it aside first, or name another directory by --data"
            )
    directory = DataDirectory(data)
    put: list[Path] = []
    try:
        for name, digest in said.files.items():
            if _digest(source / name) != digest:
                raise StoreRefusedError(f"{source / name} is not as it was made: use another backup")
        (data / IMAGE).unlink(missing_ok=True)  # it may be of what the copied store never was
        for name in said.files:
            put.append(data / name)
            shutil.copyfile(source / name, data / name)
            (data / name).chmod(0o600)
        found = _looked_at(data, said.files)
        if (found.revision, found.records, found.last_hash) != (said.revision, said.records, said.last_hash):
            raise StoreRefusedError(
                f"{source}: what it holds is not what {MANIFEST} says: use another backup"
            )
    except OSError as error:
        _away(put)
        raise StoreUnavailableError(f"{data}: not restored: {error}; make room, and try again") from error
    except BaseException:
        _away(put)
        raise
    finally:
        directory.close()
    return said


def read(source: Path) -> Backup:
    """What a copy says of itself. Raises StoreRefusedError."""
    try:
        said = json.loads((source / MANIFEST).read_text())
        return Backup(**said)
    except (OSError, ValueError, TypeError) as error:
        raise StoreRefusedError(f"{source} is no backup: {error}") from None


def problems(data: Path) -> list[str]:
    """What a quick look finds wrong with the database of a data directory; a service may have it open."""
    try:
        with closing(sqlite3.connect(f"file:{data / FILE}?mode=ro", uri=True, timeout=5)) as conn:
            return [row[0] for row in conn.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
    except sqlite3.Error as error:
        return [str(error)]


def _copy(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(source, timeout=30)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file


def _looked_at(where: Path, files: dict[str, str] | None = None) -> Backup:
    """Counts and verifies what lies there. Raises StoreRefusedError when it is not whole."""
    database = Database.open(where)
    try:
        with database.read() as conn:
            verified = verify(conn, deep=True, folder=where)
            if verified.problems:
                raise StoreRefusedError(f"{where}: its audit trail does not hold: {verified.problems[0]}")
            revision = changes.revision(conn)
            rows, texts = (
                conn.execute(select(func.count()).select_from(each)).scalar_one()
                for each in (entries, policies)
            )
    finally:
        database.close()
    digests = {name: _digest(where / name) for name in (FILE, DECISIONS) if (where / name).is_file()}
    return Backup(revision, rows, texts, verified.records, verified.last_hash, files or digests)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _away(files: list[Path]) -> None:
    for path in _all_of(files):
        path.unlink(missing_ok=True)


def _all_of(databases: Iterable[Path]) -> Iterator[Path]:
    """The files of databases."""
    return (path.with_name(path.name + end) for path in databases for end in ("", "-wal", "-shm"))
