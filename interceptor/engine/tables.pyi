"""What the lists of a policy hold, in one table of each shape; the one place where tables are made of contents."""

from collections.abc import Mapping, Sequence

from interceptor.engine.lists import ListTable
from interceptor.engine.networks import NetworkTable
from interceptor.engine.pairs import PairTable
from interceptor.engine.prefixes import PrefixTrie
from interceptor.engine.spec import ListContent

#: entries that are put on a list (True) or taken off it: the list's index, which, on or off
Change = tuple[int, ListContent, bool]

class ListTables:
    """One generation of the tables of all lists: `changed` alters its keys in place, readers beside it."""

    def __init__(
        self, table: ListTable, trie: PrefixTrie, pairs: PairTable, networks: NetworkTable
    ) -> None: ...
    @property
    def table(self) -> ListTable: ...
    @property
    def trie(self) -> PrefixTrie: ...
    @property
    def pairs(self) -> PairTable: ...
    @property
    def networks(self) -> NetworkTable: ...
    @property
    def nbytes(self) -> int: ...
    def count(self, list_index: int) -> int:
        """Entries on a list."""

    def bitmap(self, entry: int | tuple[int, int] | tuple[bytes, int]) -> int:
        """Lists that a key, a pair of keys (callee, caller) or a network (address, length) itself is on."""

    def fits(self, content: ListContent) -> bool:
        """Whether so many new keys find their place before the table has to grow."""

    @property
    def crowded(self) -> bool:
        """Whether the last of the places for new keys are being taken."""

    def changed(self, changes: Sequence[Change]) -> tuple[ListTables, int]:
        """Makes changes in their order: keys in place, one after the other, prefixes in a new trie.

        Returns the generation that has them all, which is this one where no prefix changed, and how many entries were
        new on their list, or taken off it. A generation that calls look at must have room for the keys (`fits`). Raises
        ValueError for an entry out of range, MemoryError; nothing has changed then.
        """

def rebuilt(
    old: ListTables,
    kept: Mapping[int, int],
    added: Mapping[int, ListContent],
    off: tuple[int, ListContent] | None = None,
) -> tuple[ListTables, int, int]:
    """A generation of its own made of another one, which goes on being changed; nearly always without the GIL.

    kept: the lists whose entries are taken over, index there -> index here. off: entries that are not, and the index
    there of their list. added: entries that are on a list here, whether `off` names them or not. Returns how many of
    those were new to their list, too, and how many were taken off. Raises what `ListTables.changed` raises.

    What is changed there meanwhile may be missing here or not: the caller makes those changes once more.
    """
