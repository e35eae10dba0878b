"""A rule that blocks is demoted to a warning and promoted again, without a publish."""

import threading

import numpy as np
import pytest

from interceptor.engine.engine import CALL_DTYPE, Engine
from interceptor.engine.types import BlockClass, Verdict
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

NOW = 1_700_000_000_000
POLICY = """
version: 1
thresholds: {most: 2}
lists: {fraud: {kind: number}}
counters: {calls: {count: call, per: caller, window: 1h}}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list}
  - {id: busy, when: counters.calls > thresholds.most, verdict: block, class: analytics}
  - {id: young, when: call.sim_age_days < 2, verdict: warn}
  - {id: tried, when: call.roaming, verdict: block, class: analytics, mode: shadow}
default: pass
"""
CALL = {"caller": "+8613800138000", "callee": "+8613900139000"}


@pytest.fixture
def engine() -> Engine:
    engine = Engine(load_plan(), secret=bytes(16), repeats=1 << 10)
    engine.publish(load_policy("policy.yaml", POLICY), {}, revision=1)
    for _ in range(3):
        engine.decide(CALL, NOW)
    return engine


def republish(engine: Engine, *changes: tuple[str, str]) -> None:
    text = POLICY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    engine.publish(load_policy("policy.yaml", text), {}, revision=engine.revision + 1)


def verdict(engine: Engine) -> Verdict:
    return engine.decide(CALL, NOW).verdict


def test_the_next_call_is_warned_about_and_after_promotion_blocked(engine: Engine) -> None:
    assert verdict(engine) == Verdict.BLOCK
    engine.demote("busy")
    engine.demote("busy")
    warned = engine.decide(CALL, NOW)
    assert (warned.verdict, warned.rule, warned.block_class) == (
        Verdict.WARN,
        "busy",
        BlockClass.CLASS_ANALYTICS,
    )
    assert engine.demoted == {"busy"}
    assert engine.explain(CALL, NOW).decision.verdict == Verdict.WARN
    engine.promote("busy")
    engine.promote("busy")
    assert verdict(engine) == Verdict.BLOCK
    assert engine.demoted == set()


def test_blocks_are_counted_apart(engine: Engine) -> None:
    engine.demote("busy")
    assert verdict(engine) == Verdict.WARN
    counted = engine.stats()["rules"]["busy"]
    assert (counted["decided"], counted["blocked"]) == (2, 1)


def test_a_call_repeated_gets_its_first_answer_again(engine: Engine) -> None:
    assert engine.decide(CALL | {"call_id": "a"}, NOW).verdict == Verdict.BLOCK
    engine.demote("busy")
    assert engine.decide(CALL | {"call_id": "a"}, NOW).verdict == Verdict.BLOCK
    assert engine.decide(CALL | {"call_id": "b"}, NOW).verdict == Verdict.WARN


def test_it_stays_demoted_in_a_policy_that_keeps_id_and_condition(engine: Engine) -> None:
    engine.demote("busy")
    republish(engine, ("calls:", "setups:"), ("counters.calls", "counters.setups"), ("< 2", "< 3"))
    assert verdict(engine) == Verdict.WARN
    assert engine.demoted == {"busy"}


@pytest.mark.parametrize(
    "change",
    [
        ("most: 2", "most: 1"),
        ("id: busy", "id: busier"),
        ("window: 1h", "window: 2h"),
        ("thresholds.most", "1"),
    ],
)
def test_a_rule_that_asks_something_else_blocks_again(engine: Engine, change: tuple[str, str]) -> None:
    engine.demote("busy")
    for changes in ((change,), ()):  # nor does it come back with what it asked
        republish(engine, *changes)
        assert [verdict(engine) for _ in range(4)][-1] == Verdict.BLOCK
        assert engine.demoted == set()


def test_a_rule_that_becomes_one_of_lists_blocks_again(engine: Engine) -> None:
    engine.demote("busy")
    republish(engine, ("class: analytics}", "class: list}"))
    assert verdict(engine) == Verdict.BLOCK


@pytest.mark.parametrize(
    ("rule", "error", "problem"),
    [
        ("listed", ValueError, "of class list"),
        ("young", ValueError, "does not block"),
        ("tried", ValueError, "does not block"),
        ("bussy", KeyError, "no rule 'bussy'; the policy has listed, busy, young, tried"),
    ],
)
def test_what_cannot_be_demoted_is_said(
    engine: Engine, rule: str, error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        engine.demote(rule)
    assert engine.demoted == set()


def test_a_candidate_that_keeps_a_demoted_rule_warns_too(engine: Engine) -> None:
    engine.demote("busy")
    samples = engine.drain_samples()
    engine.decide(CALL, NOW + 1000)
    samples += engine.drain_samples()
    assert engine.judge(samples, spec=engine.spec).flipped == ()
    engine.start_trial(engine.spec)
    assert verdict(engine) == Verdict.WARN
    engine.promote("busy")
    assert verdict(engine) == Verdict.BLOCK
    state = engine.trial()
    assert state is not None
    assert (state.calls, state.differing) == (2, 0)


def test_rules_are_demoted_and_promoted_while_threads_decide(engine: Engine) -> None:
    calls = np.zeros(64, CALL_DTYPE)
    calls["caller"], calls["callee"] = b"+8613800138000", b"+8613900139000"
    worker, over, seen = engine.enlist(), threading.Event(), set()

    def decide() -> None:
        while not over.is_set():
            seen.update(worker.decide_batch(calls, np.full(64, NOW))["verdict"].tolist())

    thread = threading.Thread(target=decide)
    thread.start()
    try:
        for _ in range(200):
            engine.demote("busy")
            engine.promote("busy")
    finally:
        over.set()
        thread.join()
    assert seen <= {Verdict.WARN, Verdict.BLOCK}
    counted = engine.stats()["rules"]["busy"]
    assert counted["decided"] == engine.stats()["verdicts"]["block"] + engine.stats()["verdicts"]["warn"]
    assert counted["blocked"] == engine.stats()["verdicts"]["block"]
