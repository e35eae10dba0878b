"""Policies that were put, rules that were demoted, and what people said of decisions."""

import hashlib

import pytest

from interceptor.store.feedback import Count, Precision
from interceptor.store.store import Store
from interceptor.store.words import NewEntry, PolicyRevision, StaleRevisionError, StoreRefusedError
from store.conftest import NOW, Open


def put(store: Store, text: str, expected: int | None = None) -> PolicyRevision:
    return store.policies.put(
        text,
        origin="fraud.yaml",
        folder="/etc/interceptor",
        actor="token:wang",
        comment="ticket 7",
        now_ms=NOW,
        expected=expected,
    )


def say(store: Store, decision: str, right: bool, rule: str, *sources: str) -> None:
    store.feedback.give(
        decision, right=right, rule=rule, sources=sources, actor="token:wang", comment="he called", now_ms=NOW
    )


# ---- policies ------------------------------------------------------------------------------------------------


def test_the_last_policy_that_was_put_is_the_current_one(store: Store, reopen: Open) -> None:
    assert store.policies.current() is None
    first, second = put(store, "version: 1"), put(store, "version: 1 # more")
    assert (first.revision, second.revision) == (1, 2)
    assert first.digest == hashlib.sha256(b"version: 1").hexdigest()
    assert store.policies.history() == [second, first]
    assert store.policies.history(1) == [second]
    assert store.policies.get(1) == first
    store.close()
    assert reopen().policies.current() == second


def test_policies_and_lists_share_their_revisions(sqlite_store: Store) -> None:
    put(sqlite_store, "version: 1")
    sqlite_store.lists.add(
        "number", "desk", [NewEntry("+8613800138000")], actor="local", comment="", now_ms=NOW
    )
    assert put(sqlite_store, "version: 1 # more").revision == 3
    with pytest.raises(StoreRefusedError, match="revision 2 put no policy into force"):
        sqlite_store.policies.get(2)


def test_a_policy_that_was_confirmed_for_another_revision_is_refused(store: Store) -> None:
    put(store, "version: 1", expected=0)
    with pytest.raises(StaleRevisionError, match="revision 0 was confirmed, and 1 is live by now"):
        put(store, "version: 1 # more", expected=0)
    assert [policy.revision for policy in store.policies.history()] == [1]
    assert [record.action for record in store.audit.log()] == ["policy"]


# ---- demotions -----------------------------------------------------------------------------------------------


def test_a_demoted_rule_stays_so_until_a_person_clears_it(store: Store, reopen: Open) -> None:
    seen = {"usual": 0.001, "now": 0.05, "blocked": 400}
    assert store.demotions.set("sim-box", seen, actor="guard", now_ms=NOW) == 1
    assert store.demotions.set("sim-box", {}, actor="guard", now_ms=NOW + 1) == 0
    store.close()
    store = reopen()
    (demoted,) = store.demotions.all()
    assert (demoted.rule, demoted.at_ms, demoted.detail) == ("sim-box", NOW, seen)
    assert store.demotions.clear("sim-box", actor="token:wang", comment="", now_ms=NOW + 2) == 2
    assert store.demotions.clear("sim-box", actor="token:wang", comment="", now_ms=NOW + 3) == 0
    assert store.demotions.all() == []
    assert [(r.action, r.actor, r.subject) for r in store.audit.log()] == [
        ("promote", "token:wang", "sim-box"),
        ("demote", "guard", "sim-box"),
    ]


# ---- feedback ------------------------------------------------------------------------------------------------


def test_what_was_said_of_a_decision_is_told(sqlite_store: Store) -> None:
    assert sqlite_store.feedback.of("a" * 16) is None
    say(sqlite_store, "a" * 16, False, "listed", "police", "desk")
    said = sqlite_store.feedback.of("a" * 16)
    assert said is not None
    assert (said.right, said.rule, said.sources, said.comment) == (
        False,
        "listed",
        ["desk", "police"],
        "he called",
    )


def test_precision_counts_each_decision_once_by_rule_and_by_each_source(store: Store) -> None:
    say(store, "1", True, "listed", "police")
    say(store, "2", True, "listed", "police", "desk", "desk")
    say(store, "3", False, "listed", "desk")
    say(store, "4", False, "sim-box")
    say(store, "4", True, "sim-box")  # on second thoughts
    assert store.feedback.precision() == Precision(
        by_rule={"listed": Count(2, 1), "sim-box": Count(1, 0)},
        by_source={"police": Count(2, 0), "desk": Count(1, 1)},
    )


def test_feedback_is_in_the_audit_trail_without_its_comment(sqlite_store: Store) -> None:
    say(sqlite_store, "f" * 16, False, "listed", "police")
    (record,) = sqlite_store.audit.log()
    assert (record.action, record.subject, record.revision) == ("feedback", "f" * 16, None)
    assert record.detail == {"right": False, "rule": "listed", "sources": ["police"]}
    assert sqlite_store.audit.verify(deep=True).problems == ()
