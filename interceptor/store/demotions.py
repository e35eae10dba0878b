"""Analytics rules that were turned into warnings because they began to block far more than usual."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from interceptor.store import changes
from interceptor.store.schema import demotions
from interceptor.store.words import Action

if TYPE_CHECKING:
    from interceptor.store.database import Database


@dataclass(frozen=True)
class Demotion:
    """A rule that warns until a person lets it block again."""

    rule: str
    at_ms: int
    detail: Mapping[str, object]  #: what was seen


class Demotions:
    """`Store.demotions`. Any number of threads."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    def set(self, rule: str, detail: Mapping[str, object], *, actor: str, now_ms: int) -> int:
        """Notes that a rule warns from now on; the change's revision, 0 when it did already.

        Parameters
        ----------
        detail
            What was seen, as JSON can hold it. No telephone numbers: it stands in the audit trail.
        """
        with self._database.write() as conn:
            if conn.execute(select(demotions.c.rule).where(demotions.c.rule == rule)).first():
                return 0
            told = json.dumps(detail, sort_keys=True)
            conn.execute(insert(demotions).values(rule=rule, at_ms=now_ms, detail=told))
            change = changes.begin(conn, Action.DEMOTE, actor, now_ms)
            return changes.go_live(conn, change, now_ms, subject=rule, detail=detail)

    def clear(self, rule: str, *, actor: str, comment: str, now_ms: int) -> int:
        """Notes that a rule blocks again; the change's revision, 0 when it never ceased to."""
        with self._database.write() as conn:
            if not conn.execute(delete(demotions).where(demotions.c.rule == rule)).rowcount:
                return 0
            change = changes.begin(conn, Action.PROMOTE, actor, now_ms, comment=comment)
            return changes.go_live(conn, change, now_ms, subject=rule, detail={})

    def all(self) -> list[Demotion]:
        """In order of the rules' names."""
        with self._database.read() as conn:
            rows = conn.execute(select(demotions).order_by(demotions.c.rule)).all()
        return [Demotion(row.rule, row.at_ms, json.loads(row.detail)) for row in rows]
