"""The shipped policies: they load as they are, every rule is shown by a case, and blocks keep to what is sure."""

import re
from functools import cache

import pytest

from interceptor.engine.spec import Spec
from interceptor.engine.types import BlockClass, Verdict
from interceptor.store.listfile import read_list
from tests.conformance import kernel
from tests.conformance.case import POLICIES, START, all_cases

SHIPPED = sorted(path.stem for path in POLICIES.glob("*.yaml"))
each_policy = pytest.mark.parametrize("name", SHIPPED)


@cache
def shipped(name: str) -> Spec:
    path = POLICIES / f"{name}.yaml"
    return kernel.compiled(path, path.read_text())


def test_there_is_a_default_and_an_anti_fraud_policy() -> None:
    assert SHIPPED == ["antifraud-cn", "default"]


@each_policy
def test_every_rule_is_shown_by_a_case(name: str) -> None:
    shown: set[str] = set()
    for case in all_cases():
        if case.shipped == name:
            for step in case.steps:
                shown |= {step.expect.get("rule", ""), *step.expect.get("shadow", [])}
    assert {rule.id for rule in shipped(name).rules} <= shown


@each_policy
def test_list_files_are_shipped_and_have_no_bad_row(name: str) -> None:
    for described in shipped(name).lists:
        if described.file:
            path = POLICIES / described.file
            found = read_list(path, described.kind, kernel.plan(), "CN", kernel.SECRET, START)
            assert found.bad == 0, f"{path.name}: {found.first_bad}"
            assert found.rows > 0


@each_policy
def test_list_entries_are_nobodys_numbers(name: str) -> None:
    """+1 202 555 01xx is kept free for fiction; 96110 is allowed because it is the real one."""
    for described in shipped(name).lists:
        if described.file and described.kind in ("number", "prefix"):
            rows = (POLICIES / described.file).read_text().splitlines()[1:]
            for row in rows:
                assert re.match(r"\+1202555?01|96110,", row), f"{described.file}: {row}"


@each_policy
def test_every_rule_and_threshold_says_what_it_is_for(name: str) -> None:
    lines = (POLICIES / f"{name}.yaml").read_text().splitlines()
    for i, line in enumerate(lines):
        if line.startswith("  - id: "):
            above = [text for text in lines[:i] if text.strip()][-1]
            assert above.lstrip().startswith("#"), f"{line.strip()} has no comment above it"
    section = lines[lines.index("thresholds:") + 1 : lines.index("lists:")]
    for line in section:
        if re.match(r"  \w+:", line):
            assert "#" in line, f"{line.strip()} does not say what it means"


@each_policy
def test_every_warning_and_block_gives_a_reason_and_a_class(name: str) -> None:
    for rule in shipped(name).rules:
        assert rule.reason, rule.id
        if rule.verdict != Verdict.PASS:
            assert rule.block_class != BlockClass.CLASS_NONE, rule.id


@each_policy
def test_what_is_only_counted_blocks_as_analytics_so_that_the_grace_time_holds(name: str) -> None:
    for rule in shipped(name).rules:
        if rule.verdict == Verdict.BLOCK and "counters." in rule.source:
            assert rule.block_class == BlockClass.CLASS_ANALYTICS, rule.id


@each_policy
def test_who_is_released_passes_every_block_but_forgery_and_a_subscribers_own(name: str) -> None:
    spec = shipped(name)
    assert spec.appeals is not None
    asked = f"call.caller in lists.{spec.appeals.list}"
    at = next(i for i, r in enumerate(spec.rules) if r.verdict == Verdict.PASS and r.source.startswith(asked))
    blocks = {rule.block_class for rule in spec.rules[:at] if rule.verdict == Verdict.BLOCK}
    assert blocks <= {BlockClass.CLASS_INVALID, BlockClass.CLASS_SUBSCRIBER}


def test_the_default_policy_starts_under_every_region() -> None:
    spec = shipped("default")
    for home in kernel.plan().regions:
        engine = kernel.new_engine(home)
        engine.publish(kernel.small(spec), kernel.contents(spec, POLICIES, engine), revision=1)
        assert engine.decide({"caller": "+12025550110", "callee": "+493012345678"}, START).rule == "blocked"
