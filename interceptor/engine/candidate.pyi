"""A policy beside the one in force."""

from collections.abc import Collection, Iterable

from interceptor.engine.plan import NumberingPlan
from interceptor.engine.residents import Resident
from interceptor.engine.snapshot import SnapshotHolder
from interceptor.engine.spec import Spec

class Candidate(SnapshotHolder):
    """A policy that looks on the lists of a live snapshot and is given its counters, or counts some itself.

    Parameters
    ----------
    spec
        The policy.
    live
        The snapshot (of snapshot.pyx) it runs beside.
    plan, home
        As the engine's.
    fed
        Names of the lists that rules may have added to.
    demoted
        Indices of its rules that warn where they would block.
    previous
        Entity tables its own counters may go on in; None: it has none, and reads no counter the live policy lacks.

    Raises
    ------
    ValueError
        For a policy that cannot be published, and more than 64 lists in both.
    MemoryError
    """

    def __init__(
        self,
        spec: Spec,
        live: SnapshotHolder,
        plan: NumberingPlan,
        home: str,
        fed: Collection[str],
        demoted: Iterable[int],
        previous: Iterable[Resident] | None = None,
    ) -> None: ...
