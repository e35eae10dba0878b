"""Who the service must be, and who the switch is: certificates for the connection."""

from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Tls:
    """PEM files. Read whenever a connection is made anew, so that renewed ones are taken after a fork or a restart."""

    ca: Path | str  #: whose certificates are good for the service
    certificate: Path | str | None = None  #: the switch's own, where the service wants one (mTLS)
    key: Path | str | None = None  #: its key
    server_name: str | None = None  #: the name in the service's certificate, where it is not the target's

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("Tls: a certificate needs its key, and a key its certificate")

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises OSError where a file cannot be read."""
        return grpc.ssl_channel_credentials(
            Path(self.ca).read_bytes(),
            Path(self.key).read_bytes() if self.key is not None else None,
            Path(self.certificate).read_bytes() if self.certificate is not None else None,
        )
