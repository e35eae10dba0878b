"""The obvious table of subscribers' own entries: a set of (callee, caller) for each list."""

from collections.abc import Iterable, Mapping

Pair = tuple[int, int]


class Pairs:
    def __init__(self, lists: Iterable[int]) -> None:
        self.members: dict[int, set[Pair]] = {index: set() for index in lists}

    def add(self, pair: Pair, list_index: int) -> bool:
        changed = pair not in self.members[list_index]
        self.members[list_index].add(pair)
        return changed

    def remove(self, pair: Pair, list_index: int) -> bool:
        changed = pair in self.members[list_index]
        self.members[list_index].discard(pair)
        return changed

    def add_many(self, pairs: Iterable[Pair], list_index: int) -> int:
        return sum(self.add(pair, list_index) for pair in pairs)

    def remove_many(self, pairs: Iterable[Pair], list_index: int) -> int:
        return sum(self.remove(pair, list_index) for pair in pairs)

    def remapped(self, kept: Mapping[int, int], lists: Iterable[int]) -> "Pairs":
        made = Pairs(lists)
        for old, new in kept.items():
            made.members[new] |= self.members[old]
        return made

    def find(self, pair: Pair) -> int:
        return sum(1 << index for index, on in self.members.items() if pair in on)

    def count(self, list_index: int) -> int:
        return len(self.members[list_index])

    def __len__(self) -> int:
        return len(set().union(*self.members.values()))
