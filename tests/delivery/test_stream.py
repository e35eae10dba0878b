"""Streams of a real Valkey or Redis server: every event an entry, bounded, again when the server is back."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import valkey

from delivery.delivering import Delivering, name_of
from service.certificates import Authority, Identity, needs_openssl

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")
PASSWORD = "known to both"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="neither valkey-server nor redis-server is installed")


class Server:
    """The server, on one port for all its lives."""

    def __init__(self, directory: Path, identity: Identity | None = None) -> None:
        self.directory = directory
        self.identity = identity
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port: int = found.getsockname()[1]
        tls = {} if identity is None else {"ssl": True, "ssl_cert_reqs": "none"}
        self.client = valkey.Valkey(port=self.port, password=PASSWORD, decode_responses=True, **tls)
        self.up()

    @property
    def url(self) -> str:
        return f"{'redis' if self.identity is None else 'rediss'}://127.0.0.1:{self.port}/0"

    def up(self) -> None:
        settings = ["--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD]
        if self.identity is not None:
            settings[:2] = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            files = {
                "cert": self.identity.certificate,
                "key": self.identity.key,
                "ca-cert": self.identity.certificate,
            }
            settings += [part for name, path in files.items() for part in (f"--tls-{name}-file", str(path))]
        kept = ("--dir", str(self.directory), "--appendonly", "yes", "--appendfsync", "always", "--save", "")
        assert PROGRAM is not None
        self.process = subprocess.Popen([PROGRAM, *settings, *kept], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                self.client.ping()
                return
            except valkey.ConnectionError:
                assert time.monotonic() < end
                time.sleep(0.02)

    def down(self) -> None:
        self.process.kill()
        self.process.wait()

    def entries(self, stream: str = "interceptor") -> list[dict[str, str]]:
        return [fields for _, fields in self.client.xrange(stream)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.client.close()
    made.down()


def delivering(directory: Path, server: Server, **more: Any) -> Delivering:
    (directory / "password").write_text(PASSWORD)
    sink = {"name": "stream", "kind": "valkey", "url": server.url, "secret_file": directory / "password"}
    return Delivering(directory, sink | more)


def test_every_event_is_an_entry_in_order(tmp_path: Path, server: Server) -> None:
    sinks = delivering(tmp_path, server, batch=20)
    sinks.put(*range(1, 101))
    sinks.emptied("stream")
    sinks.stop()
    entries = server.entries()
    assert [each["id"] for each in entries] == [name_of(i) for i in range(1, 101)]
    event = json.loads(entries[4]["event"])
    assert event["data"]["caller"] == "+86138******05"
    assert {name: entries[4][name] for name in ("id", "type", "sequence")} == {
        name: event[name] for name in ("id", "type", "sequence")
    }


def test_the_stream_keeps_about_as_many_as_it_is_told_to(tmp_path: Path, server: Server) -> None:
    sinks = delivering(tmp_path, server, stream="short", keep_events=200)
    sinks.put(*range(1, 1001))
    sinks.emptied("stream")
    sinks.stop()
    kept = [each["id"] for each in server.entries("short")]
    assert kept == [name_of(i) for i in range(1001 - len(kept), 1001)]
    assert 200 <= len(kept) < 400


def test_what_a_server_misses_while_it_is_away_comes_when_it_is_back(tmp_path: Path, server: Server) -> None:
    sinks = delivering(tmp_path, server)
    sinks.put(1)
    sinks.emptied("stream")
    server.down()
    sinks.put(2, 3)
    sinks.until(lambda: sinks.courier("stream").failures > 0)
    server.up()
    sinks.emptied("stream")
    sinks.stop()
    assert [each["id"] for each in server.entries()] == [name_of(i) for i in (1, 2, 3)]


def test_a_key_that_is_no_stream_is_for_somebody_to_put_right(tmp_path: Path, server: Server) -> None:
    server.client.set("interceptor", "something else")
    sinks = delivering(tmp_path, server)
    sinks.put(1)
    sinks.until(lambda: sinks.courier("stream").failures > 0)
    assert "WRONGTYPE" in sinks.problems()[0]
    server.client.delete("interceptor")
    sinks.emptied("stream")
    sinks.stop()
    assert [each["id"] for each in server.entries()] == [name_of(1)]


@needs_openssl
def test_only_a_server_whose_certificate_is_its_own_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    here, elsewhere = (
        authority.issue("here", "IP:127.0.0.1"),
        authority.issue("elsewhere", "DNS:elsewhere.example"),
    )
    for identity, told in ((elsewhere, False), (here, True)):
        server = Server(tmp_path, identity)
        sinks = delivering(tmp_path, server, ca_file=authority.ca)
        if told:
            sinks.emptied("stream")
        else:
            sinks.put(1)
            sinks.until(lambda sinks=sinks: sinks.courier("stream").failures > 0)
            assert "certificate" in sinks.problems()[0]
        sinks.stop()
        assert [each["id"] for each in server.entries()] == [name_of(1)] * told
        server.client.close()
        server.down()
