"""Recent calls: at most one in 64 ms is kept, whole, and what finds no room is counted."""

import threading

import numpy as np
import pytest

from interceptor.engine.engine import CALL_DTYPE, Engine
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

NOW = 1_700_000_000_000
SAMPLE_MS, SLOTS, MOST_BYTES = 64, 256, 8192
POLICY = """
version: 1
counters: {calls: {count: call, per: caller, window: 1h}}
rules: [{id: busy, when: counters.calls > 2, verdict: warn}]
default: pass
"""
CALL = {"caller": "+8613800138000", "callee": "+8613900139000"}


@pytest.fixture
def engine() -> Engine:
    engine = Engine(load_plan(), secret=bytes(16), repeats=1 << 10)
    engine.publish(load_policy("policy.yaml", POLICY), {}, revision=1)
    return engine


def decided(engine: Engine, *times: int) -> int:
    """How many calls at these times, in ms since NOW, were sampled."""
    for time in times:
        engine.decide(CALL, NOW + time)
    return len(engine.drain_samples())


def test_a_call_is_sampled_every_64_ms_at_most(engine: Engine) -> None:
    assert decided(engine, *range(1000)) == 1000 // SAMPLE_MS + 1


def test_the_clock_may_step_back_a_little_without_more_samples_and_far_without_fewer(engine: Engine) -> None:
    assert decided(engine, 0, -1, -63, 5, -30, 63) == 1
    assert decided(engine, -100_000, -99_999, -99_936) == 2


def test_a_repeated_call_is_the_same_call_again(engine: Engine) -> None:
    for time in (0, 1000, 2000):
        engine.decide(CALL | {"call_id": "a"}, NOW + time)
    assert len(engine.drain_samples()) == 1


def test_a_full_ring_drops_the_newest(engine: Engine) -> None:
    assert decided(engine, *(i * SAMPLE_MS for i in range(SLOTS + 10))) == SLOTS
    assert decided(engine, *(i * SAMPLE_MS for i in range(1000, 1003))) == 3


def test_samples_come_in_order_and_as_many_as_asked_for(engine: Engine) -> None:
    for i in range(10):
        engine.decide(CALL, NOW + i * SAMPLE_MS)
    drained = [engine.drain_samples(limit) for limit in (0, 3, 100)]
    assert [len(some) for some in drained] == [0, 3, 7]
    flips = engine.judge(drained[1] + drained[2], spec=load_policy("policy.yaml", BLOCKING)).flipped
    assert [flip.time_ms for flip in flips] == [NOW + i * SAMPLE_MS for i in range(10)]


BLOCKING = "version: 1\nrules: []\ndefault: block\n"


def test_a_call_of_eight_fields_of_a_kilobyte_is_no_sample(engine: Engine) -> None:
    texts = ("privacy", "trunk", "domain", "user_agent", "cell", "imsi", "verstat")
    engine.decide(CALL | dict.fromkeys(texts, "x" * 1024), NOW)
    (sample,) = engine.drain_samples()
    assert 7 * 1024 < len(sample) <= MOST_BYTES
    engine.decide(CALL | dict.fromkeys((*texts, "call_id"), "x" * 1024), NOW + 1000)
    assert engine.drain_samples() == []


def test_what_many_threads_sample_is_whole_and_no_call_comes_twice(engine: Engine) -> None:
    calls = np.zeros(2000, CALL_DTYPE)
    calls["caller"], calls["callee"] = b"+8613800138000", b"+8613900139000"
    times = NOW + np.arange(2000, dtype=np.int64)
    workers = [engine.enlist() for _ in range(3)]
    threads = [threading.Thread(target=worker.decide_batch, args=(calls, times)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    samples = engine.drain_samples()
    flips = engine.judge(samples, spec=load_policy("policy.yaml", BLOCKING)).flipped
    assert len(samples) == len(flips) <= 3 * (2000 // SAMPLE_MS + 1)
    assert len({flip.decision for flip in flips}) == len(flips)


def test_what_an_engine_of_another_secret_sampled_has_no_known_counters(engine: Engine) -> None:
    assert decided(engine) == 0
    engine.decide(CALL, NOW)
    other = Engine(load_plan(), secret=bytes(range(16)))
    other.publish(load_policy("policy.yaml", POLICY), {}, revision=1)
    assert other.judge(engine.drain_samples()).unknown_counters == ("calls",)
