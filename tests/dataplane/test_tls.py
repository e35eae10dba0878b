"""The data plane's TLS against Python's: what is agreed on, who is let in and under which name, and reloads."""

import contextlib
import select
import shutil
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from interceptor.dataplane.tls import TlsClient, TlsProbe, TlsServer
from service.certificates import Authority, Identity, needs_openssl

pytestmark = needs_openssl
CLOSED, AGAIN, FULL, FAILED = 0, -1, -2, -3


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def service(authority: Authority) -> Identity:
    return authority.issue("service", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection, non-blocking."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    yield ends
    for end in ends:
        end.close()


class Meeting:
    """A connection between a TlsServer and Python's ssl, its handshake made as far as it goes."""

    def __init__(self, server: TlsServer, context: ssl.SSLContext, name: str = "localhost") -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        self.near = near
        self.server = TlsProbe(server, near.fileno())
        self.client = context.wrap_socket(far, server_hostname=name, do_handshake_on_connect=False)
        self.done = AGAIN  #: what the server's last handshake call returned
        self.alert = ""  #: what the server told the client, in OpenSSL's words
        self._ready = False
        for _ in range(5):
            self._step()

    def _step(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            try:
                if not self._ready:
                    self.client.do_handshake()
                    self._ready = True
                elif self.done != 1:
                    self.client.recv(1)
            except ssl.SSLError as error:
                if isinstance(error, ssl.SSLWantReadError):
                    raise
                self.alert = self.alert or error.reason
        if self.done == AGAIN:
            self.done = self.server.handshake()

    def close(self) -> None:
        self.client.close()
        self.near.close()


@pytest.fixture
def meet() -> Iterator[type[Meeting]]:
    """Meeting, whose connections are closed when the test ends."""
    made: list[Meeting] = []

    class Closed(Meeting):
        def __init__(self, server: TlsServer, context: ssl.SSLContext, name: str = "localhost") -> None:
            super().__init__(server, context, name)
            made.append(self)

    yield Closed
    for meeting in made:
        meeting.close()


def client(authority: Authority, identity: Identity | None = None, alpn: str = "h2") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.ca))
    if alpn:
        context.set_alpn_protocols(alpn.split())
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


def server(identity: Identity, clients: Path | None = None) -> TlsServer:
    return TlsServer(str(identity.certificate), str(identity.key), str(clients) if clients else None)


# ------------------------------------------------------------------------------------------------- what is agreed on


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_carry_bytes_both_ways(
    version: ssl.TLSVersion, authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    context = client(authority)
    context.maximum_version = context.minimum_version = version
    meeting = meet(server(service), context)
    assert meeting.done == 1
    assert meeting.client.version() == version.name.replace("_", ".")
    assert meeting.client.selected_alpn_protocol() == "h2"
    assert meeting.client.compression() is None
    meeting.client.sendall(b"a question")
    assert meeting.server.read(100) == b"a question"
    assert meeting.server.write(b"an answer") == 9
    assert meeting.client.recv(100) == b"an answer"
    assert meeting.server.read(100) == AGAIN


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_older_versions_are_refused(authority: Authority, service: Identity, meet: type[Meeting]) -> None:
    context = client(authority)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    meeting = meet(server(service), context)
    assert meeting.done == FAILED
    assert meeting.alert == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize(
    "cipher", ["ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"]
)
def test_a_cipher_that_http2_forbids_is_refused(
    cipher: str, authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    context = client(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    meeting = meet(server(service), context)
    assert meeting.done == FAILED
    assert meeting.alert == "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_a_cipher_that_http2_allows_is_taken(
    cipher: str, authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    context = client(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    meeting = meet(server(service), context)
    assert meeting.done == 1
    assert meeting.client.cipher()[0] == cipher


@pytest.mark.parametrize("offered", ["", "http/1.1", "h2c h3 h2-14"])
def test_a_client_without_h2_is_told_so(
    offered: str, authority: Authority, service: Identity, sockets: tuple[socket.socket, socket.socket]
) -> None:
    near, far = sockets
    context = client(authority, alpn=offered)
    with context.wrap_socket(far.dup(), server_hostname="localhost", do_handshake_on_connect=False) as asking:
        with pytest.raises(ssl.SSLWantReadError):
            asking.do_handshake()
        probe = TlsProbe(server(service), near.fileno())
        assert probe.handshake() == FAILED
        assert far.recv(100) == bytes([21, 3, 3, 0, 2, 2, 120])  # a fatal alert: no_application_protocol
        probe.close()


def test_h2_is_found_behind_other_protocols(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority, alpn="http/1.1 grpc-exp h2"))
    assert meeting.done == 1
    assert meeting.client.selected_alpn_protocol() == "h2"


def test_what_is_no_tls_fails(service: Identity, sockets: tuple[socket.socket, socket.socket]) -> None:
    near, far = sockets
    probe = TlsProbe(server(service), near.fileno())
    far.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert probe.handshake() == FAILED
    assert probe.handshake() == FAILED
    probe.close()


def test_a_port_probe_that_connects_and_goes_is_no_failure(
    service: Identity, sockets: tuple[socket.socket, socket.socket]
) -> None:
    near, far = sockets
    probe = TlsProbe(server(service), near.fileno())
    assert probe.handshake() == AGAIN
    far.close()
    assert probe.handshake() == CLOSED
    probe.close()


# ------------------------------------------------------------------------------------------------- bytes


def test_reading_less_than_asked_leaves_nothing_that_epoll_would_not_tell_of(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority))
    for _ in range(40):  # records of their own, more of them than one read of the socket brings
        meeting.client.sendall(b"x" * 1000)
    got = b""
    while select.select([meeting.near], [], [], 0)[0]:
        got += meeting.server.read(1 << 16)
    assert got == b"x" * 40_000
    assert meeting.server.read(1 << 16) == AGAIN


def test_a_full_read_may_be_followed_by_more(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority))
    meeting.client.sendall(b"abcdef")
    assert [meeting.server.read(4) for _ in range(3)] == [b"abcd", b"ef", AGAIN]


def test_a_full_socket_takes_part_and_the_rest_from_another_buffer(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority))
    sent = bytes(range(256)) * 20_000
    left = sent
    got = bytearray()
    short = 0
    while left:
        took = meeting.server.write(left)
        assert took > 0 or took == FULL
        short += took < len(left)
        left = bytearray(left)[max(took, 0) :] and bytes(left[max(took, 0) :])
        with contextlib.suppress(ssl.SSLWantReadError):
            while True:
                got += meeting.client.recv(1 << 16)
    assert short
    assert got == sent


def test_an_end_is_seen_after_the_bytes_before_it(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority))
    meeting.client.sendall(b"last words")
    with contextlib.suppress(ssl.SSLWantReadError):
        meeting.client.unwrap()
    assert [meeting.server.read(100) for _ in range(3)] == [b"last words", CLOSED, CLOSED]


def test_a_cut_connection_has_ended_too(authority: Authority, service: Identity, meet: type[Meeting]) -> None:
    meeting = meet(server(service), client(authority))
    meeting.client.close()
    assert meeting.server.read(100) == CLOSED


def test_writing_to_a_dead_socket_ends_nothing_but_the_connection(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority))
    meeting.client.close()
    assert meeting.server.write(b"x" * 1000) == CLOSED


def test_garbage_in_place_of_a_record_fails(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(server(service), client(authority))
    socket.socket.send(meeting.client, b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert meeting.server.read(100) == FAILED
    assert meeting.server.read(100) == FAILED


def test_goodbye_is_said(authority: Authority, service: Identity, meet: type[Meeting]) -> None:
    meeting = meet(server(service), client(authority))
    meeting.server.close()
    meeting.client.settimeout(10)
    assert meeting.client.recv(100) == b""  # an end without it would be an SSLEOFError


# ------------------------------------------------------------------------------------------------- who is let in


def test_a_client_of_the_authority_is_let_in(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    switch = authority.issue("switch", "DNS:switch-1.example")
    meeting = meet(server(service, authority.ca), client(authority, switch))
    assert meeting.done == 1
    assert meeting.server.peer() == "switch-1.example"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_without_a_certificate_is_refused(
    version: ssl.TLSVersion, authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    context = client(authority)
    context.maximum_version = version
    meeting = meet(server(service, authority.ca), context)
    assert meeting.done == FAILED
    assert "CERTIFICATE_REQUIRED" in meeting.alert or "HANDSHAKE_FAILURE" in meeting.alert


def test_a_client_of_another_authority_is_refused(
    authority: Authority, service: Identity, meet: type[Meeting], tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "another CA").issue("stranger", "DNS:switch-1.example")
    meeting = meet(server(service, authority.ca), client(authority, stranger))
    assert meeting.done == FAILED
    assert meeting.alert == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_client_whose_certificate_has_expired_is_refused(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    meeting = meet(
        server(service, authority.ca), client(authority, authority.issue("late", since=-2, until=-1))
    )
    assert meeting.done == FAILED
    assert meeting.alert == "SSLV3_ALERT_CERTIFICATE_EXPIRED"


def test_a_ticket_brings_a_client_back_under_its_name(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    ours = server(service, authority.ca)
    context = client(authority, authority.issue("switch", "DNS:switch-1.example"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    first = meet(ours, context)
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        probe = TlsProbe(ours, near.fileno())
        again = context.wrap_socket(
            far, server_hostname="localhost", do_handshake_on_connect=False, session=first.client.session
        )
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                again.do_handshake()
            done = probe.handshake()
        assert done == 1
        assert again.session_reused
        assert probe.peer() == "switch-1.example"
        probe.close()
        again.close()


# ------------------------------------------------------------------------------------------------- names


def der(kind: int, value: bytes) -> str:
    """A subjectAltName of one name, tagged `kind`, for openssl."""
    name = bytes([0x80 | kind, len(value)]) + value
    return "DER:" + (bytes([0x30, len(name)]) + name).hex(":")


#: A certificate's subjectAltName and common name, and what its owner is called.
NAMES = [
    ("DNS:switch-1.example,DNS:other.example", "cn", "switch-1.example"),
    ("URI:spiffe://example.org/switch/1,DNS:later.example", "cn", "spiffe://example.org/switch/1"),
    ("IP:10.1.2.3,DNS:later.example", "cn", "10.1.2.3"),
    ("IP:2001:db8::1", "cn", "2001:db8::1"),
    ("email:switch@example.org,DNS:later.example", "cn", "switch@example.org"),
    ("", "by common name", "by common name"),
    ("", "交换机-1", "交换机-1"),
    ("", "", ""),
]
#: Where we do not follow grpcio, which calls all other kinds of names alike and hands on what nobody can read.
OTHER_NAMES = [
    ("RID:1.2.3.4,DNS:behind.example", "cn", "behind.example"),
    ("RID:1.2.3.4", "by common name", "by common name"),
    (der(2, b"switch-1.example\0.elsewhere"), "cn", ""),
    (der(2, b"switch-1\r\nswitch-2"), "cn", ""),
    (der(2, b"switch\x7f"), "cn", ""),
    (der(6, "urn:\N{CONTROL SEQUENCE INTRODUCER}".encode()), "cn", ""),
    (der(2, b"\xff.example"), "cn", ""),
    (der(2, b""), "cn", ""),
    (der(7, b"123"), "cn", ""),
    ("", "tab\tbed", ""),
    ("", "C1\N{CONTROL SEQUENCE INTRODUCER}", ""),
]


def test_an_owner_is_called_what_grpcio_calls_it(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    """The control plane takes grpcio's word: both fronts must agree on call.switch."""

    def first_identity(_request: bytes, context: grpc.ServicerContext) -> bytes:
        return next(iter(context.peer_identities() or ()), b"")

    handler = grpc.method_handlers_generic_handler(
        "Who", {"AmI": grpc.unary_unary_rpc_method_handler(first_identity)}
    )
    ours = server(service, authority.ca)
    with ThreadPoolExecutor(1) as pool:
        witness = grpc.server(pool, handlers=[handler])
        own = [(service.key.read_bytes(), service.certificate.read_bytes())]
        port = witness.add_secure_port(
            "localhost:0", grpc.ssl_server_credentials(own, authority.ca.read_bytes(), True)
        )
        witness.start()
        for alternative, common_name, name in NAMES:
            owner = authority.issue("owner", alternative, subject=common_name)
            credentials = grpc.ssl_channel_credentials(
                authority.ca.read_bytes(), owner.key.read_bytes(), owner.certificate.read_bytes()
            )
            with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
                assert channel.unary_unary("/Who/AmI")(b"", timeout=10).decode() == name
            assert meet(ours, client(authority, owner)).server.peer() == name
        witness.stop(None).wait()


def test_a_name_that_is_not_what_it_shows_is_none(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    ours = server(service, authority.ca)
    for alternative, common_name, name in OTHER_NAMES:
        owner = authority.issue("other", alternative, subject=common_name)
        assert meet(ours, client(authority, owner)).server.peer() == name, (alternative, common_name)


def test_a_name_too_long_to_hold_is_none_rather_than_a_part_of_it(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    for length, known in ((256, True), (257, False)):
        name = "urn:" + "x" * (length - 4)
        owner = authority.issue("long", f"URI:{name}")
        meeting = meet(server(service, authority.ca), client(authority, owner))
        assert meeting.server.peer() == (name if known else "")


# ------------------------------------------------------------------------------------------------- files


def test_a_file_that_is_not_there_is_named(authority: Authority, service: Identity, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere.pem")
    for files in (
        (nowhere, service.key, None),
        (service.certificate, nowhere, None),
        (service.certificate, service.key, nowhere),
    ):
        with pytest.raises(FileNotFoundError) as error:
            TlsServer(*files)
        assert error.value.filename == nowhere


def test_a_file_that_holds_something_else_is_named(
    authority: Authority, service: Identity, tmp_path: Path
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("nothing of the kind\n")
    with pytest.raises(ValueError, match=rf"^{text}: no certificate chain .*\(no start line\)"):
        TlsServer(text, service.key)
    with pytest.raises(ValueError, match=rf"^{text}: no private key that can be used"):
        TlsServer(service.certificate, text)
    with pytest.raises(ValueError, match=rf"^{text}: no CA certificates"):
        TlsServer(service.certificate, service.key, text)


def test_a_key_of_another_certificate_is_refused(authority: Authority, service: Identity) -> None:
    other = authority.issue("other")
    with pytest.raises(
        ValueError, match=rf"^{other.key} is not the key of {service.certificate}: give the two"
    ):
        server(Identity(service.certificate, other.key))


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(
    authority: Authority, service: Identity
) -> None:
    authority.openssl(
        "pkey", "-in", "service.key", "-out", "locked.key", "-aes256", "-passout", "pass:secret"
    )
    locked = authority.directory / "locked.key"
    with pytest.raises(
        ValueError, match=rf"^{locked}: no private key that can be used .* without a passphrase$"
    ):
        server(Identity(service.certificate, locked))


@pytest.mark.parametrize(
    ("since", "until", "problem"),
    [
        (-2, -1, r"expired at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: renew it$"),
        (1, 2, r"not valid before \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: give one that is, or set the clock$"),
    ],
)
def test_a_certificate_out_of_its_time_is_refused(
    since: int, until: int, problem: str, authority: Authority
) -> None:
    identity = authority.issue("untimely", since=since, until=until)
    with pytest.raises(ValueError, match=f"^{identity.certificate}: {problem}"):
        server(identity)


def test_a_key_too_weak_is_refused(authority: Authority) -> None:
    files = ("-keyout", "weak.key", "-out", "weak.pem", "-subj", "/CN=weak")
    authority.openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", *files)
    weak = Identity(authority.directory / "weak.pem", authority.directory / "weak.key")
    with pytest.raises(
        ValueError, match=rf"^{weak.certificate}: no certificate chain .*\(ee key too small\)"
    ):
        server(weak)


# ------------------------------------------------------------------------------------------------- reloads


@pytest.fixture
def installed(service: Identity, tmp_path: Path) -> Identity:
    """The service's identity in files of the test's own."""
    return Identity(
        Path(shutil.copy(service.certificate, tmp_path / "own.pem")),
        Path(shutil.copy(service.key, tmp_path / "own.key")),
    )


def install(identity: Identity, over: Identity) -> None:
    shutil.copy(identity.certificate, over.certificate)
    shutil.copy(identity.key, over.key)


def shown(meeting: Meeting) -> bytes:
    certificate = meeting.client.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_a_reload_is_for_new_connections_and_old_ones_go_on(
    authority: Authority, installed: Identity, meet: type[Meeting]
) -> None:
    ours = server(installed)
    before = meet(ours, client(authority))
    install(authority.issue("renewed", "DNS:localhost"), installed)
    ours.reload()
    after = meet(ours, client(authority))
    assert shown(after) != shown(before)
    for meeting in (before, after):
        meeting.client.sendall(b"still here")
        assert meeting.server.read(100) == b"still here"


def test_a_reload_of_a_bad_file_changes_nothing(
    authority: Authority, installed: Identity, meet: type[Meeting]
) -> None:
    ours = server(installed)
    before = meet(ours, client(authority))
    install(authority.issue("expired", "DNS:localhost", since=-2, until=-1), installed)
    with pytest.raises(ValueError, match="expired"):
        ours.reload()
    install(authority.issue("renewed", "DNS:localhost"), installed)
    installed.key.unlink()
    with pytest.raises(FileNotFoundError):
        ours.reload()
    assert shown(meet(ours, client(authority))) == shown(before)


def test_a_client_whose_authority_is_no_longer_trusted_does_not_come_back(
    authority: Authority, installed: Identity, meet: type[Meeting], tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    shutil.copy(authority.ca, trusted)
    ours = server(installed, trusted)
    switch = client(authority, authority.issue("switch", "DNS:switch-1.example"))
    assert meet(ours, switch).done == 1
    (tmp_path / "other").mkdir()
    shutil.copy(Authority(tmp_path / "other", "another CA").ca, trusted)
    ours.reload()
    assert meet(ours, switch).done == FAILED


def test_connections_begin_while_the_context_is_replaced(
    authority: Authority, service: Identity, meet: type[Meeting]
) -> None:
    ours = server(service)
    context = client(authority)
    with ThreadPoolExecutor(1) as pool:
        reloads = pool.submit(lambda: [ours.reload() for _ in range(100)])
        made = 0
        while made < 20 or not reloads.done():
            meeting = Meeting(ours, context)
            assert meeting.done == 1
            meeting.close()
            made += 1
        reloads.result()


# ------------------------------------------------------------------------------------------------- the client's end


def shake(client_end: TlsClient, server_end: TlsServer) -> tuple[int, int]:
    """What the last handshake call of a client and of a server returned."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        ends = TlsProbe(client_end, far.fileno()), TlsProbe(server_end, near.fileno())
        done = [AGAIN, AGAIN]
        for _ in range(5):
            for i, end in enumerate(ends):
                if done[i] == AGAIN:
                    done[i] = end.handshake()
        for end in ends:
            end.close()
    return done[0], done[1]


def test_a_client_knows_the_server_by_its_name_or_address(authority: Authority, service: Identity) -> None:
    ours = server(service)
    for name in ("localhost", "127.0.0.1"):
        assert shake(TlsClient(authority.ca, None, None, name), ours) == (1, 1)
    for name in ("elsewhere.example", "127.0.0.2"):
        assert shake(TlsClient(authority.ca, None, None, name), ours) == (FAILED, FAILED)


def test_a_client_does_not_trust_everyone(authority: Authority, service: Identity, tmp_path: Path) -> None:
    ours = server(service)
    another = Authority(tmp_path, "another CA").ca
    assert shake(TlsClient(another, None, None, "localhost"), ours) == (FAILED, FAILED)
    assert shake(TlsClient(None, None, None, "localhost"), ours) == (FAILED, FAILED)


def test_a_client_shows_its_certificate(authority: Authority, service: Identity) -> None:
    switch = authority.issue("switch", "DNS:switch-1.example")
    known = TlsClient(authority.ca, switch.certificate, switch.key, "localhost")
    assert shake(known, server(service, authority.ca)) == (1, 1)


def test_a_client_says_what_it_cannot_use(authority: Authority, service: Identity) -> None:
    with pytest.raises(ValueError, match="go together"):
        TlsClient(authority.ca, service.certificate, None, "localhost")
    for name in ("", "x" * 300, "local\0host"):
        with pytest.raises(ValueError, match="no name of a server"):
            TlsClient(authority.ca, None, None, name)
    with pytest.raises(FileNotFoundError):
        TlsClient(authority.directory / "nowhere.pem", None, None, "localhost")
