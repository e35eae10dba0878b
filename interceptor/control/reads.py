"""Reads of who is on a list and who called whom: each is on the audit trail before its answer leaves."""

from collections.abc import Callable

from interceptor.control.authorising import Caller
from interceptor.store.trail import AuditTrail
from interceptor.store.words import Action


class Reads:
    """What puts reads on the audit trail. No text that may be somebody's number stands there, only its MAC.

    Parameters
    ----------
    audit
        The store's trail.
    named
        What a text is called there, which may be somebody's number.
    now_ms
        The clock, in milliseconds since the Unix epoch.
    """

    def __init__(self, audit: AuditTrail, named: Callable[[str], str], now_ms: Callable[[], int]) -> None:
        self._audit = audit
        self._named = named
        self._now_ms = now_ms

    def of_text(self, caller: Caller, what: str, text: str, found: int) -> None:
        """Somebody looked for `text`, and was shown so many entries."""
        self._note(caller, f"{what} {self._named(text)}".rstrip(), {"found": found})

    def of_list(self, caller: Caller, list_name: str, source: str) -> None:
        """Somebody took a list as a file."""
        self._note(caller, f"list {list_name}", {"source": source} if source else {})

    def of_decision(self, caller: Caller, decision_id: str) -> None:
        """Somebody asked why a call was decided as it was."""
        self._note(caller, f"decision {decision_id}", {})

    def of_callers(self, caller: Caller, callers: int, *, whole: bool) -> None:
        """Somebody watches who calls, for some minutes."""
        self._note(caller, "callers", {"callers": callers, "whole": whole})

    def _note(self, caller: Caller, subject: str, detail: dict[str, object]) -> None:
        self._audit.note(
            at_ms=self._now_ms(), actor=caller.name, action=Action.READ, subject=subject, detail=detail
        )
