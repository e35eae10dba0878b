"""The policies of the store as operators change them: put, rolled back, tried in shadow; demoted rules promoted.

Errors are those of `interceptor.runtime.live`, and LoadError for a policy that has problems, all of them in the
message. A service that follows a policy file refuses put and rollback (StoreRefusedError, with what to do).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from interceptor.runtime.guard import Flip, Impact
from interceptor.store.words import PolicyRevision


@dataclass(frozen=True)
class PolicyState:
    """A policy that is or was in force; of a dry run, one that could be (its revision is 0)."""

    policy: PolicyRevision
    in_force: bool
    rules: int
    impact: Impact | None = None


@dataclass(frozen=True)
class TrialState:
    """How a trial stands, or stood when it ended."""

    running: bool
    origin: str
    digest: str
    begun_ms: int
    ends_ms: int  #: ends, or ended
    calls: int  #: both have decided
    differing: int
    kinds: Mapping[str, int] = field(default_factory=dict)  #: "PASS -> BLOCK sim-box" -> calls
    last: Sequence[Flip] = ()  #: of those that differ, the last 100


class LivePolicies:
    """See the module. Any number of threads."""

    def put(
        self,
        text: str,
        *,
        origin: str,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> PolicyState:
        """Puts a policy into force and keeps it. origin: the file's name, for messages."""
        raise NotImplementedError

    def get(self, revision: int = 0) -> PolicyState:
        """The policy of that revision; 0: the one in force."""
        raise NotImplementedError

    def history(self, limit: int = 100) -> Sequence[PolicyState]:
        """The last policies that were put, the last first."""
        raise NotImplementedError

    def rollback(
        self, revision: int, *, actor: str, comment: str = "", confirmed: int | None = None
    ) -> PolicyState:
        """Puts an earlier policy into force again, as a new revision."""
        raise NotImplementedError

    def start_trial(self, text: str, *, origin: str, for_ms: int, actor: str) -> TrialState:
        """Runs a policy in shadow beside the one in force, on live calls. One at a time."""
        raise NotImplementedError

    def trial(self) -> TrialState | None:
        """The trial that runs, or the last one; None: there was none since the start."""
        raise NotImplementedError

    def stop_trial(self, *, actor: str) -> TrialState:
        """Ends the trial."""
        raise NotImplementedError

    def promote(self, rule: str, *, actor: str, comment: str = "") -> int:
        """Lets a rule block again that was demoted. Returns the revision of the change."""
        raise NotImplementedError
