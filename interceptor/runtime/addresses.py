"""Addresses the service listens on: as an operator writes them, and whether other machines reach them."""

import ipaddress


class ListenError(Exception):
    """The address cannot be served; the message says what to do."""


def guard(address: str, encrypted: bool, insecure: bool) -> None:
    """Raises ListenError for an address other machines reach, unless it is encrypted or that is asked for."""
    if encrypted or insecure or local(address):
        return
    raise ListenError(
        f"{address} is open to other machines: give --tls-cert and --tls-key, or say --insecure, or listen on 127.0.0.1"
    )


def local(address: str) -> bool:
    """Whether only this machine reaches `address`: loopback, or a Unix socket."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host, _ = endpoint(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT`` or ``[IPV6]:PORT``."""
    host, separator, port = address.rpartition(":")
    if not (separator and host and port.isdecimal() and int(port) < 1 << 16):
        raise ListenError(f"{address} is no address: give HOST:PORT, [IPV6]:PORT or unix:PATH")
    return host.removeprefix("[").removesuffix("]"), int(port)
