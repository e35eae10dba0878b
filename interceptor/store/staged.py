"""The change of an import: staged in short transactions that let others between, made live by one revision."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, cast, select

from interceptor.store import changes, staging
from interceptor.store.columns import columns
from interceptor.store.comparison import Retention, SourceDifference
from interceptor.store.keysets import joined, keys_from
from interceptor.store.lists import Lists, Words
from interceptor.store.rolls import Roll
from interceptor.store.schema import changes as all_changes
from interceptor.store.schema import entries
from interceptor.store.words import Action, Keys, StoreError, StoreRefusedError

#: how often an import gives way to what others do to its entries in the second in which it sums up its own
ROUNDS = 5

#: rows staged, of how many; what comes after that is one phase more
Staged = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Reasons:
    """Why the change is made, and by whom."""

    actor: str
    comment: str
    digest: str  #: of the file and of how it was to be taken
    source: str  #: whose import it is
    detail: dict[str, object]  #: for the audit trail


@dataclass(frozen=True, eq=False)
class Landed:
    """What became live."""

    change: int
    revision: int  #: 0: there was nothing left to do
    added: int
    removed: int
    touched: Keys


class ImportChange:
    """See the module. Only one at a time."""

    def __init__(self, lists: Lists, roll: Roll, why: Reasons, now_ms: int, folder: Path) -> None:
        self._lists, self._roll, self._why, self._now_ms, self._folder = lists, roll, why, now_ms, folder
        self._database = lists.database
        self._sources: dict[str, int] = {}
        self._kept: dict[str, Retention] = {}
        self._change = 0

    def land(
        self, parts: Sequence[SourceDifference], words: Sequence[Words], since: int, tell: Staged
    ) -> Landed:
        """Stages what differs, and makes it live.

        Parameters
        ----------
        since
            The revision at which the differences were found.

        Raises
        ------
        StoreRefusedError
            Others changed the same entries all the time. Nothing has changed, as with every exception.
        """
        staging.abandon(self._database, Action.IMPORT)  # of one before this that could not even give up
        staging.clear(self._database)
        try:
            self._begin(parts)
            self._stage(parts, words, tell)
            return self._go_live(parts, since, tell)
        except BaseException:
            try:
                staging.abandon(self._database, Action.IMPORT)
                staging.clear(self._database)
            except StoreError:
                pass  # the next import does it, or the next start
            raise

    def _begin(self, parts: Sequence[SourceDifference]) -> None:
        with self._database.write() as conn:
            for part in parts:
                self._sources[part.source], kept_ms = self._lists.source(conn, part.source, make=True)
                self._kept[part.source] = Retention.of(self._now_ms, kept_ms, self._roll.retention_ms)
            self._change = changes.begin(
                conn,
                Action.IMPORT,
                self._why.actor,
                self._now_ms,
                comment=self._why.comment,
                list_id=self._roll.id,
                source_id=self._lists.source(conn, self._why.source, make=True)[0],
                digest=self._why.digest,
            )

    def _stage(self, parts: Sequence[SourceDifference], words: Sequence[Words], tell: Staged) -> None:
        total = sum(len(part.fresh) + len(part.removed) + len(part.changed) for part in parts)
        done = 0
        for part in parts:
            source_id = self._sources[part.source]
            lot, timed = self._lots(part, words)
            for piece in staging.pieces(len(part.fresh)):
                keys = Keys(part.fresh.key[piece], part.fresh.key2[piece])
                said = np.broadcast_to(part.words if len(part.words) == 1 else part.words[piece], len(keys))
                with self._database.write() as conn:
                    staging.bring(conn, self._roll.id, source_id, self._change, keys, lot[said], timed[said])
                    if part.names is not None:
                        staging.keep_names(conn, self._roll.id, keys, part.names[piece].to_pylist())
                done += len(keys)
                tell("stage", done, total)
            for going in (part.changed, part.removed):
                for piece in staging.pieces(len(going)):
                    keys = Keys(going.key[piece], going.key2[piece])
                    with self._database.write() as conn:
                        staging.let_go(conn, self._roll.id, source_id, self._change, keys)
                    done += len(keys)
                    tell("stage", done, total)

    def _lots(self, part: SourceDifference, words: Sequence[Words]) -> tuple[Any, Any]:
        """By index of the words: the lot that says them, and whether it has a start or an end."""
        lot = np.zeros(len(words), dtype=np.int64)
        timed = np.zeros(len(words), dtype=bool)
        used = np.unique(part.words) if len(part.fresh) else part.words[:0]
        for piece in staging.pieces(len(used)):
            rows = []
            for index in used[piece].tolist():
                said = words[index]
                until_ms = self._kept[part.source].end(said.valid_until_ms)
                timed[index] = said.valid_from_ms is not None or until_ms is not None
                rows.append(
                    {
                        "list_id": self._roll.id,
                        "source_id": self._sources[part.source],
                        "change_id": self._change,
                        "reason": said.reason,
                        "note": said.note,
                        "valid_from_ms": said.valid_from_ms,
                        "valid_until_ms": until_ms,
                        "added_by": self._why.actor,
                    }
                )
            with self._database.write() as conn:
                lot[used[piece]] = staging.make_lots(conn, rows)
        return lot, timed

    def _go_live(self, parts: Sequence[SourceDifference], since: int, tell: Staged) -> Landed:
        """The digest over what was staged takes seconds, and is made while others go on; so they may come between."""
        for _ in range(ROUNDS):
            with self._database.read() as conn:
                seen = changes.revision(conn)
                touched = self._touched(conn, since)
            parts = [self._given_way(part, touched.get(self._sources[part.source])) for part in parts]
            since = seen
            added = sum(len(part.fresh) for part in parts)
            removed = sum(len(part.removed) for part in parts)
            if not added and not removed:
                staging.abandon(self._database, Action.IMPORT)
                staging.clear(self._database)
                return Landed(0, 0, 0, 0, joined([]))
            digest = self._digest(parts, tell)
            with self._database.write() as conn:
                touched = self._touched(conn, since)
                if any(part.reaches(touched.get(self._sources[part.source])) for part in parts):
                    continue
                revision = changes.go_live(
                    conn,
                    self._change,
                    self._now_ms,
                    subject=self._roll.name,
                    detail={**self._why.detail, "added": added, "removed": removed},
                    added=added,
                    removed=removed,
                    digest=digest,
                )
            both = [keys for part in parts for keys in (part.fresh, part.removed) if len(keys)]
            return Landed(self._change, revision, added, removed, joined(both))
        raise StoreRefusedError(
            f"list {self._roll.name}: others change entries of this import all the time; import it when they are done"
        )

    def _touched(self, conn: Connection, since: int) -> dict[int, Keys]:
        """By source, the entries of the list that changes after a revision have touched."""
        later = select(all_changes.c.id).where(all_changes.c.revision > since)
        query = select(cast(entries.c.source_id, BigInteger), entries.c.key, entries.c.key2)
        pieces = [
            piece
            for reached in (entries.c.change_id, entries.c.gone)
            for piece in columns(conn, query.where(entries.c.list_id == self._roll.id, reached.in_(later)), 3)
        ]
        if not pieces:
            return {}
        source, key, key2 = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return {
            each: keys_from(key[source == each], key2[source == each]) for each in np.unique(source).tolist()
        }

    def _given_way(self, part: SourceDifference, touched: Keys | None) -> SourceDifference:
        """Takes out of what was staged what others did meanwhile: that was acknowledged, and stays."""
        if touched is None or not part.reaches(touched):
            return part
        for piece in staging.pieces(len(touched)):
            keys = Keys(touched.key[piece], touched.key2[piece])
            with self._database.write() as conn:
                staging.withdraw(conn, self._roll.id, self._sources[part.source], self._change, keys)
        return part.without(touched)

    def _digest(self, parts: Sequence[SourceDifference], tell: Staged) -> str:
        digest = self._lists.digest(self._folder)
        for part in parts:
            source_id = self._sources[part.source]
            for keys, take in (
                (part.fresh, digest.add), (part.changed, digest.remove), (part.removed, digest.remove)
            ):  # fmt: skip
                for start in range(0, len(keys), 1 << 18):
                    some = slice(start, start + (1 << 18))
                    take(self._roll.id, source_id, Keys(keys.key[some], keys.key2[some]))
                    tell("apply", 0, 0)
        return digest.hexdigest()
