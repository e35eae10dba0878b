"""Files on their way in: kept as far as they were received, so that an import that was cut goes on where it was."""

import hashlib
import os
import re
import threading
import time
from pathlib import Path

from interceptor.store.words import StoreRefusedError, StoreUnavailableError

#: what all of them together may take; parts that nobody went on with make room, the oldest first
MOST_BYTES = 16 << 30
#: parts that nobody went on with are kept for so long
KEPT_S = 7 * 86_400
_READ = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Spool:
    """A directory of files that are named by their SHA-256. Any number of threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}  # SHA-256 of the files that are being received or read -> their size

    def open(self, sha256: str, size: int) -> "Part":
        """What there is of a file already; to be closed.

        Raises
        ------
        StoreRefusedError
            The SHA-256 is none, the file is too large, or somebody else is sending it.
        StoreUnavailableError
            The directory cannot be written.
        """
        sha256 = sha256.lower()
        if not _SHA256.fullmatch(sha256):
            raise StoreRefusedError("the SHA-256 of the file must be given, as 64 hexadecimal digits")
        if not 0 <= size <= MOST_BYTES:
            raise StoreRefusedError(f"a file has at most {MOST_BYTES >> 30} GiB: split it")
        with self._lock:
            if sha256 in self._taken:
                raise StoreRefusedError("this file is being imported already: wait for that import to end")
            try:
                self.folder.mkdir(mode=0o700, exist_ok=True)
                self._make_room(sha256, size)
                part = Part(self, sha256, size)
            except OSError as error:
                raise unavailable(self.folder, error) from error
            self._taken[sha256] = size
        return part

    def forget(self) -> None:
        """Takes away the parts that nobody is going on with now: they may hold what was erased.

        Raises
        ------
        StoreUnavailableError
            The directory cannot be written.
        """
        with self._lock:
            try:
                for path in self.folder.glob("*.part"):
                    if path.stem not in self._taken:
                        path.unlink(missing_ok=True)
            except OSError as error:
                raise unavailable(self.folder, error) from error

    def path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.part"

    def let_go(self, sha256: str) -> None:
        with self._lock:
            self._taken.pop(sha256, None)

    def _make_room(self, sha256: str, size: int) -> None:
        waiting = []
        for path in self.folder.glob("*.part"):
            if path.stem not in self._taken and path.stem != sha256:
                found = path.stat()
                waiting.append((found.st_mtime, found.st_size, path))
        used = sum(self._taken.values()) + size
        if used > MOST_BYTES:
            raise StoreRefusedError("other files are being imported, and there is no room beside them: wait")
        used += sum(each[1] for each in waiting)
        for touched, length, path in sorted(waiting):
            if used > MOST_BYTES or touched < time.time() - KEPT_S:
                path.unlink(missing_ok=True)
                used -= length


class Part:
    """A file as far as it was received. For one thread."""

    def __init__(self, spool: Spool, sha256: str, size: int) -> None:
        self._spool, self._sha256, self.size = spool, sha256, size
        self.path = spool.path(sha256)
        self._hash = hashlib.sha256()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self.received = 0
            while piece := os.pread(self._file, _READ, self.received):
                self._hash.update(piece)
                self.received += len(piece)
            if self.received > size or (self.received == size and not self._is_right()):
                self._restart()
        except BaseException:
            os.close(self._file)
            raise

    def write(self, offset: int, data: bytes) -> None:
        """Takes the next bytes.

        Raises
        ------
        StoreRefusedError
            These are not the next bytes, or the whole file is not what its SHA-256 says.
        StoreUnavailableError
            The disk is full. What was received before is still there.
        """
        if offset != self.received:
            raise StoreRefusedError(
                f"byte {self.received} of the file is next, and not {offset}: begin again"
            )
        if offset + len(data) > self.size:
            raise StoreRefusedError(f"the file is longer than the {self.size} bytes that were announced")
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.pwrite(self._file, rest, offset + len(data) - len(rest)) :]
        except OSError as error:
            try:
                os.ftruncate(self._file, self.received)
            finally:
                raise unavailable(self.path.parent, error) from error
        self._hash.update(data)
        self.received += len(data)
        if self.received == self.size and not self._is_right():
            self._restart()
            raise StoreRefusedError(
                "the file that was received has another SHA-256 than announced: send it again"
            )

    def close(self, *, done: bool = False) -> None:
        """Lets go of it; when it is done, the file goes."""
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        if done:
            self.path.unlink(missing_ok=True)
        self._spool.let_go(self._sha256)

    def _is_right(self) -> bool:
        return self._hash.hexdigest() == self._sha256

    def _restart(self) -> None:
        os.ftruncate(self._file, 0)
        self._hash, self.received = hashlib.sha256(), 0


def unavailable(folder: Path, error: OSError) -> StoreUnavailableError:
    """What went wrong with a file of the data directory, and what to do."""
    return StoreUnavailableError(
        f"{folder} cannot be written: {error.strerror}; make room or let the service write there, and try again"
    )
