"""What people are shown of the lists: an entry with all that stands for it, searches, figures, files."""

import pytest

from interceptor.engine.spec import ListKind
from interceptor.store.store import Store
from interceptor.store.words import Held, NewEntry, StoreRefusedError
from store.deeds import NOW, NUMBER, exported, numbers, put, take


def texts(found: list[Held]) -> list[str]:
    return [held.text for held in found]


@pytest.mark.parametrize(
    ("kind", "entry", "asked"),
    [
        (ListKind.NUMBER, NUMBER, "138 0013 8000"),
        (ListKind.PREFIX, "+861380013*", "13800138000"),
        (ListKind.DOMAIN, "example.com", "www.example.com"),
        (ListKind.DEVICE, "35209900", "352099001761481"),
        (ListKind.SUBSCRIBER, "46000", "460001234567890"),
        (ListKind.TRUNK, "#1, north", "#1, north"),
        (ListKind.PAIR, f"{NUMBER}:+861069445566", NUMBER),
        (ListKind.NETWORK, "192.0.2.0/24", "192.0.2.7"),
    ],
)
def test_what_covers_a_text_is_shown_and_an_export_reads_as_the_same_list(
    sqlite_store: Store, kind: ListKind, entry: str, asked: str
) -> None:
    put(sqlite_store, entry, to=kind.value)
    assert entry in texts(sqlite_store.lists.show(asked, now_ms=NOW))
    assert sqlite_store.lists.show("something else", now_ms=NOW) == []
    row = exported(sqlite_store, kind.value).splitlines()[1]
    assert row.strip('"').startswith(entry)


def test_an_entry_is_shown_with_who_when_and_how_to_undo_it(store: Store) -> None:
    put(store, NewEntry(NUMBER, "fraud", note="case 7", valid_until_ms=NOW + 9), source="police")
    (held,) = store.lists.show(NUMBER, now_ms=NOW)
    said = (
        held.source,
        held.reason,
        held.note,
        held.valid_until_ms,
        held.added_by,
        held.added_ms,
        held.revision,
    )
    assert said == ("police", "fraud", "case 7", NOW + 9, "local", NOW, 1)
    assert held.live
    assert not store.lists.show(NUMBER, now_ms=NOW + 9)[0].live


def test_what_is_gone_is_shown_when_it_is_asked_for(store: Store) -> None:
    put(store, NUMBER)
    take(store, NUMBER)
    assert store.lists.show(NUMBER, now_ms=NOW) == []
    (held,) = store.lists.show(NUMBER, history=True, now_ms=NOW)
    assert (held.live, held.gone_revision, held.gone_by, held.gone_ms) == (False, 2, "local", NOW)


def test_a_search_goes_through_every_list_page_by_page(store: Store) -> None:
    put(store, *numbers(5))
    put(store, NUMBER, source="police")
    put(store, "+861390*", to="prefix")
    put(store, "example.com", "example.org", to="domain")
    found: list[Held] = []
    page, pages = "", 0
    while page or not pages:
        some, page = store.lists.search(limit=2, page=page, now_ms=NOW)
        found, pages = found + some, pages + 1
    assert (len(found), len(set(texts(found))), pages) == (9, 9, 5)
    assert texts(store.lists.search("+86139", now_ms=NOW)[0]) == [*numbers(5), "+861390*"]
    assert texts(store.lists.search("example.o", now_ms=NOW)[0]) == ["example.org"]
    assert texts(store.lists.search(source="police", now_ms=NOW)[0]) == [NUMBER]
    with pytest.raises(StoreRefusedError, match="is no page of a search"):
        store.lists.search(page="made up", now_ms=NOW)


def test_an_entry_of_two_sources_counts_once(store: Store) -> None:
    put(store, NewEntry(NUMBER, "fraud"), NewEntry(numbers(1)[0], "wangiri"), source="police")
    put(store, NewEntry(NUMBER, "fraud"), source="desk")
    put(store, NewEntry(numbers(2)[1], valid_from_ms=NOW + 1))
    (state,) = store.lists.stats("number", now_ms=NOW)
    assert (state.entries, state.by_source) == (2, {"desk": 1, "police": 2})
    assert (state.by_reason, state.last_change_ms) == ({"fraud": 2, "wangiri": 1}, NOW)
    assert [one.name for one in store.lists.stats(now_ms=NOW)] == sorted(kind.value for kind in ListKind)
