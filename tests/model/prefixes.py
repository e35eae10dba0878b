"""The obvious trie of prefixes: every entry, compared with the start of the digits."""

from collections.abc import Iterable


class Prefixes:
    def __init__(self, entries: Iterable[tuple[int, bytes, int]]) -> None:
        self.entries = set(entries)

    def find(self, root: int, digits: bytes) -> int:
        bitmap = 0
        for of, prefix, index in self.entries:
            if of == root and digits.startswith(prefix):
                bitmap |= 1 << index
        return bitmap

    def matches(self, root: int, digits: bytes) -> list[tuple[int, int]]:
        found: dict[int, int] = {}
        for of, prefix, index in self.entries:
            if of == root and digits.startswith(prefix):
                found[len(prefix)] = found.get(len(prefix), 0) | 1 << index
        return sorted(found.items())

    def count(self, list_index: int) -> int:
        return sum(index == list_index for _, _, index in self.entries)
