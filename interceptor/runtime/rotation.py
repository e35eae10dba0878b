"""A text file that only grows at its end and is moved aside when it is full: decisions.log, .1, .2, ..."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO


class RotatingFile:
    """Appends whole lines; before a line would take the file over `limit` bytes, the file is moved aside.

    Parameters
    ----------
    path : Path
        The file; it is made, its directory is not.
    limit : int
        Bytes after which it is moved to ``path.1``, ``path.1`` to ``path.2`` and so on.
    keep : int
        How many moved files stay; the oldest goes.
    """

    def __init__(self, path: Path, *, limit: int = 100_000_000, keep: int = 10) -> None:
        self._path = path
        self._limit = limit
        self._keep = keep
        self._file: TextIO = self._open()
        self._size = self._file.tell()

    def write(self, lines: Iterable[str]) -> None:
        """Appends `lines`, each of which ends in a newline, and hands them to the operating system."""
        for line in lines:
            size = len(line.encode())
            if self._size and self._size + size > self._limit:
                self._rotate()
            self._file.write(line)
            self._size += size
        self._file.flush()

    def close(self) -> None:
        """Raises nothing: what a full disk refused was said when it was written."""
        with suppress(OSError):
            self._file.close()

    def _open(self) -> TextIO:
        # A log of who called whom is the operator's alone.
        return os.fdopen(
            os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8"
        )

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._keep - 1, 0, -1):
            older = Path(f"{self._path}.{number}")
            if older.exists():
                older.replace(f"{self._path}.{number + 1}")
        self._path.replace(f"{self._path}.1")
        self._file = self._open()
        self._size = 0
