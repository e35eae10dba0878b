"""The control plane's socket: one grpcio server with Interception, Admin, health and reflection."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from interceptor.control import admin, interception
from interceptor.control.admin import Admin
from interceptor.control.allowing import AllowList
from interceptor.control.interception import Interception
from interceptor.control.watching import WATCHERS
from interceptor.runtime.addresses import ListenError, guard, local
from interceptor.runtime.logs import Log
from interceptor.runtime.service import Service

#: bytes of one request, a piece of an import; each method has its own bound below it
LARGEST = (1 << 20) + 4096
STREAMS = 16  # of switches; a stream holds a thread
THREADS = 2 * STREAMS + WATCHERS  # as many stay for single calls and operators
QUEUED = 1024  # requests inside the server at once; the next one is refused, not queued


@dataclass(frozen=True)
class Tls:
    """Files of the service's identity, PEM."""

    certificate: Path
    key: Path
    clients: Path | None = None  #: CA of the clients; given, a client must show a certificate

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Raises ListenError when a file cannot be read."""
        return grpc.ssl_server_certificate_configuration(
            [(contents(self.key), contents(self.certificate))],
            root_certificates=contents(self.clients) if self.clients else None,
        )


class ControlServer:
    """The server on `address`: its own from `bind`, answering when started, SERVING when `open` is called."""

    def __init__(
        self,
        service: Service,
        address: str,
        log: Log,
        *,
        tls: Tls | None = None,
        allowed: Collection[str] = (),
        insecure: bool = False,
    ) -> None:
        """allowed: names of the clients that are answered, if not all are. Raises ListenError."""
        guard(address, tls is not None, insecure)
        trusted = local(address) or bool(allowed)
        if not trusted and not service.store.credentials.any():
            raise ListenError(
                f"--control {address} is open to other machines, and nobody has been given access: start with "
                "--control on 127.0.0.1, let an admin in with `interceptor access grant NAME --role admin`, "
                "start again; or name the clients with --tls-client-ca and --tls-allow"
            )
        self._service = service
        self._tls = tls
        self._credentials = None if tls is None else self._encrypted(tls)
        self._certificate: grpc.ServerCertificateConfiguration | None = None  # read, and not yet used
        self._reading = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, "control")
        self._server = grpc.server(
            self._pool,
            interceptors=[AllowList(allowed, service.tally)] if allowed else [],
            options=[
                ("grpc.max_receive_message_length", LARGEST),
                # A second server on the port is an error, not a partner.
                ("grpc.so_reuseport", 0),
                # Who waits, for the end of an import or for pictures, looks now and then whether we are there.
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ],
            maximum_concurrent_rpcs=QUEUED,
        )
        self._health = health.HealthServicer()
        self._names = ("", interception.NAME, admin.NAME)
        self._tell(health_pb2.HealthCheckResponse.NOT_SERVING)
        authenticated = tls is not None and tls.clients is not None
        self._admin = Admin(service, log, trusted=trusted)
        self._server.add_generic_rpc_handlers(
            (
                Interception(service, streams=STREAMS, authenticated=authenticated).handlers(),
                self._admin.handlers(),
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (interception.NAME, admin.NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        #: what clients dial; `bind` replaces a port of 0 by the one the system chooses
        self.address = address

    def bind(self) -> None:
        """Takes the address. Raises ListenError, and may be tried again then."""
        try:
            port = (
                self._server.add_insecure_port(self.address)
                if self._credentials is None
                else self._server.add_secure_port(self.address, self._credentials)
            )
        except RuntimeError as error:
            raise ListenError(
                f"cannot listen on {self.address}: in use by another process, or no address of this machine"
            ) from error
        if not self.address.startswith("unix:"):
            self.address = f"{self.address.rpartition(':')[0]}:{port}"

    def start(self) -> None:
        """Answers from now on; health says NOT_SERVING until `open`."""
        self._server.start()

    def open(self) -> None:
        """Health says SERVING."""
        self._tell(health_pb2.HealthCheckResponse.SERVING)

    def reload_tls(self) -> None:
        """Reads the files of TLS again, for connections that begin from now on. Raises ListenError."""
        assert self._tls is not None
        newer = self._tls.read()
        with self._reading:
            self._certificate = newer

    def close(self, grace: float) -> None:
        """Health says NOT_SERVING, new requests are refused, those in flight finish within `grace` seconds."""
        self._health.enter_graceful_shutdown()
        self._service.watching.stop()  # who watches would be waited for, all of `grace`
        self._server.stop(grace).wait()
        self._pool.shutdown()
        self._admin.close()

    def _encrypted(self, tls: Tls) -> grpc.ServerCredentials:
        return grpc.dynamic_ssl_server_credentials(
            tls.read(),
            self._newer_certificate,  # type: ignore[arg-type]  # its stub forgets that None is no change
            require_client_authentication=tls.clients is not None,
        )

    def _newer_certificate(self) -> grpc.ServerCertificateConfiguration | None:
        """What gRPC asks as a connection begins."""
        with self._reading:
            newer, self._certificate = self._certificate, None
        return newer

    def _tell(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            self._health.set(name, status)


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ListenError(f"{path}: {error.strerror or error}") from error
