"""A policy on trial: what it would have answered to live calls, as the model says."""

from collections.abc import Callable

import pytest

from tests.conformance import kernel
from tests.conformance.case import START
from tests.conformance.random_calls import random_calls
from tests.conformance.test_judging import MODELS, candidates
from tests.model.candidate import RecallingEngine, Trial

SEQUENCE = 120


@pytest.mark.parametrize("live", candidates())
def test_what_a_trial_counts_is_what_the_model_counts(live: str, scale: Callable[[int, int], int]) -> None:
    differing = 0
    for seed in range(scale(1, 30)):
        for tried in candidates():
            engine, slow = kernel.new_engine("CN"), RecallingEngine("CN")
            kernel.publish(engine, *candidates()[live], 1)
            slow.publish(MODELS[live])
            engine.start_trial(kernel.small(kernel.compiled(*candidates()[tried])), name=tried)
            trial = Trial(slow, MODELS[tried])
            for now, call in random_calls(seed, SEQUENCE, START):
                engine.decide(call, now)
                trial.look(slow.decide(call, now))
            state = engine.stop_trial()
            assert state is not None
            assert (state.name, state.running, state.calls) == (tried, False, trial.calls)
            assert {tuple(map(tuple, kind)): n for kind, n in state.kinds.items()} == trial.kinds
            assert state.differing == sum(trial.kinds.values())
            differing += state.differing
            if tried == live:
                assert state.differing == 0
    assert differing > SEQUENCE // 4
