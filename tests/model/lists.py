"""The obvious table of listed keys: a set of keys for each list."""

from collections.abc import Iterable


class Lists:
    def __init__(self) -> None:
        self.members: dict[int, set[int]] = {}

    def add(self, key: int, list_index: int) -> bool:
        on = self.members.setdefault(list_index, set())
        changed = key != 0 and key not in on
        if changed:
            on.add(key)
        return changed

    def remove(self, key: int, list_index: int) -> bool:
        on = self.members.get(list_index, set())
        changed = key in on
        on.discard(key)
        return changed

    def add_many(self, keys: Iterable[int], list_index: int) -> int:
        return sum(self.add(key, list_index) for key in keys)

    def remove_many(self, keys: Iterable[int], list_index: int) -> int:
        return sum(self.remove(key, list_index) for key in keys)

    def clear_list(self, list_index: int) -> None:
        self.members.pop(list_index, None)

    def find(self, key: int) -> int:
        return sum(1 << index for index, on in self.members.items() if key in on)

    def count(self, list_index: int) -> int:
        return len(self.members.get(list_index, ()))

    def __len__(self) -> int:
        return len(set().union(*self.members.values()))
