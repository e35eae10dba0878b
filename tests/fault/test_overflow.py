"""Nobody empties the ring of decisions: calls go on being decided, and what did not fit is counted."""

from pathlib import Path

import numpy as np

from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.types import Verdict
from interceptor.policy import load_policy
from service.running import CALLEE, LISTED

RING, CALLS = 64, 1_000


def test_a_full_ring_drops_events_and_no_call(plan: NumberingPlan, policy: Path) -> None:
    engine = Engine(plan, events=RING)
    key = digits_key_of(KeyKind.KEY_NUMBER, LISTED.removeprefix("+").encode())
    engine.publish(load_policy(policy), {"fraud": ListContent(np.array([key], np.uint64))}, revision=1)

    decided = [engine.decide({"caller": LISTED, "callee": CALLEE}, now_ms=i) for i in range(CALLS)]

    assert {decision.verdict for decision in decided} == {Verdict.BLOCK}
    assert engine.stats()["events"]["dropped"] == CALLS - RING
    assert engine.stats()["events"]["waiting"] == RING
    kept = engine.drain_events()
    assert [f"{event:016x}" for event in kept["decision"]] == [decision.id for decision in decided[:RING]]
    # Emptied, it takes events again; the gap in the sequence says how many are missing.
    engine.decide({"caller": LISTED, "callee": CALLEE}, now_ms=CALLS)
    (event,) = engine.drain_events()
    assert event["sequence"] - kept["sequence"][-1] - 1 == CALLS - RING
