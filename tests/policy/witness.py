"""Runs a condition on a call three ways: on the VM, on the model, and on cel-python's own evaluator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import celpy
import numpy as np
from celpy import celtypes
from celpy.evaluation import CELEvalError

from interceptor.engine.opcodes import Op
from interceptor.engine.program import CompiledProgram, Outcome
from interceptor.engine.spec import Clock
from interceptor.engine.types import NumberStatus, Scalar
from interceptor.policy import fields
from interceptor.policy.conditions import compile_condition
from tests.model.cel import Absent, Duration, Failed, Value, World, holds, parsed
from tests.policy.expressions import COUNTERS, ENVIRONMENT, LISTS, PLAN, TAGS, THRESHOLDS

REGIONS = ("ZZ", "CN", "US")
TYPES = ("unknown", "mobile", "fixed-line", "fixed-line-or-mobile", "short", "withheld")


class OnVm:
    """A condition compiled once, to be run on many calls."""

    def __init__(self, condition: str) -> None:
        self.code, self.span = compile_condition(condition, ENVIRONMENT)
        self.program = CompiledProgram(self.code, [self.span], len(COUNTERS), len(LISTS))

    def run(self, world: World) -> Outcome:
        return self.program.evaluate_with(self.span, regions=REGIONS, types=TYPES, **vm_inputs(world))

    def uses(self, *ops: Op) -> bool:
        return bool(np.isin(self.code.instructions["op"], ops).any())


def vm_inputs(world: World) -> dict[str, Any]:
    """A world as `CompiledProgram.evaluate_with` takes it."""
    texts: dict[int, bytes] = {}
    numbers: dict[int, tuple[int, bytes, bool, int, int]] = {}
    scalars: dict[int, int] = {}
    for name in world.signalled:
        if name in fields.SCALARS or name in fields.FLAGS:
            scalar = (fields.SCALARS | fields.FLAGS)[name]
            scalars[Scalar(scalar)] = int(world.fields[name])  # type: ignore[arg-type]
            continue
        if name in fields.RAW:
            texts[fields.RAW[name]] = str(world.fields[name]).encode()
            continue
        field = fields.key_field(name, TAGS)
        if fields.is_number(field):
            texts.setdefault(field, b"?")
            if name in world.fields:
                text = str(world.fields[name])
                status = NumberStatus.NUMBER_E164 if text.startswith("+") else NumberStatus.NUMBER_SHORT
                of_type, region = TYPES.index(world.type[name]), REGIONS.index(world.region[name])
                numbers[field] = (status, text.encode(), world.valid[name], of_type, region)
            elif name in world.type:
                numbers[field] = (NumberStatus.NUMBER_WITHHELD, b"", False, TYPES.index("withheld"), 0)
            else:
                numbers[field] = (NumberStatus.NUMBER_UNPARSEABLE, b"", False, 0, 0)
        else:
            texts[field] = str(world.fields[name]).encode()
    listed = {fields.key_field(name, TAGS): names for name, names in world.listed.items()}
    order = list(LISTS)
    return {
        "texts": texts,
        "numbers": numbers,
        "scalars": scalars,
        "counters": {COUNTERS.index(name): value for name, value in world.counters.items()},
        "bitmaps": {field: sum(1 << order.index(name) for name in names) for field, names in listed.items()},
        "keys": dict.fromkeys(listed, 1),
        "now": int(world.now.timestamp() * 1000),
        "clock": Clock((0,), (int((world.now.utcoffset() or timedelta()).total_seconds()) * 1000,)),
    }


def on_model(condition: str, world: World) -> Outcome:
    try:
        return Outcome.MATCH if holds(condition, world) else Outcome.NO_MATCH
    except Absent:
        return Outcome.OUTCOME_ABSENT
    except Failed:
        return Outcome.OUTCOME_ERROR


def _cel(value: Value) -> Any:
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, int):
        return celtypes.IntType(value)
    if isinstance(value, float):
        return celtypes.DoubleType(value)
    if isinstance(value, Duration):
        return celtypes.DurationType(seconds=value.nanoseconds // 10**9, nanos=value.nanoseconds % 10**9)
    return celtypes.StringType(value)


def _map(values: Mapping[str, Any]) -> Any:
    return celtypes.MapType({celtypes.StringType(name): value for name, value in values.items()})


def _prefix(number: Any, digits: Any) -> Any:
    text = str(number).removeprefix("+")
    if len(text) < digits:
        raise ValueError("too few digits")
    return celtypes.StringType(text[:digits])


def _ratio(a: Any, b: Any) -> Any:
    if b == 0:
        raise ValueError("ratio of 0")
    return celtypes.DoubleType(float(a) / float(b))


_FUNCTIONS: dict[str, Any] = {
    "valid": lambda number: celtypes.BoolType(PLAN[str(number)][0]),
    "region": lambda number: celtypes.StringType(PLAN[str(number)][1]),
    "type": lambda number: celtypes.StringType(PLAN[str(number)][2]),
    "prefix": _prefix,
    "ratio": _ratio,
}


@cache
def _environment() -> celpy.Environment:
    return celpy.Environment()


@dataclass(frozen=True)
class Said:
    """What cel-python answers, and the error it gave: it knows one kind."""

    outcome: Outcome
    error: str = ""


class OnCelPython:
    """A condition compiled by cel-python, to be run on plain worlds."""

    def __init__(self, condition: str) -> None:
        environment = _environment()
        self.program = environment.program(parsed(condition), functions=_FUNCTIONS)

    def run(self, world: World) -> Said:
        try:
            answer = self.program.evaluate(_names(world))
        except CELEvalError as error:
            return Said(Outcome.OUTCOME_ERROR, str(error.args))
        except (IndexError, OverflowError, ValueError) as crash:
            return Said(Outcome.OUTCOME_ERROR, repr(crash))
        return Said(Outcome.MATCH if answer else Outcome.NO_MATCH)


def _names(world: World) -> dict[str, Any]:
    call: dict[str, Any] = {name: _cel(value) for name, value in world.fields.items() if "[" not in name}
    tags = {name.removeprefix("tags."): call.pop(name) for name in list(call) if name.startswith("tags.")}
    call["tags"] = _map(tags)
    hops = [_cel(world.fields[f"redirecting[{i}]"]) for i in range(world.redirections)]
    call["redirecting"] = celtypes.ListType(hops)
    lists: dict[str, Any] = {name: [] for name in LISTS}
    for field, names in world.listed.items():
        for name in names:
            lists[name].append(_cel(world.fields[field]))
    return {
        "call": _map(call),
        "counters": _map({name: _cel(value) for name, value in world.counters.items()}),
        "thresholds": _map({name: _cel(value) for name, value in THRESHOLDS.items()}),
        "now": _map(
            {
                "hour": _cel(world.now.hour),
                "minute": _cel(world.now.minute),
                "weekday": _cel(world.now.isoweekday()),
            }
        ),
        "lists": _map({name: celtypes.ListType(entries) for name, entries in lists.items()}),
    }
