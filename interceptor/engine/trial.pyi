"""A policy in shadow beside a live snapshot."""

from collections.abc import Collection, Mapping

from interceptor.engine.candidate import Candidate
from interceptor.engine.snapshot import SnapshotHolder
from interceptor.engine.spec import Spec

class ShadowRun:
    """What the threads that decide by one live snapshot need to decide by another policy too; counts what differs.

    Its events carry `number`, 1 to 255.
    """

    def __init__(self, candidate: Candidate, live: SnapshotHolder, number: int) -> None: ...
    @property
    def number(self) -> int: ...
    @property
    def candidate(self) -> Candidate: ...
    @property
    def live(self) -> Spec:
        """The live policy."""

    @property
    def unknown_tags(self) -> tuple[str, ...]:
        """Tags that the live policy does not read: absent for this one."""

    @property
    def unknown_counters(self) -> tuple[str, ...]:
        """Counters of its own that reports feed: it cannot read them."""

    def enrol(self, worker: int) -> None:
        """That worker takes part from now on. Raises MemoryError."""

    def warn(self, demoted: Collection[str]) -> None:
        """These of its rules warn where they would block; the others block."""

    def counted(self) -> tuple[int, int, int, Mapping[tuple[int, int, int, int], int]]:
        """Calls, those with another verdict, those of these not told apart, and the others by kind.

        A kind: verdict and rule index of the live policy, verdict and rule index of this one.
        """

def attach(live: SnapshotHolder, run: ShadowRun | None) -> None:
    """Every call decided by the snapshot from now on is decided by the run too; None: by none.

    What ran before may be let go of when every thread without the GIL has passed a quiescent point, and no Python
    thread that decided by the snapshot then does.
    """
