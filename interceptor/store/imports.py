"""Bulk imports: a file is spooled, read, compared with what its source has, staged, and made live by one revision."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from interceptor.store import changes, staging
from interceptor.store.arrow import give_back
from interceptor.store.comparison import Retention, SourceDifference, compare
from interceptor.store.feed import Feed, SourceRows, read_feed
from interceptor.store.keysets import joined, of_pairs
from interceptor.store.lists import Lists, Words, name_of_source
from interceptor.store.rolls import Roll
from interceptor.store.rows import ListFileError
from interceptor.store.spool import Spool
from interceptor.store.staged import ImportChange, Landed, Reasons
from interceptor.store.words import Applied, Difference, Mode, StoreRefusedError

#: phase ("read", "stage", "apply"), bytes or rows done, of how many (0: not known)
Progress = Callable[[str, int, int], None]

#: the share of bad rows beyond which a file is refused
TOLERATED = 0.01
#: seconds between two signs of life of an import that waits for another
SIGN_OF_LIFE = 1.0


@dataclass(frozen=True)
class Order:
    """What a file is, and how to take it."""

    list_name: str
    source: str  #: whose entries these are, where the file does not say it row by row
    mode: Mode
    file_name: str  #: for messages; its end says Parquet or CSV
    size: int  #: bytes
    sha256: str  #: of the file, hexadecimal
    reason: str = ""  #: of rows that have none
    allow_bad: bool = False  #: take the good rows of a file of which more than 1 % are bad

    def digest(self) -> str:
        """SHA-256 of the file and of how it is to be taken."""
        said = [self.sha256.lower(), self.list_name, self.source, self.mode, self.reason, str(self.allow_bad)]
        return hashlib.sha256("\0".join(said).encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """What was read of a file, and what it would change."""

    difference: Difference
    rows: int  #: rows of the file: good, bad and ended
    bad_rows: int
    first_bad: tuple[str, ...]  #: "line 7: is no telephone number"
    ended: int  #: rows whose end has passed; they count as absent


class Imports:
    """The imports of one store: `Store.imports`. One file is read, compared and staged at a time; others wait."""

    def __init__(self, lists: Lists, folder: Path) -> None:
        self.lists = lists
        self.spool = Spool(folder)
        self.turn = lists.database.staging  # undoing a large change takes it too
        staging.abandon(lists.database)  # of a process before this one, however it ended

    def open(self, order: Order) -> "Import":
        """Begins to take a file, or goes on with one that was interrupted.

        Raises
        ------
        StoreRefusedError
            There is no such list, or the order makes no sense, or the file is being imported already.
        """
        order = replace(order, source=name_of_source(order.source))
        with self.lists.database.read() as conn:
            roll = self.lists.roll(conn, order.list_name)
        return Import(self, order, roll)

    def clean(self) -> None:
        """Takes away, in short transactions, what came to nothing. For a thread of its own, at the start.

        Not while an import is at work, which does it itself.
        """
        if self.turn.acquire(blocking=False):
            try:
                staging.clear(self.lists.database)
            finally:
                self.turn.release()


class Import:
    """A file on its way to a list. For one thread.

    `receive` until `send_from` is the order's size, then `difference`, then `apply`; `close` at any moment. What was
    received is kept until it is applied, for the next attempt. From `difference` on other imports wait for `close`.
    """

    def __init__(self, imports: Imports, order: Order, roll: Roll) -> None:
        self.order = order
        self._imports, self._lists, self._roll = imports, imports.lists, roll
        self._part = imports.spool.open(order.sha256, order.size)
        self._parts: list[SourceDifference] = []
        self._words: Sequence[Words] = ()
        self._found: Found | None = None
        self._has_turn = self._done = False

    @property
    def send_from(self) -> int:
        """The first byte of the file that is still needed."""
        return self._part.received

    def receive(self, offset: int, data: bytes) -> None:
        """Takes bytes of the file, in order.

        Raises
        ------
        StoreRefusedError
            These are not the next bytes, or more than the file has, or the whole has another SHA-256.
        StoreUnavailableError
            The disk is full.
        """
        self._part.write(offset, data)

    def difference(self, now_ms: int, progress: Progress | None = None) -> Found:
        """Reads the file and compares it with what its source has. Changes nothing.

        Raises
        ------
        StoreRefusedError
            The file is not whole yet, cannot be read, or too many rows are bad.
        """
        tell = progress or _silent
        if self._part.received < self.order.size:
            raise StoreRefusedError(
                f"{self.order.file_name}: {self._part.received} of {self.order.size} bytes were received: send the rest"
            )
        while not self._has_turn:
            self._has_turn = self._imports.turn.acquire(timeout=SIGN_OF_LIFE)
            tell("read", 0, 0)
        self._found = self._compared(self._read(now_ms, tell), now_ms, tell)
        return self._found

    def apply(
        self,
        *,
        actor: str,
        comment: str,
        now_ms: int,
        expected: int | None = None,
        progress: Progress | None = None,
    ) -> Applied:
        """Stages what differs in short transactions, then makes it live at once. Revision 0: nothing differed.

        What others do meanwhile to entries of the same source stays as they did it.

        Parameters
        ----------
        expected
            The revision that the difference was confirmed for.

        Raises
        ------
        StaleRevisionError
            Something else became live since `expected`.
        StoreRefusedError
            There was no `difference` before, or others changed the same entries all the time.
        """
        if self._found is None:
            raise StoreRefusedError("an import is compared first, then applied, once")
        found, parts, self._found, self._parts = self._found, self._parts, None, []
        with self._lists.database.read() as conn:
            changes.expect(conn, expected)
        done = Landed(0, 0, 0, 0, of_pairs(()))
        if any(len(part.fresh) or len(part.removed) for part in parts):
            order = self.order
            why = Reasons(
                actor=actor,
                comment=comment,
                digest=order.digest(),
                source=order.source,
                detail={"source": order.source, "mode": order.mode.value, "sha256": order.sha256.lower()},
            )
            done = ImportChange(self._lists, self._roll, why, now_ms, self._imports.spool.folder).land(
                parts, self._words, found.difference.revision, progress or _silent
            )
        self._done = True
        return Applied(
            change=done.change,
            revision=done.revision,
            list_name=self._roll.name,
            added=done.added,
            removed=done.removed,
            unchanged=found.difference.unchanged,
            touched=done.touched,
        )

    def close(self) -> None:
        """Lets go of it."""
        self._found, self._parts, self._words = None, [], ()
        if self._has_turn:
            self._has_turn = False
            self._imports.turn.release()
        self._part.close(done=self._done)

    def _read(self, now_ms: int, tell: Progress) -> Feed:
        order = self.order
        steps = read_feed(
            self._part.path,
            order.file_name,
            self._lists.reader(self._roll.kind),
            source=order.source,
            reason=order.reason,
            only_source=order.mode is Mode.REPLACEMENT,
            now_ms=now_ms,
        )
        try:
            feed = next(steps)
            while not isinstance(feed, Feed):
                tell("read", *feed)
                feed = next(steps)
        except ListFileError as error:
            raise StoreRefusedError(str(error)) from None
        finally:
            give_back()
        if feed.bad > TOLERATED * feed.rows and not order.allow_bad:
            raise StoreRefusedError(
                f"{order.file_name}: {feed.bad} of {feed.rows} rows are bad ({feed.first_bad[0]}); correct them, or "
                "allow bad rows"
            )
        return feed

    def _compared(self, feed: Feed, now_ms: int, tell: Progress) -> Found:
        """Everything that is to be done, seen in one state of the database."""
        parts = {part.source: part for part in feed.parts}
        replacement = self.order.mode is Mode.REPLACEMENT
        if replacement and not parts:
            parts[self.order.source] = SourceRows.none(self.order.source)  # an empty file: everything goes
        self._parts, self._words = [], feed.words
        with self._lists.database.read() as conn:
            revision = changes.revision(conn)
            for name, part in parts.items():
                source_id, kept_ms = self._lists.source(conn, name)
                self._parts.append(
                    compare(
                        conn,
                        self._lists,
                        self._roll,
                        part,
                        feed.words,
                        source_id=source_id,
                        replacement=replacement,
                        retention=Retention.of(now_ms, kept_ms, self._roll.retention_ms),
                        progress=lambda _: tell("stage", 0, 0),
                    )
                )
        return Found(
            Difference(
                added=joined([part.added() for part in self._parts]),
                removed=joined([part.removed for part in self._parts]),
                changed=sum(len(part.changed) for part in self._parts),
                unchanged=sum(part.unchanged for part in self._parts),
                revision=revision,
            ),
            rows=feed.rows,
            bad_rows=feed.bad,
            first_bad=feed.first_bad,
            ended=feed.ended,
        )


def _silent(phase: str, done: int, total: int) -> None:
    """Nobody wants to know."""
