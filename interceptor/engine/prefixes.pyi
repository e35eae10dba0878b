"""Prefixes of numbers, of IMEIs (TAC, 3GPP TS 23.003 clause 6) and of IMSIs (MCC-MNC, ITU-T E.212)."""

from collections.abc import Iterable
from enum import IntEnum

class PrefixRoot(IntEnum):
    """What the digits are."""

    ROOT_NUMBER = 0
    ROOT_IMEI = 1
    ROOT_IMSI = 2
    N_ROOTS = 3

class PrefixTrie:
    """Listed prefixes, immutable: 16 bytes a node.

    Parameters
    ----------
    entries : iterable of (root, digits, list_index)
        `root` is a PrefixRoot, `digits` 1 to 15 ASCII digits (numbers: E.164 without "+"), `list_index` 0..63.
        Order does not matter; repeated entries count once.

    Raises
    ------
    ValueError
        For an entry out of range; the message shows it.
    MemoryError
        When the system has no room for the trie.
    """

    def __init__(self, entries: Iterable[tuple[int, bytes, int]]) -> None: ...
    def find(self, root: int, digits: bytes) -> int:
        """Union of the bitmaps of every listed prefix of `digits`; a byte that is no digit ends the walk."""

    def matches(self, root: int, digits: bytes) -> list[tuple[int, int]]:
        """(length, bitmap) of each listed prefix of `digits`, the shortest first."""

    def count(self, list_index: int) -> int:
        """Prefixes on a list."""

    @property
    def nbytes(self) -> int:
        """Bytes of the nodes and the head."""
