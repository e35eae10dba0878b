"""The directory of what outlives the process: a file a table, mapped by whoever has the directory's lock.

A file begins with a label that says what is in it, and whose. What does not match is left out and removed: a table is
begun anew rather than misread. Nothing here runs for a call.
"""

import errno
import fcntl
import hashlib
import json
import os
import stat
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interceptor.engine.copies import CopyError, Part, read, write
from interceptor.engine.copying import Pace
from interceptor.engine.memory import LAYOUT, Region

MAGIC = b"icstate\0"
#: magic, layout of the tables, length of the label, of the table, SHA-256 of the label
HEAD = struct.Struct("<8sIIQ32s")
PAGE = 4096
#: bytes that are mapped at once: for so long no other thread of the process is given memory
FETCHED = 16 << 20
LONGEST_LABEL = 1 << 20
SUFFIX, COPY = ".table", ".copy"
#: seconds for a process that was killed to let go of the directory
PATIENCE = 5.0
_NO_LOCK = -1
FILE_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class StateError(Exception):
    """State cannot be kept there; the message says what to do."""


@dataclass(frozen=True)
class Label:
    """What a table is: the memory of one may serve another exactly when their labels are equal."""

    what: str  #: entities, repeats, ...
    slots: int
    kind: str = ""  #: of entity
    columns: tuple[tuple[int, int], ...] = ()  #: (measure, window in ms)
    meanings: tuple[str, ...] = ()  #: what each column counts
    sketches: int = 0
    large: int = 0

    @property
    def name(self) -> str:
        """As it is said to people."""
        return f"{self.what} of {self.kind}" if self.kind else self.what


@dataclass
class _File:
    path: Path
    label: Label
    nbytes: int
    offset: int
    region: Region | None = None  #: taken by a table of this process
    parts: tuple[Part, ...] = ()  #: where in it what lies under locks is


@dataclass
class StateCounts:
    """What was met since the directory was opened."""

    attached: int = 0  #: tables taken up from an earlier process
    restored: int = 0  #: of copies on disk
    torn: int = 0  #: entries dropped, for the earlier process had died while it changed them
    #: files left out, and why
    left_out: list[tuple[str, str]] = field(default_factory=list)
    #: tables that are in the process's own memory after all, and why
    private: list[tuple[str, str]] = field(default_factory=list)


class StateDirectory:
    """Where an engine's tables lie. One engine at a time; under the lock of whoever publishes.

    Parameters
    ----------
    path : made if need be, of mode 0700
    secret : of the installation; tables of another one are not taken up
    required : whether a table for which there is no room is an error, or in the process's own memory
    copies : a directory of copies on disk, which are read when the directory holds nothing: after a reboot
    beside : another process has the directory, and hands it over: its tables are used together with it, and no file is
        removed, until `inherit`

    Raises
    ------
    StateError
        when it is somebody else's, another process has it, or it cannot be made
    """

    def __init__(
        self,
        path: Path,
        secret: bytes,
        *,
        required: bool = True,
        copies: Path | None = None,
        beside: bool = False,
    ) -> None:
        self.path = path
        self.beside = beside
        self.copies = copies
        self.counts = StateCounts()
        self._required = required
        self._owner = hashlib.sha256(b"interceptor state\0" + secret).hexdigest()[:32]
        self._files: list[_File] = []
        self._number = 0
        self._retained: dict[str, set[int]] = {}  # while another process is beside
        self._unfit: list[Path] = []
        self._lock = _NO_LOCK if beside else _hold(path)
        try:
            self._look()
            if not self._files and copies is not None and not beside:
                self._restore(copies)
        except OSError as error:
            self.close()
            raise StateError(f"{path}: cannot be read: {error.strerror}; {WHAT_TO_DO}") from error

    def close(self) -> None:
        """Lets go of the directory; what is mapped stays mapped."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = _NO_LOCK

    def inherit(self) -> None:
        """The process beside is gone: takes the directory's lock, and removes what was not to be retained.

        Raises StateError when somebody else was faster.
        """
        self._lock = _hold(self.path)
        self.beside = False
        for what, wanted in self._retained.items():
            self._retain(what, wanted)
        self._retained.clear()
        for path in self._unfit:
            path.unlink(missing_ok=True)

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        return sum(each.offset + each.nbytes for each in self._files)

    def left(self, what: str) -> list[Label]:
        """What an earlier process has left of this kind and no table has taken up."""
        return [each.label for each in self._files if each.region is None and each.label.what == what]

    def take(self, label: Label, nbytes: int) -> Region:
        """The memory of a table: what an earlier process has left under that label, or a new file's.

        Raises StateError when there is no room and it is required, MemoryError.
        """
        region = self.attach(label, nbytes)
        if region is not None:
            return region
        try:
            return self._make(label, nbytes)
        except OSError as error:
            problem = f"no room for {nbytes} bytes ({label.name}): {error.strerror}"
            if self._required:
                raise StateError(f"{self.path}: {problem}; {WHAT_TO_DO}") from error
            self.counts.private.append((label.name, problem))
            return Region(nbytes)

    def attach(self, label: Label, nbytes: int) -> Region | None:
        """What an earlier process has left under that label; None when it does not fit."""
        for each in list(self._files):
            if each.region is None and each.label == label:
                region = self._attach(each, nbytes)
                if region is not None:
                    return region
        return None

    def retain(self, what: str, regions: Iterable[Region]) -> None:
        """Removes the files of this kind whose memory is not among these. What is mapped stays so until it is freed."""
        wanted = {id(region) for region in regions}
        if self.beside:
            self._retained[what] = wanted
        else:
            self._retain(what, wanted)

    def _retain(self, what: str, wanted: set[int]) -> None:
        for each in list(self._files):
            if each.label.what == what and (each.region is None or id(each.region) not in wanted):
                self._remove(each)

    def tables(self) -> list[Label]:
        """What is taken."""
        return [each.label for each in self._files if each.region is not None]

    def fetch(self) -> Iterator[None]:
        """Maps what an earlier process has left, a piece a step. Until then its pages come as calls touch them."""
        for region in [each.region for each in self._files]:
            if region is not None and not region.fresh:
                for begin in range(0, region.nbytes, FETCHED):
                    region.fetch(begin, FETCHED)
                    yield

    def describe(self, region: Region, parts: Iterable[Part]) -> None:
        """Says where in a table's memory what lies under locks is: then it can be copied."""
        for each in self._files:
            if each.region is region:
                each.parts = tuple(parts)

    def copy(self, pace: Pace) -> int:
        """Writes all tables to disk, beside whoever changes them, and removes copies of tables that there are no more.

        Returns how many sets were too busy to be in it. Raises OSError, CopyError when given up, and copies made before
        stay.
        """
        assert self.copies is not None
        self.copies.mkdir(mode=0o700, parents=True, exist_ok=True)
        missed, made = 0, set()
        for each in list(self._files):
            if each.region is not None and each.parts:
                path = self.copies / f"{each.path.stem}{COPY}"
                missed += write(path, self._head(each.label, each.nbytes), each.region, each.parts, pace)
                made.add(path)
        for path in self.copies.iterdir():
            if path.suffix in {COPY, ".new"} and path not in made:
                path.unlink()
        return missed

    def _restore(self, copies: Path) -> None:
        for path in sorted(copies.glob(f"*{COPY}")):
            each = None
            try:
                found = self._read(path, whole=False)
                region = self._make(found.label, found.nbytes)
                each = self._files[-1]
                read(path, found.offset, region)
            except (_Unfit, CopyError, OSError) as problem:
                if each is not None:
                    self._remove(each)
                self.counts.left_out.append((path.name, str(problem)))
            else:
                each.region = None  # until a table takes it up
                self.counts.restored += 1

    # --- files

    def _look(self) -> None:
        for path in sorted(self.path.iterdir()):
            if path.suffix == ".new" and not self.beside:  # whoever made it died
                path.unlink()
            elif path.suffix == SUFFIX:
                self._number = max(self._number, int(path.stem) if path.stem.isdigit() else 0)
                try:
                    self._files.append(self._read(path))
                except (_Unfit, OSError) as problem:
                    self._leave_out(path, str(problem))

    def _read(self, path: Path, *, whole: bool = True) -> _File:
        fd = _opened(path)
        try:
            head = os.pread(fd, HEAD.size, 0)
            if len(head) < HEAD.size or head[: len(MAGIC)] != MAGIC:
                raise _Unfit("is none of ours")
            _, layout, length, nbytes, digest = HEAD.unpack(head)
            if layout != LAYOUT:
                raise _Unfit(f"has layout {layout}, this version has {LAYOUT}")
            text = os.pread(fd, min(length, LONGEST_LABEL), HEAD.size)
            if hashlib.sha256(text).digest() != digest:
                raise _Unfit("has a damaged label")
            offset = _offset(text)
            if not whole:
                offset = HEAD.size + len(text)
            elif os.fstat(fd).st_size != offset + nbytes:
                raise _Unfit(f"has {os.fstat(fd).st_size} bytes, not {offset + nbytes}")
        finally:
            os.close(fd)
        return _File(path, self._label(json.loads(text)), nbytes, offset)

    def _label(self, said: dict[str, Any]) -> Label:
        if said.pop("owner", None) != self._owner:
            raise _Unfit("belongs to another installation")
        try:
            said["columns"] = tuple((int(measure), int(window)) for measure, window in said["columns"])
            said["meanings"] = tuple(said["meanings"])
            return Label(**said)
        except (KeyError, TypeError, ValueError):
            raise _Unfit("has a label of another version") from None

    def _attach(self, each: _File, nbytes: int) -> Region | None:
        try:
            if each.nbytes != nbytes:
                raise _Unfit(f"has {each.nbytes} bytes of a table that takes {nbytes} in this version")
            fd = _opened(each.path)
            try:
                each.region = Region(nbytes, fd, each.offset, fresh=False)
            finally:
                os.close(fd)
        except (_Unfit, OSError) as problem:
            self._files.remove(each)
            self._leave_out(each.path, str(problem))
            return None
        self.counts.attached += 1
        return each.region

    def _make(self, label: Label, nbytes: int) -> Region:
        head = self._head(label, nbytes)
        offset = _offset(head[HEAD.size :])
        self._number += 1
        path = self.path / f"{self._number:06d}{SUFFIX}"
        new = path.with_suffix(".new")
        fd = os.open(new, FILE_OPEN | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(fd, offset + nbytes)
            region = Region(nbytes, fd, offset)
            os.pwrite(fd, head, 0)
            new.rename(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
        finally:
            os.close(fd)
        self._files.append(_File(path, label, nbytes, offset, region))
        return region

    def _head(self, label: Label, nbytes: int) -> bytes:
        text = json.dumps({"owner": self._owner, **asdict(label)}).encode()
        return HEAD.pack(MAGIC, LAYOUT, len(text), nbytes, hashlib.sha256(text).digest()) + text

    def _remove(self, each: _File) -> None:
        self._files.remove(each)
        with suppress(OSError):
            each.path.unlink()

    def _leave_out(self, path: Path, problem: str) -> None:
        self.counts.left_out.append((path.name, problem))
        if self.beside:
            self._unfit.append(path)
            return
        with suppress(OSError):
            path.unlink()


WHAT_TO_DO = (
    "name a directory of a file system in memory (tmpfs) with room by --state, lower the policy's budgets of entities, "
    "or say --state none"
)


class _Unfit(Exception):
    """A file that is not taken up."""


def _offset(text: bytes) -> int:
    """Where the table begins, behind a label."""
    return (HEAD.size + len(text) + PAGE - 1) // PAGE * PAGE


def _opened(path: Path) -> int:
    """Raises _Unfit for a file that is not ours alone, OSError."""
    fd = os.open(path, FILE_OPEN)
    about = os.fstat(fd)
    if stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077:
        return fd
    os.close(fd)
    raise _Unfit("is not a file that this user alone can read and write")


def _hold(path: Path) -> int:
    """Makes the directory if need be, and locks it: the descriptor of the lock. Raises StateError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise StateError(
                f"{path}: is not a directory that this user alone can use; remove it or `chmod 700` it, "
                "or name another by --state"
            )
        fd = os.open(path / "lock", FILE_OPEN | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(f"{path}: cannot be used to keep state: {error.strerror}; {WHAT_TO_DO}") from error
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EINTR} and time.monotonic() < until:
                time.sleep(0.01)
                continue
            pid = os.pread(fd, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            if error.errno == errno.EWOULDBLOCK:
                raise StateError(
                    f"{path}: is in use by process {pid}: end that first, or name another directory by --state"
                ) from None
            raise StateError(f"{path}: cannot be locked: {error.strerror}; {WHAT_TO_DO}") from error
        return fd
