"""The policies that were in force: each revision with its text, who put it and why."""

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, insert, select

from interceptor.store import changes
from interceptor.store.schema import policies
from interceptor.store.words import Action, PolicyRevision, StoreRefusedError

if TYPE_CHECKING:
    from interceptor.store.database import Database


class Policies:
    """`Store.policies`. Any number of threads."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    def put(
        self,
        text: str,
        *,
        origin: str,
        folder: str,
        actor: str,
        comment: str,
        now_ms: int,
        expected: int | None = None,
    ) -> PolicyRevision:
        """Makes a policy the current one. On disk when it returns.

        Parameters
        ----------
        text
            Of a policy that was checked: the store does not look into it.
        origin
            Its file's name, for messages.
        folder
            Where its relative list files are looked for.
        expected
            The last live revision that it was confirmed for; None: whichever.

        Raises
        ------
        StaleRevisionError
            Something else became live since `expected`.
        """
        digest = digest_of(text)
        with self._database.write() as conn:
            changes.expect(conn, expected)
            change = changes.begin(conn, Action.POLICY, actor, now_ms, comment=comment, digest=digest)
            revision = changes.go_live(
                conn,
                change,
                now_ms,
                subject=origin,
                detail={"bytes": len(text.encode())},
                digest=digest,
            )
            put = PolicyRevision(revision, digest, text, origin, folder, actor, now_ms, comment)
            conn.execute(
                insert(policies).values(
                    revision=revision,
                    digest=digest,
                    text=text,
                    origin=origin,
                    folder=folder,
                    actor=actor,
                    put_ms=now_ms,
                    comment=comment,
                )
            )
        return put

    def current(self) -> PolicyRevision | None:
        """The one in force; None before the first."""
        found = self.history(1)
        return found[0] if found else None

    def get(self, revision: int) -> PolicyRevision:
        """The policy of a revision. StoreRefusedError when that revision put none."""
        with self._database.read() as conn:
            row = conn.execute(select(policies).where(policies.c.revision == revision)).first()
        if row is None:
            raise StoreRefusedError(
                f"revision {revision} put no policy into force; `interceptor policy history` shows those that did"
            )
        return _told(row)

    def history(self, limit: int = 100) -> list[PolicyRevision]:
        """The last ones, the current one first."""
        query = select(policies).order_by(policies.c.revision.desc()).limit(max(1, limit))
        with self._database.read() as conn:
            return [_told(row) for row in conn.execute(query)]


def digest_of(text: str) -> str:
    """SHA-256 of a policy's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _told(row: Row[Any]) -> PolicyRevision:
    return PolicyRevision(**row._mapping)
