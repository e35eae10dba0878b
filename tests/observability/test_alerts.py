"""Rules and alerts as they ship: promtool's word on them, each alert seen firing and silent, each with a runbook."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.watching import PROMETHEUS, alerts, operands, promtool

CASES = ("tests.yaml", "tests-of-days.yaml")
NAME = re.compile(r'ALERTS\{[^}]*alertname(=~?)"([^"]+)"')


def test_promtool_finds_nothing_wrong() -> None:
    for what, name in (("rules", "rules.yaml"), ("rules", "alerts.yaml"), ("config", "prometheus.yaml")):
        done = promtool("check", what, PROMETHEUS / name)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_when_they_should(name: str) -> None:
    done = promtool("test", "rules", PROMETHEUS / name)
    assert done.returncode == 0, done.stdout + done.stderr


def cases(name: str) -> list[dict[str, Any]]:
    """What a file of tests looks for."""
    tests = yaml.safe_load((PROMETHEUS / name).read_text())["tests"]
    return [case for test in tests for case in test["promql_expr_test"]]


def named(expr: str) -> set[str]:
    """The alerts that an expression looks for."""
    found = NAME.search(expr)
    return set() if found is None else {name for name in alerts() if re.fullmatch(found[2], name)}


def test_every_alert_is_seen_firing() -> None:
    seen = [named(case["expr"]) for name in CASES for case in cases(name) if case.get("exp_samples")]
    assert set().union(*seen) == alerts().keys()


@pytest.mark.long
def test_every_alert_is_seen_silent(tmp_path: Path) -> None:
    """Alerts that fire without their comparisons, whatever is compared, are told from ours."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule["expr"] = operands(rule["expr"])[0]
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(groups))
    (tmp_path / "rules.yaml").write_text((PROMETHEUS / "rules.yaml").read_text())
    told = set()
    for name in CASES:
        (tmp_path / name).write_text((PROMETHEUS / name).read_text())
        done = promtool("test", "rules", tmp_path / name)
        failed = re.findall(r'expr: (".*"), time: .*\n\s+exp: .*\n\s+got: (.*)', done.stdout + done.stderr)
        for expr, got in failed:
            told |= named(json.loads(expr)) & set(re.findall(r'alertname="(\w+)"', got))
    assert alerts().keys() - told == set()


def test_every_alert_has_a_runbook() -> None:
    for name, alert in alerts().items():
        runbook = alert["annotations"]["runbook"]
        assert re.search(r"^Means: .*\. Look\s+first\s+at: .* Do: .*\.$", runbook, flags=re.DOTALL), name
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert alert["annotations"]["summary"]


def test_no_alert_says_a_number() -> None:
    labels = {
        label
        for alert in alerts().values()
        for label in re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"])
    }
    assert labels <= {"instance", "rule", "list", "source", "kind", "sink", "use"}


def test_an_expression_without_its_comparisons() -> None:
    assert operands('a{b="x > y"} > 14.4 * c and ignoring (b) (d or e) < 1\nor f == 0') == [
        'a{b="x > y"}', "14.4 * c", "(d or e)", "1", "f", "0",
    ]  # fmt: skip
