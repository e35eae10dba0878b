"""TLS on sockets of the caller: who we are, whom we ask, and one connection for tests."""

from os import PathLike
from typing import Literal

class TlsServer:
    """The service's identity: TLS 1.2 or newer, forward-secret AEAD ciphers alone (RFC 9113 section 9.2), ALPN h2.

    Parameters
    ----------
    certificate
        File of the certificate chain, PEM, the service's own certificate first.
    key
        File of its private key, PEM, without a passphrase.
    clients
        File of CA certificates, PEM, self-signed or intermediate. Given, a client must show a certificate of one of
        them.

    Raises
    ------
    OSError
        When a file cannot be opened.
    ValueError
        When a file does not hold what it should, the key is another certificate's, or the certificate is expired or not
        yet valid; the message names the file and what to do.
    """

    def __init__(
        self,
        certificate: str | PathLike[str],
        key: str | PathLike[str],
        clients: str | PathLike[str] | None = None,
    ) -> None: ...
    def reload(self) -> None:
        """Reads the files again, for connections that begin from now on; raises as above and then changes nothing."""

class TlsClient:
    """What a client trusts and shows.

    Parameters
    ----------
    ca
        File of CA certificates, PEM; None: those of the system.
    certificate, key
        Files of the client's certificate chain and key, PEM; both or neither.
    name
        DNS name or IP address the server's certificate must be for.

    Raises
    ------
    OSError, ValueError
        As TlsServer; also for a name that is none.
    """

    def __init__(
        self,
        ca: str | PathLike[str] | None,
        certificate: str | PathLike[str] | None,
        key: str | PathLike[str] | None,
        name: str,
    ) -> None: ...

class TlsProbe:
    """One connection from Python, as the data plane has it.

    A method returns 0 when the other side has closed, -1 to wait until the socket can be read, -2 written, -3 when TLS
    failed.

    Parameters
    ----------
    end
        Which end of the connection this is.
    fd
        A connected socket; it stays the caller's.
    """

    def __init__(self, end: TlsServer | TlsClient, fd: int) -> None: ...
    def handshake(self) -> Literal[1, 0, -1, -2, -3]:
        """1: done, and both ends speak h2."""

    def read(self, room: int) -> bytes | Literal[0, -1, -2, -3]:
        """What is there, at most `room` bytes."""

    def write(self, data: bytes) -> int:
        """Bytes taken."""

    def peer(self) -> str:
        """The name of the other side's certificate; empty without one."""

    def close(self) -> None:
        """Says goodbye, if it can. No other method may follow."""
