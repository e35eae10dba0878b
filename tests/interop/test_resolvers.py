"""A stock resolver that loads our response policy zone refuses listed domains, and no other."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dns.tsig
import pytest
import structlog

import interceptor
from interceptor.control.zone import ZoneServer, read_key
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.store.domainfeed import DomainFeed
from interceptor.store.rpz import zone_file
from interceptor.store.store import Store
from interceptor.store.words import NewEntry
from interop.resolver import NAMED, PATH, UNBOUND, Resolver, free_port, named, unbound

needs_unbound = pytest.mark.skipif(UNBOUND is None, reason="Unbound is not installed")
needs_named = pytest.mark.skipif(NAMED is None, reason="BIND is not installed")

KEY = 'key "resolvers" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"; };'

SHIPPED = Path(interceptor.__file__).parent / "integrations/dns"
NOW = 1_795_000_000_000


@pytest.fixture
def store(tmp_path: Path, plan: NumberingPlan) -> Iterator[Store]:
    made = Store.open(tmp_path / "data", plan=plan, home="CN", clock=lambda: NOW)
    made.lists.ensure({"fraud-domains": ListKind.DOMAIN})
    yield made
    made.close()


def add(store: Store, domain: str) -> None:
    store.lists.add("fraud-domains", "police", [NewEntry(domain)], actor="local", comment="", now_ms=NOW)


def remove(store: Store, domain: str) -> None:
    store.lists.remove("fraud-domains", [domain], source="", actor="local", comment="", now_ms=NOW)


@needs_unbound
def test_a_resolver_that_loads_the_exported_zone_refuses_what_is_listed(tmp_path: Path) -> None:
    text = b"".join(zone_file(["fraud.example", "192.0.2.66"], zone="fraud.rpz", serial=1))
    (tmp_path / "fraud.zone").write_bytes(text)
    resolver = unbound(tmp_path, ["zonefile: fraud.zone"])
    try:
        assert resolver.ask("fraud.example") == "NXDOMAIN"
        assert resolver.ask("login.fraud.example") == "NXDOMAIN"
        assert resolver.ask("numbered.example") == "NXDOMAIN"  # its address is listed
        assert resolver.ask("www.bank.example") == "192.0.2.2"
        assert resolver.ask("late.example") == "192.0.2.3"
    finally:
        resolver.stop()


def follows(store: Store, server: ZoneServer, resolver: Resolver) -> None:
    """What is listed is refused, what is not is answered, whatever happens to the list."""
    add(store, "fraud.example")
    server.start()
    try:
        assert resolver.comes_to("fraud.example", "NXDOMAIN")
        assert resolver.ask("login.fraud.example") == "NXDOMAIN"
        assert resolver.ask("www.bank.example") == "192.0.2.2"
        assert resolver.ask("late.example") == "192.0.2.3"
        add(store, "late.example")
        assert resolver.comes_to("late.example", "NXDOMAIN")
        assert resolver.ask("fraud.example") == "NXDOMAIN"
        remove(store, "fraud.example")
        assert resolver.comes_to("fraud.example", "192.0.2.1")
        assert resolver.ask("late.example") == "NXDOMAIN"
        assert resolver.ask("www.bank.example") == "192.0.2.2"
    finally:
        resolver.stop()
        server.stop()


def serving(store: Store, told: int, key: dns.tsig.Key | None = None) -> ZoneServer:
    feed = DomainFeed(store.lists, "fraud-domains", lambda: NOW)
    return ZoneServer(
        "127.0.0.1:0", {"fraud.rpz": feed}, key=key, log=structlog.get_logger(), notify=[f"127.0.0.1:{told}"]
    )


@needs_unbound
def test_a_resolver_that_takes_the_zone_from_us_follows_the_list(tmp_path: Path, store: Store) -> None:
    port = free_port()
    server = serving(store, port)
    follows(store, server, unbound(tmp_path, [f"primary: 127.0.0.1@{server.port}"], port))


@needs_named
def test_a_resolver_that_signs_with_the_key_follows_the_list(tmp_path: Path, store: Store) -> None:
    port = free_port()
    (tmp_path / "key").write_text(KEY)
    server = serving(store, port, read_key(tmp_path / "key"))
    follows(store, server, named(tmp_path, server.port, KEY, port))


@needs_unbound
def test_the_configuration_we_ship_for_unbound_is_one(tmp_path: Path) -> None:
    whole = tmp_path / "unbound.conf"
    whole.write_text(
        f'server:\n    chroot: ""\n    directory: "{tmp_path}"\n{(SHIPPED / "unbound.conf").read_text()}'
    )
    assert "no errors" in checked("unbound-checkconf", whole)


@needs_named
def test_the_configuration_we_ship_for_bind_is_one(tmp_path: Path) -> None:
    assert checked("named-checkconf", SHIPPED / "named.conf") == ""
    clause = (SHIPPED / "named.conf").read_text().partition("\nkey ")[2].partition("};")[0]
    (tmp_path / "key").write_text(f"key {clause}}};")
    assert str(read_key(tmp_path / "key").name) == "resolvers."


def checked(program: str, configuration: Path) -> str:
    where = shutil.which(program, path=PATH)
    assert where is not None
    ran = subprocess.run([where, configuration], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
