"""A server of response policy zones: resolvers take the domains of the lists from it, whole or change by change."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import dns.exception
import dns.name
import dns.tsig

from interceptor.control.zoneanswers import ZoneAnswers
from interceptor.control.zonedata import ZoneData
from interceptor.runtime.addresses import ListenError, endpoint, local
from interceptor.runtime.logs import Log
from interceptor.runtime.niceness import step_back
from interceptor.store.words import StoreError

#: seconds between looks at the lists
PERIOD = 1.0
#: connections at once; one more is closed
CONNECTIONS = 16
#: seconds a resolver may take to ask, and to take each message of an answer
PATIENCE = 10.0
#: domains that are on a list now, and domains that are not, of those that changed since the last call
Feed = Callable[[], tuple[Collection[str], Collection[str]]]

_KEY_FILE = re.compile(
    r'key\s+"?([\w.-]+)"?\s*\{\s*algorithm\s+"?hmac-sha256"?\s*;\s*secret\s+"?([A-Za-z0-9+/=]+)"?\s*;\s*\}\s*;?'
)


def read_key(path: Path) -> dns.tsig.Key:
    """The key of a file as BIND's ``tsig-keygen -a hmac-sha256`` writes it. ListenError when it is none."""
    try:
        found = _KEY_FILE.fullmatch(path.read_text().strip())
        if found:
            return dns.tsig.Key(found[1], found[2], dns.tsig.HMAC_SHA256)
    except OSError as error:
        raise ListenError(f"{path}: the key of zones cannot be read: {error.strerror}") from None
    except (ValueError, dns.exception.DNSException):
        pass
    raise ListenError(
        f'{path} is no key of zones: write key "NAME" {{ algorithm hmac-sha256; secret "BASE64"; }}; as '
        "`tsig-keygen -a hmac-sha256 NAME` does"
    )


class ZoneServer:
    """Serves zones over UDP and TCP on one address: bound when made, answering after `start`.

    Parameters
    ----------
    address
        ``HOST:PORT``; port 0: any, which `port` tells.
    zones
        By name, what each is made of: `interceptor.store.domainfeed.DomainFeed`, for example.
    key
        Who does not sign with it is refused. None: everybody is answered, on a loopback address only.
    notify
        Resolvers (``HOST:PORT``) that are told of each change at once (RFC 1996); others ask every 30 seconds.
    bound
        Sockets of the address, for datagrams and for connections, of a process that hands them over.

    Raises
    ------
    ListenError
        The address cannot be served, or is open to others without a key, or a name is none of a zone.
    """

    def __init__(
        self,
        address: str,
        zones: Mapping[str, Feed],
        *,
        key: dns.tsig.Key | None,
        log: Log,
        notify: Sequence[str] = (),
        bound: tuple[socket.socket, socket.socket] | None = None,
    ) -> None:
        if key is None and not local(address):
            raise ListenError(
                f"{address} is open to other machines: give --zone-key FILE, which resolvers sign with, or listen on "
                "127.0.0.1"
            )
        self._log = log
        made = {_name(name): ZoneData(name.rstrip(".").lower()) for name in zones}
        self._feeds = list(zip(made.values(), zones.values(), strict=True))
        self._answers = ZoneAnswers(made, key)
        self._notified = [endpoint(resolver) for resolver in notify]
        self._udp, self._tcp = bound or _bound(address)
        #: another process goes on with the sockets
        self.shared = False
        self._udp.settimeout(PERIOD)  # to see that it is to stop
        self._tcp.settimeout(PERIOD)
        self._stopping = threading.Event()
        self._looked = threading.Event()  # at the lists: before, nobody is answered
        self._seats = threading.BoundedSemaphore(CONNECTIONS)
        self._connections: set[socket.socket] = set()
        self._failing: set[str] = set()
        self._threads = [
            threading.Thread(target=run, name=f"zones-{run.__name__}", daemon=True)
            for run in (self._follow, self._datagrams, self._accept)
        ]

    @property
    def sockets(self) -> tuple[socket.socket, socket.socket]:
        """For datagrams, and for connections."""
        return self._udp, self._tcp

    @property
    def port(self) -> int:
        port: int = self._tcp.getsockname()[1]
        return port

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends every transfer, and answers no longer."""
        self._stopping.set()
        # What is shut down is so for every process that has it: shared ones are left as soon as somebody looks.
        own = () if self.shared else (self._tcp, self._udp)
        for each in (*own, *list(self._connections)):
            with contextlib.suppress(OSError):  # it was not connected, or is gone
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._tcp.close()
        self._udp.close()

    # ---- the zones --------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        step_back()
        while True:
            for zone, feed in self._feeds:
                self._take(zone, feed)
            self._looked.set()
            if self._stopping.wait(PERIOD):
                return

    def _take(self, zone: ZoneData, feed: Feed) -> None:
        try:
            added, removed = feed()
        except StoreError as error:
            if zone.name not in self._failing:
                self._log.error("zone stays as it was", zone=zone.name, problem=str(error))
            self._failing.add(zone.name)
            return
        self._failing.discard(zone.name)
        if zone.change(added, removed, int(time.time())):
            self._log.info("zone changed", zone=zone.name, serial=zone.serial, domains=len(zone))
            for resolver in self._notified:
                with contextlib.suppress(OSError):  # it asks by itself later
                    self._udp.sendto(self._answers.notice(zone), resolver)

    # ---- who asks ---------------------------------------------------------------------------------------------

    def _datagrams(self) -> None:
        step_back()
        self._looked.wait()
        while not self._stopping.is_set():
            try:
                asked, who = self._udp.recvfrom(4096)
                for message in self._answers.to(asked, stream=False):
                    self._udp.sendto(message, who)
            except OSError:
                continue  # nobody is there for the answer any more
            except Exception as error:  # a bug that some question finds is not the end of the others
                self._log.error("question for a zone was not answered", problem=repr(error))

    def _accept(self) -> None:
        self._looked.wait()
        while not self._stopping.is_set():
            try:
                connection, _ = self._tcp.accept()
            except TimeoutError:
                continue
            except OSError:
                self._stopping.wait(PERIOD)  # no file descriptors are left, or it was told to stop
                continue
            if not self._seats.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), name="zones-serve", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        step_back()
        self._connections.add(connection)
        try:
            with connection:
                while not self._stopping.is_set():
                    asked = _message(connection)
                    for message in self._answers.to(asked, stream=True):
                        connection.settimeout(PATIENCE)
                        connection.sendall(struct.pack("!H", len(message)) + message)
        except OSError:
            pass  # it hung up, or takes too long
        finally:
            self._connections.discard(connection)
            self._seats.release()


def _message(connection: socket.socket) -> bytes:
    """The next message of a connection; OSError when it does not come, as a whole, in time."""
    until = time.monotonic() + PATIENCE
    (size,) = struct.unpack("!H", _bytes(connection, 2, until))
    return _bytes(connection, size, until)


def _bytes(connection: socket.socket, size: int, until: float) -> bytes:
    taken = b""
    while len(taken) < size:
        connection.settimeout(max(0.001, until - time.monotonic()))
        piece = connection.recv(size - len(taken))
        if not piece:
            raise ConnectionError
        taken += piece
    return taken


def _name(name: str) -> dns.name.Name:
    try:
        return dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise ListenError(f"{name!r} is no name of a zone: {error}") from None


def _bound(address: str) -> tuple[socket.socket, socket.socket]:
    """A socket for datagrams and one that listens, on the same port."""
    host, port = endpoint(address)
    try:
        family, _, _, _, at = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        tcp = socket.socket(family, socket.SOCK_STREAM)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(at)
            udp.bind((at[0], tcp.getsockname()[1], *at[2:]))
            tcp.listen(CONNECTIONS)
        except BaseException:
            tcp.close()
            udp.close()
            raise
    except OSError as error:
        raise ListenError(f"zones cannot be served on {address}: {error.strerror or error}") from None
    return udp, tcp
