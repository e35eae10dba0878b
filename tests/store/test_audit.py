"""The audit trail: each record is in it with the change it tells of, and whatever is done to it shows."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, update

from interceptor.engine.plan import NumberingPlan
from interceptor.store.audit import COVERED, append, hash_of
from interceptor.store.schema import audit, changes, entries, erased, policies
from interceptor.store.store import Store
from interceptor.store.verifying import TOLD, verify
from interceptor.store.words import Action, NewEntry, Verified
from store.conftest import NOW, Open, opened

ACTOR = "token:wang"


def fill(store: Store) -> None:
    """Twelve records: changes of lists, a policy, a rule, reads."""
    add, remove = store.lists.add, store.lists.remove
    numbers = [NewEntry(f"+8613800138{i:03}") for i in range(5)]
    add("number", "police", numbers, actor=ACTOR, comment="", now_ms=NOW)
    add("number", "desk", numbers[:2], actor="cert:li", comment="", now_ms=NOW + 1)
    note(store, "number", NOW + 2)
    remove("number", ["+8613800138001"], source="police", actor=ACTOR, comment="", now_ms=NOW + 3)
    put(store, "version: 1", NOW + 4)
    add("pair", "desk", [NewEntry("+8613800138000:+861069445566")], actor=ACTOR, comment="", now_ms=NOW + 5)
    store.demotions.set("sim-box", {"usual": 0.01, "now": 0.2}, actor="guard", now_ms=NOW + 6)
    add("domain", "desk", [NewEntry("example.com")], actor=ACTOR, comment="", now_ms=NOW + 7)
    note(store, "domain", NOW + 8)
    remove("number", ["+8613800138000"], source="", actor=ACTOR, comment="", now_ms=NOW + 9)
    put(store, "version: 1 # again", NOW + 10)
    store.demotions.clear("sim-box", actor=ACTOR, comment="", now_ms=NOW + 11)


RECORDS = 12


def note(store: Store, subject: str, at_ms: int) -> None:
    store.audit.note(at_ms=at_ms, actor=ACTOR, action=Action.READ, subject=subject)


def put(store: Store, text: str, now_ms: int) -> None:
    store.policies.put(text, origin="p.yaml", folder="/etc", actor=ACTOR, comment="", now_ms=now_ms)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, plan: NumberingPlan) -> Iterator[Store]:
    made = opened(tmp_path_factory.mktemp("audit") / "data", None, plan)
    fill(made)
    yield made
    made.close()


class Undone(Exception):
    """Ends a transaction that is to leave nothing behind."""


@contextmanager
def tampering(store: Store) -> Iterator[Connection]:
    """A connection whose changes nobody sees afterwards."""
    try:
        with store.database.write() as conn:
            yield conn
            raise Undone
    except Undone:
        pass


def names(found: Verified, sequence: int) -> bool:
    return any(re.search(rf"record {sequence}\b", problem) for problem in found.problems)


# ---- what is in it -------------------------------------------------------------------------------------------


def test_every_change_and_every_read_has_its_record(store: Store) -> None:
    fill(store)
    records = store.audit.log()[::-1]
    assert [record.sequence for record in records] == list(range(1, RECORDS + 1))
    assert [record.revision for record in records if record.revision] == list(range(1, RECORDS - 1))
    assert [(record.action, record.actor, record.at_ms) for record in records[:3]] == [
        ("add", ACTOR, NOW),
        ("add", "cert:li", NOW + 1),
        ("read", ACTOR, NOW + 2),
    ]
    assert store.audit.verify(deep=True) == Verified(RECORDS, records[-1].hash, ())
    assert store.audit.last_hash() == records[-1].hash


def test_no_number_stands_in_it_in_clear(filled: Store) -> None:
    with filled.database.read() as conn:
        text = json.dumps([list(map(str, row)) for row in conn.execute(select(audit))])
    assert "138001" not in text
    assert "1069445566" not in text


def test_a_record_is_there_if_and_only_if_its_transaction_is(sqlite_store: Store) -> None:
    with tampering(sqlite_store) as conn:
        append(conn, at_ms=NOW, actor=ACTOR, action=Action.READ, subject="nothing")
    assert sqlite_store.audit.log() == []
    assert sqlite_store.audit.verify() == Verified(0, sqlite_store.audit.last_hash(), ())


def test_the_trail_goes_on_after_a_restart(store: Store, reopen: Open) -> None:
    note(store, "before", NOW)
    store.close()
    again = reopen()
    note(again, "after", NOW + 1)
    assert [record.subject for record in again.audit.log()] == ["after", "before"]
    assert again.audit.verify().problems == ()


def test_the_log_is_read_page_by_page_and_by_what_and_whom(filled: Store) -> None:
    log = filled.audit.log
    assert [record.sequence for record in log(3)] == [12, 11, 10]
    assert [record.sequence for record in log(3, before=10)] == [9, 8, 7]
    assert [record.sequence for record in log(action="read")] == [9, 3]
    assert [record.sequence for record in log(actor="cert:li")] == [2]
    assert [record.sequence for record in log(action="read", actor="cert:li")] == []


def test_what_a_record_says_is_told_as_it_was_said(filled: Store) -> None:
    (demoted,) = filled.audit.log(action="demote")
    assert (demoted.subject, demoted.detail) == ("sim-box", {"usual": 0.01, "now": 0.2})


def test_trails_of_two_stores_begin_differently(filled: Store, sqlite_store: Store) -> None:
    note(sqlite_store, "number", NOW)
    with filled.database.read() as conn:
        first = conn.execute(select(audit.c.previous).where(audit.c.sequence == 1)).scalar_one()
    assert sqlite_store.audit.log()[0].previous != first


# ---- what is done to it --------------------------------------------------------------------------------------

SEQUENCES = st.integers(1, RECORDS)
WORDS = st.text("abc019 {}", max_size=4)
NUMBERS = st.one_of(st.none(), st.integers(-2, 20), st.integers(NOW, NOW + 20))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("at_ms", "change_id", "revision"), NUMBERS),
    **dict.fromkeys(("actor", "action", "subject", "detail", "digest", "previous", "hash"), WORDS),
}


def rehashed(conn: Connection, sequence: int) -> None:
    """The record's hash is made to be that of what it says now."""
    row = conn.execute(select(audit).where(audit.c.sequence == sequence)).one()
    whole = hash_of([row._mapping[name] for name in COVERED])
    conn.execute(update(audit).where(audit.c.sequence == sequence).values(hash=whole))


@given(SEQUENCES, st.data(), st.booleans())
def test_a_changed_record_shows(filled: Store, sequence: int, data: st.DataObject, forge: bool) -> None:
    column = data.draw(st.sampled_from(list(VALUES)))
    value = data.draw(VALUES[column])
    with tampering(filled) as conn:
        row = conn.execute(select(audit).where(audit.c.sequence == sequence)).one()
        assume(row._mapping[column] != value and not (column == "at_ms" and value is None))
        conn.execute(update(audit).where(audit.c.sequence == sequence).values({column: value}))
        if forge:
            assume(column != "hash")
            rehashed(conn, sequence)
        found = verify(conn)
        if forge and sequence == RECORDS:  # only a hash that was kept elsewhere shows this one
            assert found.last_hash != row.hash
        else:
            assert names(found, sequence) or names(found, sequence + 1)


@given(st.sets(SEQUENCES, min_size=1, max_size=4))
def test_records_that_were_taken_out_show(filled: Store, gone: set[int]) -> None:
    with tampering(filled) as conn:
        conn.execute(delete(audit).where(audit.c.sequence.in_(gone)))
        found = verify(conn)
        behind = [
            sequence for sequence in range(1, RECORDS + 1) if sequence - 1 in gone and sequence not in gone
        ]
        assert all(names(found, sequence) for sequence in behind)
        assert found.problems  # also at the end: the changes it told of are there without it


@given(SEQUENCES, SEQUENCES)
def test_records_that_changed_places_show(filled: Store, one: int, other: int) -> None:
    assume(one != other)
    with tampering(filled) as conn:
        for was, becomes in (one, 99), (other, one), (99, other):
            conn.execute(update(audit).where(audit.c.sequence == was).values(sequence=becomes))
        found = verify(conn)
        assert names(found, one)
        assert names(found, other)


@given(st.integers(0, RECORDS), st.booleans())
def test_a_record_that_was_put_in_shows(filled: Store, after: int, of_a_change: bool) -> None:
    with tampering(filled) as conn:
        later = select(audit.c.sequence).where(audit.c.sequence > after).order_by(audit.c.sequence.desc())
        for sequence in conn.execute(later).scalars().all():
            conn.execute(update(audit).where(audit.c.sequence == sequence).values(sequence=sequence + 1))
        last = conn.execute(select(audit.c.hash).where(audit.c.sequence == after)).scalar() or "0" * 64
        record: dict[str, Any] = {
            "sequence": after + 1,
            "at_ms": NOW,
            "actor": ACTOR,
            "action": "add",
            "change_id": 77 if of_a_change else None,
            "revision": 77 if of_a_change else None,
            "subject": "",
            "detail": "{}",
            "digest": "",
            "previous": last,
        }
        conn.execute(insert(audit).values({**record, "hash": hash_of([record[name] for name in COVERED])}))
        found = verify(conn)
        if after == RECORDS and not of_a_change:
            assert found.last_hash != last
        else:
            assert names(found, after + 1) or names(found, after + 2)


def test_a_trail_cut_off_at_its_end_shows_by_the_changes_it_told_of(filled: Store) -> None:
    with tampering(filled) as conn:
        conn.execute(delete(audit).where(audit.c.sequence > 9))
        assert verify(conn).problems == (
            "after record 9: the changes with revision 8 to 10 are live and have no record, "
            "so the trail was cut off",
        )


def test_a_change_that_was_made_past_the_trail_shows(filled: Store) -> None:
    with tampering(filled) as conn:
        conn.execute(update(changes).where(changes.c.revision == 4).values(actor="nobody"))
        assert names(verify(conn), 5)
    with tampering(filled) as conn:
        conn.execute(insert(changes).values(revision=11, action="add", actor="nobody", begun_ms=1, live_ms=1))
        assert "revision 11 to 11 are live and have no record" in verify(conn).problems[0]


def test_problems_are_told_up_to_a_bound(sqlite_store: Store) -> None:
    with sqlite_store.database.write() as conn:
        for i in range(TOLD + 20):
            append(conn, at_ms=i, actor=ACTOR, action=Action.READ, subject="x")
        conn.execute(update(audit).values(subject="y"))
    found = sqlite_store.audit.verify()
    assert found.records == TOLD + 20
    assert len(found.problems) == TOLD + 1
    assert found.problems[-1] == "and 20 more"


# ---- what it tells of ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["moved", "taken out", "put in", "let go of", "taken back"])
def test_a_deep_look_finds_entries_that_are_not_the_recorded_ones(filled: Store, what: str) -> None:
    with tampering(filled) as conn:
        row = conn.execute(select(entries).where(entries.c.gone.is_(None))).first()
        assert row is not None
        it = (entries.c.list_id == row.list_id) & (entries.c.key == row.key)
        match what:
            case "moved":
                conn.execute(update(entries).where(it).values(key=row.key + 100))
            case "taken out":
                conn.execute(delete(entries).where(it))
            case "put in":
                conn.execute(insert(entries).values({**row._mapping, "key": row.key + 100}))
            case "let go of":
                conn.execute(update(entries).where(it).values(gone=row.change_id))
            case "taken back":
                conn.execute(update(entries).where(entries.c.gone.is_not(None)).values(gone=None))
        assert verify(conn).problems == ()
        assert any(
            "are not the ones it was recorded with" in told for told in verify(conn, deep=True).problems
        )


@pytest.mark.parametrize("column", ["text", "digest", "revision"])
def test_a_deep_look_finds_a_policy_that_is_not_the_recorded_one(filled: Store, column: str) -> None:
    with tampering(filled) as conn:
        changed = {"text": "default: pass", "digest": "0" * 64, "revision": 99}[column]
        one = select(policies.c.revision).limit(1).scalar_subquery()
        conn.execute(update(policies).where(policies.c.revision == one).values({column: changed}))
        assert verify(conn).problems == ()
        assert any("policy" in problem for problem in verify(conn, deep=True).problems)


def test_a_deep_look_finds_macs_of_nobody(filled: Store) -> None:
    with tampering(filled) as conn:
        conn.execute(insert(erased).values(list_id=1, mac=bytes(16), source_id=1, change_id=1))
        assert names(verify(conn, deep=True), 1)


def test_a_deep_look_works_through_changes_window_by_window(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interceptor.store.verifying.WINDOW", 3)
    monkeypatch.setattr("interceptor.store.digests.IN_MEMORY", 2)
    fill(store)
    assert store.audit.verify(deep=True).problems == ()
