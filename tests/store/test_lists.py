"""Entries put on lists and taken off: by several sources, with words and times, and what the engine is told."""

import pytest

from interceptor.store.store import Store
from interceptor.store.words import NewEntry, StoreRefusedError
from store.deeds import NOW, NUMBER, listed, put, take


def test_an_entry_is_on_the_list_until_its_last_source_lets_go(store: Store) -> None:
    put(store, NUMBER, source="police")
    put(store, NUMBER, source="desk")
    take(store, NUMBER, source="police")
    assert listed(store, NUMBER)
    take(store, NUMBER, source="desk")
    assert not listed(store, NUMBER)


def test_the_same_again_changes_nothing(store: Store) -> None:
    first = put(store, NewEntry(NUMBER, "fraud"))
    again = put(store, NewEntry("138 0013 8000", "fraud"))
    assert (first.revision, first.added) == (1, 1)
    assert (again.revision, again.added, again.unchanged) == (0, 0, 1)
    assert store.revision() == 1


def test_an_entry_counts_from_its_start_until_right_before_its_end(store: Store) -> None:
    put(store, NewEntry(NUMBER, valid_from_ms=NOW + 10, valid_until_ms=NOW + 20))
    assert [listed(store, NUMBER, at=NOW + ms) for ms in (9, 10, 19, 20)] == [False, True, True, False]


def test_an_unknown_list_is_refused(store: Store) -> None:
    with pytest.raises(StoreRefusedError, match="no list 'other'"):
        put(store, NUMBER, to="other")
