"""A text file that only grows at its end and is moved aside when it is full: decisions.log, .1, .2, ..."""

import fcntl
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

#: how far back the end of the last whole line is looked for
LONGEST = 1 << 20


class RotatingFile:
    """Appends whole lines; before a line would take the file over `limit` bytes, the file is moved aside.

    A line that a killed process, or a full disk, has left half written is taken away.

    Parameters
    ----------
    path : Path
        The file; it is made, its directory is not.
    limit : int
        Bytes after which it is moved to ``path.1``, ``path.1`` to ``path.2`` and so on.
    keep : int
        How many moved files stay; the oldest goes.
    keep_s : float or None
        Seconds after its last line a moved file stays.
    """

    def __init__(
        self, path: Path, *, limit: int = 100_000_000, keep: int = 10, keep_s: float | None = None
    ) -> None:
        self._path = path
        self._limit = limit
        self._keep = keep
        self._keep_s = keep_s
        self._fd = self._open()

    def write(self, lines: Iterable[bytes]) -> None:
        """Appends `lines`, each of which ends in a newline, and hands them to the operating system.

        Raises OSError; what of them was written by then stays.
        """
        waiting: list[bytes] = []
        size = self._size
        for data in lines:
            if size and size + len(data) > self._limit:
                self._append(waiting)
                self._rotate()
                waiting, size = [], 0
            waiting.append(data)
            size += len(data)
        self._append(waiting)

    def close(self) -> None:
        """Raises nothing: what a full disk refused was said when it was written."""
        with suppress(OSError):
            os.close(self._fd)

    def _open(self) -> int:
        # A log of who called whom is the operator's alone.
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            alone = False  # what another process is writing just now, that goes on for a moment, is not torn
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                alone = True
            size = os.fstat(fd).st_size
            start = max(size - LONGEST, 0)
            end = os.pread(fd, LONGEST, start) if size else b""
            if end and not end.endswith(b"\n") and alone:
                size = start + end.rfind(b"\n") + 1
                os.ftruncate(fd, size)
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_SH)
        except BaseException:
            os.close(fd)
            raise
        self._size = size
        return fd

    def _append(self, lines: list[bytes]) -> None:
        data = memoryview(b"".join(lines))
        size = self._size
        try:
            while data:
                done = os.write(self._fd, data)
                data, size = data[done:], size + done
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size = size

    def _rotate(self) -> None:
        if self._path.exists():  # else an attempt before this one has moved it
            for number in range(self._keep - 1, 0, -1):
                older = Path(f"{self._path}.{number}")
                if older.exists():
                    older.replace(f"{self._path}.{number + 1}")
            self._path.replace(f"{self._path}.1")
        full = self._fd
        self._fd = self._open()  # before the other is closed: whose number would soon be somebody else's file
        os.close(full)
        self.sweep()

    def sweep(self) -> None:
        """Takes away moved files that are too old."""
        if self._keep_s is None:
            return
        oldest = time.time() - self._keep_s
        for number in range(1, self._keep + 1):
            moved = Path(f"{self._path}.{number}")
            with suppress(FileNotFoundError):
                if moved.stat().st_mtime < oldest:
                    moved.unlink()
