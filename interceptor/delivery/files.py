"""Events as JSON lines in a file, for whatever follows files. It is moved aside when it is full."""

import time
from collections.abc import Sequence

from interceptor.delivery.rotation import RotatingFile
from interceptor.delivery.settings import FileEntry, SinksError
from interceptor.delivery.sink import Away, Event

#: seconds between looks for moved files that are too old
SWEEP = 60.0


class FileSink:
    """A line an event. They are the operating system's when they are delivered."""

    def __init__(self, entry: FileEntry) -> None:
        keep_s = None if entry.keep_days is None else entry.keep_days * 86_400
        try:
            self._file = RotatingFile(
                entry.path,
                limit=int(entry.rotate_megabytes * 1_000_000),
                keep=entry.keep_files,
                keep_s=keep_s,
            )
        except OSError as error:
            raise SinksError(
                f"path {entry.path}: {error.strerror}: name a file that can be written"
            ) from None
        self._swept = 0.0

    def deliver(self, events: Sequence[Event]) -> None:
        try:
            if time.monotonic() - self._swept > SWEEP:
                self._swept = time.monotonic()  # what cannot be taken away holds up no more than one attempt
                self._file.sweep()
            self._file.write(event.text + b"\n" for event in events)
        except OSError as error:
            raise Away(str(error)) from None

    def close(self) -> None:
        self._file.close()
