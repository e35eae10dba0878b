"""Every case, on the kernel one call at a time and in batches, and on the model: all equal, and as the case says."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from interceptor.engine.engine import CallError, Engine
from interceptor.engine.types import BlockClass
from tests.conformance import kernel
from tests.conformance.case import Case, Step, all_cases
from tests.model import decision as model
from tests.model import policy as model_policy

#: a report's is what became of it
Answer = model.Decision | model.Explanation | str | None

each_case = pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)


@cache
def run_model(case: Case) -> list[Answer]:
    engine = model.Engine(case.home)
    engine.publish(model_policy.load(*case.policy(), case.home, case.kept))
    return [_model_step(engine, case, step) for step in case.steps]


def _model_step(engine: model.Engine, case: Case, step: Step) -> Answer:
    if step.what == "publish":
        engine.publish(model_policy.load(*case.policy(step.subject), case.home))
    elif step.what == "explain":
        return engine.explain(step.subject, step.now)
    elif step.what == "report":
        return engine.report(step.subject, step.now)
    elif step.what == "card":
        engine.report_subscription(step.event, step.subject, step.now)
    elif step.malformed is None:
        return engine.decide(step.subject, step.now)
    return None


def run_kernel_singly(case: Case, *, explain_first: bool = False) -> list[Answer]:
    """One call at a time; with `explain_first` each is explained before it is decided, and must be answered so."""
    engine = _kernel(case)
    return [_kernel_step(engine, case, step, explain_first) for step in case.steps]


def _kernel_step(engine: Engine, case: Case, step: Step, explain_first: bool) -> Answer:
    if step.what == "publish":
        kernel.publish(engine, *case.policy(step.subject), revision=engine.revision + 1)
        return None
    if step.what == "explain":
        return kernel.explained(engine, step.subject, step.now, asked(case))
    if step.what == "report":
        return engine.report(step.subject, step.now)
    if step.what == "card":
        engine.report_subscription(step.event, step.subject, step.now)
        return None
    if step.malformed is not None:
        with pytest.raises(CallError) as refused:
            engine.decide(step.subject, step.now)
        assert refused.value.field == step.malformed, step.place
        return None
    before = kernel.explained(engine, step.subject, step.now, asked(case)).decision if explain_first else None
    decided = kernel.answer(engine.decide(step.subject, step.now))
    assert before in (None, decided), f"{step.place}: explained as {before}, decided as {decided}"
    return decided


def run_kernel_in_batches(case: Case, chunk: int) -> list[Answer]:
    engine = _kernel(case)
    specs = {engine.revision: engine.spec}
    found: list[Answer] = []
    for steps in _runs(case.steps):
        if steps[0].what == "call" and steps[0].malformed is None:
            rows = kernel.rows([step.subject for step in steps], engine.spec.tags)
            times = np.array([step.now for step in steps], np.int64)
            found += kernel.answers(engine.decide_batch(rows, times, chunk=chunk), specs)
        else:
            found += [_kernel_step(engine, case, step, False) for step in steps]
            specs[engine.revision] = engine.spec
    return found


def _runs(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Calls that follow each other make one batch; everything else stands alone."""
    run: list[Step] = []
    for step in steps:
        alone = step.what != "call" or step.malformed is not None
        if run and (alone or run[0].what != "call" or run[0].malformed is not None):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _kernel(case: Case) -> Engine:
    engine = kernel.new_engine(case.home)
    kernel.publish(engine, *case.policy(), revision=1, kept=case.kept)
    return engine


@cache
def asked(case: Case) -> set[tuple[str, str]]:
    """(field, list) of everything that the case's policies look up."""
    files = [step.subject for step in case.steps if step.what == "publish"]
    policies = [model_policy.load(*case.policy(file), case.home) for file in (None, *files)]
    return set[tuple[str, str]]().union(*(policy.lookups for policy in policies))


# --- comparing


def as_expected(case: Case, step: Step, found: Answer) -> None:
    """What the case says about the step."""
    if isinstance(found, str):
        assert step.expect.get("outcome", found) == found, step.place
        return
    decision = found.decision if isinstance(found, model.Explanation) else found
    assert decision is not None
    told: dict[str, Any] = {
        "verdict": decision.verdict.name.lower(),
        "rule": decision.rule,
        "class": BlockClass(decision.block_class).name.removeprefix("CLASS_").lower(),
        "reason": rule_of(case, decision.rule, "reason", ""),
        "sip_code": rule_of(case, decision.rule, "sip_code", 0),
        "shadow": list(decision.shadow),
        "repeated": decision.repeated,
        "added": decision.added,
        "errors": decision.errors,
    }
    if isinstance(found, model.Explanation):
        told |= {"lists": sorted(map(list, found.lists)), "graced": found.graced}
        told |= {"rules": _part(found.outcomes, step.expect.get("rules", {}))}
        told |= {"counters": _part(found.counters, step.expect.get("counters", {}))}
    unknown = step.expect.keys() - told.keys()
    assert not unknown, f"{step.place}: nothing is called {unknown}"
    assert {name: told[name] for name in step.expect} == dict(step.expect), f"{step.place}: {found}"


def _part(told: Any, asked: Any) -> Any:
    return {name: told.get(name, "no such name") for name in asked}


def rule_of(case: Case, rule: str, what: str, otherwise: Any) -> Any:
    """What the case's policy gives with a rule."""
    found = (getattr(r, what) for r in kernel.compiled(*case.policy()).rules if r.id == rule)
    return next(found, otherwise)


def equal(
    steps: Sequence[Step], kernel_says: Sequence[Answer], model_says: Sequence[Answer], *, added: bool
) -> None:
    """Kernel and model agree in everything; a single decision does not tell whether something was added."""
    for step, ours, theirs in zip(steps, kernel_says, model_says, strict=True):
        if step.estimated:
            continue
        if isinstance(theirs, model.Decision) and not added:
            theirs = dataclasses.replace(theirs, added=False)
        if isinstance(theirs, model.Explanation):
            theirs = dataclasses.replace(theirs, decision=dataclasses.replace(theirs.decision, added=False))
        assert ours == theirs, f"{step.place} at {step.now}: kernel {ours}, model {theirs}"


@each_case
def test_the_model_answers_as_the_case_says(case: Case) -> None:
    for step, found in zip(case.steps, run_model(case), strict=True):
        if found is not None:
            as_expected(case, step, found)


@each_case
def test_the_kernel_answers_as_the_model_call_by_call(case: Case) -> None:
    equal(case.steps, run_kernel_singly(case), run_model(case), added=False)


@each_case
@pytest.mark.parametrize("chunk", [64, 1])
def test_the_kernel_answers_as_the_model_in_batches(case: Case, chunk: int) -> None:
    found = run_kernel_in_batches(case, chunk)
    equal(case.steps, found, run_model(case), added=True)
    for step, one in zip(case.steps, found, strict=True):
        if step.what == "call" and one is not None:
            as_expected(case, step, one)


@each_case
def test_explaining_every_call_first_changes_no_answer(case: Case) -> None:
    equal(case.steps, run_kernel_singly(case, explain_first=True), run_model(case), added=False)
