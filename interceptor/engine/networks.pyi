"""IPv4 and IPv6 networks -> bitmap of lists. IPv4 is held as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2)."""

from collections.abc import Iterable, Mapping

from interceptor.engine.spec import ListContent

#: 16 bytes, IPv6 or IPv4-mapped, no bit set behind the prefix; its length, 0..128 (of IPv4 96 more than its own)
Packed = tuple[bytes, int]

class NetworkTable:
    """Listed networks, immutable: 80 bytes each. A new one holds none.

    Raises
    ------
    ValueError
        From `changed` for a network, from all methods for a list index out of range; the message shows it.
    MemoryError
        When the system has no room for the table.
    """

    def changed(self, list_index: int, networks: Iterable[Packed], on: bool) -> tuple[NetworkTable, int]:
        """A table with the networks put on a list, or taken off it, and how many were not there, or were.

        That is this one when nothing changes. Takes 50 ns for each network of the table, without the GIL.
        """

    def remapped(self, kept: Mapping[int, int]) -> NetworkTable:
        """A table with the networks of the lists in `kept` (index here -> index there)."""

    def rebuilt(
        self,
        kept: Mapping[int, int],
        added: Mapping[int, ListContent],
        off: tuple[int, ListContent] | None,
    ) -> tuple[NetworkTable, int, int]:
        """What `tables.rebuilt` does, for networks."""

    def bitmap(self, address: bytes, length: int) -> int:
        """Lists that hold exactly this network. ValueError when it is none."""

    def entries(self, list_index: int) -> list[Packed]:
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
