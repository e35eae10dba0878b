"""Who asks: TLS and client certificates on the data port, with every stock client."""

import asyncio
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1.interception_pb2_grpc import InterceptionServiceStub
from interop.calls import BY_SWITCH, Turns, call, messages
from interop.relay import Relay
from service.certificates import Authority, Identity, needs_openssl
from service.running import Running, refused, write_policy

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Identity:
    """What the service shows; its reload test puts another in the same files."""
    return authority.issue("service", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="module")
def switch(authority: Authority) -> Identity:
    return authority.issue("switch", "DNS:switch-1.example")


@pytest.fixture(scope="module")
def service(
    authority: Authority, own: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    running = Running(
        write_policy(tmp_path_factory.mktemp("service"), BY_SWITCH),
        "--listen", "127.0.0.1:0",
        "--tls-cert", own.certificate, "--tls-key", own.key, "--tls-client-ca", authority.ca,
        "--tls-allow", "switch-1.example", "--tls-allow", "交换机-2",
    )  # fmt: skip
    yield running
    running.stop()


def credentials(authority: Authority, identity: Identity | None = None) -> grpc.ChannelCredentials:
    if identity is None:
        return grpc.ssl_channel_credentials(authority.ca.read_bytes())
    return grpc.ssl_channel_credentials(
        authority.ca.read_bytes(), identity.key.read_bytes(), identity.certificate.read_bytes()
    )


def ask(address: str, chosen: grpc.ChannelCredentials) -> pb.DecideResponse:
    with grpc.secure_channel(address, chosen) as channel:
        return InterceptionServiceStub(channel).Decide(call(1), timeout=20)


def test_a_switch_is_known_by_its_name(service: Running, authority: Authority, switch: Identity) -> None:
    assert ask(service.data.address, credentials(authority, switch)).rule == "mine"
    second = authority.issue("second", subject="交换机-2")
    assert ask(service.data.address, credentials(authority, second)).rule == "default"


def test_aio_is_known_too(service: Running, authority: Authority, switch: Identity) -> None:
    async def decide() -> pb.DecideResponse:
        async with grpc.aio.secure_channel(service.data.address, credentials(authority, switch)) as channel:
            return await InterceptionServiceStub(channel).Decide(call(1), timeout=20)

    assert asyncio.run(decide()).rule == "mine"


def test_a_stream_has_the_name_of_its_connection(
    service: Running, authority: Authority, switch: Identity
) -> None:
    with grpc.secure_channel(service.data.address, credentials(authority, switch)) as channel:
        answers = list(InterceptionServiceStub(channel).DecideStream(messages(1000, 1024), timeout=20))
    assert [answer.decision.rule for answer in answers] == ["mine"] * 1024


def test_a_name_that_is_not_on_the_list_is_denied_and_told(service: Running, authority: Authority) -> None:
    other = authority.issue("other", "DNS:switch-9.example")
    code, message = refused(lambda: ask(service.data.address, credentials(authority, other)))
    assert code == "PERMISSION_DENIED"
    assert "switch-9.example" in message
    assert "--tls-allow" in message


def test_nobody_gets_in_without_a_certificate_of_ours(
    service: Running, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "another CA").issue("switch", "DNS:switch-1.example")
    for chosen in (credentials(authority), credentials(authority, stranger)):
        assert refused(lambda chosen=chosen: ask(service.data.address, chosen))[0] == "UNAVAILABLE"
    with grpc.insecure_channel(service.data.address) as channel:
        assert refused(lambda: channel.unary_unary("/any")(b"", timeout=20))[0] == "UNAVAILABLE"


def test_one_byte_at_a_time_is_as_good_under_tls(
    service: Running, authority: Authority, switch: Identity
) -> None:
    with Relay(service.data.address, piece=1) as relay:
        assert ask(relay.address, credentials(authority, switch)).rule == "mine"


def shown(address: str, authority: Authority, switch: Identity) -> bytes | None:
    """The certificate that the service shows now."""
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.load_cert_chain(switch.certificate, switch.key)
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as guarded,
    ):
        return guarded.getpeercert(binary_form=True)


def test_a_renewed_certificate_is_shown_after_sighup_and_streams_go_on(
    service: Running, authority: Authority, own: Identity, switch: Identity
) -> None:
    before = shown(service.data.address, authority, switch)
    renewed = authority.issue("renewed", "DNS:localhost,IP:127.0.0.1")
    with grpc.secure_channel(service.data.address, credentials(authority, switch)) as channel:
        turns = Turns()
        stream = InterceptionServiceStub(channel).DecideStream(iter(turns), timeout=60)
        turns.say(*messages(1, 1))
        assert next(stream).decision.rule == "mine"
        shutil.copy(renewed.certificate, own.certificate)
        shutil.copy(renewed.key, own.key)
        reloads = len(service.events())
        service.signal(signal.SIGHUP)
        service.event("certificate read", after=reloads)
        assert shown(service.data.address, authority, switch) != before
        turns.say(*messages(1, 1))
        assert next(stream).decision.rule == "mine"
        turns.end()
