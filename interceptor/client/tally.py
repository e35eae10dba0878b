"""What one process counts of its asking, until somebody scrapes it."""

import threading
from bisect import bisect_left
from collections import Counter

from interceptor.client.answer import Answer

#: Upper bounds of a histogram of how long calls waited, in seconds.
BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Tally:
    """Counters, shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls: Counter[tuple[str, str]] = Counter()  #: by verdict and cause
        self.reports: Counter[str] = Counter()  #: by what became of them: sent, refused, lost
        self.waited = [0] * (len(BOUNDS) + 1)  #: calls by how long they waited
        self.seconds = 0.0  #: how long all of them waited

    def answer(self, answer: Answer, seconds: float) -> None:
        """A call was answered after so long."""
        with self._lock:
            self.calls[answer.verdict.name, answer.cause] += 1
            self.waited[bisect_left(BOUNDS, seconds)] += 1
            self.seconds += seconds

    def report(self, outcome: str, number: int = 1) -> None:
        with self._lock:
            self.reports[outcome] += number

    def histogram(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets as Prometheus has them, and the sum."""
        with self._lock:
            waited, seconds = list(self.waited), self.seconds
        bounds = [*map(str, BOUNDS), "+Inf"]
        return [(bound, sum(waited[: i + 1])) for i, bound in enumerate(bounds)], seconds
