"""A database that goes away under a running service, and comes back: PostgreSQL, really stopped."""

from collections.abc import Iterator

import pytest

from interceptor.store.words import StoreUnavailableError
from service.test_live_lists import CALLER, OTHER, Begin, add, begin, eventually, rule_of
from store.postgres import Cluster, program

__all__ = ["begin"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if program("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    made = Cluster()
    yield made
    made.close()


def test_decisions_go_on_nothing_is_lost_and_it_recovers_by_itself(begin: Begin, cluster: Cluster) -> None:
    url = cluster.database()
    service = begin(store_url=url)
    add(service, "blocked", CALLER)
    ending = "+8613800138002"
    add(service, "blocked", ending, valid_until_ms=service.clock.now_ms() + 3_000)
    eventually(lambda: service.upkeep.known.revision == 3)
    cluster.stop("immediate")
    try:
        with pytest.raises(StoreUnavailableError, match="decisions go on"):
            add(service, "blocked", OTHER)
        eventually(lambda: not service.upkeep.up)
        assert [rule_of(service, caller) for caller in (CALLER, OTHER)] == ["listed", "default"]
        assert rule_of(service, "+8613700000001", user_agent="friendly-scanner") == "scanner"
        assert rule_of(service, "+8613700000001") == "watched"
        eventually(lambda: service.additions.waiting == 1)
        with pytest.raises(StoreUnavailableError):
            service.reload()
        assert rule_of(service) == "listed"
    finally:
        cluster.start()
    eventually(lambda: service.upkeep.up and service.additions.kept == 1)
    eventually(lambda: rule_of(service, ending) == "default")
    add(service, "blocked", OTHER)
    assert rule_of(service, OTHER) == "listed"
    again = begin(store_url=url)
    told = [rule_of(again, caller) for caller in (CALLER, OTHER, ending, "+8613700000001")]
    assert told == ["listed", "listed", "default", "watched"]
