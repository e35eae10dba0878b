"""Thousands of random calls: the kernel answers each as the model does, in batches of any size, and explains it so."""

import dataclasses
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from interceptor.engine.engine import Engine
from interceptor.engine.opcodes import Op
from interceptor.engine.spec import Rule, Spec
from interceptor.engine.types import Happening
from tests.conformance import kernel
from tests.conformance.case import POLICIES, START
from tests.conformance.random_calls import Told, random_calls, random_reports
from tests.model import decision as model
from tests.model import policy as model_policy

RICH = Path(__file__).parent / "rich"
#: the shipped policy with thresholds that few calls reach
LOW = {
    "people_1h": 2,
    "people_1h_machine": 4,
    "people_1h_any": 5,
    "sims_1d": 1,
    "box_sims_1h": 2,
    "box_people_1h": 2,
    "card_devices_1d": 3,
    "farm_cards_15m": 2,
    "scanned_1h": 2,
    "pair_calls_10m": 3,
    "phone_calls_10m": 4,
    "calls_1m": 3,
    "phone_calls_1m": 5,
    "pair_calls_1m": 3,
    "one_ring_5m": 2,
    "pool_callers_10m": 2,
}
#: what the store keeps for the shipped policy
KEPT = {
    "reported": RICH / "lists/fraud.csv",
    "bad_networks": RICH / "lists/networks.csv",
    "wanted": RICH / "lists/wanted.csv",
    "unwanted": RICH / "lists/unwanted.csv",
}
SEQUENCE = 250


def policies() -> dict[str, tuple[Path, str]]:
    shipped = POLICIES / "antifraud-cn.yaml"
    text = "\n".join(
        f"  {name}: {LOW[name]}" if (name := line.split(":")[0].strip()) in LOW and "{" not in line else line
        for line in shipped.read_text().splitlines()
    )
    return {
        "counters": (RICH / "counters.yaml", (RICH / "counters.yaml").read_text()),
        "calls": (RICH / "calls.yaml", (RICH / "calls.yaml").read_text()),
        "antifraud-cn": (shipped, text),
    }


@pytest.mark.parametrize("name", policies())
def test_random_calls_are_answered_as_by_the_model(name: str, scale: Callable[[int, int], int]) -> None:
    path, text = policies()[name]
    kept = KEPT if name == "antifraud-cn" else kernel.NOTHING
    theirs = model_policy.load(path, text, "CN", kept)
    decided: set[str] = set()
    for seed in range(scale(2_000, 70_000) // SEQUENCE):
        decided |= same_answers(path, text, theirs, seed, kept)
    spec = kernel.compiled(path, text)
    rules = {rule.id for rule in spec.rules if not rule.shadow and not asks_of_reports(spec, rule)}
    missing = rules - decided
    assert len(missing) <= len(rules) // 3, f"random calls reach too little: never {sorted(missing)}"


def asks_of_reports(spec: Spec, rule: Rule) -> bool:
    """Whether a rule reads a counter that no setup feeds: random calls have none of those, the cases do."""
    code = spec.code.instructions[rule.when.start : rule.when.end]
    return any(
        spec.counters[int(row["a"])].happening != Happening.H_CALL
        for row in code
        if int(row["op"]) == Op.OP_COUNTER
    )


def same_answers(
    path: Path, text: str, theirs: model_policy.PolicyModel, seed: int, kept: Mapping[str, Path]
) -> set[str]:
    """One sequence of calls under one policy -> the rules that decided some of it."""
    calls = list(random_calls(seed, SEQUENCE, START))
    slow = model.Engine("CN")
    slow.publish(theirs)
    engine = kernel.new_engine("CN")
    kernel.publish(engine, path, text, revision=1, kept=kept)
    spec = engine.spec
    order = random.Random(seed)
    decided: set[str] = set()
    at = 0
    while at < len(calls):
        some = calls[at : at + order.choice((1, 2, 5, 64, 200))]
        now, first = some[0]
        explained = slow.explain(first, now)
        explained = dataclasses.replace(
            explained, decision=dataclasses.replace(explained.decision, added=False)
        )
        told = kernel.explained(engine, first, now, theirs.lookups)
        assert told == explained, f"seed {seed}, call {at}, explained: {first} at {now}"
        rows = kernel.rows([call for _, call in some], spec.tags)
        times = np.array([now for now, _ in some], np.int64)
        found = kernel.answers(engine.decide_batch(rows, times, chunk=order.choice((1, 3, 64))), {1: spec})
        for i, ((when, call), answer) in enumerate(zip(some, found, strict=True)):
            assert answer == slow.decide(call, when), f"seed {seed}, call {at + i}: {call} at {when}"
            decided.add(answer.rule)
        at += len(some)
    return decided


def test_random_calls_are_answered_as_by_the_model_between_reports_of_them(
    scale: Callable[[int, int], int],
) -> None:
    """Answers, ends, calls in progress and in pairs, cards: late, twice, lost, of calls blocked or repeated."""
    path = RICH / "reports.yaml"
    text = path.read_text()
    theirs = model_policy.load(path, text, "CN")
    decided: set[str] = set()
    joined = 0
    for seed in range(scale(1_000, 50_000) // SEQUENCE):
        calls = [
            (now, call | ({"call_id": f"{n // 10}" if n % 5 == 0 else f"{n}-"} if n % 7 else {}))
            for n, (now, call) in enumerate(random_calls(seed, SEQUENCE, START, backwards=False))
        ]
        reports = list(random_reports(seed, calls))
        slow, engine = model.Engine("CN"), kernel.new_engine("CN")
        slow.publish(theirs)
        kernel.publish(engine, path, text, revision=1)
        for n, (now, call) in enumerate(calls):
            while reports and reports[0].now < now:
                told = reports.pop(0)
                joined += reported(engine, slow, told) == "joined"
            told_of = f"seed {seed}, call {n}: {call} at {now}"
            explained = slow.explain(call, now)
            assert kernel.explained(engine, call, now, theirs.lookups) == explained, told_of
            answer = slow.decide(call, now)
            assert kernel.answer(engine.decide(call, now)) == dataclasses.replace(answer, added=False), (
                told_of
            )
            decided.add(answer.rule)
    assert joined > 100
    missing = {rule.id for rule in kernel.compiled(path, text).rules} - decided
    assert len(missing) <= 2, f"random calls reach too little: never {sorted(missing)}"


def reported(engine: Engine, slow: model.Engine, told: Told) -> str | None:
    """Tells both; what became of it, where the model knows."""
    if told.event:
        engine.report_subscription(told.event, told.report, told.now)
        slow.report_subscription(told.event, told.report, told.now)
        return None
    ours, outcome = engine.report(told.report, told.now), slow.report(told.report, told.now)
    assert ours == outcome or outcome == "early", f"{told}: {ours}, not {outcome}"
    return outcome


def test_random_reloads_between_random_calls(scale: Callable[[int, int], int]) -> None:
    """A policy is replaced by another, and comes back: what means the same in both goes on."""
    variants = [
        (path, text, model_policy.load(path, text, "CN"))
        for path, text in (policies()["counters"], reloaded())
    ]
    for seed in range(scale(4, 200)):
        order = random.Random(seed)
        slow, engine = model.Engine("CN"), kernel.new_engine("CN")
        specs: dict[int, Spec] = {}
        calls = list(random_calls(1000 + seed, SEQUENCE, START))
        at = 0
        while at < len(calls):
            path, written, theirs = order.choice(variants)
            slow.publish(theirs)
            kernel.publish(engine, path, written, revision=len(specs) + 1)
            specs[engine.revision] = engine.spec
            some = calls[at : at + order.choice((1, 5, 40))]
            rows = kernel.rows([call for _, call in some], engine.spec.tags)
            found = kernel.answers(
                engine.decide_batch(rows, np.array([now for now, _ in some], np.int64)), specs
            )
            for i, ((when, call), answer) in enumerate(zip(some, found, strict=True)):
                assert answer == slow.decide(call, when), f"seed {seed}, call {at + i}: {call} at {when}"
            at += len(some)


def reloaded() -> tuple[Path, str]:
    """The counters' policy in another order, with one counter less, one other window and one more rule in front."""
    path, text = policies()["counters"]
    lines = text.splitlines()
    counters = [line for line in lines if re.match(r"  \w+: +\{(count|distinct|\w+_seen):", line)]
    assert len(counters) > 10
    start = lines.index(counters[0])
    rest = [line for line in lines if line not in counters]
    changed = [
        line.replace("per: callee, window: 10s", "per: callee, window: 7s") for line in reversed(counters)
    ]
    rest[start:start] = changed
    first = rest.index("rules:") + 1
    rest[first:first] = ["  - {id: new, when: call.sim_age_days == 400, verdict: pass}"]
    return path, "\n".join(rest)
