"""The lists of the store as operators change them: guarded, on disk, in force with the next call, then acknowledged.

Every method may be called by any number of threads. What changes something audits it; who only asks is audited by
whoever lets him ask. All of them raise StoreUnavailableError while the database is away, StoreRefusedError for what
makes no sense here (an unknown list, a list that is read from a file), and what changes something also
GuardRefusedError, and StaleRevisionError when something else became live since the revision that was confirmed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from interceptor.runtime.guard import Impact
from interceptor.store.words import Held, ListState, Mode, NewEntry

#: phase ("receive", "read", "stage", "apply"), bytes or rows done, of how many (0: not known)
ImportProgress = Callable[[str, int, int], None]


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


@dataclass(frozen=True)
class Shown:
    """All that is known of a number, a domain, a device ..."""

    entries: Sequence[Held]  #: by list and source
    stopped: int  #: remembered decisions that blocked it
    warned: int
    decision_ids: Sequence[str]  #: the last of these


@dataclass(frozen=True)
class Page:
    """A page of what was found."""

    entries: Sequence[Held]
    next_page: str  #: empty: that was all


@dataclass(frozen=True)
class ListFigures:
    """A list of the policy, or one the store still keeps."""

    state: ListState
    file: str = ""  #: what it is read from; empty: the store keeps it


@dataclass(frozen=True)
class Erased:
    """What was erased of a person's number."""

    entries: int
    decisions: int


class Import:
    """A file on its way to a list; made by `LiveLists.begin_import`. For one thread."""

    @property
    def send_from(self) -> int:
        """The first byte of the file that is still needed."""
        raise NotImplementedError

    def receive(self, offset: int, data: bytes) -> None:
        """Takes bytes of the file, in order."""
        raise NotImplementedError

    def finish(self, progress: ImportProgress | None = None) -> Changed | Preview:
        """Reads, compares, guards, stages, puts into force what was received; of a dry run, says what it would do."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of it. What was received is kept for a while, to go on with."""
        raise NotImplementedError


class LiveLists:
    """See the module."""

    def add(
        self,
        list_name: str,
        source: str,
        entries: Sequence[NewEntry],
        *,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Changed:
        """Puts entries on a list. confirmed: the revision of the Impact that was shown, to do it all the same."""
        raise NotImplementedError

    def remove(
        self,
        list_name: str,
        texts: Sequence[str],
        *,
        source: str = "",
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Changed:
        """Takes entries off a list: those of one source, or everybody's when it is empty."""
        raise NotImplementedError

    def undo(
        self,
        revision: int,
        *,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Changed:
        """Reverts a change of a list as a whole."""
        raise NotImplementedError

    def begin_import(
        self,
        list_name: str,
        source: str,
        mode: Mode,
        *,
        file_name: str,
        size: int,
        sha256: str,
        reason: str = "",
        allow_bad: bool = False,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
        dry_run: bool = False,
    ) -> Import:
        """Begins to take a file, or goes on with one that was interrupted."""
        raise NotImplementedError

    def set_retention(
        self,
        *,
        list_name: str = "",
        source: str = "",
        retention_ms: int | None,
        actor: str,
        comment: str = "",
        confirmed: int | None = None,
    ) -> Changed:
        """How long entries of a list, or of a source, stay that say no end; None: for good."""
        raise NotImplementedError

    def erase(self, number: str, *, actor: str, comment: str) -> Erased:
        """Erases what the store and the remembered decisions know of a person's number."""
        raise NotImplementedError

    def show(self, text: str, *, history: bool = False) -> Shown:
        """All that is known of a number, domain, device ..., in any form a list takes it."""
        raise NotImplementedError

    def search(
        self,
        text: str,
        *,
        list_name: str = "",
        source: str = "",
        reason: str = "",
        limit: int = 100,
        page: str = "",
    ) -> Page:
        """Entries that begin with `text`, in their one form."""
        raise NotImplementedError

    def export(self, list_name: str, *, file_format: str = "csv", source: str = "") -> Iterator[bytes]:
        """A list as the bytes of a file: "csv", or "rpz" for a list of domains."""
        raise NotImplementedError

    def stats(self, list_name: str = "") -> tuple[Sequence[ListFigures], int]:
        """Sizes of one list or all, in order of their names, and the last live revision."""
        raise NotImplementedError

    def check_domain(self, domain: str) -> Sequence[Held]:
        """The live entries of lists of domains that cover `domain`: it, or a domain above it."""
        raise NotImplementedError
