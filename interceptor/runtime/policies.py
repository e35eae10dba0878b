"""The policies of a running service as operators change them: put, rolled back, tried in shadow; rules promoted.

Errors are those of `interceptor.runtime.live`, and LoadError for a policy that has problems, all of them in the
message. A service that follows a policy file refuses put and rollback (StoreRefusedError, with what to do), and notes
each text that it finds there as a revision. Nobody can confirm what a file says: its blast is told in the log.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from interceptor.policy import PolicyError, load_document
from interceptor.runtime.additions import Additions
from interceptor.runtime.clock import Clock
from interceptor.runtime.demotion import Demotions
from interceptor.runtime.desk import Desk
from interceptor.runtime.guard import Guard, Impact
from interceptor.runtime.leave import Leave
from interceptor.runtime.loader import (
    SHIPPED,
    Checked,
    Fault,
    Loaded,
    Loader,
    LoadError,
    Progress,
    Written,
    read_policy,
)
from interceptor.runtime.logs import Log
from interceptor.runtime.trials import Trials, TrialState
from interceptor.store.words import Action, PolicyRevision, StoreRefusedError

__all__ = ["LivePolicies", "PolicyState", "TrialState"]

#: the policy of a store that has none yet
FIRST = SHIPPED / "default.yaml"
#: who puts what a policy file says
FILE = "file"


@dataclass(frozen=True)
class PolicyState:
    """A policy that is or was in force; of a dry run, one that could be (its revision is 0)."""

    policy: PolicyRevision
    in_force: bool
    rules: int
    impact: Impact | None = None


class LivePolicies:
    """See the module. Any number of threads; `begin` comes first."""

    def __init__(
        self,
        file: Path | None,
        desk: Desk,
        loader: Loader,
        *,
        guard: Guard,
        leave: Leave,
        trials: Trials,
        demotions: Demotions,
        additions: Additions,
        clock: Clock,
        log: Log,
    ) -> None:
        self._file = file
        self._desk = desk
        self._loader = loader
        self._guard = guard
        self._leave = leave
        self._trials = trials
        self._demotions = demotions
        self._additions = additions
        self._clock = clock
        self._log = log

    def begin(self, progress: Progress | None = None) -> Loaded:
        """Puts the first policy into force: the file's, or the store's. Raises LoadError, StoreError."""
        if self._file is not None:
            return self._follow(self._file, progress)
        current = self._desk.store.policies.current()
        if current is None:
            return self._follow(FIRST, progress)
        return self._enforce(self._loader.check(written(current), progress), current.revision)

    def reload(self) -> Loaded:
        """Reads policy and list files again. Raises LoadError, StoreError; what was in force stays in force."""
        if self._file is not None:
            file = self._file
            return self._loader.build(lambda: self._follow(file, None))
        loaded = self._loader.current
        assert loaded is not None
        return self._loader.build(lambda: self._enforce(self._loader.check(loaded.written), loaded.revision))

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
        """Puts a policy into force and keeps it. origin: the file's name, for messages.

        Relative list files are looked up where the policy in force has them.
        """
        loaded = self._loader.current
        folder = loaded.written.folder if loaded is not None else SHIPPED
        new = Written(text, Path(origin).name or "policy.yaml", folder)
        if not dry_run:
            self._check_own()
        return self._loader.build(lambda: self._put(new, actor, comment, confirmed, dry_run))

    def get(self, revision: int = 0) -> PolicyState:
        """The policy of that revision; 0: the one in force."""
        return self._state(self._desk.store.policies.get(revision or self._in_force()))

    def history(self, limit: int = 100) -> Sequence[PolicyState]:
        """The last policies that were put, the last first."""
        return [self._state(each) for each in self._desk.store.policies.history(limit)]

    def rollback(
        self, revision: int, *, actor: str, comment: str = "", confirmed: int | None = None
    ) -> PolicyState:
        """Puts an earlier policy into force again, as a new revision."""
        self._check_own()
        earlier = written(self._desk.store.policies.get(revision))
        comment = comment or f"rollback to revision {revision}"
        return self._loader.build(lambda: self._put(earlier, actor, comment, confirmed, False))

    def start_trial(self, text: str, *, origin: str, for_ms: int, actor: str) -> TrialState:
        """Runs a policy in shadow beside the one in force, on live calls. Ends a trial that runs."""
        loaded = self._loader.current
        folder = loaded.written.folder if loaded is not None else SHIPPED
        checked = self._loader.check(Written(text, Path(origin).name or "policy.yaml", folder), files=False)
        return self._trials.start(checked.spec, origin=origin, for_ms=for_ms, actor=actor)

    def trial(self) -> TrialState | None:
        """The trial that runs, or the last one; None: there was none since the start."""
        return self._trials.state()

    def stop_trial(self, *, actor: str) -> TrialState:
        """Ends the trial. StoreRefusedError when none was started."""
        return self._trials.stop(actor=actor)

    def promote(self, rule: str, *, actor: str, comment: str = "") -> int:
        """Lets a rule block again that was demoted. Returns the revision of the change."""
        return self._demotions.promote(rule, actor=actor, comment=comment)

    def _put(
        self, new: Written, actor: str, comment: str, confirmed: int | None, dry_run: bool
    ) -> PolicyState:
        checked = self._loader.check(new)
        impact = self._guard.of_policy(self._desk.spec, checked.spec)
        if dry_run:
            could = PolicyRevision(
                0, digest_of(new.text), new.text, new.origin, str(new.folder), actor, 0, comment
            )
            impact = replace(impact, revision=self._desk.store.revision())
            return PolicyState(could, False, len(checked.spec.rules), impact)
        self._desk.make_lists(checked.spec)
        with self._desk.open() as store:
            expected = self._leave.asked(
                store, impact, confirmed, actor=actor, action=Action.POLICY, subject=new.origin
            )
            kept = store.policies.put(
                new.text,
                origin=new.origin,
                folder=str(new.folder),
                actor=actor,
                comment=comment,
                now_ms=self._clock.now_ms(),
                expected=expected,
            )
        self._enforce(checked, kept.revision)
        return PolicyState(kept, True, len(checked.spec.rules), impact)

    def _follow(self, file: Path, progress: Progress | None) -> Loaded:
        """Puts into force what a file says, as a revision of its own if it is not the current one."""
        new = read_policy(file)
        checked = self._loader.check(new, progress)
        loaded = self._loader.current
        try:
            self._desk.make_lists(checked.spec)
        except StoreRefusedError as error:
            raise LoadError(Fault.LISTS, str(error)) from error
        if loaded is not None and loaded.written.text != new.text:
            impact = self._guard.of_policy(loaded.spec, checked.spec)
            if impact.refused:
                self._log.warning(
                    "policy file turns recent calls", calls=impact.calls, flipped=impact.flipped
                )
        with self._desk.open() as store:
            current = store.policies.current()
            if current is None or current.digest != digest_of(new.text):
                current = store.policies.put(
                    new.text,
                    origin=new.origin,
                    folder=str(new.folder),
                    actor=FILE,
                    comment="",
                    now_ms=self._clock.now_ms(),
                )
        return self._enforce(checked, current.revision)

    def _enforce(self, checked: Checked, revision: int) -> Loaded:
        """Has the engine follow the store. If it cannot, the store follows the engine: as it was."""
        try:
            self._additions.record(revision, checked.spec)
            loaded = self._desk.install(checked, revision)
        except LoadError:
            before = self._loader.current
            if before is not None and before.revision != revision:
                self._desk.store.policies.put(
                    before.written.text,
                    origin=before.written.origin,
                    folder=str(before.written.folder),
                    actor="guard",
                    comment=f"revision {revision} could not be put into force",
                    now_ms=self._clock.now_ms(),
                )
            raise
        self._demotions.restore()
        return loaded

    def _check_own(self) -> None:
        if self._file is not None:
            raise StoreRefusedError(
                f"this service follows the policy file {self._file}: change that and run `interceptor reload`, or "
                "start the service without --policy to keep policies in the store"
            )

    def _in_force(self) -> int:
        loaded = self._loader.current
        return loaded.revision if loaded is not None else 0

    def _state(self, policy: PolicyRevision) -> PolicyState:
        return PolicyState(policy, policy.revision == self._in_force(), rules_of(policy.text))


def written(policy: PolicyRevision) -> Written:
    """A policy of the store as it was put."""
    return Written(policy.text, policy.origin, Path(policy.folder))


def digest_of(text: str) -> str:
    """SHA-256 of a policy's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(256)
def rules_of(text: str) -> int:
    """How many rules a policy has; 0 for one that this version does not take any more."""
    try:
        return len(load_document("policy.yaml", text).rules)
    except PolicyError:
        return 0
