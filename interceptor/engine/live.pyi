"""The lists in force, through which calls find their tables, and others that are built beside them."""

from collections.abc import Mapping, Sequence
from threading import Lock
from types import TracebackType

from interceptor.engine.spec import ListContent, ListSpec
from interceptor.engine.tables import ListTables

class LiveLists:
    """The lists of a policy, or of several in turn that have the same ones, and the tables that hold them now."""

    def __init__(self, lists: Sequence[ListSpec], tables: ListTables) -> None: ...
    @property
    def tables(self) -> ListTables: ...
    @property
    def lists(self) -> tuple[ListSpec, ...]: ...
    @property
    def index(self) -> dict[str, int]: ...
    def place(self, name: str) -> int:
        """Index of a list. KeyError for an unknown one."""

    def change(self, name: str, entries: ListContent, on: bool) -> tuple[int, ListTables | None] | None:
        """In place: how many entries were new, or gone, and the tables that are not in force any more, or None.

        None where the change has to wait: for tables with more room, or for who builds some and is far behind. Raises
        what `ListTables.changed` raises.
        """

class Beside:
    """A context in which tables are built beside those of `running`; what changes there meanwhile is noted.

    Only one at a time. `lock` is held by whoever changes the running ones.
    """

    def __init__(self, running: LiveLists, lock: Lock) -> None: ...
    def __enter__(self) -> Beside: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def lists(self, lists: Sequence[ListSpec], contents: Mapping[str, ListContent]) -> LiveLists:
        """The lists of another policy: those that run, or others, which are complete when they are finished."""

    def change(self, place: int, entries: ListContent, remove: ListContent | None) -> tuple[int, int]:
        """Another content of one list: entries are taken off, or all of them (None), then others put on.

        How many entries are new, and how many are gone.
        """

    def finish(self) -> ListTables | None:
        """With the lock held: puts what was built in force. The tables that are not any more; None where nothing was
        built."""
