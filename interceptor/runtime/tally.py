"""What the service counts besides the engine: reloads, refused requests, events lost. Read at scrape."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from interceptor.runtime.certificates import Ends


@dataclass
class Tally:
    """Totals since the start. Any thread may count."""

    reloads_good: int = 0
    reloads_failed: int = 0
    last_reload_good: bool = True
    last_reload_time: float = 0.0  #: of the last good one, seconds since the epoch
    certificates_good: int = 0  #: reads of the data plane's certificate after the first
    certificates_failed: int = 0
    certificate_ends: Ends = field(default_factory=dict)  #: of those in use
    refused: Counter[str] = field(default_factory=Counter)  #: by gRPC status name
    changes_refused: int = 0  #: by the guard
    log_lines: int = 0
    log_errors: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reload_succeeded(self, now: float) -> None:
        """A policy was put into force at `now` (seconds since the epoch); the one at the start counts too."""
        with self._lock:
            self.reloads_good += 1
            self.last_reload_good = True
            self.last_reload_time = now

    def reload_failed(self) -> None:
        with self._lock:
            self.reloads_failed += 1
            self.last_reload_good = False

    def certificates_read(self, good: bool) -> None:
        """The data plane's certificate was read again, or kept because the new one is not good."""
        with self._lock:
            if good:
                self.certificates_good += 1
            else:
                self.certificates_failed += 1

    def request_refused(self, status: str) -> None:
        with self._lock:
            self.refused[status] += 1

    def change_refused(self) -> None:
        """The guard refused a change that nobody had confirmed."""
        with self._lock:
            self.changes_refused += 1

    def logged(self, lines: int) -> None:
        with self._lock:
            self.log_lines += lines

    def log_failed(self, lines: int) -> None:
        """Lines of the decision log that could not be written."""
        with self._lock:
            self.log_errors += lines
