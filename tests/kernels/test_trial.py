"""A trial beside an engine's policy: what it counts and tells, and what becomes of it when policies come and go."""

import threading

import numpy as np
import pytest

from interceptor.engine.engine import CALL_DTYPE, Engine, TrialState
from interceptor.engine.spec import Spec
from interceptor.engine.types import RuleIndex, Verdict
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from tests.kernels.test_engine import numbers

NOW = 1_700_000_000_000
POLICY = """
version: 1
lists: {fraud: {kind: number}}
counters: {calls: {count: call, per: caller, window: 1h}}
rules: [{id: busy, when: counters.calls > 10, verdict: block, class: analytics}]
default: pass
"""
STRICTER = POLICY.replace("> 10", "> 2")
OTHER = """
version: 1
counters:
  calls: {count: call, per: caller, window: 1h}
  rung: {count: call, per: callee, window: 1h}
rules:
  - {id: young, when: call.sim_age_days < 2, verdict: pass}
  - {id: rung, when: counters.rung > 2, verdict: warn}
default: pass
"""
CALL = {"caller": "+8613800138000", "callee": "+8613900139000"}


def policy(text: str) -> Spec:
    return load_policy("policy.yaml", text)


@pytest.fixture
def engine() -> Engine:
    engine = Engine(load_plan(), secret=bytes(16), repeats=1 << 10, events=1 << 10, pass_sample=0)
    engine.publish(policy(POLICY), {}, revision=1)
    return engine


def state(engine: Engine) -> TrialState:
    found = engine.trial()
    assert found is not None
    return found


def decide(engine: Engine, times: int) -> None:
    for _ in range(times):
        engine.decide(CALL, NOW)


def kinds(found: TrialState) -> dict[tuple[str, str], int]:
    """By deciding rule of either policy."""
    return {(kind.was.rule, kind.would.rule): count for kind, count in found.kinds.items()}


def test_an_engine_that_tried_nothing_has_no_trial(engine: Engine) -> None:
    assert engine.trial() is None
    assert engine.stop_trial() is None


def test_it_reads_what_the_live_policy_counted_before_it_began(engine: Engine) -> None:
    decide(engine, 5)
    engine.start_trial(policy(STRICTER), name="stricter.yaml")
    decide(engine, 3)
    assert engine.trial() == engine.trial()
    found = state(engine)
    assert (found.name, found.running, found.calls, found.differing) == ("stricter.yaml", True, 3, 3)
    assert kinds(found) == {("default", "busy"): 3}


def test_counters_of_its_own_begin_empty(engine: Engine) -> None:
    decide(engine, 5)
    engine.start_trial(policy(OTHER))
    decide(engine, 4)
    assert kinds(state(engine)) == {("default", "rung"): 2}


def test_each_differing_call_is_an_event_beside_those_of_decisions(engine: Engine) -> None:
    engine.start_trial(policy(STRICTER), number=7)
    ids = [engine.decide(CALL, NOW).id for _ in range(4)]
    events = engine.drain_events()
    assert [f"{event['decision']:016x}" for event in events] == ids[2:]
    assert events["trial"].tolist() == [7, 7]
    assert events["verdict"].tolist() == [Verdict.PASS] * 2
    assert events["rule"].tolist() == [RuleIndex.RULE_DEFAULT] * 2
    assert events["would_verdict"].tolist() == [Verdict.BLOCK] * 2
    assert events["would_rule"].tolist() == [0, 0]


def test_its_events_carry_its_number_beside_every_policy_that_comes(engine: Engine) -> None:
    for wrong in (0, 256):
        with pytest.raises((ValueError, OverflowError)):
            engine.start_trial(policy(OTHER), number=wrong)
    blocking = policy("version: 1\nrules: []\ndefault: block\n")
    for number, revision in ((255, 2), (1, 3)):
        engine.start_trial(blocking, number=number)
        decide(engine, 1)
        engine.publish(policy(POLICY), {}, revision=revision)
        decide(engine, 1)
    engine.stop_trial()
    assert engine.events_entered == 4
    decide(engine, 1)
    assert engine.drain_events()["trial"].tolist() == [255, 255, 1, 1]
    assert engine.events_entered == 4


def test_a_trial_that_differs_on_every_call_leaves_the_ring_to_the_decisions(engine: Engine) -> None:
    engine.start_trial(policy("version: 1\nrules: []\ndefault: block\n"))
    decide(engine, 10)
    for i in range(490):
        engine.decide(CALL | {"caller": f"+8613800{i:06}"}, NOW)
    assert state(engine).differing == 500
    assert len(engine.drain_events()) == 64


def test_a_repeated_call_is_not_tried_again(engine: Engine) -> None:
    engine.start_trial(policy(STRICTER))
    for _ in range(3):
        engine.decide(CALL | {"call_id": "a"}, NOW)
    assert state(engine).calls == 1


def test_it_executes_no_add_to(engine: Engine) -> None:
    adding = POLICY.replace(
        "> 10, verdict: block, class: analytics}",
        "> 0, verdict: warn, add_to: {list: fraud, key: callee, for: 1h}}",
    )
    engine.start_trial(policy(adding))
    decide(engine, 3)
    assert engine.stats()["recent"]["added"]["entries"] == 0


def test_it_looks_on_the_running_lists_of_its_names(engine: Engine) -> None:
    listed = policy(
        "version: 1\nlists: {new: {kind: number}, fraud: {kind: number}}\nrules:\n"
        "  - {id: new, when: call.caller in lists.new, verdict: block, class: list}\n"
        "  - {id: fraud, when: call.caller in lists.fraud, verdict: block, class: list}\ndefault: pass\n"
    )
    engine.start_trial(listed)
    decide(engine, 1)
    engine.add("fraud", numbers(CALL["caller"]))
    decide(engine, 1)
    engine.apply("fraud", numbers(), numbers(CALL["caller"], "+8613800138001"))
    decide(engine, 1)
    assert kinds(state(engine)) == {("default", "fraud"): 1}


def test_it_goes_on_beside_another_policy_with_what_it_counted(engine: Engine) -> None:
    engine.start_trial(policy(OTHER), name="other")
    decide(engine, 2)
    engine.publish(policy(POLICY.replace("id: busy", "id: busier")), {}, revision=2)
    decide(engine, 2)
    found = state(engine)
    assert (found.running, found.calls, kinds(found)) == (True, 4, {("default", "rung"): 2})
    engine.publish(policy(OTHER), {}, revision=3)  # whose own counter begins empty
    decide(engine, 2)
    assert (state(engine).calls, state(engine).differing) == (6, 2)


def test_a_policy_it_cannot_run_beside_ends_it_and_is_published(engine: Engine) -> None:
    lists = "\n".join(f"  l{i}: {{kind: number}}" for i in range(64))
    rules = "\n".join(f"  - {{id: l{i}, when: call.caller in lists.l{i}, verdict: warn}}" for i in range(64))
    engine.start_trial(policy(STRICTER), name="stricter")
    decide(engine, 3)
    engine.publish(policy(f"version: 1\nlists:\n{lists}\nrules:\n{rules}\ndefault: pass\n"), {}, revision=2)
    decide(engine, 3)
    found = state(engine)
    assert (found.running, found.calls, found.differing, engine.revision) == (False, 3, 1, 2)
    assert "65 lists together, 64 are the most" in found.stopped
    with pytest.raises(ValueError, match="65 lists together"):
        engine.start_trial(policy(STRICTER))
    with pytest.raises(ValueError, match="65 lists together"):
        engine.judge(engine.drain_samples(), spec=policy(STRICTER))


def test_another_trial_ends_the_one_that_runs(engine: Engine) -> None:
    engine.start_trial(policy(STRICTER), name="first")
    decide(engine, 5)
    engine.start_trial(policy(OTHER), name="second")
    assert (state(engine).name, state(engine).calls, state(engine).kinds) == ("second", 0, {})


def test_it_stands_as_it_was_stopped(engine: Engine) -> None:
    engine.start_trial(policy(STRICTER), name="first")
    decide(engine, 5)
    stopped = engine.stop_trial()
    decide(engine, 5)
    assert engine.stop_trial() == engine.trial() == stopped
    assert stopped is not None
    assert (stopped.running, stopped.calls, stopped.stopped) == (False, 5, "")


def test_tags_the_live_policy_does_not_read_are_named(engine: Engine) -> None:
    tagged = policy(
        "version: 1\ntags: [dealer]\nrules:\n"
        '  - {id: dealer, when: call.tags.dealer == "bad", verdict: warn}\ndefault: pass\n'
    )
    engine.start_trial(tagged)
    assert state(engine).unknown_tags == ("dealer",)
    decide(engine, 1)
    assert engine.judge(engine.drain_samples(), spec=tagged).unknown_tags == ("dealer",)


def test_a_trial_stopped_while_a_policy_is_published_is_over(engine: Engine) -> None:
    blocking = policy("version: 1\nrules: []\ndefault: block\n")
    for turn in range(40):
        engine.start_trial(blocking)
        publisher = threading.Thread(target=engine.publish, args=(engine.spec, {}), kwargs={"revision": turn})
        publisher.start()
        engine.stop_trial()
        publisher.join()
        decide(engine, 1)
        assert engine.drain_events()["trial"].sum() == 0
        assert not state(engine).running


def test_trials_come_and_go_while_threads_decide_and_policies_are_published(engine: Engine) -> None:
    over, failures = threading.Event(), []
    calls = np.zeros(64, CALL_DTYPE)
    calls["callee"] = b"+8613900139000"
    calls["caller"] = [f"+861380013{i:04}".encode() for i in range(64)]
    times = np.full(64, NOW, np.int64)
    enlisted, asked = engine.enlist(), [0, 0]

    def decide_without_end(which: int) -> None:
        deciding = enlisted.decide_batch if which else engine.decide_batch
        try:
            while not over.is_set():
                if (deciding(calls, times)["verdict"] == 0).any():
                    failures.append("a call without a verdict")
                asked[which] += 64
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=decide_without_end, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    beside = [policy(text) for text in (STRICTER, OTHER)]
    try:
        for turn in range(40):
            engine.start_trial(beside[turn % 2], name=str(turn))
            engine.publish(policy(POLICY if turn % 3 else OTHER), {}, revision=turn + 2)
            engine.drain_events()
            found = state(engine)
            assert (found.name, found.running) == (str(turn), True)
            assert sum(found.kinds.values()) + found.untold <= found.differing <= found.calls
            if turn % 2:
                engine.stop_trial()
        before = sum(asked)
        engine.start_trial(beside[0], name="last")
        while state(engine).calls < 2000 and not failures:
            engine.drain_events()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    last = engine.stop_trial()
    assert failures == []
    assert last is not None
    assert last.calls <= sum(asked) - before + 2 * 64
    assert sum(last.kinds.values()) == last.differing
