"""The obvious table of networks: every entry, asked by the standard library whether the address is in it."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_address


class Networks:
    def __init__(self, entries: Iterable[tuple[bytes, int, int]]) -> None:
        self.entries = {(IPv6Network((address, length)), index) for address, length, index in entries}

    def matches(self, text: str) -> list[tuple[bytes, int, int]]:
        address = mapped(text)
        found: dict[IPv6Network, int] = {}
        for network, index in self.entries:
            if address is not None and address in network:
                found[network] = found.get(network, 0) | 1 << index
        return [
            (network.network_address.packed, network.prefixlen, found[network]) for network in sorted(found)
        ]

    def find(self, text: str) -> int:
        bitmap = 0
        for _, _, on in self.matches(text):
            bitmap |= on
        return bitmap

    def count(self, list_index: int) -> int:
        return sum(index == list_index for _, index in self.entries)


def mapped(text: str) -> IPv6Address | None:
    """The address a text is, IPv4 mapped into IPv6; None for one with a zone, and for what is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id is not None else address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
