"""Prefixes of numbers, of IMEIs (TAC, 3GPP TS 23.003 clause 6) and of IMSIs (MCC-MNC, ITU-T E.212)."""

from collections.abc import Iterable, Mapping
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

class PrefixRoot(IntEnum):
    """What the digits are."""

    ROOT_NUMBER = 0
    ROOT_IMEI = 1
    ROOT_IMSI = 2
    N_ROOTS = 3

def entry_words(entries: Iterable[tuple[int, bytes, int]]) -> Words:
    """Entries as PrefixTrie takes them, each in one word; in order, none twice. Raises ValueError as it does."""

def moved_words(some: Words, kept: Mapping[int, int]) -> Words:
    """The words of the lists that are kept, index there -> index here, in order."""

class PrefixTrie:
    """Listed prefixes, immutable: 16 bytes a node, and 8 an entry.

    Parameters
    ----------
    entries : iterable of (root, digits, list_index)
        `root` is a PrefixRoot, `digits` 1 to 15 ASCII digits (numbers: E.164 without "+"), `list_index` 0..63.
        Order does not matter; repeated entries count once.
    words : array of uint64
        Given instead: `entry_words` of the entries, or what was made of such by numpy's operations on sets.

    Raises
    ------
    ValueError
        For an entry out of range; the message shows it.
    MemoryError
        When the system has no room for the trie.
    """

    def __init__(
        self, entries: Iterable[tuple[int, bytes, int]] = (), *, words: Words | None = None
    ) -> None: ...
    @property
    def words(self) -> Words:
        """Its entries, for the tries that are made of it."""

    def find(self, root: int, digits: bytes) -> int:
        """Union of the bitmaps of every listed prefix of `digits`; a byte that is no digit ends the walk."""

    def matches(self, root: int, digits: bytes) -> list[tuple[int, int]]:
        """(length, bitmap) of each listed prefix of `digits`, the shortest first."""

    def count(self, list_index: int) -> int:
        """Prefixes on a list."""

    @property
    def nbytes(self) -> int:
        """Bytes of the nodes and the head."""
