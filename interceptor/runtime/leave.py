"""Leave to change something: what the guard found, weighed against what a person has confirmed. Audited either way."""

from collections.abc import Callable
from dataclasses import replace

from interceptor.runtime.clock import Clock
from interceptor.runtime.guard import GuardRefusedError, Impact
from interceptor.runtime.tally import Tally
from interceptor.store.store import Store
from interceptor.store.words import Action, StaleRevisionError

#: so many records are looked through for what became live since a revision was shown
LOOKED_THROUGH = 1000
#: rules put entries on lists all the time: that makes no confirmation void
RULE = "rule:"


class Leave:
    """Gives it, or does not. The desk is open meanwhile: nothing becomes live between the answer and the change."""

    def __init__(self, clock: Clock, tally: Tally) -> None:
        self._clock = clock
        self._tally = tally

    def asked(
        self, store: Store, impact: Impact, confirmed: int | None, *, actor: str, action: Action, subject: str
    ) -> int | None:
        """The last live revision, for the store to expect, of a change that had to be confirmed; None of any other.

        Raises
        ------
        GuardRefusedError
            It must be confirmed, and was not.
        StaleRevisionError
            It was, for a revision since which something else became live.
        """
        if not impact.refused:
            return None
        revision = store.revision()
        impact = replace(impact, revision=revision)
        note = self._noting(store, impact, actor=actor, action=action, subject=subject)
        if confirmed is None:
            note(Action.REFUSED)
            self._tally.change_refused()
            raise GuardRefusedError(impact)
        if not self._still(store, confirmed, revision):
            raise StaleRevisionError(
                f"revision {confirmed} was confirmed, and {revision} is live by now: look at what it does now, and "
                f"confirm that"
            )
        note(Action.CONFIRMED)
        return revision

    def _still(self, store: Store, confirmed: int, revision: int) -> bool:
        if confirmed == revision:
            return True
        since = [
            record
            for record in store.audit.log(LOOKED_THROUGH)
            if record.revision is not None and record.revision > confirmed
        ]
        return 0 < confirmed < revision == confirmed + len(since) and all(
            record.actor.startswith(RULE) for record in since
        )

    def _noting(
        self, store: Store, impact: Impact, *, actor: str, action: Action, subject: str
    ) -> Callable[[Action], None]:
        def note(what: Action) -> None:
            store.audit.note(
                at_ms=self._clock.now_ms(),
                actor=actor,
                action=what,
                subject=subject,
                detail={
                    "action": action,
                    "calls": impact.calls,
                    "flipped": impact.flipped,
                    "protected": len(impact.protected),
                    "revision": impact.revision,
                },
            )

        return note
