"""Changes: begun, made live by the next revision together with their audit record, or given up without a trace."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from interceptor.store import audit
from interceptor.store.prepared import Prepared
from interceptor.store.schema import changes, entries, lots
from interceptor.store.words import Action, StaleRevisionError

#: A request of so many entries or fewer is made in one transaction.
AT_ONCE = 10_000

_REVISION = Prepared(select(func.coalesce(func.max(changes.c.revision), 0)))
_MADE = Prepared(
    insert(changes).returning(changes.c.id),
    [
        "revision", "action", "actor", "begun_ms", "live_ms", "comment", "list_id", "source_id", "reverts", "digest",
        "added", "removed",
    ],
)  # fmt: skip
_EMPTY = {
    "revision": None, "live_ms": None, "reverts": None, "digest": None, "added": 0, "removed": 0
}  # fmt: skip
_MADE_BY = Prepared(select(changes.c.action, changes.c.actor).where(changes.c.id == bindparam("change")))
_LIVE = Prepared(
    update(changes).where(changes.c.id == bindparam("change")), ["revision", "live_ms", "added", "removed"]
)


def came(table: Any = entries) -> ColumnElement[bool]:
    """Whether the change that a row of `entries` came with is live."""
    made_by: ColumnElement[int] = table.c.change_id
    return made_by.not_in(_not_live())


def live(table: Any = entries) -> ColumnElement[bool]:
    """Whether a row of `entries` is live: it came with a live change, and none that is live let go of it.

    Nobody asks in another way. The changes under way are few, so the database looks them up once and compares.
    """
    return and_(came(table), or_(table.c.gone.is_(None), table.c.gone.in_(_not_live())))


def _not_live() -> Select[int]:
    return select(changes.c.id).where(changes.c.revision.is_(None)).correlate(None)


def holds(now_ms: int, table: Any = entries) -> ColumnElement[bool]:
    """Whether a row that is live counts at a moment: from its lot's start, until right before its end."""
    return or_(
        table.c.timed == 0,
        select(lots.c.id)
        .where(lots.c.id == table.c.lot_id)
        .where(or_(lots.c.valid_from_ms.is_(None), lots.c.valid_from_ms <= now_ms))
        .where(or_(lots.c.valid_until_ms.is_(None), lots.c.valid_until_ms > now_ms))
        .correlate(table)
        .exists(),
    )


def revision(conn: Connection) -> int:
    """The last live revision; 0 before the first."""
    ((last,),) = _REVISION.rows(conn)
    return int(last)


def expect(conn: Connection, expected: int | None) -> None:
    """StaleRevisionError when something became live since the revision `expected` (None: whatever it is)."""
    if expected is None:
        return
    last = revision(conn)
    if last != expected:
        raise StaleRevisionError(
            f"revision {expected} was confirmed, and {last} is live by now: look at it again, and confirm that"
        )


def begin(
    conn: Connection,
    action: Action,
    actor: str,
    now_ms: int,
    *,
    comment: str = "",
    list_id: int | None = None,
    source_id: int | None = None,
    reverts: int | None = None,
    digest: str | None = None,
) -> int:
    """A change under way: nobody sees what comes with it, or goes with it, before `go_live`.

    Parameters
    ----------
    digest
        SHA-256 of an import's file and of how it was to be taken.
    """
    return _made(
        conn,
        action=action.value,
        actor=actor,
        begun_ms=now_ms,
        comment=comment,
        list_id=list_id,
        source_id=source_id,
        reverts=reverts,
        digest=digest,
    )


def go_live(
    conn: Connection,
    change: int,
    now_ms: int,
    *,
    subject: str,
    detail: Mapping[str, object],
    added: int = 0,
    removed: int = 0,
    digest: str = "",
    expected: int | None = None,
) -> int:
    """Gives a change the next revision, and the audit trail its record: live when the caller's transaction is.

    Parameters
    ----------
    subject, detail, digest
        As `audit.append` takes them.
    expected
        As `expect` takes it.
    """
    expect(conn, expected)
    ((action, actor),) = _MADE_BY.rows(conn, change=change)
    next_one = revision(conn) + 1
    _LIVE.rows(conn, change=change, revision=next_one, live_ms=now_ms, added=added, removed=removed)
    audit.append(
        conn,
        at_ms=now_ms,
        actor=actor,
        action=action,
        change_id=change,
        revision=next_one,
        subject=subject,
        detail=detail,
        digest=digest,
    )
    return next_one


def make(
    conn: Connection,
    action: Action,
    actor: str,
    now_ms: int,
    *,
    comment: str,
    list_id: int,
    source_id: int | None,
    subject: str,
    detail: Mapping[str, object],
    added: int = 0,
    removed: int = 0,
    digest: str,
) -> tuple[int, int]:
    """`begin` and `go_live` in one, for a change whose rows all follow in the same transaction: its id and revision."""
    next_one = revision(conn) + 1
    change = _made(
        conn,
        revision=next_one,
        action=action.value,
        actor=actor,
        begun_ms=now_ms,
        live_ms=now_ms,
        comment=comment,
        list_id=list_id,
        source_id=source_id,
        added=added,
        removed=removed,
    )
    audit.append(
        conn,
        at_ms=now_ms,
        actor=actor,
        action=action,
        change_id=change,
        revision=next_one,
        subject=subject,
        detail=detail,
        digest=digest,
    )
    return change, next_one


def _made(conn: Connection, **row: object) -> int:
    """A row of the table; its id."""
    ((change,),) = _MADE.rows(conn, **{**_EMPTY, **row})
    return int(change)
