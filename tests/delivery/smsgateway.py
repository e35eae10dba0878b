"""An SMS gateway as an operator has one: takes CloudEvents by HTTP, checks their signature, refuses, can be down."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + base64.b64encode(b"what the gateway and we know").decode()


#: a status, and a value for Retry-After
Answer = tuple[int, str]


class Gateway:
    """On a port of its own, of this machine alone; a thread a connection. With `tls` it speaks nothing else."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        #: what it answers to genuine events; 2xx: it takes them
        self.answer: Callable[[list[dict[str, Any]]], Answer] = lambda events: (204, "")
        self.words = b""  #: the body of every answer
        self.requests: list[dict[str, str]] = []  #: headers, by lower-case name, and `at`: monotonic seconds
        self.bodies: list[bytes] = []
        self._server: ThreadingHTTPServer | None = None
        self._arrived = threading.Condition()
        self.connections: list[socket.socket] = []
        self.port = 0
        self.events: list[dict[str, Any]] = []  #: in the order of their arrival, as often as they came
        self.up()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}/messages"

    @property
    def times(self) -> Counter[str]:
        """How often each event came, by its id."""
        return Counter(event["id"] for event in self.events)

    def up(self) -> None:
        """Answers, on the port that it had."""
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                gateway.connections.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                gateway.requests.append({**headers, "at": str(time.monotonic())})
                gateway.bodies.append(body)
                status, later = 403, ""
                if gateway.is_genuine(headers, body):
                    events = json.loads(body)
                    status, later = gateway.answer(events)
                    if status < 300:
                        gateway.take(events)
                self.send_response(status)
                self.send_header("content-length", str(len(gateway.words)))
                if later:
                    self.send_header("retry-after", later)
                self.end_headers()
                self.wfile.write(gateway.words)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def down(self) -> None:
        """Refuses connections, and ends those there are."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()
        self._server = None

    def is_genuine(self, said: dict[str, str], body: bytes) -> bool:
        """Whether the service signed it (standardwebhooks.com)."""
        signed = f"{said['webhook-id']}.{said['webhook-timestamp']}.".encode() + body
        mac = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256)
        return "v1," + base64.b64encode(mac).decode() in said["webhook-signature"].split()

    def take(self, events: list[dict[str, Any]]) -> None:
        with self._arrived:
            self.events += events
            self._arrived.notify_all()

    def data(self) -> list[dict[str, Any]]:
        """What the different events say, in the order in which they first came."""
        with self._arrived:
            return list({event["id"]: event["data"] for event in self.events}.values())

    def of(self, start: str, count: int, timeout: float = 30) -> list[dict[str, Any]]:
        """Messages to numbers that start so, waited for until there are `count`."""
        end = time.monotonic() + timeout
        with self._arrived:
            while (
                len(found := [each for each in self.data() if each.get("to", "").startswith(start)]) < count
            ):
                left = end - time.monotonic()
                assert left > 0, f"{len(found)} of {count} messages came within {timeout} s"
                self._arrived.wait(left)
        return found
