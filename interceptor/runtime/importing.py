"""A file on its way to a list of a running service: received, compared, guarded, staged, swapped in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interceptor.runtime.guard import Impact
from interceptor.runtime.memory import give_back
from interceptor.store import imports
from interceptor.store.words import Action, Keys

if TYPE_CHECKING:
    from interceptor.runtime.live import LiveLists

#: phase ("receive", "read", "stage", "apply"), bytes or rows done, of how many (0: not known)
ImportProgress = Callable[[str, int, int], None]

#: entries a preview shows of those that come, and of those that go
SHOWN = 20


@dataclass(frozen=True)
class Changed:
    """A change that is on disk and in force; of a dry run, one that would be."""

    revision: int  #: 0 when nothing changed
    added: int = 0
    removed: int = 0
    unchanged: int = 0
    conflicts: int = 0  #: of an undo: entries that were changed since, and were left
    bad_rows: int = 0  #: of an import
    impact: Impact | None = None


@dataclass(frozen=True)
class Preview:
    """What an import would do."""

    added: int
    removed: int
    changed: int  #: entries that stay with another reason, note or time
    unchanged: int
    bad_rows: int
    first_bad: tuple[str, ...]  #: "line 7: is no telephone number"
    first_added: tuple[str, ...]  #: texts of entries
    first_removed: tuple[str, ...]
    impact: Impact


class Import:
    """Made by `LiveLists.begin_import`. For one thread."""

    def __init__(
        self,
        lists: "LiveLists",
        inner: imports.Import,
        *,
        actor: str,
        comment: str,
        confirmed: int | None,
        dry_run: bool,
    ) -> None:
        self._lists = lists
        self._inner = inner
        self._actor = actor
        self._comment = comment
        self._confirmed = confirmed
        self._dry_run = dry_run

    @property
    def send_from(self) -> int:
        """The first byte of the file that is still needed."""
        return self._inner.send_from

    def receive(self, offset: int, data: bytes) -> None:
        """Takes bytes of the file, in order."""
        self._inner.receive(offset, data)

    def finish(self, progress: ImportProgress | None = None) -> Changed | Preview:
        """Reads, compares, guards, stages, puts into force what was received; of a dry run, says what it would do."""
        now = self._lists.now_ms()
        found = self._inner.difference(now, progress)
        name, difference = self._inner.order.list_name, found.difference
        impact = self._lists.weighed(name, difference.added, difference.removed)
        if self._dry_run:
            return Preview(
                len(difference.added),
                len(difference.removed),
                difference.changed,
                difference.unchanged,
                found.bad_rows,
                found.first_bad,
                self._lists.texts(name, first(difference.added)),
                self._lists.texts(name, first(difference.removed)),
                impact,
            )
        give_back()
        self._lists.leave(Action.IMPORT, name, impact, confirmed=self._confirmed, actor=self._actor)
        # What was confirmed is the difference: single changes may go live while it is staged.
        done = self._inner.apply(actor=self._actor, comment=self._comment, now_ms=now, progress=progress)
        give_back()
        if progress is not None:
            progress("apply", 0, len(done.touched))
        self._lists.follow(name, done.touched)
        return Changed(
            done.revision, done.added, done.removed, done.unchanged, bad_rows=found.bad_rows, impact=impact
        )

    def close(self) -> None:
        """Lets go of it. What was received is kept for a while, to go on with."""
        self._inner.close()
        give_back()


def first(keys: Keys) -> Keys:
    """The first of them, to be shown."""
    return Keys(keys.key[:SHOWN], keys.key2[:SHOWN])
