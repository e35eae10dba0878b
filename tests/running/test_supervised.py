"""What the service manager is told, on a real socket of its kind, and a takeover that it asks for by a signal."""

import http.client
import os
import signal
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from interceptor.cli.takeover import Succession
from interceptor.runtime import page
from interceptor.runtime.logs import open_log
from interceptor.runtime.page import CONNECTIONS, Paths, open_page
from running.conftest import Serve
from service.operating import becomes
from service.running import CALLEE


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The manager's end of the notification socket."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(f"{directory}/notify")
        one.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{directory}/notify")
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        yield one


def said(told: socket.socket, word: str) -> str:
    """The next message that begins with it."""
    while not (message := told.recv(1000).decode()).startswith(word):
        pass
    return message


def test_the_manager_hears_of_ready_reloading_alive_and_stopping(told: socket.socket, serve: Serve) -> None:
    service = serve()
    said(told, "READY=1")
    service.signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in said(told, "RELOADING=1")
    said(told, "READY=1")
    said(told, "WATCHDOG=1")
    assert service.stop() == 0
    said(told, "STOPPING=1")


def test_a_signal_has_the_program_follow_itself_as_the_main_process(
    told: socket.socket, serve: Serve
) -> None:
    service = serve()
    said(told, "READY=1")
    service.signal(signal.SIGUSR2)
    newer = int(said(told, "MAINPID=").removeprefix("MAINPID="))
    try:
        said(told, "READY=1")
        assert service.process.wait(60) == 0
        assert newer != service.process.pid
        assert service.decide(caller="+8613900000019", callee=CALLEE).rule == "default"
    finally:
        os.kill(newer, signal.SIGTERM)
    said(told, "STOPPING=1")
    becomes(lambda: not Path(f"/proc/{newer}").exists() or "Z" in Path(f"/proc/{newer}/stat").read_text())


def test_a_program_that_cannot_be_started_ends_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in the middle of an upgrade."""
    monkeypatch.setattr(sys, "orig_argv", ["/nowhere/python", "-m", "interceptor"])
    Succession(open_log()).spawn()
    assert "no new process can be started, this one goes on" in capsys.readouterr().err


def test_health_and_readiness_are_served_beside_the_metrics(serve: Serve) -> None:
    service = serve()
    for path, answer in (("healthz", b"alive\n"), ("readyz", b"ready\n")):
        with urllib.request.urlopen(f"http://{service.metrics}/{path}", timeout=10) as got:
            assert (got.status, got.read()) == (200, answer)
    assert "interceptor_decisions_total" in service.page()


def test_who_holds_connections_takes_no_more_than_the_page_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PATIENCE", 600.0)  # however slow this machine is
    served = open_page(Paths(lambda _asked, _answer: [], lambda: ""), "127.0.0.1", 0)
    served.start()
    host, _, port = served.address.rpartition(":")
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(socket.create_connection((host, int(port))))
        with socket.create_connection((host, int(port))) as one, suppress(ConnectionError):
            one.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert one.recv(1) == b""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{served.address}/healthz", timeout=10) as got:
                return bool(got.status == 200)
        except (OSError, http.client.HTTPException):
            return False

    becomes(answers)
    served.close()


def test_a_service_that_loads_or_stops_is_not_ready() -> None:
    why = ["the service loads policy and lists"]
    served = open_page(Paths(lambda _asked, _answer: [], lambda: why[0]), "127.0.0.1", 0)
    served.start()
    try:
        with pytest.raises(urllib.error.HTTPError) as loading:
            urllib.request.urlopen(f"http://{served.address}/readyz", timeout=10)
        assert (loading.value.code, loading.value.read()) == (503, b"the service loads policy and lists\n")
        why[0] = ""
        with urllib.request.urlopen(f"http://{served.address}/readyz", timeout=10) as got:
            assert got.status == 200
        served.paths.stopping = True
        with pytest.raises(urllib.error.HTTPError) as stopping:
            urllib.request.urlopen(f"http://{served.address}/readyz", timeout=10)
        stopping.value.close()
        loading.value.close()
    finally:
        served.close()
