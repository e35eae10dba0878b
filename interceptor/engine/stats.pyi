"""Counters and the latency histogram of one worker."""

from typing import Any

#: Upper bounds of the latency histogram's buckets, in ns, inclusive; one more bucket holds what is above the last.
LATENCY_BOUNDS_NS: tuple[int, ...]

class WorkerStats:
    """What one thread counts: it alone writes, anyone may read.

    Parameters
    ----------
    rules
        Number of rules of the policy.

    Raises
    ------
    MemoryError
        When the system has no pages left.
    """

    def __init__(self, rules: int) -> None: ...
    def latency(self, ns: int, calls: int = 1) -> None:
        """Counts `calls` decisions that took `ns` nanoseconds each."""

    def rule(self, index: int, decided: int = 0, shadow: int = 0, absent: int = 0, failed: int = 0) -> None:
        """Adds to the counters of one rule. Raises IndexError when there is no such rule."""

    def verdict(self, verdict: int, list_index: int = 0, list_hits: int = 0) -> None:
        """Counts one verdict, and hits of one list."""

    def add(self, other: WorkerStats) -> None:
        """Adds another worker's totals; rules beyond the shorter of the two are left out."""

    @property
    def totals(self) -> dict[str, Any]:
        """verdict (by Verdict), emergency, defaulted, repeated, graced, list_hits (by list), latency (by bucket),
        latency_sum_ns, rules (by index: decided, blocked, shadow, absent, failed, added, not_added).
        """
