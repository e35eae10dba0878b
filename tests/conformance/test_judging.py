"""Recent calls under another policy or other lists: the kernel judges each as the model does."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from interceptor.engine.engine import Engine, ListContent
from interceptor.engine.spec import ListKind, Spec
from interceptor.store.listfile import read_list
from tests.conformance import kernel
from tests.conformance.case import START
from tests.conformance.random_calls import NUMBERS, random_calls
from tests.conformance.test_random_calls import policies, reloaded
from tests.model import policy as model_policy
from tests.model.candidate import Changes, RecallingEngine
from tests.model.policy import ListModel, PolicyModel

SEQUENCE = 120
SAMPLE_MS = 64
NOTHING = ListContent(np.empty(0, np.uint64))
ENTRIES = {
    "number": [number for number in NUMBERS if number.startswith("+86") or number.isdigit()],
    "prefix": ["+8613800", "+861390013900", "+8613", "+1202", "+86138001380"],
    "domain": ["fraud.example", "FRAUD.example.", "a.fraud.example", "calls.fraud.example"],
    "device": ["35693803564380", "00499901064000", "35693803"],
    "subscriber": ["460000000000001", "460000000000003", "46000", "00101"],
    "trunk": ["own", "peer", "us", "unheard-of"],
    "pair": [
        f"+861380013800{i}:+86{caller}"
        for i in range(4)
        for caller in ("13900139000", "13800138001", "13900139001")
    ],
    "network": ["192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "2001:db8:0:1::/64"],
}


def candidates() -> dict[str, tuple[Path, str]]:
    return {**policies(), "reloaded": reloaded()}


MODELS = {name: model_policy.load(path, text, "CN") for name, (path, text) in candidates().items()}


Recalled = tuple[Engine, RecallingEngine, list[bytes]]


def recalled(live: str, seed: int) -> Recalled:
    """An engine and its model after some calls, each of which was sampled, and the samples."""
    path, text = candidates()[live]
    engine, slow = kernel.new_engine("CN"), RecallingEngine("CN")
    kernel.publish(engine, path, text, 1)
    slow.publish(MODELS[live])
    now = START
    samples: list[bytes] = []
    for when, call in random_calls(seed, SEQUENCE, START):
        now = max(now + SAMPLE_MS, when)
        assert kernel.answer(engine.decide(call, now)).verdict == slow.decide(call, now).verdict
        samples += engine.drain_samples()
    assert len(samples) == len(slow.recalled)
    return engine, slow, samples


def compare(
    calls: Recalled,
    spec: Spec | None,
    candidate: PolicyModel | None,
    contents: dict[str, tuple[ListContent, ListContent]],
    changes: Changes,
) -> int:
    """Holds the kernel's judgement against the model's; how many calls were turned."""
    engine, slow, samples = calls
    told = engine.judge(samples, spec=spec, changes=contents)
    expected = [
        (i, was, would)
        for i, (was, would) in enumerate(slow.judged(candidate, changes))
        if was[0] != would[0]
    ]
    assert [(flip.index, tuple(flip.was), tuple(flip.would)) for flip in told.flipped] == expected
    assert told.calls == len(samples)
    assert told.unknown_counters == slow.unknown_counters(candidate)
    return len(expected)


@pytest.mark.parametrize("live", candidates())
def test_the_live_policy_turns_none_of_its_own_calls(live: str) -> None:
    engine, _, samples = recalled(live, seed=1)
    for spec in (None, engine.spec):
        assert engine.judge(samples, spec=spec).flipped == ()
        same = {described.name: (NOTHING, NOTHING) for described in engine.spec.lists}
        told = engine.judge(samples, spec=spec, changes=same)
        assert (told.calls, told.flipped, told.unknown_counters) == (len(samples), (), ())


def test_another_policy_is_judged_as_by_the_model(scale: Callable[[int, int], int]) -> None:
    turned = 0
    for seed in range(scale(1, 40)):
        for live in candidates():
            calls = recalled(live, seed)
            for name, (path, text) in candidates().items():
                spec = kernel.compiled(path, text)
                turned += compare(calls, spec, MODELS[name], {}, {})
    assert turned > 100


def test_other_lists_are_judged_as_by_the_model(tmp_path: Path, scale: Callable[[int, int], int]) -> None:
    turned = 0
    for seed in range(scale(1, 80)):
        for live in candidates():
            calls = recalled(live, seed)
            order = random.Random(seed)
            name = order.choice(list(candidates()))
            for candidate in (None, name):
                document = MODELS[candidate or live]
                spec = kernel.compiled(*candidates()[name]) if candidate else None
                contents, changes = random_changes(document, calls[0], order, tmp_path)
                turned += compare(calls, spec, MODELS[candidate] if candidate else None, contents, changes)
    assert turned > 100


def random_changes(
    policy: PolicyModel, engine: Engine, order: random.Random, folder: Path
) -> tuple[dict[str, tuple[ListContent, ListContent]], Changes]:
    """Some entries for some of a policy's lists, as the engine takes them and as the model does."""
    contents, changes = {}, {}
    for name, held in policy.lists.items():
        if order.random() < 0.3:
            continue
        made = [random_entries(held.kind, engine, order, folder) for _ in range(2)]
        contents[name] = made[0][0], made[1][0]
        changes[name] = made[0][1], made[1][1]
    return contents, changes


def random_entries(
    kind: str, engine: Engine, order: random.Random, folder: Path
) -> tuple[ListContent, ListModel]:
    entries = order.sample(ENTRIES[kind], order.randrange(len(ENTRIES[kind])))
    text = "\n".join([kind, *entries]) if kind != "device" else "\n".join(["imei", *entries])
    text = text.replace("subscriber", "imsi", 1)
    file = folder / "list.csv"
    file.write_text(text + "\n")
    content = read_list(file, ListKind(kind), engine.plan, "CN", engine.secret, START).content
    return content, model_policy.read_list(kind, text, "CN")


def test_a_candidate_reads_no_counter_the_live_policy_lacks() -> None:
    engine, _, samples = recalled("calls", seed=3)
    path, text = candidates()["counters"]
    told = engine.judge(samples, spec=kernel.compiled(path, text))
    assert set(told.unknown_counters) >= {"people", "pair"}


def test_a_change_of_an_unknown_list_is_refused() -> None:
    engine, _, samples = recalled("calls", seed=3)
    with pytest.raises(KeyError, match="no list 'none'"):
        engine.judge(samples, changes={"none": (NOTHING, NOTHING)})


def test_what_is_no_sample_is_named() -> None:
    engine, _, samples = recalled("calls", seed=3)
    with pytest.raises(ValueError, match=r"samples\[1\]"):
        engine.judge([samples[0], samples[1][:-1]])
    with pytest.raises(TypeError):
        engine.judge([samples[0], "text"])  # type: ignore[list-item]
