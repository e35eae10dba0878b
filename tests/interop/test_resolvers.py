"""A stock resolver that loads our response policy zone refuses listed domains, and no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from interceptor.control.zone import ZoneServer
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListKind
from interceptor.store.domainfeed import DomainFeed
from interceptor.store.rpz import zone_file
from interceptor.store.store import Store
from interceptor.store.words import NewEntry
from interop.resolver import UNBOUND, Resolver, free_port

pytestmark = pytest.mark.skipif(UNBOUND is None, reason="Unbound is not installed")

NOW = 1_795_000_000_000


@pytest.fixture
def store(tmp_path: Path, plan: NumberingPlan) -> Iterator[Store]:
    made = Store.open(tmp_path / "data", plan=plan, home="CN", clock=lambda: NOW)
    made.lists.ensure({"fraud-domains": ListKind.DOMAIN}, NOW)
    yield made
    made.close()


def add(store: Store, domain: str) -> None:
    store.lists.add("fraud-domains", "police", [NewEntry(domain)], actor="local", comment="", now_ms=NOW)


def remove(store: Store, domain: str) -> None:
    store.lists.remove("fraud-domains", [domain], source="", actor="local", comment="", now_ms=NOW)


def test_a_resolver_that_loads_the_exported_zone_refuses_what_is_listed(tmp_path: Path) -> None:
    text = b"".join(zone_file(["fraud.example", "192.0.2.66"], zone="fraud.rpz", serial=1))
    (tmp_path / "fraud.zone").write_bytes(text)
    resolver = Resolver(tmp_path, ["zonefile: fraud.zone"])
    try:
        assert resolver.ask("fraud.example") == "NXDOMAIN"
        assert resolver.ask("login.fraud.example") == "NXDOMAIN"
        assert resolver.ask("numbered.example") == "NXDOMAIN"  # its address is listed
        assert resolver.ask("www.bank.example") == "192.0.2.2"
        assert resolver.ask("late.example") == "192.0.2.3"
    finally:
        resolver.stop()


def test_a_resolver_that_takes_the_zone_from_us_follows_the_list(tmp_path: Path, store: Store) -> None:
    add(store, "fraud.example")
    port = free_port()
    server = ZoneServer(
        "127.0.0.1:0",
        {"fraud.rpz": DomainFeed(store.lists, "fraud-domains", lambda: NOW)},
        key=None,
        log=structlog.get_logger(),
        notify=[f"127.0.0.1:{port}"],
    )
    server.start()
    resolver = Resolver(tmp_path, [f"primary: 127.0.0.1@{server.port}"], port)
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
