"""The engine a case runs on, from its policy file and list files on, as the service would set it up."""

import dataclasses
from collections.abc import Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.engine import CALL_DTYPE, Decision, Engine, ListContent
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import Spec
from interceptor.engine.types import BlockClass, Limits, NumberStatus, RuleIndex, Scalar, Verdict
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from interceptor.store.listfile import read_list
from tests.conformance.case import START
from tests.model import decision as model
from tests.model.call import Number

SECRET = bytes(range(16))
NOTHING: Mapping[str, Path] = {}
STATUSES = {status.name.removeprefix("NUMBER_").lower(): status for status in NumberStatus}
SCALARS = {
    "international_ingress": Scalar.S_INTERNATIONAL_INGRESS,
    "roaming": Scalar.S_ROAMING,
    "sim_age_days": Scalar.S_SIM_AGE_DAYS,
    "event_time_ms": Scalar.S_EVENT_TIME_MS,
}


@cache
def plan() -> NumberingPlan:
    return load_plan()


def new_engine(home: str) -> Engine:
    return Engine(plan(), home=home, secret=SECRET, repeats=1 << 14, events=1 << 10)


@cache
def compiled(path: Path, text: str) -> Spec:
    return load_policy(path, text)


def publish(engine: Engine, path: Path, text: str, revision: int, kept: Mapping[str, Path] = NOTHING) -> None:
    """Publishes a policy with the content of its list files, and of `kept`, by list, for those the store keeps."""
    spec = compiled(path, text)
    engine.publish(small(spec), contents(spec, path.parent, engine, kept), revision=revision)


def small(spec: Spec) -> Spec:
    """The same policy with room for fewer entities: a case has few."""
    return dataclasses.replace(spec, entities={counter.entity: 1 << 12 for counter in spec.counters})


def contents(
    spec: Spec, folder: Path, engine: Engine, kept: Mapping[str, Path] = NOTHING
) -> dict[str, ListContent]:
    files = {described.name: folder / described.file for described in spec.lists if described.file}
    kinds = {described.name: described.kind for described in spec.lists}
    assert not files.keys() & kept.keys(), "a list is read from a file and kept in the store"
    return {
        name: read_list(file, kinds[name], engine.plan, engine.home, engine.secret, START).content
        for name, file in {**files, **kept}.items()
    }


def rows(calls: Sequence[Mapping[str, Any]], tags: Sequence[str]) -> npt.NDArray[np.void]:
    """Calls as `decide_batch` takes them."""
    table = np.zeros(len(calls), CALL_DTYPE)
    for row, call in zip(table, calls, strict=True):
        for name, value in call.items():
            if value is None:
                continue
            if name in SCALARS:
                row["scalar"][SCALARS[name]] = value
                row["present"] |= 1 << SCALARS[name]
            elif name == "redirecting":
                for i, number in enumerate(value[: Limits.MAX_REDIRECTING]):
                    row["redirecting"][i] = encoded(number, 32)
            elif name == "tags":
                for i, tag in enumerate(tags):
                    row["tags"][i] = encoded(value.get(tag, ""), 32)
            else:
                row[name] = encoded(value, CALL_DTYPE[name].itemsize)
    return table


def encoded(text: str, width: int) -> bytes:
    data = text.encode()
    assert len(data) <= width, f"{text!r} is wider than a row of CALL_DTYPE allows"
    return data


def answer(decision: Decision, *, added: bool = False) -> model.Decision:
    """A kernel's decision in the model's words; what a single decision does not tell, `added`, is filled in."""
    return model.Decision(
        decision.verdict,
        decision.rule,
        decision.block_class,
        decision.shadow,
        decision.repeated,
        added,
        decision.errors,
    )


def answers(table: npt.NDArray[np.void], specs: Mapping[int, Spec]) -> list[model.Decision]:
    """A batch's decisions in the model's words; `specs` by revision: a repeated answer may be an older policy's."""
    return [
        model.Decision(
            Verdict(row["verdict"]),
            rule_id(int(row["rule"]), specs[int(row["revision"])]),
            BlockClass(row["block_class"]),
            shadow_ids(int(row["shadow"]), specs[int(row["revision"])]),
            bool(row["repeated"]),
            bool(row["added"]),
            int(row["errors"]),
        )
        for row in table
    ]


def shadow_ids(bitmap: int, spec: Spec) -> tuple[str, ...]:
    shadow_rules = [rule.id for rule in spec.rules if rule.shadow]
    return tuple(name for i, name in enumerate(shadow_rules) if bitmap >> i & 1)


def rule_id(index: int, spec: Spec) -> str:
    if index == RuleIndex.RULE_DEFAULT:
        return "default"
    return "emergency" if index == RuleIndex.RULE_EMERGENCY else spec.rules[index].id


def explained(
    engine: Engine, call: Mapping[str, Any], now: int, asked: Set[tuple[str, str]]
) -> model.Explanation:
    """A kernel's explanation in the model's words; of the lists, those that the policy asks the field about."""
    told = engine.explain(call, now)
    emergency = told.emergency
    return model.Explanation(
        answer(told.decision),
        {} if emergency else {rule.rule: rule.outcome for rule in told.rules},
        {} if emergency else {c.counter: c.value if c.readable else None for c in told.counters},
        frozenset((entry.field, entry.list) for entry in told.lists) & asked,
        told.graced,
        {
            n.field: Number(STATUSES[n.status], n.text, n.valid, n.region, n.type)
            for n in told.numbers
            if n.field in ("caller", "callee")
        },
    )
