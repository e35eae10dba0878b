"""What a snapshot takes along for the threads that decide with it."""

from interceptor.engine.residents import Resident
from interceptor.engine.spec import Spec

class Companion:
    """What is published together with a policy, `Engine.publish(..., companion=...)`, and lives as long as that.

    The engine looks at none of it. Subclassed by who has something to take along.
    """

class SnapshotHolder:
    """Everything one policy revision decides with; made and held by the engine."""

    @property
    def spec(self) -> Spec: ...
    @property
    def revision(self) -> int: ...
    @property
    def residents(self) -> tuple[Resident, ...]:
        """The entity tables its counters live in."""
    def say(self, rule: int, verdict: int) -> int:
        """The rule of that index has another verdict from the next call on."""
    readers: int  #: Python threads deciding with it now
