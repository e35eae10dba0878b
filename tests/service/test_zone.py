"""Served policy zones: transfers that are right, whole or change by change, and who is refused them."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.versioned
import dns.xfr
import dns.zone
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from interceptor.control import zone as zones
from interceptor.control import zonedata
from interceptor.control.zone import ZoneServer, read_key
from interceptor.control.zoneanswers import ZoneAnswers
from interceptor.control.zonedata import ZoneData
from interceptor.runtime.addresses import ListenError
from interceptor.store.rpz import owners, zone_file
from interceptor.store.words import StoreUnavailableError

KEY = dns.tsig.Key("resolvers", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "hmac-sha256")
OTHER = dns.tsig.Key("resolvers", "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhl", "hmac-sha256")
DOMAINS = st.sampled_from(["a.example", "b.example", "c.test", "192.0.2.1", "2001:db8::1", "x-y_z.example"])
Changes = list[tuple[set[str], set[str]]]


def names(zone: dns.zone.Zone) -> set[str]:
    """The owners of a zone's policy records."""
    return {str(name) for name, _ in zone.iterate_rdatasets("CNAME")}


def expected(domains: set[str]) -> set[str]:
    return {owner for domain in domains for owner in owners(domain, "rpz.test")}


# ---- what a zone holds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "owner"),
    [
        ("example.com", ["example.com", "*.example.com"]),
        ("192.0.2.1", ["32.1.2.0.192.rpz-ip"]),
        ("2001:db8::1", ["128.1.zz.db8.2001.rpz-ip"]),
        ("::1", ["128.1.zz.rpz-ip"]),
        ("2001:db8:1:2:3:4:5:6", ["128.6.5.4.3.2.1.db8.2001.rpz-ip"]),
        ("a" * 60 + ".b" * 94, []),  # 248 characters: nothing fits below rpz.test
        ("a" * 60 + ".b" * 92, ["a" * 60 + ".b" * 92]),  # the name itself does
    ],
)
def test_a_domain_is_refused_with_all_below_it_and_an_address_in_answers(
    domain: str, owner: list[str]
) -> None:
    assert owners(domain, "rpz.test") == owner


def test_a_zone_file_is_one_that_others_read() -> None:
    text = b"".join(zone_file(["b.example", "a.example", "192.0.2.1"], zone="rpz.test", serial=77))
    zone = dns.zone.from_text(text.decode(), origin="rpz.test")
    assert names(zone) == expected({"a.example", "b.example", "192.0.2.1"})
    assert zone.get_soa().serial == 77
    assert {str(rdata) for _, _, rdata in zone.iterate_rdatas("CNAME")} == {"."}


def test_a_zone_file_comes_in_pieces() -> None:
    pieces = list(zone_file((f"d{i}.example" for i in range(10_000)), zone="rpz.test", serial=1))
    assert len(pieces) > 2
    assert b"".join(pieces).count(b"CNAME") == 20_000


def serve(
    zone: ZoneData, kind: str, old: dns.zone.Zone, serial: int | None, key: dns.tsig.Key | None = None
) -> None:
    """Brings `old` up to date, as a resolver would."""
    keyring = {key.name: key} if key else None
    query, _ = dns.xfr.make_query(old, serial=serial, keyring=keyring)
    assert dns.rdatatype.to_text(query.question[0].rdtype) == kind
    wire = query.to_wire()
    answers = ZoneAnswers({old.origin: zone}, key).to(wire, stream=True)
    context = None
    with dns.xfr.Inbound(old, query.question[0].rdtype, serial) as inbound:
        for answer in answers:
            message = dns.message.from_wire(
                answer,
                keyring=keyring,
                request_mac=query.mac,
                xfr=True,
                origin=old.origin,
                tsig_ctx=context,
                multi=True,
                one_rr_per_rrset=True,
            )
            assert message.had_tsig == (key is not None)
            context = message.tsig_ctx
            done = inbound.process_message(message)
        assert done


@given(st.lists(st.tuples(st.sets(DOMAINS), st.sets(DOMAINS)), min_size=1, max_size=8), st.data())
def test_whoever_takes_the_changes_has_what_whoever_takes_it_all_has(
    changes: Changes, data: st.DataObject
) -> None:
    zone, domains = ZoneData("rpz.test"), set[str]()
    follower = dns.versioned.Zone("rpz.test")
    signed = data.draw(st.sampled_from([None, KEY]))
    for i, (added, removed) in enumerate(changes):
        removed -= added
        before = zone.serial
        changed = zone.change(added, removed, 1000)
        assert changed == (i == 0 or (domains | added) - removed != domains)
        assert (zone.serial != before) == changed
        domains = (domains | added) - removed
        if i == 0:
            serve(zone, "AXFR", follower, None, signed)
        elif data.draw(st.booleans()):
            with follower.reader() as reader:
                serial = reader.get("@", "SOA")[0].serial
            serve(zone, "IXFR", follower, serial, signed)
            assert names(follower) == expected(domains)
    newcomer = dns.versioned.Zone("rpz.test")
    serve(zone, "AXFR", newcomer, None, signed)
    assert names(newcomer) == expected(domains)


def test_serials_grow_though_the_clock_steps_back() -> None:
    zone = ZoneData("rpz.test")
    serials = []
    for i, now in enumerate([1000, 1000, 900, 2000]):
        zone.change([f"{i}.example"], [], now)
        serials.append(zone.serial)
    assert serials == [1000, 1001, 1002, 2000]


@pytest.mark.parametrize(("bound", "value"), [("MAX_STEPS", 3), ("MAX_JOURNAL", 3)])
def test_who_is_too_far_behind_gets_the_whole_zone(
    monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(zonedata, bound, value)
    zone = ZoneData("rpz.test")
    for i in range(10):
        zone.change([f"{i}.example"], [], 1000)
    whole = list(zone.whole())
    assert list(zone.since(1000)) == whole
    assert list(zone.since(5)) == whole
    assert list(zone.since(1006)) != whole
    assert list(zone.since(1009)) == whole[:1]  # nothing has changed


# ---- the server ----------------------------------------------------------------------------------------------

Serve = Callable[..., ZoneServer]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a server of "rpz.test" out of a list of what its feed gives, one after the other."""
    monkeypatch.setattr(zones, "PERIOD", 0.05)
    made: list[ZoneServer] = []

    def start(*steps: tuple[list[str], list[str]] | Exception, key: dns.tsig.Key | None = None) -> ZoneServer:
        left = list(steps)

        def feed() -> tuple[list[str], list[str]]:
            step = left.pop(0) if left else ([], [])
            if isinstance(step, Exception):
                raise step
            return step

        made.append(ZoneServer("127.0.0.1:0", {"rpz.test": feed}, key=key, log=structlog.get_logger()))
        made[-1].start()
        return made[-1]

    yield start
    for server in made:
        server.stop()


def ask(
    server: ZoneServer, name: str = "rpz.test", kind: str = "SOA", *, tcp: bool = False
) -> dns.message.Message:
    query = dns.message.make_query(name, kind)
    how = dns.query.tcp if tcp else dns.query.udp
    return how(query, "127.0.0.1", port=server.port, timeout=10)


def ready(server: ZoneServer) -> ZoneServer:
    while ask(server).rcode() == dns.rcode.SERVFAIL:
        pass
    return server


def taken(server: ZoneServer, key: dns.tsig.Key | None = None) -> set[str]:
    zone = dns.versioned.Zone("rpz.test")
    query, _ = dns.xfr.make_query(zone, keyring={key.name: key} if key else None)
    dns.query.inbound_xfr("127.0.0.1", zone, query, port=server.port, timeout=10)
    return names(zone)


def test_a_large_zone_is_taken_in_many_messages(served: Serve) -> None:
    many = {f"shop{i}.example" for i in range(3_000)}
    server = ready(served((sorted(many), [])))
    assert taken(server) == expected(many)


def test_a_signed_transfer_is_taken_and_an_unsigned_one_refused(served: Serve) -> None:
    many = {f"shop{i}.example" for i in range(1_500)}
    server = served((sorted(many), []), key=KEY)
    while True:
        try:
            assert taken(server, KEY) == expected(many)
            break
        except dns.xfr.TransferError as error:
            assert error.rcode == dns.rcode.SERVFAIL  # it is not filled yet
    assert ask(server).rcode() == dns.rcode.REFUSED
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        taken(server)
    with pytest.raises((dns.xfr.TransferError, dns.exception.DNSException)):
        taken(server, OTHER)


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("rpz.test", "SOA", "NOERROR"),
        ("RPZ.Test", "SOA", "NOERROR"),
        ("rpz.test", "NS", "NOERROR"),
        ("other.test", "SOA", "REFUSED"),
        ("other.test", "AXFR", "REFUSED"),
        ("rpz.test", "A", "REFUSED"),
        ("a.example.rpz.test", "CNAME", "REFUSED"),
    ],
)
@pytest.mark.parametrize("tcp", [False, True])
def test_a_policy_zone_is_transferred_and_not_asked(
    served: Serve, name: str, kind: str, code: str, tcp: bool
) -> None:
    server = ready(served((["a.example"], [])))
    assert dns.rcode.to_text(ask(server, name, kind, tcp=tcp).rcode()) == code


def test_a_transfer_over_udp_is_told_to_come_over_tcp(served: Serve) -> None:
    server = ready(served((["a.example"], [])))
    incremental = ask(server, kind="IXFR")
    assert [rrset.rdtype for rrset in incremental.answer] == [dns.rdatatype.SOA]
    assert ask(server, kind="AXFR").rcode() == dns.rcode.FORMERR


def test_a_zone_that_was_never_filled_is_not_served(served: Serve) -> None:
    server = served(*[StoreUnavailableError("the database is away")] * 1000)
    assert ask(server).rcode() == dns.rcode.SERVFAIL


def test_a_zone_stays_as_it_was_while_the_store_is_away(served: Serve) -> None:
    away = StoreUnavailableError("the database is away")
    server = ready(served((["a.example"], []), away, away, away, (["b.example"], ["a.example"])))
    assert taken(server) in (expected({"a.example"}), expected({"b.example"}))
    while taken(server) != expected({"b.example"}):
        time.sleep(0.1)  # as fast as they come, connections are turned away


@given(st.binary(max_size=80), st.booleans())
def test_whatever_comes_gets_at_most_one_short_answer(data: bytes, stream: bool) -> None:
    zone = ZoneData("rpz.test")
    zone.change(["a.example"], [], 1)
    answers = list(ZoneAnswers({dns.name.from_text("rpz.test"): zone}, None).to(data, stream=stream))
    assert sum(map(len, answers)) <= 600
    if len(data) < 12 or data[2] & 0x80:
        assert answers == []


def questions() -> list[bytes]:
    """Good ones of every kind."""
    made = []
    for kind in ("SOA", "AXFR", "IXFR", "A"):
        for keyring in (None, {KEY.name: KEY}):
            query = dns.message.make_query("rpz.test", kind, use_edns=kind == "SOA")
            if kind == "IXFR":
                query.authority.append(dns.rrset.from_text("rpz.test.", 0, "IN", "SOA", ". . 1 0 0 0 0"))
            if keyring:
                query.use_tsig(keyring)
            made.append(query.to_wire())
    return made


@given(
    st.sampled_from(questions()),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 250),
    st.booleans(),
    st.sampled_from([None, KEY]),
)
def test_a_question_with_wrong_bytes_does_no_harm(
    wire: bytes, edits: list[tuple[int, int]], end: int, stream: bool, key: dns.tsig.Key | None
) -> None:
    zone = ZoneData("rpz.test")
    zone.change(["a.example"], [], 1)
    broken = bytearray(wire)
    for at, value in edits:
        broken[at % len(broken)] = value
    answers = list(
        ZoneAnswers({dns.name.from_text("rpz.test"): zone}, key).to(bytes(broken[:end]), stream=stream)
    )
    assert all(answer[:2] == broken[:2] and answer[2] & 0x80 for answer in answers)


def test_what_is_no_message_is_told_so() -> None:
    (answer,) = ZoneAnswers({}, None).to(b"\x12\x34\x00\x00\x00\x05" + bytes(6), stream=False)
    assert answer == b"\x12\x34\x80\x01" + bytes(8)


def test_connections_are_bounded_and_come_back(served: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "CONNECTIONS", 2)
    server = ready(served((["a.example"], [])))
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
    idle[2].settimeout(10)
    assert idle[2].recv(1) == b""
    for each in idle:
        each.close()
    while True:
        try:
            assert ask(server, tcp=True).rcode() == dns.rcode.NOERROR
            break
        except (EOFError, OSError):
            pass  # the server has not seen yet that they hung up


def test_who_does_not_ask_in_time_is_hung_up_on(served: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "PATIENCE", 0.1)
    server = ready(served((["a.example"], [])))
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
        slow.sendall(struct.pack("!H", 40) + b"half of it")
        assert slow.recv(1) == b""


# ---- what it is started with ---------------------------------------------------------------------------------


def test_a_key_is_read_as_tsig_keygen_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f'key "resolvers" {{\n\talgorithm hmac-sha256;\n\tsecret "{"c2VjcmV0" * 4}";\n}};\n')
    assert read_key(file) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        'key "a" { algorithm hmac-md5; secret "c2VjcmV0"; };',
        'key a { algorithm hmac-sha256; secret "c2V"; };',
    ],
)
def test_what_is_no_key_is_a_clear_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(ListenError, match="tsig-keygen"):
        read_key(file)
    with pytest.raises(ListenError, match="cannot be read"):
        read_key(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("address", "zone", "why"),
    [
        ("0.0.0.0:0", "rpz.test", "give --zone-key FILE"),
        ("127.0.0.1", "rpz.test", "is no address"),
        ("127.0.0.1:0", "rpz..test", "no name of a zone"),
        ("192.0.2.1:0", "rpz.test", "give --zone-key FILE"),
    ],
)
def test_what_cannot_be_served_is_a_clear_error(address: str, zone: str, why: str) -> None:
    with pytest.raises(ListenError, match=why):
        ZoneServer(address, {zone: lambda: ([], [])}, key=None, log=structlog.get_logger())


def test_a_port_that_is_taken_is_a_clear_error(served: Serve) -> None:
    server = served()
    with pytest.raises(ListenError, match="Address already in use"):
        ZoneServer(f"127.0.0.1:{server.port}", {}, key=None, log=structlog.get_logger())
