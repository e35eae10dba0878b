"""Undoing: whatever happened, what a change did is reverted, and nothing that was touched since."""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from interceptor.engine.spec import ListKind
from interceptor.store import changes, staging
from interceptor.store import undo as undoing
from interceptor.store.schema import changes as made
from interceptor.store.store import Store
from interceptor.store.undo import Undo
from interceptor.store.words import Action, NewEntry, StaleRevisionError, StoreRefusedError
from model.held import HeldModel
from store.deeds import NOW, NUMBER, exported, listed, numbers, put, take, undo

# ---- any history ---------------------------------------------------------------------------------------------

NUMBERS = numbers(6)
SOURCES = ("police", "desk")
WORDS = ("fraud", "wangiri")


@dataclass(frozen=True)
class Deed:
    """What is done: each number gets these words from a source, or goes; or an earlier change is undone."""

    source: str = ""
    wanted: tuple[tuple[str, str | None], ...] = ()
    undoes: int = 0  #: how many changes back; 0: none
    staged: bool = False


def wishes(words: st.SearchStrategy[str | None]) -> st.SearchStrategy[tuple[tuple[str, str | None], ...]]:
    wanted = st.dictionaries(st.sampled_from(NUMBERS), words, min_size=1)
    return wanted.map(lambda chosen: tuple(sorted(chosen.items())))


DEEDS = st.one_of(
    st.builds(Deed, source=st.sampled_from(SOURCES), wanted=wishes(st.sampled_from([*WORDS, None]))),
    st.builds(Deed, undoes=st.integers(1, 6), staged=st.booleans()),
)


def change(store: Store, name: str, deed: Deed) -> None:
    """Adds, removes, and what does both at once is as an import does it."""
    gone = [number for number, words in deed.wanted if words is None]
    new = [NewEntry(number, words) for number, words in deed.wanted if words is not None]
    if not gone:
        put(store, *new, source=deed.source, to=name)
    elif not new:
        take(store, *gone, source=deed.source, off=name)
    else:
        replace(store, name, deed.source, gone, new)


def replace(store: Store, name: str, source: str, gone: Sequence[str], new: Sequence[NewEntry]) -> None:
    """One change that adds, removes and gives other words, as an import does."""
    lists = store.lists
    before = {held.text: held.reason for held in lists.search(list_name=name, source=source, now_ms=NOW)[0]}
    new = [entry for entry in new if before.get(entry.text) != entry.reason]
    gone = [text for text in gone if text in before]
    if not new and not gone:
        return
    going = lists.keys_of(name, [*gone, *(entry.text for entry in new if entry.text in before)])
    with store.database.write() as conn:
        roll = lists.roll(conn, name)
        source_id, _ = lists.source(conn, source, make=True)
        made = changes.begin(conn, Action.IMPORT, "local", NOW, list_id=roll.id, source_id=source_id)
        digest = lists.digest()
        if len(going):
            staging.let_go(conn, roll.id, source_id, made, going)
            digest.remove(roll.id, source_id, going)
        says = {"note": "", "valid_from_ms": None, "valid_until_ms": None, "added_by": "local"}
        for reason in sorted({entry.reason for entry in new}):
            lot = {"list_id": roll.id, "source_id": source_id, "change_id": made, "reason": reason}
            (its,) = staging.make_lots(conn, [{**lot, **says}])
            keys = lists.keys_of(name, [entry.text for entry in new if entry.reason == reason])
            untimed = np.zeros(len(keys), dtype=bool)
            staging.bring(conn, roll.id, source_id, made, keys, np.full(len(keys), its), untimed)
            digest.add(roll.id, source_id, keys)
        changes.go_live(conn, made, NOW, subject=name, detail={}, digest=digest.hexdigest())


def held(store: Store, name: str) -> dict[tuple[str, str], str]:
    rows = csv.DictReader(exported(store, name).splitlines())
    return {(row["source"], row["number"]): row["reason"] for row in rows}


@pytest.mark.usefixtures("small_steps")
@settings(
    max_examples=max(20, settings.default.max_examples // 5) if settings.default else 20,
    suppress_health_check=[*HealthCheck],
)
@given(deeds=st.lists(DEEDS, max_size=14))
def test_any_history_of_changes_and_undos_is_as_the_model_says(store: Store, deeds: list[Deed]) -> None:
    name = f"list{next(LISTS)}"
    store.lists.ensure({name: ListKind.NUMBER})
    first, model = store.revision(), HeldModel()
    for deed in deeds:
        revision = len(model.changes) + 1 - deed.undoes
        if not deed.undoes:
            change(store, name, deed)
            model.change({(deed.source, number): words for number, words in deed.wanted})
        elif revision > 0:
            by = Undo(store.lists, at_once=0) if deed.staged else store.undo
            expected = model.undo(revision)
            if expected is None:
                with pytest.raises(StoreRefusedError, match="is undone already"):
                    by.undo(first + revision, actor="local", now_ms=NOW)
            else:
                done = by.undo(first + revision, actor="local", now_ms=NOW)
                assert (done.revision and done.revision - first, done.conflicts) == expected
        assert held(store, name) == {cell: words for cell, (words, _) in model.said.items()}
        assert store.revision() - first == len(model.changes)
    assert store.audit.verify(deep=True).problems == ()


LISTS = itertools.count()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A staged undo takes two entries at a time."""
    monkeypatch.setattr(undoing, "SHORTEST_STEP", 2)
    monkeypatch.setattr(undoing, "LONGEST_STEP", 2)


# ---- what is asked for ---------------------------------------------------------------------------------------


def test_what_was_touched_since_is_left_and_counted(store: Store) -> None:
    added = put(store, *numbers(3))
    put(store, NewEntry(numbers(1)[0], "another word"))
    undone = undo(store, added.revision)
    assert (undone.removed, undone.conflicts) == (2, 1)
    assert [listed(store, number) for number in numbers(3)] == [True, False, False]


def test_an_undo_is_undone_by_an_undo(store: Store) -> None:
    put(store, NewEntry(NUMBER, "police case", note="7", valid_until_ms=NOW + 9))
    before = exported(store)
    removed = take(store, NUMBER)
    back = undo(store, removed.revision)
    assert exported(store) == before
    undo(store, back.revision)
    assert not listed(store, NUMBER)
    undo(store, removed.revision)
    assert exported(store) == before


def test_what_an_undo_would_do_is_told_without_doing_it(store: Store) -> None:
    put(store, NewEntry(NUMBER, "one"))
    second = put(store, NewEntry(NUMBER, "two"), *numbers(2))
    told = store.undo.difference(second.revision)
    assert (len(told.added), len(told.removed), told.changed, told.revision) == (0, 2, 1, second.revision)
    assert store.revision() == second.revision
    gone = take(store, NUMBER)
    assert len(store.undo.difference(gone.revision).added) == 1


@pytest.mark.parametrize(("revision", "why"), [(7, "no revision 7"), (2, "is no change of a list")])
def test_what_cannot_be_undone_says_why(store: Store, revision: int, why: str) -> None:
    put(store, NUMBER)
    store.lists.set_retention(source="desk", retention_ms=5, actor="local", now_ms=NOW)
    with pytest.raises(StoreRefusedError, match=why):
        undo(store, revision)


def test_an_undo_is_refused_when_something_else_became_live_since_it_was_confirmed(store: Store) -> None:
    first = put(store, NUMBER)
    put(store, *numbers(1))
    with pytest.raises(StaleRevisionError, match="revision 1 was confirmed, and 2 is live"):
        store.undo.undo(first.revision, actor="local", now_ms=NOW, expected=1)
    assert listed(store, NUMBER)


# ---- staged --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_steps")
def test_nobody_sees_half_of_an_undo_and_what_is_done_meanwhile_stays(store: Store) -> None:
    new = numbers(10)
    added = put(store, *new)
    seen = []

    def meanwhile(done: int, total: int) -> None:
        seen.append(int(store.lists.effective("number", store.lists.keys_of("number", new), NOW).sum()))
        if done == 4:
            put(store, NewEntry(new[0], "said again"), NewEntry(new[9], "said again"))

    undone = Undo(store.lists, at_once=0).undo(added.revision, actor="local", now_ms=NOW, progress=meanwhile)
    assert seen == [10] * 5
    assert (undone.removed, undone.conflicts) == (8, 2)
    assert [number for number in new if listed(store, number)] == [new[0], new[9]]
    assert store.audit.verify(deep=True).problems == ()


@pytest.mark.usefixtures("small_steps")
def test_an_undo_that_ends_in_the_middle_leaves_nothing(store: Store) -> None:
    put(store, NewEntry(NUMBER, "one"))
    second = put(store, NewEntry(NUMBER, "two"), *numbers(6))
    before = exported(store)

    def fails(done: int, total: int) -> None:
        if done == 4:
            raise RuntimeError("somebody stopped it")

    with pytest.raises(RuntimeError, match="stopped"):
        Undo(store.lists, at_once=0).undo(second.revision, actor="local", now_ms=NOW, progress=fails)
    assert exported(store) == before
    with store.database.read() as conn:
        under_way = select(made.c.id).where(made.c.revision.is_(None), made.c.given_up == 0)
        assert conn.execute(under_way).all() == []
    assert undo(store, second.revision).added == 1
