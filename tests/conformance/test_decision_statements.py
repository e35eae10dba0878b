"""Statements about decisions that no sequence of answers can show: what is counted about them, and what is bounded."""

import json

import pytest

from interceptor.engine.engine import Engine
from interceptor.engine.types import Verdict
from interceptor.policy import load_policy
from tests.conformance import kernel
from tests.conformance.case import START

POLICY = """
version: 1
trunks: {default: {region: CN}}
lists: {fraud: {kind: number}, watch: {kind: number}}
counters: {calls: {count: call, per: caller, window: 1m}}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list}
  - {id: divided, when: 1 / call.sim_age_days > 1, verdict: warn}
  - {id: watched, when: call.caller in lists.watch, verdict: warn, mode: shadow}
  - {id: trial, when: counters.calls > 1, verdict: warn, mode: shadow}
  - {id: young, when: call.sim_age_days < 9, verdict: warn, add_to: {list: watch, key: caller, for: 1h}}
default: pass
"""
CALL = {"caller": "+8613800138000", "callee": "+8613900139000"}


@pytest.fixture
def engine() -> Engine:
    return engine_with(added=1 << 10)


def engine_with(*, added: int) -> Engine:
    made = Engine(
        kernel.plan(), secret=kernel.SECRET, repeats=1 << 10, events=1 << 10, pass_sample=1, added=added
    )
    made.publish(kernel.small(load_policy("policy.yaml", POLICY)), {}, revision=1)
    return made


def test_rules_that_end_in_an_error_are_counted(engine: Engine) -> None:
    engine.decide(CALL, START)
    engine.decide({**CALL, "sim_age_days": 0}, START)
    rules = engine.stats()["rules"]
    assert (rules["divided"]["absent"], rules["divided"]["failed"]) == (1, 1)
    assert (rules["young"]["absent"], rules["young"]["failed"]) == (1, 0)
    assert (rules["listed"]["absent"], rules["listed"]["failed"]) == (0, 0)


def test_shadow_matches_are_counted(engine: Engine) -> None:
    for _ in range(3):
        engine.decide(CALL, START)
    assert engine.stats()["rules"]["trial"]["shadow"] == 2
    assert engine.stats()["rules"]["trial"]["decided"] == 0


def test_explaining_leaves_no_trace_in_totals_or_events(engine: Engine) -> None:
    engine.decide({**CALL, "sim_age_days": 3}, START)
    engine.drain_events()
    before = engine.stats()
    for call in (CALL, {**CALL, "sim_age_days": 0}, {**CALL, "callee": "110"}, {**CALL, "call_id": "x"}):
        engine.explain(call, START)
    assert engine.stats() == before
    assert len(engine.drain_events()) == 0


def test_totals_for_metrics_carry_no_number(engine: Engine) -> None:
    for _ in range(3):
        engine.decide(
            {**CALL, "sim_age_days": 3, "imei": "356938035643809", "imsi": "460001234567890"}, START
        )
    told = json.dumps(engine.stats(), default=str)
    for number in ("13800138000", "13900139000", "35693803564380", "460001234567890"):
        assert number not in told


def test_a_decision_and_an_event_carry_the_number_only_where_it_is_asked_for(engine: Engine) -> None:
    decided = engine.decide({**CALL, "sim_age_days": 3}, START)
    assert "13800138000" not in repr(decided)
    assert len(engine.drain_events()) == 1


def test_add_to_is_bounded_in_entries() -> None:
    engine = engine_with(added=64)
    for i in range(500):
        decided = engine.decide({**CALL, "caller": f"+86138{i:08}", "sim_age_days": 3}, START)
        assert (decided.verdict, decided.rule) == (Verdict.WARN, "young")
    counted = engine.stats()["rules"]["young"]
    assert counted["added"] + counted["not_added"] == 500
    assert 0 < counted["added"] < 300
    # What was put there first stays until its time: newcomers push nobody out.
    on = [bool(engine.explain({"caller": f"+86138{i:08}"}, START).lists) for i in range(500)]
    assert sum(on) == counted["added"]
