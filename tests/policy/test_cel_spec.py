"""The conformance tests of the CEL specification: every one that a policy's CEL covers passes; the rest say why not."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from interceptor.engine.program import CompiledProgram, Outcome
from interceptor.policy import PolicyError
from interceptor.policy.conditions import compile_condition

SUITE = json.loads((Path(__file__).parent / "cel_spec" / "cases.json").read_text(encoding="utf-8"))

#: what a policy's CEL leaves out, by what its error says; the first that is in an error's message counts
LEFT_OUT = {
    "unsigned integers are left out": "uint",
    "`uint` is left out": "uint",
    "bytes are left out": "bytes",
    "`bytes` is left out": "bytes",
    "null is left out": "null",
    "maps are left out": "maps",
    "messages are left out": "protobuf messages",
    "has no packages": "protobuf messages",
    "the macro": "macros",
    "`timestamp` is left out": "timestamps",
    "`string` is left out": "string()",
    "`matches` is left out": "matches() and contains()",
    "`contains` is left out": "matches() and contains()",
    "compare durations with": "parts of a duration or timestamp",
    "a list can only stand behind `in`": "lists as values",
    "only call.redirecting[0] to [3] can be indexed": "lists as values",
    "a list behind `in` holds literals only": "lists as values",
    "what is looked for": "values of mixed types",
    "must be of one type": "values of mixed types",
    "type() is of a call's number": "type() of values",
    "unknown function": "functions a policy does not have",
    "unknown name `google": "protobuf messages",
    "unknown name": "names of the test's own",
    "() is of ": "conversions from and to text",
    "there is no `": "operators across types",
    "is of bools": "operators across types",
    "`-` is of numbers": "operators across types",
    "is longer than 292 years": "durations over 292 years",
}
#: an error that CEL may find while checking: a case that expects an error passes when its policy is refused so
REFUSED = {
    "operators across types",
    "values of mixed types",
    "names of the test's own",
    "durations over 292 years",
}
REFUSED |= {"functions a policy does not have"}


def expected_condition(case: dict[str, Any]) -> str | None:
    """The case as a condition that is true when it passes; None when its value cannot be written."""
    expression = f"({case['expr']}\n)"
    ((kind, value),) = case["value"].items()
    if kind == "boolValue":
        return f"{expression} == {str(value).lower()}"
    if kind == "int64Value":
        return f"{expression} == {value}"
    if kind == "doubleValue":
        number = float(value)
        if math.isnan(number):
            return f"{expression} != {expression}"
        literal = f"{math.copysign(1, number)} / 0.0" if math.isinf(number) else repr(number)
        return f"{expression} == {literal}"
    if kind == "stringValue":
        return f"{expression} == {json.dumps(value, ensure_ascii=False)}"
    if kind == "objectValue" and value["@type"].endswith("google.protobuf.Duration"):
        return f'{expression} == duration("{value["value"]}")'
    return None


def outcome(condition: str) -> Outcome:
    code, span = compile_condition(condition)
    return CompiledProgram(code, [span], 0, 0).evaluate_with(span)


def verdict(case: dict[str, Any]) -> str:
    """How a case ends: "passes", "passes: refused when the policy loads", "left out: ...", or "fails: ..."."""
    if "other" in case:
        return "left out: unknown values and deduced types"
    try:
        if "error" in case:
            return error_verdict(case["expr"])
        condition = expected_condition(case)
        if condition is None:
            outcome(f"({case['expr']}\n) == 0")
            return "left out: types as values"
        result = outcome(condition)
        return "passes" if result == Outcome.MATCH else f"fails: {result.name} of {condition}"
    except PolicyError as error:
        why = reason(error)
        return f"left out: {why}" if why else f"fails: {error}"


def error_verdict(expression: str) -> str:
    """The error must come out of the comparison around the expression, whatever its type is."""
    refusals = []
    for literal in ("true", "0", "0.0", '""', 'duration("0s")'):
        try:
            result = outcome(f"({expression}\n) == {literal}")
        except PolicyError as error:
            refusals.append(error)
            continue
        return "passes" if result == Outcome.OUTCOME_ERROR else f"fails: {result.name} of {expression}"
    why = reason(refusals[0])
    if why is None:
        return f"fails: {refusals[0]}"
    return "passes: refused when the policy loads" if why in REFUSED else f"left out: {why}"


def reason(error: PolicyError) -> str | None:
    message = error.problems[0].message
    return next((why for said, why in LEFT_OUT.items() if said in message), None)


VERDICTS = {case["name"]: verdict(case) for case in SUITE["cases"]}


@pytest.mark.parametrize("name", sorted({name.partition("/")[0] for name in VERDICTS}))
def test_every_case_that_a_policy_covers_passes(name: str) -> None:
    failed = [
        f"{case}: {said}"
        for case, said in VERDICTS.items()
        if case.startswith(name + "/") and "fails" in said
    ]
    assert not failed, "\n".join(failed)


def test_what_is_left_out_is_counted() -> None:
    """A case that moves between these lines is a change of what a policy's CEL is."""
    assert Counter(VERDICTS.values()) == {
        "passes": 413,
        "passes: refused when the policy loads": 21,
        "left out: uint": 161,
        "left out: bytes": 116,
        "left out: protobuf messages": 85,
        "left out: maps": 53,
        "left out: lists as values": 51,
        "left out: functions a policy does not have": 44,
        "left out: timestamps": 28,
        "left out: null": 21,
        "left out: names of the test's own": 18,
        "left out: matches() and contains()": 17,
        "left out: conversions from and to text": 11,
        "left out: parts of a duration or timestamp": 11,
        "left out: string()": 8,
        "left out: type() of values": 8,
        "left out: operators across types": 4,
        "left out: values of mixed types": 2,
    }
