"""Where the generator connects to: the address as text, as a sockaddr and as HTTP/2's authority."""

import socket
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A server's address, resolved."""

    text: str  #: as it was given
    authority: str  #: of the requests (RFC 9113 section 8.3.1)
    family: int  #: of the socket
    sockaddr: bytes  #: struct sockaddr_in, sockaddr_in6 or sockaddr_un


def resolve(address: str) -> Target:
    """Resolves ``HOST:PORT``, ``[IPv6]:PORT`` or ``unix:PATH``; of a name's addresses the first one counts.

    Raises
    ------
    ValueError
        When it is neither.
    OSError
        When the name cannot be resolved.
    """
    if address.startswith("unix:"):
        path = address.removeprefix("unix:").encode()
        if not 0 < len(path) < 108:
            raise ValueError(f"target {address!r}: a socket's path has 1 .. 107 bytes (unix(7))")
        return Target(address, "localhost", socket.AF_UNIX, struct.pack("=H108s", socket.AF_UNIX, path))
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"target {address!r}: expected HOST:PORT or unix:PATH")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"target {address!r}: {error.strerror}") from error
    family, _, _, _, where = found[0]
    port_bytes = struct.pack("!H", where[1])
    packed = socket.inet_pton(family, str(where[0]).partition("%")[0])
    if family == socket.AF_INET6:
        scope = int(where[3]) if len(where) > 3 else 0
        sockaddr = struct.pack("=H2sI16sI", family, port_bytes, 0, packed, scope)
    else:
        sockaddr = struct.pack("=H2s4s8x", family, port_bytes, packed)
    return Target(address, address, family, sockaddr)
