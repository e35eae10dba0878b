"""What the lists of a policy hold, in one table of each shape; the one place where tables are made of contents."""

from collections.abc import Mapping, Sequence

from interceptor.engine.lists import ListTable
from interceptor.engine.prefixes import PrefixTrie
from interceptor.engine.spec import ListContent

#: what is done to one list: its index, what is taken off it and then what is put on it
Change = tuple[int, ListContent, ListContent]

class ListTables:
    """One generation of the tables of all lists: `changed` alters its keys in place, readers beside it."""

    def __init__(self, table: ListTable, trie: PrefixTrie) -> None: ...
    @property
    def table(self) -> ListTable: ...
    @property
    def trie(self) -> PrefixTrie: ...
    @property
    def nbytes(self) -> int: ...
    def count(self, list_index: int) -> int:
        """Entries on a list."""

    def changed(self, changes: Sequence[Change]) -> tuple[ListTables, int, int]:
        """Makes changes in their order, keys in place. Returns the generation that has all of them, which is this
        one where no prefix changed; how many entries were new, and how many were taken off."""

def rebuilt(
    old: ListTables, kept: Mapping[int, int], changes: Sequence[Change]
) -> tuple[ListTables, int, int]:
    """A generation of its own with the lists of another one, changed; most of the time without the GIL.

    kept: the lists whose entries are taken over, index there -> index here. Returns what `ListTables.changed` does.
    Whatever happens to the other one meanwhile may or may not be in it. Raises MemoryError, ValueError.
    """
