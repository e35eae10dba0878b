"""DNS response policy zones (RPZ): the names by which a resolver is told to refuse a listed domain, and zone files.

The format is BIND's, which Unbound, Knot Resolver and PowerDNS read too (draft-vixie-dnsop-dns-rpz-00): a name below
the zone is what is asked for, and ``CNAME .`` makes the answer "no such domain".
"""

import ipaddress
from collections.abc import Iterable, Iterator

#: seconds: how often a resolver asks for news, asks again, goes on without us; and how long it keeps a record
REFRESH, RETRY, EXPIRE, TTL = 30, 15, 7 * 24 * 3600, 60
#: who is named as the zone's server and its keeper: a policy zone is transferred, never delegated to
SERVER, KEEPER = "localhost.", "nobody.invalid."
MAX_NAME = 253

#: names of one message or of one piece of a file
PIECE = 4096


def owners(domain: str, zone: str) -> list[str]:
    """The names, relative to the zone, of a domain on the list: itself and everything below it.

    An address as the domain (of a SIP URI) stands for answers with that address in them. Names that do not fit below
    the zone's are left out.

    Parameters
    ----------
    domain
        In its canonical form.
    zone
        Name of the zone, without a dot at its end.
    """
    names = [domain, f"*.{domain}"]
    if domain[-1].isdigit() or ":" in domain:  # no top-level domain ends in a digit
        address = ipaddress.ip_address(domain)
        if isinstance(address, ipaddress.IPv4Address):
            groups = domain.split(".")
        else:  # the longest run of zeros is written "zz"
            groups = address.compressed.replace("::", ":zz:").strip(":").split(":")
        names = [".".join([str(address.max_prefixlen), *reversed(groups), "rpz-ip"])]
    return [name for name in names if len(name) + 1 + len(zone) <= MAX_NAME]


def zone_file(domains: Iterable[str], *, zone: str, serial: int) -> Iterator[bytes]:
    """A zone as a master file (RFC 1035, section 5), piece by piece.

    Parameters
    ----------
    serial
        It must grow with each change of the list: seconds since the Unix epoch do, revisions of the store do not,
        for entries also end by themselves.
    """
    head = (
        f"$ORIGIN {zone}.\n"
        f"$TTL {TTL}\n"
        f"@ SOA {SERVER} {KEEPER} {serial & 0xFFFFFFFF} {REFRESH} {RETRY} {EXPIRE} {TTL}\n"
        f"@ NS {SERVER}\n"
    )
    lines = [head]
    for domain in domains:
        lines += (f"{name} CNAME .\n" for name in owners(domain, zone))
        if len(lines) > PIECE:
            yield "".join(lines).encode("ascii")
            lines = []
    yield "".join(lines).encode("ascii")
