"""Entries put on lists and taken off: by several sources, with words and times, and what the engine is told."""

import pytest

from interceptor.engine.spec import ListKind
from interceptor.store.store import Store
from interceptor.store.words import NewEntry, StoreRefusedError, StoreUnknownError
from store.deeds import NOW, NUMBER, exported, listed, numbers, put, take


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
    with pytest.raises(StoreUnknownError, match="no list 'other'"):
        put(store, NUMBER, to="other")


def test_a_list_that_is_empty_may_become_one_of_another_kind(store: Store) -> None:
    store.lists.ensure({"other": ListKind.NUMBER})
    with pytest.raises(StoreRefusedError, match="is a prefix"):
        put(store, "+33162*", to="other")
    store.lists.ensure({"other": ListKind.PREFIX})
    put(store, "+33162*", to="other")
    assert exported(store, "other").splitlines()[1].startswith("+33162*,")


def test_a_retention_ends_what_says_no_end_and_saying_it_again_renews_it(store: Store) -> None:
    store.lists.set_retention(list_name="number", retention_ms=100, actor="local", now_ms=NOW)
    store.lists.set_retention(source="desk", retention_ms=50, actor="local", now_ms=NOW)
    put(store, NUMBER, source="desk")
    put(store, numbers(1)[0], source="police")
    put(store, NewEntry(numbers(2)[1], valid_until_ms=NOW + 500), source="desk")
    ends = {held.text: held.valid_until_ms for held in store.lists.search(now_ms=NOW)[0]}
    assert ends == {NUMBER: NOW + 50, numbers(1)[0]: NOW + 100, numbers(2)[1]: NOW + 500}
    assert put(store, NUMBER, source="desk", at=NOW + 10).added == 1
    assert listed(store, NUMBER, at=NOW + 59)
    assert not listed(store, NUMBER, at=NOW + 60)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (NewEntry("no number"), "entry 2: 'no number' is no telephone number"),
        (NewEntry(NUMBER, "r" * 65), r"entry 2 .*: the reason is one word"),
        (NewEntry(NUMBER, valid_until_ms=NOW), r"entry 2 .*: its end has passed"),
        (NewEntry(NUMBER, valid_from_ms=NOW + 9, valid_until_ms=NOW + 9), "it ends before it begins"),
        (NewEntry(NUMBER, note="n" * 2_001), "the note has at most 2000 characters"),
        (NewEntry(NUMBER, valid_from_ms=-1), "start and end are milliseconds since 1970"),
    ],
)
def test_an_entry_that_cannot_be_kept_is_named_and_nothing_is_added(
    sqlite_store: Store, entry: NewEntry, why: str
) -> None:
    with pytest.raises(StoreRefusedError, match=why):
        put(sqlite_store, numbers(1)[0], entry)
    assert sqlite_store.revision() == 0


def test_a_dry_run_says_what_would_change_and_changes_nothing(store: Store) -> None:
    put(store, NUMBER)
    new = [NewEntry(NUMBER), NewEntry(numbers(1)[0])]
    told = store.lists.add("number", "desk", new, actor="local", now_ms=NOW, dry_run=True)
    assert (told.revision, told.added, told.unchanged) == (0, 1, 1)
    told = store.lists.remove("number", [NUMBER], actor="local", now_ms=NOW, dry_run=True)
    assert (told.revision, told.removed) == (0, 1)
    assert store.revision() == 1
    assert listed(store, NUMBER)


def test_a_subscribers_own_entries_are_told_apart(store: Store) -> None:
    pairs = [f"{NUMBER}:{caller}" for caller in numbers(3)]
    put(store, *pairs, to="pair")
    take(store, pairs[1], off="pair")
    keys = store.lists.keys_of("pair", pairs)
    assert store.lists.effective("pair", keys, NOW).tolist() == [True, False, True]
    assert len(store.lists.content("pair", NOW)) == 2
    assert store.lists.list_content("pair", keys).pairs.shape == (3, 2)


def test_the_engine_is_told_networks_by_their_text(store: Store) -> None:
    put(store, "192.0.2.0/24", to="network")
    content = store.lists.list_content("network", store.lists.content("network", NOW))
    assert [length for _, length in content.networks] == [96 + 24]


def test_what_begins_or_ends_in_a_while_is_due(store: Store) -> None:
    begins, ends, both = numbers(3)
    put(store, NewEntry(begins, valid_from_ms=NOW + 10), NewEntry(ends, valid_until_ms=NOW + 20))
    put(store, NewEntry(both, valid_from_ms=NOW + 15, valid_until_ms=NOW + 30))

    def due(after: int, until: int) -> int:
        return sum(len(keys) for _, keys in store.lists.due(NOW + after, NOW + until))

    assert [due(0, 9), due(9, 10), due(10, 20), due(19, 20), due(20, 30), due(30, 99)] == [0, 1, 2, 1, 1, 0]


def test_what_changed_since_a_revision_is_told_by_list(store: Store) -> None:
    put(store, *numbers(2))
    put(store, "example.com", to="domain")
    take(store, numbers(1)[0])
    assert [(name, len(keys)) for name, keys in store.lists.since(1)] == [("domain", 1), ("number", 1)]
    assert store.lists.since(3) == []


def test_a_list_of_another_kind_is_refused_once_it_has_entries(store: Store) -> None:
    store.lists.ensure({"number": ListKind.PREFIX})
    store.lists.ensure({"number": ListKind.NUMBER})
    put(store, NUMBER)
    with pytest.raises(StoreRefusedError, match="give the new list another name"):
        store.lists.ensure({"number": ListKind.PREFIX})
