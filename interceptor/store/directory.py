"""The data directory: its owner's alone, and of one process at a time."""

import fcntl
import os
from pathlib import Path

from interceptor.store.words import StoreRefusedError, StoreUnavailableError

LOCK = "lock"


class DataDirectory:
    """A directory held by this process until `close`, or its end however it comes."""

    def __init__(self, path: Path) -> None:
        """Makes the directory if need be.

        Raises
        ------
        StoreRefusedError
            Another process has it; the message names its pid.
        StoreUnavailableError
            It cannot be made, or not be written.
        """
        self.path = path
        self._lock = -1
        self.take()

    def take(self) -> None:
        """Takes it, as when it was made."""
        path = self.path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o077:
                path.chmod(0o700)  # numbers of persons are nobody else's to read
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailableError(
                f"{path}: cannot be used as the data directory: {error.strerror}; "
                "name another by --data, or let the service write there"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            pid = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise StoreRefusedError(
                f"{path} is in use by process {pid}: end that first, or name another directory by --data"
            ) from None
        except OSError as error:
            os.close(self._lock)
            raise StoreUnavailableError(
                f"{path}: cannot be locked: {error.strerror}; make room, or name another directory by --data"
            ) from error

    def close(self) -> None:
        """Lets go of it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
