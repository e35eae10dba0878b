"""IPv4 and IPv6 networks -> bitmap of lists. IPv4 is held as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2)."""

from collections.abc import Iterable

class NetworkTable:
    """Listed networks, immutable: 80 bytes each.

    Parameters
    ----------
    entries : iterable of (address, length, list_index)
        `address` 16 bytes, IPv6 or IPv4-mapped, no bit of it set behind the prefix; `length` of the prefix, 0..128 (of
        an IPv4 network 96 more than its own); `list_index` 0..63. Order does not matter; repeated entries count once.

    Raises
    ------
    ValueError
        For an entry out of range; the message shows it.
    MemoryError
        When the system has no room for the table.
    """

    def __init__(self, entries: Iterable[tuple[bytes, int, int]]) -> None: ...
    def entries(self, list_index: int) -> list[tuple[bytes, int]]:
        """The networks on a list, in order: (address, length)."""

    def find(self, text: bytes) -> int:
        """Union of the bitmaps of every network the address is in; 0 for what is no address.

        IPv4 as four decimal numbers without leading zeros, IPv6 as in RFC 4291 section 2.2 (RFC 5952 is one way to
        write it); with a zone, brackets or a port it is none.
        """

    def matches(self, text: bytes) -> list[tuple[bytes, int, int]]:
        """(address, length, bitmap) of each network the address is in, the widest first."""

    def count(self, list_index: int) -> int:
        """Networks on a list."""

    @property
    def nbytes(self) -> int:
        """Bytes reserved for the networks and their stretches, and the head."""
