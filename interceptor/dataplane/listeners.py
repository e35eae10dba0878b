"""The sockets a data plane listens on: bound from addresses as an operator writes them."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BACKLOG = 4096
MODE = 0o660  #: of a Unix socket's file
KEEPALIVE_S, KEEPALIVE_EVERY_S = 60, 15  #: silence before the kernel asks whether the other machine is there


@dataclass(frozen=True)
class Listener:
    """One bound socket, and what clients dial."""

    socket: socket.socket
    address: str
    file: tuple[str, int] | None = None  #: of a Unix socket: its path and inode
    owned: bool = True  #: False: another process listens on it too, and the file stays

    def close(self) -> None:
        """Nobody connects any more; the file of a Unix socket goes, if it still is ours."""
        self.socket.close()
        if self.file is not None and self.owned:
            with contextlib.suppress(OSError):
                path, inode = self.file
                if Path(path).lstat().st_ino == inode:
                    Path(path).unlink()


def listen(addresses: Sequence[str | Listener], stall_ms: int) -> list[Listener]:
    """Listens on every address: ``HOST:PORT``, ``[IPV6]:PORT`` (port 0: any) or ``unix:PATH``.

    A Listener is taken as it is.

    A name of several addresses, such as localhost, is listened to on all of them. Raises ValueError for what is no
    address and OSError, naming the address, for what cannot be bound; nothing stays bound then. Accepted sockets
    inherit what is set here. stall_ms: how long sent bytes may go unacknowledged before the kernel gives up.
    """
    bound: list[Listener] = []
    try:
        for address in addresses:
            if isinstance(address, Listener):
                bound.append(address)
            elif address.startswith("unix:"):
                bound.append(_unix(address))
            else:
                bound += _tcp(address, stall_ms)
    except BaseException:
        for each in bound:
            each.close()
        raise
    return bound


def _tcp(address: str, stall_ms: int) -> list[Listener]:
    host, separator, digits = address.rpartition(":")
    if not (separator and host and digits.isascii() and digits.isdecimal() and int(digits) < 1 << 16):
        raise ValueError(f"{address!r} is no address: give HOST:PORT, [IPV6]:PORT or unix:PATH")
    bare = host.removeprefix("[").removesuffix("]")
    if ":" in bare and bare == host:
        raise ValueError(f"{address!r} is no address: write an IPv6 address in brackets, [{host}]:{digits}")
    try:
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(f"cannot listen on {address}: {host} is no address of this machine") from error
    port = int(digits)
    bound: list[Listener] = []
    refused: OSError | None = None
    for family, at in dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found):
        try:
            listener = _listen(socket.socket(family, socket.SOCK_STREAM), (at[0], port, *at[2:]), stall_ms)
        except OSError as error:
            refused = error
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # localhost may have an address of a family that is switched off
            break
        port = listener.getsockname()[1]
        bound.append(Listener(listener, f"{host}:{port}"))
    if not bound or (refused is not None and refused.errno == errno.EADDRINUSE):
        for each in bound:
            each.close()
        assert refused is not None
        raise OSError(
            refused.errno, f"cannot listen on {address}: {os.strerror(refused.errno or 0)}"
        ) from refused
    return bound


def _listen(one: socket.socket, at: tuple[object, ...], stall_ms: int) -> socket.socket:
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_EVERY_S)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stall_ms)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.bind(at)
        one.listen(BACKLOG)
    except BaseException:
        one.close()
        raise
    return one


def _unix(address: str) -> Listener:
    path = address.removeprefix("unix:").removeprefix("//")
    if not path:
        raise ValueError(f"{address!r} is no address: give unix:PATH")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        _clear(path)
        os.fchmod(one.fileno(), MODE)  # Linux gives the file this mode, less the umask
        one.bind(path)
        inode = Path(path).lstat().st_ino
        Path(path).chmod(MODE)
        one.listen(BACKLOG)
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror or error}") from error
    return Listener(one, address, (path, inode))


def _clear(path: str) -> None:
    """Removes the socket file a service that is gone has left. Anything else there is an OSError."""
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EEXIST, "there is a file of that name, and it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.setblocking(False)
        try:
            asked.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except BlockingIOError:  # its queue is full: somebody is there
            pass
    raise OSError(errno.EADDRINUSE, "another process listens there")
