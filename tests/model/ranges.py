"""Ranges of numbers, number by number."""

from collections.abc import Iterable


def covered(prefixes: Iterable[str], length: int) -> list[int]:
    """The numbers of so many digits that begin with one of the prefixes, each as often as it does."""
    found: list[int] = []
    for prefix in prefixes:
        free = length - len(prefix)
        found += range(int(prefix) * 10**free, (int(prefix) + 1) * 10**free)
    return sorted(found)


def fewest(first: int, last: int, length: int) -> int:
    """How many prefixes at least it takes to cover the numbers from first to last and no other.

    A digit less where all ten ways to write the last one are in; what is left at either end stands for itself.
    """
    inside = set(range(first, last + 1))
    needed = 0
    for _ in range(length - 1):
        whole = {n // 10 for n in inside if all(n // 10 * 10 + digit in inside for digit in range(10))}
        needed += sum(n // 10 not in whole for n in inside)
        inside = whole
    return needed + len(inside)
