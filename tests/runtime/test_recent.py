"""Recent calls: bounded by number and age, and found by the keys their lists are asked for."""

import numpy as np

from interceptor.engine.engine import Engine
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.plan import NumberingPlan
from interceptor.policy import load_policy
from interceptor.runtime.recent import RecentCalls

POLICY = """\
version: 1
lists: {blocked: {kind: number}, hosts: {kind: domain}}
rules:
  - {id: listed, when: call.caller in lists.blocked, verdict: block, class: list}
  - {id: host, when: call.domain in lists.hosts, verdict: block, class: list}
"""


def key(at: int) -> int:
    return digits_key_of(KeyKind.KEY_NUMBER, b"86138001380%02d" % at)


def test_a_call_is_found_by_what_its_lists_are_asked_for(plan: NumberingPlan) -> None:
    engine = Engine(plan)
    engine.publish(load_policy("policy.yaml", POLICY), {}, revision=1)
    samples: list[bytes] = []
    for at in range(20):  # one is sampled every 64 ms at most
        call = {"caller": f"+86138001380{at:02d}", "callee": "+8613900139000", "domain": "a.example"}
        engine.decide(call, 1_700_000_000_000 + 100 * at)
        samples += engine.drain_samples()
    assert len(samples) == 20
    recent = RecentCalls(engine, kept=8, kept_ms=1_000)
    for at, sample in enumerate(samples):
        recent.add([sample], 100 * at)
        assert recent.asking(np.array([key(at)], dtype=np.uint64)) == [sample]
    assert recent.all() == samples[-8:]
    assert recent.asking(np.array([key(at) for at in range(20)], dtype=np.uint64)) == samples[-8:]
    assert recent.asking(np.array([key(3), 7], dtype=np.uint64)) == []
    assert recent.asking(np.array([], dtype=np.uint64)) == []
    engine.publish(
        load_policy("policy.yaml", POLICY.replace("call.caller in", "call.callee in")), {}, revision=2
    )
    assert recent.asking(np.array([key(19)], dtype=np.uint64)) == []
    recent.add([], 10_000)
    assert recent.all() == []


def test_keys_are_found_however_many_calls_have_come_and_gone(plan: NumberingPlan) -> None:
    engine = Engine(plan)
    engine.publish(load_policy("policy.yaml", POLICY), {}, revision=1)
    recent = RecentCalls(engine, kept=8)
    for at in range(100):
        call = {"caller": f"+86138001380{at:02d}", "callee": "+8613900139000", "domain": "a.example"}
        engine.decide(call, 1_700_000_000_000 + 100 * at)
        samples = engine.drain_samples()
        recent.add(samples, at)
        if at % 3 == 0:  # else those of several calls are new at once
            there = [old for old in range(at - 10, at + 1) if len(asking(recent, old))]
            assert there == list(range(max(at - 7, 0), at + 1))
            assert asking(recent, at) == samples


def asking(recent: RecentCalls, at: int) -> list[bytes]:
    return recent.asking(np.array([key(at)], dtype=np.uint64)) if at >= 0 else []
