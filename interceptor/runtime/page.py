"""The page for machines: what answers at /metrics, /healthz and /readyz."""

import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from interceptor.dataplane.server import DataPlane
from interceptor.runtime.service import Service

#: takes a request and answers it (PEP 3333)
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
#: seconds that who asks may take for it
PATIENCE = 10.0
#: connections at once, a thread and a file each, of which calls have the others; one more is closed
CONNECTIONS = 128
#: seconds until it sees that it is to end: a process that follows has its port by then
LOOK = 0.1


@dataclass
class Paths:
    """What is answered at which path.

    Parameters
    ----------
    metrics
        Answers at /metrics, and at / as ever.
    waiting
        Why no calls are to be sent here; empty: they are.
    """

    metrics: App
    waiting: Callable[[], str]
    stopping: bool = field(default=False)  #: the service is about to end

    def __call__(self, asked: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        path = asked.get("PATH_INFO", "")
        if path == "/healthz":  # who answers is alive
            return _said(answer, HTTPStatus.OK, "alive")
        if path == "/readyz":
            why = "the service is stopping" if self.stopping else self.waiting()
            return _said(answer, HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK, why or "ready")
        return self.metrics(asked, answer)


def paths_of(service: Service, plane: DataPlane) -> Paths:
    """Of a service: its metrics, its data plane's and this process's, and whether it decides calls."""

    @cache
    def metrics() -> App:
        from interceptor.runtime.metrics import metrics_app  # noqa: PLC0415 - prometheus_client: not before a scrape

        return metrics_app(service, plane)

    def scraped(asked: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        return metrics()(asked, answer)

    return Paths(
        scraped,
        lambda: "" if service.ready else "the service loads policy and lists, or is stopping",
    )


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64
    encryption: ssl.SSLContext | None = None

    def __init__(self, *given: Any, **how: Any) -> None:
        super().__init__(*given, **how)
        self._seats = BoundedSemaphore(CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._seats.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._seats.release()

    def get_request(self) -> tuple[socket.socket, Any]:
        one, where = super().get_request()
        one.settimeout(PATIENCE)
        return one, where

    def finish_request(self, request: Any, client_address: Any) -> None:
        """On a thread of its own: who is slow with the handshake keeps nobody else waiting."""
        try:
            if self.encryption is not None:
                request = self.encryption.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
        except OSError:
            pass  # it hung up, or takes too long
        finally:
            self.shutdown_request(request)

    def server_bind(self) -> None:
        """Without a look for the host's name, which may wait for a resolver."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """A scrape is nothing to tell of."""


@dataclass(frozen=True)
class Page:
    """A page: its port is taken when it is made, and answers after `start`."""

    address: str
    paths: Paths
    server: "_Server"
    thread: Thread
    pem: tuple[str, str] | None  #: files of certificate and key

    @property
    def socket(self) -> socket.socket:
        """That it listens on."""
        return self.server.socket

    def start(self) -> None:
        self.thread.start()

    def reload_tls(self) -> None:
        """Reads the certificate again, for connections that begin from now on. Raises OSError."""
        if self.pem is not None and self.server.encryption is not None:
            self.server.encryption.load_cert_chain(*self.pem)

    def close(self) -> None:
        """Answers no longer. Once is enough."""
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
        self.server.server_close()


def open_page(
    paths: Paths,
    host: str,
    port: int,
    *,
    pem: tuple[str, str] | None = None,
    bound: socket.socket | None = None,
) -> Page:
    """Takes the port for it; port 0 lets the system choose.

    pem: files of certificate and key; None serves plain text. bound: a socket that listens already, of a process that
    hands it over. Raises OSError.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    kind = type("_Server", (_Server,), {"address_family": family})
    server: _Server = kind((host, port), _Quiet, bind_and_activate=False)
    try:
        if pem is not None:
            server.encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.encryption.load_cert_chain(*pem)
        if bound is not None:
            server.socket.close()
            server.socket = bound
            server.server_address = bound.getsockname()
        else:
            server.server_bind()
            server.server_activate()
        server.server_name, server.server_port = host, server.server_address[1]
        server.setup_environ()
        server.socket.setblocking(False)  # two processes may wake for one connection
    except BaseException:
        server.server_close()
        raise
    server.set_app(paths)
    thread = Thread(target=server.serve_forever, args=(LOOK,), name="page", daemon=True)
    shown = f"[{host}]" if ":" in host else host
    return Page(f"{shown}:{server.server_port}", paths, server, thread, pem)


def _said(answer: Callable[..., Any], status: HTTPStatus, text: str) -> Iterable[bytes]:
    answer(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
