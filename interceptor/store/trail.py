"""The audit trail as it is read, noted into and verified: `Store.audit`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from interceptor.store.audit import append, last_hash, told
from interceptor.store.schema import audit
from interceptor.store.verifying import verify
from interceptor.store.words import AuditRecord, Verified

if TYPE_CHECKING:
    from interceptor.store.database import Database

#: `log` gives at most so many
MOST = 10_000


class AuditTrail:
    """The trail of one store. Any number of threads.

    Parameters
    ----------
    folder
        Where a deep look lays down MACs of entries when there are many; None: where the system keeps such files.
    """

    def __init__(self, database: "Database", folder: Path | None = None) -> None:
        self._database = database
        self._folder = folder

    def note(
        self,
        *,
        at_ms: int,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, object] | None = None,
    ) -> AuditRecord:
        """Records what is no change: a read of who called whom, something that was refused. On disk when it returns."""
        with self._database.write() as conn:
            return append(conn, at_ms=at_ms, actor=actor, action=action, subject=subject, detail=detail)

    def last_hash(self) -> str:
        """Hash of the last record."""
        with self._database.read() as conn:
            return last_hash(conn)

    def log(
        self, limit: int = 100, *, before: int = 0, action: str = "", actor: str = ""
    ) -> list[AuditRecord]:
        """Records, the last first.

        Parameters
        ----------
        limit
            At most so many, and never more than MOST.
        before
            Only those with a lower sequence; 0: from the last.
        action, actor
            Only those; empty: all.
        """
        query = select(audit).order_by(audit.c.sequence.desc()).limit(max(1, min(limit, MOST)))
        if before:
            query = query.where(audit.c.sequence < before)
        if action:
            query = query.where(audit.c.action == action)
        if actor:
            query = query.where(audit.c.actor == actor)
        with self._database.read() as conn:
            return [told(row) for row in conn.execute(query)]

    def find(self, action: str, text: str) -> AuditRecord | None:
        """The first record of an action whose detail holds a text; None when there is none."""
        query = select(audit).where(audit.c.action == action, audit.c.detail.contains(text, autoescape=True))
        with self._database.read() as conn:
            row = conn.execute(query.order_by(audit.c.sequence).limit(1)).first()
        return None if row is None else told(row)

    def verify(self, *, deep: bool = False) -> Verified:
        """Whether the trail is whole; `deep`: and whether entries and policies are as recorded, which reads all."""
        with self._database.read() as conn:
            return verify(conn, deep=deep, folder=self._folder)
