"""What people said of decisions, and how often rules and sources were right by it."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from interceptor.store.audit import append
from interceptor.store.schema import feedback
from interceptor.store.words import Action

if TYPE_CHECKING:
    from interceptor.store.database import Database


@dataclass(frozen=True)
class Said:
    """What somebody said of a decision."""

    decision_id: str
    right: bool
    rule: str
    sources: Sequence[str]
    actor: str
    at_ms: int
    comment: str


@dataclass(frozen=True)
class Count:
    """How often it was right, and how often wrong."""

    confirmed: int = 0
    wrong: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.confirmed + other.confirmed, self.wrong + other.wrong)


@dataclass(frozen=True)
class Precision:
    """Counts by rule, and by source of the entries that matched."""

    by_rule: Mapping[str, Count] = field(default_factory=dict)
    by_source: Mapping[str, Count] = field(default_factory=dict)


class Feedback:
    """`Store.feedback`. Any number of threads."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    def give(
        self,
        decision_id: str,
        *,
        right: bool,
        rule: str,
        sources: Sequence[str],
        actor: str,
        comment: str,
        now_ms: int,
    ) -> None:
        """Notes what somebody says of a decision, in place of what was said of it before.

        Parameters
        ----------
        sources
            Of the entries that matched; each counts once.
        """
        its = sorted(set(sources))
        with self._database.write() as conn:
            conn.execute(delete(feedback).where(feedback.c.decision_id == decision_id))
            conn.execute(
                insert(feedback).values(
                    decision_id=decision_id,
                    right=int(right),
                    rule=rule,
                    sources=json.dumps(its),
                    actor=actor,
                    at_ms=now_ms,
                    comment=comment,
                )
            )
            append(
                conn,
                at_ms=now_ms,
                actor=actor,
                action=Action.FEEDBACK,
                subject=decision_id,
                detail={"right": right, "rule": rule, "sources": its},
            )

    def of(self, decision_id: str) -> Said | None:
        """What was said of a decision last."""
        with self._database.read() as conn:
            row = conn.execute(select(feedback).where(feedback.c.decision_id == decision_id)).first()
        if row is None:
            return None
        values = {**row._mapping, "right": bool(row.right), "sources": json.loads(row.sources)}
        return Said(**values)

    def precision(self) -> Precision:
        """Counts over everything that was said."""
        row = feedback.c
        query = select(row.rule, row.sources, row.right, func.count()).group_by(
            row.rule, row.sources, row.right
        )
        by_rule: dict[str, Count] = defaultdict(Count)
        by_source: dict[str, Count] = defaultdict(Count)
        with self._database.read() as conn:
            for rule, sources, right, said in conn.execute(query):
                count = Count(confirmed=said) if right else Count(wrong=said)
                by_rule[rule] += count
                for source in json.loads(sources):
                    by_source[source] += count
        return Precision(dict(by_rule), dict(by_source))
