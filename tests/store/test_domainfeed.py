"""A list of domains as its followers see it: all of it first, then what changes."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interceptor.engine.plan import NumberingPlan
from interceptor.store.domainfeed import DomainFeed
from interceptor.store.store import Store
from interceptor.store.words import NewEntry, StoreRefusedError, StoreUnavailableError
from store.conftest import NOW, opened

Clock = list[int]


def add(
    store: Store, domain: str, source: str = "desk", start: int | None = None, end: int | None = None
) -> None:
    entry = NewEntry(domain, valid_from_ms=start, valid_until_ms=end)
    store.lists.add("domain", source, [entry], actor="local", comment="", now_ms=NOW)


def remove(store: Store, domain: str, source: str = "") -> None:
    store.lists.remove("domain", [domain], source=source, actor="local", comment="", now_ms=NOW)


@pytest.fixture
def clock() -> Clock:
    return [NOW]


@pytest.fixture
def feed(store: Store, clock: Clock) -> DomainFeed:
    return DomainFeed(store.lists, "domain", lambda: clock[0])


def test_first_comes_all_of_it_and_then_what_changed(store: Store, feed: DomainFeed) -> None:
    add(store, "a.example")
    add(store, "B.example.")
    on, off = feed()
    assert (sorted(on), off) == (["a.example", "b.example"], [])
    assert feed() == ([], [])
    add(store, "c.example")
    remove(store, "a.example")
    assert feed() == (["c.example"], ["a.example"])


def test_a_domain_that_one_source_lets_go_of_stays_by_the_other(store: Store, feed: DomainFeed) -> None:
    add(store, "a.example", "police")
    add(store, "a.example", "desk")
    feed()
    remove(store, "a.example", "police")
    assert feed()[1] == []
    remove(store, "a.example", "desk")
    assert feed() == ([], ["a.example"])


def test_domains_come_and_go_at_their_times(sqlite_store: Store, clock: Clock) -> None:
    feed = DomainFeed(sqlite_store.lists, "domain", lambda: clock[0])
    add(sqlite_store, "a.example", start=NOW + 10, end=NOW + 20)
    seen = []
    for clock[0] in range(NOW, NOW + 30, 5):
        seen.append(feed())
    assert seen == [([], []), ([], []), (["a.example"], []), ([], []), ([], ["a.example"]), ([], [])]


def test_changes_of_other_lists_are_none(sqlite_store: Store) -> None:
    feed = DomainFeed(sqlite_store.lists, "domain", lambda: NOW)
    feed()
    sqlite_store.lists.add("trunk", "desk", [NewEntry("t1")], actor="local", comment="", now_ms=NOW)
    assert feed() == ([], [])


def test_what_happened_while_the_database_was_away_is_told_afterwards(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = DomainFeed(sqlite_store.lists, "domain", lambda: NOW)
    feed()
    add(sqlite_store, "a.example")

    def away(*_: object) -> None:
        raise StoreUnavailableError("the database is away")

    with monkeypatch.context() as broken:
        broken.setattr(sqlite_store.lists, "names", away)
        with pytest.raises(StoreUnavailableError):
            feed()
    assert feed() == (["a.example"], [])


@pytest.mark.parametrize(("name", "why"), [("number", "of kind number"), ("nowhere", "nowhere")])
def test_a_zone_is_made_of_a_list_of_domains(sqlite_store: Store, name: str, why: str) -> None:
    with pytest.raises(StoreRefusedError, match=why):
        DomainFeed(sqlite_store.lists, name, lambda: NOW)()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, plan: NumberingPlan) -> Iterator[Store]:
    made = opened(tmp_path_factory.mktemp("feed") / "data", None, plan)
    yield made
    made.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "look"]),
        st.sampled_from(["a.example", "b.example"]),
        st.sampled_from(["desk", "police"]),
    ),
    max_size=12,
)


@settings(max_examples=15)
@given(STEPS)
def test_a_follower_has_what_is_on_the_list(shared: Store, steps: list[tuple[str, str, str]]) -> None:
    feed: Callable[[], tuple[list[str], list[str]]] = DomainFeed(shared.lists, "domain", lambda: NOW)
    has = set(feed()[0])
    for what, domain, source in [*steps, ("look", "", "")]:
        match what:
            case "add":
                add(shared, domain, source)
            case "remove":
                remove(shared, domain, source)
            case "look":
                on, off = feed()
                has = (has | set(on)) - set(off)
    newcomer = DomainFeed(shared.lists, "domain", lambda: NOW)
    assert has == set(newcomer()[0])
