"""TLS: who may ask, under which name, and with which certificate the service shows itself; the same on both ports."""

import shutil
import signal
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interceptor.pb.v1 import admin_pb2, admin_pb2_grpc
from interceptor.pb.v1 import interception_pb2 as pb
from service.certificates import Authority, Identity, needs_openssl
from service.running import CALLEE, POLICY, Running, refused, run, write_policy

Start = Callable[..., Running]

pytestmark = needs_openssl
MINE = "  - {id: mine, when: call.switch == 'switch-1.example', verdict: warn, reason: mine}\n"
BY_SWITCH = POLICY.replace("default: pass", MINE + "default: pass")
DECIDE = "/interceptor.v1.InterceptionService/Decide"
NOBODY = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Identity:
    """The service's."""
    return authority.issue("service", "IP:127.0.0.1,DNS:localhost")


@pytest.fixture(scope="module")
def switch(authority: Authority) -> Identity:
    return authority.issue("switch", "DNS:switch-1.example")


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, own: Identity
) -> Iterator[Running]:
    """A service that wants to see a certificate and answers `switch-1.example` alone."""
    running = Running(
        write_policy(tmp_path_factory.mktemp("service"), BY_SWITCH),
        *("--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca),
        *("--tls-allow", "switch-1.example"),
    )
    yield running
    running.stop()


BOTH = pytest.mark.parametrize("name", ["data", "control"])


def secured(address: str, authority: Authority, client: Identity | None = None) -> grpc.Channel:
    files = (client.key.read_bytes(), client.certificate.read_bytes()) if client else ()
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority.ca.read_bytes(), *files))


def ask(channel: grpc.Channel, caller: str) -> pb.DecideResponse:
    request = pb.DecideRequest(caller=caller, callee=CALLEE).SerializeToString()
    return pb.DecideResponse.FromString(channel.unary_unary(DECIDE)(request, timeout=10))


@BOTH
def test_a_switch_is_known_by_its_certificate(
    service: Running, authority: Authority, switch: Identity, name: str
) -> None:
    with secured(service.front(name).address, authority, switch) as channel:
        assert ask(channel, "+8613788888889").rule == "mine"


@BOTH
def test_nobody_gets_in_without_a_certificate_of_the_ca(
    service: Running, authority: Authority, name: str
) -> None:
    with secured(service.front(name).address, authority) as channel:
        assert refused(lambda: ask(channel, "1"))[0] in NOBODY
    assert refused(lambda: service.front(name).decide(caller="1", callee="2", timeout=5))[0] in NOBODY


@BOTH
def test_a_client_that_is_not_on_the_list_is_told_so_whatever_it_asks(
    service: Running, authority: Authority, name: str
) -> None:
    stranger = authority.issue("stranger", "DNS:switch-2.example")
    with secured(service.front(name).address, authority, stranger) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for denied in (
            lambda: ask(channel, "1"),
            lambda: health.Check(health_pb2.HealthCheckRequest(), timeout=10),
            lambda: next(iter(health.Watch(health_pb2.HealthCheckRequest(), timeout=10))),
        ):
            status, message = refused(denied)
            assert status == "PERMISSION_DENIED"
            assert "switch-2.example" in message
            assert "--tls-allow" in message
    assert service.metric("interceptor_requests_refused_total", status="PERMISSION_DENIED") > 0


def test_a_listed_client_may_watch_health_and_operate(
    service: Running, authority: Authority, switch: Identity
) -> None:
    for front in (service.data, service.control):
        with secured(front.address, authority, switch) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=10)
            assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING
            watch.cancel()
    with secured(service.control.address, authority, switch) as channel:
        call = admin_pb2.ExplainRequest(call=pb.DecideRequest(caller="+8613788888880", callee=CALLEE))
        found = admin_pb2_grpc.AdminServiceStub(channel).Explain(call, timeout=10)
        assert found.decision.rule == "default"


@BOTH
def test_the_command_line_shows_its_certificate(
    service: Running, authority: Authority, switch: Identity, name: str
) -> None:
    asked = (
        "decide",
        "--server",
        service.front(name).address,
        "--caller",
        "+8613788888888",
        "--callee",
        CALLEE,
    )
    known = run(*asked, "--tls-ca", authority.ca, "--tls-cert", switch.certificate, "--tls-key", switch.key)
    assert '"rule": "mine"' in known.stdout, known.stderr
    assert run(*asked, "--tls-ca", authority.ca).returncode == 3
    assert run(*asked).returncode == 3


def test_a_renewed_certificate_is_shown_after_sighup_and_a_bad_one_is_not_taken(
    start: Start, tmp_path: Path, authority: Authority, switch: Identity
) -> None:
    first, second = (
        authority.issue(name, "IP:127.0.0.1", until=days) for name, days in (("first", 7), ("second", 8))
    )
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"

    def put(identity: Identity) -> None:
        shutil.copy(identity.certificate, certificate)
        shutil.copy(identity.key, key)

    def shown(address: str) -> str:
        """Common name of the certificate at the port."""
        context = ssl.create_default_context(cafile=authority.ca)
        context.set_alpn_protocols(["h2"])
        host, _, port = address.rpartition(":")
        with (
            socket.create_connection((host, int(port)), 60) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            return {key: value for part in encrypted.getpeercert()["subject"] for key, value in part}[
                "commonName"
            ]

    put(first)
    service = start(
        write_policy(tmp_path),
        *(
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
            "--tls-client-ca",
            authority.ca,
            "--metrics",
            "0.0.0.0:0",
        ),
    )
    ports = [service.data.address, service.control.address, service.metrics.replace("0.0.0.0", "127.0.0.1")]

    def told(name: str, **labels: str) -> float:
        """A metric: to other machines its page speaks TLS alone."""
        context = ssl.create_default_context(cafile=authority.ca)
        with urllib.request.urlopen(f"https://{ports[2]}/metrics", timeout=10, context=context) as answer:
            return service.metric(name, answer.read().decode(), **labels)

    def days(use: str) -> int:
        ends = told("interceptor_certificate_expiry_timestamp_seconds", use=use)
        return round((ends - time.time()) / 86_400)

    assert [shown(port) for port in ports] == ["first"] * 3
    assert (days("server"), days("clients")) == (7, 9)
    with secured(ports[0], authority, switch) as kept:
        assert ask(kept, "+8613788888881").rule == "default"

        certificate.write_text("no certificate")
        service.signal(signal.SIGHUP)
        assert str(certificate) in service.event("certificate not taken, the last good one stays")["problem"]
        assert [shown(port) for port in ports] == ["first"] * 3
        assert told("interceptor_certificate_reloads_total", result="failed") == 1
        assert days("server") == 7  # of the one in use

        put(second)
        service.signal(signal.SIGHUP)
        service.event("certificate read")
        assert [shown(port) for port in ports] == ["second"] * 3
        assert told("interceptor_certificate_reloads_total", result="good") == 1
        assert days("server") == 8
        assert ask(kept, "+8613788888881").rule == "default"


def test_an_allow_list_needs_a_ca(tmp_path: Path) -> None:
    done = run("serve", "--policy", write_policy(tmp_path), "--tls-allow", "switch-1.example")
    assert (done.returncode, "--tls-client-ca" in done.stderr) == (2, True)
