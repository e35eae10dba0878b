"""Networks of the internet protocol as entries of a list: their canonical text, and how the engine holds them."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

#: the shortest prefixes that are taken: what is wider is no one operator's
SHORTEST = {4: 8, 6: 16}

_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 section 2.5.5.2
_EVERY_IPV4 = IPv6Network("::ffff:0:0/96")


def network_text(text: str) -> str:
    """The canonical form of ``192.0.2.0/24``, ``2001:db8::/32`` or a single address, which is written without a prefix.

    Raises
    ------
    ValueError
        The text is none, has bits set behind its prefix, or covers too much: with what to write.
    """
    network = _network(text)
    if network.prefixlen < SHORTEST[network.version]:
        raise ValueError(
            f"{text[:60]!r} covers 2^{network.max_prefixlen - network.prefixlen} addresses; a list holds networks "
            f"of at least /{SHORTEST[network.version]}"
        )
    if isinstance(network, IPv6Network) and _EVERY_IPV4.subnet_of(network):
        raise ValueError(f"{text[:60]!r} covers every IPv4 address, which are mapped into it (RFC 4291)")
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if single else network)


@lru_cache(1 << 16)
def packed_network(text: str) -> tuple[bytes, int]:
    """Address (16 bytes: IPv6, or IPv4 mapped into it) and prefix length (0 to 128) of a canonical text."""
    network = ip_network(text)
    if network.version == 4:
        return _MAPPED + network.network_address.packed, 96 + network.prefixlen
    return network.network_address.packed, network.prefixlen


def _network(text: str) -> IPv4Network | IPv6Network:
    shown = repr(text[:60])
    if "%" in text:
        raise ValueError(f"{shown}: write an address without a zone")
    if text.startswith("["):
        raise ValueError(f"{shown}: write an address without brackets and port")
    try:
        network = ip_network(text)
    except ValueError:
        address, _, _ = text.partition("/")
        try:
            wider = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(
                f"{shown} is no address and no network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
            ) from None
        raise ValueError(
            f"{shown} has bits set behind its prefix: write {wider}, or {address} for that address alone"
        ) from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network
