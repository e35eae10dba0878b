"""A gRPC channel to one service: certificates, and how gRPC itself is to watch over the connection."""

import json
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Tls:
    """PEM files; read once, when the client is made."""

    ca: Path | str  #: whose certificates are good for the service
    certificate: Path | str | None = None  #: the switch's own, where the service wants one (mTLS)
    key: Path | str | None = None  #: its key
    server_name: str | None = None  #: the name in the service's certificate, where it is not the target's

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("Tls: a certificate needs its key, and a key its certificate")


#: round_robin, as pick_first does not watch a service's health (gRFC A17): one that says NOT_SERVING, because it is
#: stopping or has no policy yet, is as good as not there, before it costs a call. No retryPolicy: the next service is
#: the retry; what gRPC knows was never looked at it sends again by itself.
SERVICE = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", json.dumps(SERVICE)),
    # A connection that died in silence (a firewall forgot it, power was cut) is noticed within 7 s. gRPC goes by its
    # ping timeout (grpc/grpc#39239), a minute if not told.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A service that is back is found within about a second; the least is how long one attempt may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Never a connection that another channel made, maybe before this process was forked.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


class Dialler:
    """Makes channels. It holds the certificates, so that a worker process which may not read the key can use it.

    Raises OSError where a PEM file cannot be read.
    """

    def __init__(self, tls: Tls | None) -> None:
        self._options = OPTIONS
        self._pem: tuple[bytes, bytes | None, bytes | None] | None = None
        if tls is not None:
            self._pem = (Path(tls.ca).read_bytes(), read(tls.key), read(tls.certificate))
            if tls.server_name is not None:
                self._options += (("grpc.ssl_target_name_override", tls.server_name),)

    def dial(self, target: str) -> grpc.Channel:
        """A channel of this process; it connects when it is first used."""
        if self._pem is None:
            return grpc.insecure_channel(target, self._options)
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(*self._pem), self._options)


def read(path: Path | str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
