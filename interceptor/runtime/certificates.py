"""When certificates end: the service's own, and the authorities that it goes by."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: the service's own certificate, and the authority of its clients; a sink's authority is told by the sink's name
SERVER, CLIENTS, SINK = "server", "clients", "sink {}"
#: by what it is for and its file: seconds since the epoch
Ends = dict[tuple[str, str], float]


def ends_of(own: Path, clients: Path | None) -> Ends:
    """Of the files that connections are encrypted with. Raises OSError (ssl.SSLError) for what is no certificate."""
    ends = {(SERVER, str(own)): end_of_chain(own)}
    if clients is not None:
        ends[CLIENTS, str(clients)] = end_of_authorities(clients)
    return ends


def ends_of_sinks(authorities: Mapping[str, Path]) -> Ends:
    """Of the authorities that sinks go by, by the sink's name. Raises OSError."""
    return {(SINK.format(name), str(path)): end_of_authorities(path) for name, path in authorities.items()}


def own_certificate(path: Path) -> dict[str, Any]:
    """The first certificate of a file, as `ssl.SSLSocket.getpeercert` has it. Raises OSError.

    Python's documented functions read the dates of authorities and of a peer alone; this one, by which it tests them,
    has been in CPython since 2.6. A library for it would be one more dependency of every service.
    """
    said: dict[str, Any] = ssl._ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]
    return said


def end_of_chain(path: Path) -> float:
    """When the first certificate of a chain ends: from then on nobody trusts it. Raises OSError."""
    ends = [ssl.cert_time_to_seconds(own_certificate(path)["notAfter"]), *_authorities(path)]
    return float(min(ends))


def end_of_authorities(path: Path) -> float:
    """When the last authority of a bundle ends: from then on it lets nobody in. Raises OSError.

    The last, for an old one stays in a bundle beside the one that follows it.
    """
    return float(max(_authorities(path), default=0))


def _authorities(path: Path) -> list[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(path)
    return [ssl.cert_time_to_seconds(str(each["notAfter"])) for each in context.get_ca_certs()]
