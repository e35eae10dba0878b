"""The image: what is on the lists now, as arrays in one checked file beside the database, so that a start is fast."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from interceptor.engine.spec import ListKind
from interceptor.store.changes import revision
from interceptor.store.lists import Lists
from interceptor.store.privacy import erased_since
from interceptor.store.rolls import Roll
from interceptor.store.spool import unavailable
from interceptor.store.words import Keys

FILE = "lists.image"
#: what the file begins with; another layout gets another number. After it come the keys of each list, as 64-bit
#: numbers (of a list of pairs two each), what they are as JSON, the length of that, and a checksum of it all
MAGIC = b"interceptor lists 1\n"
_LENGTH, _CHECK = 8, 32
_LONGEST_TEXT = 1 << 20
#: bytes that are read and summed up at once
_BLOCK = 4 << 20


@dataclass(frozen=True, eq=False)
class Image:
    """What was on each list at a revision and a moment."""

    revision: int
    at_ms: int  #: entries that begin or end later are in it or not as they were then
    lists: Mapping[str, Keys]


@dataclass(frozen=True)
class Made:
    """Of when an image is."""

    revision: int
    at_ms: int


class Images:
    """`DATA/lists.image`: `Store.images`. Any number of threads."""

    def __init__(self, lists: Lists, folder: Path, identity: str) -> None:
        self._lists, self._path, self._identity = lists, folder / FILE, identity
        self._writing = threading.Lock()
        #: the image that was written or read last; None while there is none that is good
        self.made: Made | None = None

    def save(self, now_ms: int) -> int:
        """Writes an image of what is live now; returns its revision. For a thread at low priority: it takes seconds.

        The file is replaced as a whole: whatever happens meanwhile, there is the old one or the new one.

        Raises
        ------
        StoreUnavailableError
            The disk is full or cannot be written. The old image stays.
        """
        with self._writing:
            with self._lists.database.read() as conn:
                # What becomes live from here on may be in the image or not: it is replayed, and that is harmless.
                last = revision(conn)
                rolls = list(self._lists.rolls(conn).values())
            new = self._path.with_suffix(".new")
            try:
                with _Writer(new) as writer:
                    for roll in rolls:
                        writer.put(roll, self._lists.scan(roll.name, now_ms))
                    writer.finish(identity=self._identity, revision=last, at_ms=now_ms)
                new.replace(self._path)
                _sync(self._path.parent)
            except OSError as error:
                new.unlink(missing_ok=True)
                raise unavailable(self._path.parent, error) from error
            self.made = Made(last, now_ms)
            return last

    def forget(self) -> None:
        """Takes the image away: it may hold what was erased. Raises StoreUnavailableError when it cannot be."""
        self.made = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise unavailable(self._path.parent, error) from error

    def load(self) -> Image | None:
        """The image; None when there is none, or it is broken or of another store: the database tells it all.

        What changed since is to be replayed: changes by `Lists.since(revision)`, and what began or ended by
        `Lists.due(at_ms, now_ms)`.
        """
        try:
            with self._path.open("rb") as file:
                header, held = _read(file)
        except (OSError, _BrokenError):
            return None
        if header["identity"] != self._identity:
            return None
        with self._lists.database.read() as conn:
            kinds = {roll.name: roll.kind.value for roll in self._lists.rolls(conn).values()}
            if header["revision"] > revision(conn):  # the database is older: it was put back
                return None
            if erased_since(conn, header["revision"]):  # no replay tells what was erased
                return None
        described = {each["name"]: each["kind"] for each in header["lists"]}
        if any(kinds.get(name) != kind for name, kind in described.items()):
            return None
        self.made = Made(header["revision"], header["at_ms"])
        return Image(header["revision"], header["at_ms"], held)


class _BrokenError(Exception):
    """The file is not what was written."""


class _Writer:
    """The file as it is written. Bounded memory, whatever the lists hold."""

    def __init__(self, path: Path) -> None:
        self._check = hashlib.blake2b(digest_size=_CHECK)
        self._lists: list[dict[str, object]] = []
        self._file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        )
        self._write(MAGIC)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, roll: Roll, pieces: Iterator[Keys]) -> None:
        """The keys of one list, in order."""
        paired, count = roll.kind is ListKind.PAIR, 0
        for keys in pieces:
            both = np.column_stack((keys.key, keys.key2)) if paired else keys.key
            self._write(np.ascontiguousarray(both, dtype="<i8").tobytes())
            count += len(keys)
        self._lists.append({"name": roll.name, "kind": roll.kind.value, "entries": count})

    def finish(self, **what: object) -> None:
        """What it is, and that it is whole; then it is on disk."""
        text = json.dumps({**what, "lists": self._lists}, sort_keys=True).encode()
        self._write(text + len(text).to_bytes(_LENGTH, "little"))
        self._file.write(self._check.digest())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write(self, data: bytes) -> None:
        self._check.update(data)
        self._file.write(data)


def _read(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, Keys]]:
    """What the file is, and its lists."""
    size = file.seek(0, os.SEEK_END) - len(MAGIC) - _LENGTH - _CHECK
    if size < 0:
        raise _BrokenError
    file.seek(-_LENGTH - _CHECK, os.SEEK_END)
    length = int.from_bytes(file.read(_LENGTH), "little")
    if length > min(size, _LONGEST_TEXT):
        raise _BrokenError
    file.seek(-length - _LENGTH - _CHECK, os.SEEK_END)
    try:
        what = json.loads(file.read(length))
        lists = [
            (each["name"], each["kind"] == ListKind.PAIR, int(each["entries"])) for each in what["lists"]
        ]
    except (ValueError, KeyError, TypeError):
        raise _BrokenError from None
    if any(count < 0 for *_, count in lists) or size != length + sum(8 * n << pair for _, pair, n in lists):
        raise _BrokenError
    file.seek(0)
    check = hashlib.blake2b(file.read(len(MAGIC)), digest_size=_CHECK)
    held = {}
    for name, paired, count in lists:
        numbers = np.empty(count << paired, dtype="<i8")
        for block in _blocks(numbers.view(np.uint8).data):
            if file.readinto(block) != len(block):  # type: ignore[attr-defined]
                raise _BrokenError
            check.update(block)
        numbers = numbers.astype(np.int64, copy=False)
        if paired:
            held[name] = Keys(numbers[0::2].copy(), numbers[1::2].copy())
        else:
            held[name] = Keys(numbers, np.zeros(count, dtype=np.int64))
    check.update(file.read(length + _LENGTH))
    if file.read() != check.digest():
        raise _BrokenError
    return what, held


def _blocks(raw: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(raw), _BLOCK):
        yield raw[start : start + _BLOCK]


def _sync(folder: Path) -> None:
    """The new name is on disk, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
