"""Erasing a person's number: it is nowhere any more, and the audit trail is whole."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from interceptor.engine.plan import NumberingPlan
from interceptor.store import changes
from interceptor.store.decisions import Remembered
from interceptor.store.privacy import Erased
from interceptor.store.schema import changes as made
from interceptor.store.schema import entries, erased, feedback, lots
from interceptor.store.store import Store
from interceptor.store.words import Action, Applied, Keys, NewEntry, StoreRefusedError
from store.conftest import NOW, Open, opened

NUMBER, OTHER = "+8613800138000", "+8613900139000"


def add(
    store: Store, to: str, *texts: str, source: str = "desk", note: str = "", comment: str = ""
) -> Applied:
    new = [NewEntry(text, note=note) for text in texts]
    return store.lists.add(to, source, new, actor="token:wang", comment=comment, now_ms=NOW)


def take(store: Store, off: str, *texts: str) -> Applied:
    return store.lists.remove(off, texts, source="", actor="token:wang", comment="", now_ms=NOW)


def erase(store: Store, number: str = NUMBER, comment: str = "request 7") -> Erased:
    return store.privacy.erase(number, actor="token:boss", comment=comment, now_ms=NOW + 5)


def listed(store: Store, to: str, text: str) -> bool:
    return bool(store.lists.effective(to, store.lists.keys_of(to, [text]), NOW).any())


def rows(store: Store) -> int:
    with store.database.read() as conn:
        return conn.execute(select(func.count()).select_from(entries)).scalar_one()


def whole(store: Store) -> bool:
    return not store.audit.verify(deep=True).problems


def test_an_erased_number_is_on_no_list_and_in_no_past_of_one(store: Store) -> None:
    add(store, "number", NUMBER, OTHER, source="police")
    add(store, "number", NUMBER, source="desk")
    take(store, "number", NUMBER)
    add(store, "number", NUMBER, source="police")
    add(store, "prefix", f"{NUMBER}*", "+86138*")
    add(store, "pair", f"{NUMBER}:{OTHER}", f"{OTHER}:{NUMBER}", f"{OTHER}:{OTHER}", f"{NUMBER}:{NUMBER}")
    assert rows(store) == 10
    done = erase(store, "008613800138000")
    assert (done.entries, done.decisions) == (7, 0)
    assert rows(store) == 3
    assert not listed(store, "number", NUMBER)
    assert listed(store, "number", OTHER)
    assert listed(store, "prefix", "+86138*")
    assert listed(store, "pair", f"{OTHER}:{OTHER}")
    assert whole(store)


def test_what_the_engine_is_to_forget_is_told(sqlite_store: Store) -> None:
    add(sqlite_store, "number", NUMBER)
    add(sqlite_store, "pair", f"{NUMBER}:{OTHER}", f"{OTHER}:{NUMBER}")
    expected = {
        "number": sqlite_store.lists.keys_of("number", [NUMBER]),
        "pair": sqlite_store.lists.keys_of("pair", [f"{NUMBER}:{OTHER}", f"{OTHER}:{NUMBER}"]),
    }
    told = dict(erase(sqlite_store).touched)
    assert told.keys() == expected.keys()
    for name, keys in expected.items():
        assert as_pairs(told[name]) == as_pairs(keys)


def as_pairs(keys: Keys) -> list[tuple[int, int]]:
    return list(zip(keys.key.tolist(), keys.key2.tolist(), strict=True))


def test_the_trail_says_that_something_was_erased_and_not_what(sqlite_store: Store) -> None:
    add(sqlite_store, "number", NUMBER)
    revision = erase(sqlite_store).revision
    record = sqlite_store.audit.log(1)[0]
    assert (record.action, record.actor, record.revision) == ("erase", "token:boss", revision)
    assert record.detail == {"entries": 1, "decisions": 0}
    assert len(record.subject) == 32
    assert NUMBER[1:] not in str(sqlite_store.audit.log())


def test_the_same_number_erased_again_has_the_same_name_in_the_trail(sqlite_store: Store) -> None:
    for _ in range(2):
        add(sqlite_store, "number", NUMBER)
        assert erase(sqlite_store).entries == 1
    assert rows(sqlite_store) == 0
    assert erase(sqlite_store, OTHER).entries == 0
    first, second, other = (record.subject for record in sqlite_store.audit.log(action="erase")[::-1])
    assert first == second != other
    assert whole(sqlite_store)


def test_what_was_looked_for_is_named_as_its_erasure_is(sqlite_store: Store) -> None:
    erase(sqlite_store)
    named = sqlite_store.privacy.named
    assert {named(NUMBER), named("138 0013 8000"), named("008613800138000")} == {
        sqlite_store.audit.log()[0].subject
    }
    assert named("Example.com") == named("example.com") != named("example.org")
    assert len(named("+8613")) == len(named(NUMBER)) == 32


def test_a_device_and_a_subscriber_are_erased_too(sqlite_store: Store) -> None:
    add(sqlite_store, "device", "35209900176148", "35209900")
    add(sqlite_store, "subscriber", "460001234567890", "46000")
    assert erase(sqlite_store, "352099001761481").entries == 1
    assert erase(sqlite_store, "460001234567890").entries == 1
    assert listed(sqlite_store, "device", "35209900")
    assert listed(sqlite_store, "subscriber", "46000")
    assert whole(sqlite_store)


def test_decisions_and_what_was_said_of_them_go_too(store: Store) -> None:
    def decided(i: int, caller: str, callee: str) -> Remembered:
        return Remembered(f"{i:016x}", NOW, "BLOCK", "listed", "fraud", "list", 1, caller, callee)

    store.decisions.remember(
        [decided(1, NUMBER, OTHER), decided(2, OTHER, NUMBER), decided(3, OTHER, OTHER)], NOW
    )
    for i in range(1, 4):
        store.feedback.give(
            f"{i:016x}", right=True, rule="listed", sources=[], actor="desk", comment="", now_ms=NOW
        )
    assert erase(store).decisions == 2
    assert [store.decisions.get(f"{i:016x}") is None for i in range(1, 4)] == [True, True, False]
    with store.database.read() as conn:
        assert conn.execute(select(feedback.c.decision_id)).scalars().all() == [f"{3:016x}"]
    assert whole(store)


def test_notes_and_comments_about_it_alone_are_blanked(store: Store) -> None:
    add(store, "number", NUMBER, note="Mr Li of Nanjing", comment="Mr Li again")
    add(store, "number", NUMBER, OTHER, source="police", note="case 7", comment="case 7")
    erase(store)
    with store.database.read() as conn:
        assert sorted(conn.execute(select(lots.c.note)).scalars()) == ["", "case 7"]
        comments = conn.execute(select(made.c.comment).order_by(made.c.id)).scalars().all()
    assert comments == ["", "case 7", "request 7"]
    assert whole(store)


def test_rows_of_an_import_under_way_go_too(store: Store) -> None:
    applied = add(store, "number", NUMBER)
    with store.database.write() as conn:
        staged = changes.begin(conn, Action.IMPORT, "token:wang", NOW)
        row = conn.execute(select(entries)).one()
        conn.execute(insert(entries).values({**row._mapping, "change_id": staged}))
    assert erase(store).entries == 2
    assert rows(store) == 0
    with store.database.read() as conn:
        kept = conn.execute(select(erased.c.change_id).order_by(erased.c.change_id)).scalars().all()
    assert kept == [applied.change, staged]


def test_undoing_what_was_done_before_does_not_bring_it_back(store: Store) -> None:
    add(store, "number", NUMBER, OTHER)
    removed = take(store, "number", NUMBER, OTHER)
    done = erase(store)
    undo(store, removed.revision)
    assert listed(store, "number", OTHER)
    assert not listed(store, "number", NUMBER)
    with pytest.raises(StoreRefusedError):
        undo(store, done.revision)
    undo(store, 1)
    assert not listed(store, "number", NUMBER)
    assert whole(store)


def undo(store: Store, revision: int) -> None:
    store.undo.undo(revision, actor="token:wang", comment="", now_ms=NOW + 6)


@pytest.mark.parametrize("text", ["", "nobody", "+86", "anonymous"])
def test_what_is_no_number_is_refused_and_nothing_changes(sqlite_store: Store, text: str) -> None:
    add(sqlite_store, "number", NUMBER)
    with pytest.raises(StoreRefusedError, match="nothing was erased"):
        erase(sqlite_store, text)
    assert listed(sqlite_store, "number", NUMBER)
    assert sqlite_store.revision() == 1


@pytest.mark.parametrize("shown", [NUMBER, "8613800138000", "+86 138-0013-8000"])
def test_a_comment_with_the_number_in_it_is_refused(sqlite_store: Store, shown: str) -> None:
    add(sqlite_store, "number", NUMBER)
    with pytest.raises(StoreRefusedError, match="leave it out"):
        erase(sqlite_store, comment=f"please forget {shown}")
    assert listed(sqlite_store, "number", NUMBER)


def test_nothing_of_it_stays_in_any_file(sqlite_store: Store, tmp_path: Path) -> None:
    store = sqlite_store
    add(store, "number", *(f"+8613800{i:06}" for i in range(137_900, 138_100)))
    store.images.save(NOW)
    key = store.lists.keys_of("number", [NUMBER]).key
    traces = [np.asarray(key, dtype=order).tobytes() for order in (">i8", "<i8")]

    def traced() -> list[bool]:
        everything = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        return [trace in everything for trace in traces]

    assert traced() == [True, True]  # in the database and in the image
    erase(store)
    assert traced() == [False, False]


def test_a_short_number_is_erased_whatever_the_comment_says(sqlite_store: Store) -> None:
    add(sqlite_store, "number", "95588", "95599")
    assert erase(sqlite_store, "95588", comment="request 95588").entries == 1
    assert listed(sqlite_store, "number", "95599")


def test_a_file_whose_import_was_interrupted_is_to_be_sent_again(sqlite_store: Store) -> None:
    part = sqlite_store.imports.spool.open("a" * 64, 100)
    part.write(0, b"number\n+8613800138000\n")
    erase(sqlite_store)
    assert part.path.exists()  # somebody is sending it: it goes when it is imported
    part.close()
    erase(sqlite_store)
    assert not part.path.exists()


def test_an_image_from_before_is_not_used(store: Store, reopen: Open, tmp_path: Path) -> None:
    add(store, "number", NUMBER, OTHER)
    store.images.save(NOW)
    image = tmp_path / "data" / "lists.image"
    before = image.read_bytes()
    erase(store)
    assert not image.exists()
    image.write_bytes(before)  # as one that was being written meanwhile
    assert store.images.load() is None
    store.images.save(NOW)
    found = store.images.load()
    assert found is not None
    assert len(found.lists["number"]) == 1


@settings(max_examples=25)
@given(
    done=st.lists(
        st.tuples(st.sampled_from("+-"), st.integers(0, 2), st.sampled_from(["desk", "police"])), max_size=8
    ),
    gone=st.sets(st.integers(0, 2)),
)
def test_whatever_is_erased_the_trail_stays_whole(
    shared: Store, done: list[tuple[str, int, str]], gone: set[int]
) -> None:
    numbers = [f"+861380013800{i}" for i in range(3)]
    for what, i, source in done:
        if what == "+":
            add(shared, "number", numbers[i], source=source)
        elif listed(shared, "number", numbers[i]):
            take(shared, "number", numbers[i])
    for i in gone:
        erase(shared, numbers[i])
        assert not listed(shared, "number", numbers[i])
    assert whole(shared)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, plan: NumberingPlan) -> Iterator[Store]:
    made_once = opened(tmp_path_factory.mktemp("privacy") / "data", None, plan)
    yield made_once
    made_once.close()
