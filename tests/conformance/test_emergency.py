"""Every emergency number of every region passes a policy that blocks everything, and nothing else does."""

import re
from collections.abc import Callable

import numpy as np
import phonenumbers
import pytest
from phonenumbers import SUPPORTED_REGIONS, PhoneMetadata

from interceptor.engine.engine import Engine
from interceptor.engine.types import RuleIndex, Verdict
from interceptor.policy import load_policy
from tests.conformance import kernel
from tests.conformance.case import START
from tests.model.call import CHINA, EVERYWHERE

REGIONS = sorted(SUPPORTED_REGIONS)
POLICY = "version: 1\ntrunks:\n  default: {}\n" + "".join(
    f"  {name}: {{region: {name}}}\n" for name in REGIONS
)
POLICY += 'rules:\n  - {id: all, when: "true", verdict: block, class: list}\ndefault: block\n'


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = kernel.new_engine("CN")
    made.publish(load_policy("everything.yaml", POLICY), {}, revision=1)
    return made


def longer_numbers(region: str) -> list[str]:
    """The region's emergency numbers of more than four digits."""
    metadata = PhoneMetadata.short_metadata_for_region(region, None)
    if not metadata or not metadata.emergency or not metadata.emergency.national_number_pattern:
        return []
    pattern = re.compile(metadata.emergency.national_number_pattern)
    long = [length for length in metadata.emergency.possible_length if length > 4]
    return [f"{n:0{size}}" for size in long for n in range(10**size) if pattern.fullmatch(f"{n:0{size}}")]


def is_emergency(digits: str, region: str) -> bool:
    return (
        digits in EVERYWHERE
        or (region == "CN" and digits in CHINA)
        or phonenumbers.is_emergency_number(digits, region)
    )


@pytest.mark.parametrize("region", REGIONS)
def test_emergency_numbers_of_every_region(
    region: str, engine: Engine, scale: Callable[[int, int], int]
) -> None:
    digits = [f"{n:0{size}}" for size in (2, 3, 4)[: scale(2, 3)] for n in range(10**size)]
    own = longer_numbers(region)
    digits += [
        *own,
        *(number + "0" for number in own),
        *(number[:-1] for number in own),
        "12110",
        "1120",
        "9110",
    ]
    calls = [{"caller": "+8613800138000", "callee": number, "trunk": region} for number in digits]
    table = engine.decide_batch(kernel.rows(calls, ()), np.full(len(calls), START, np.int64))
    passed = {number for number, row in zip(digits, table, strict=True) if row["verdict"] == Verdict.PASS}
    assert passed == {number for number in digits if is_emergency(number, region)}
    assert passed >= EVERYWHERE
    for number, row in zip(digits, table, strict=True):
        assert (row["rule"] == RuleIndex.RULE_EMERGENCY) == (number in passed)


def test_an_emergency_call_passes_whatever_else_is_malformed(engine: Engine) -> None:
    for broken in ({"caller": "\x00\x01"}, {"sim_age_days": "?"}, {"colour": "red"}, {"domain": b"\xff"}):
        assert engine.decide({"callee": "110", **broken}, START).rule == "emergency"
