"""Rules and alerts as they ship: promtool's word on them, each alert seen firing and silent, each with a runbook."""

import re
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


def cases() -> list[tuple[dict[str, Any], str, bool]]:
    """(the test it is part of, the alerts it looks for, whether it is to fire) of every case."""
    found = []
    for name in CASES:
        for test in yaml.safe_load((PROMETHEUS / name).read_text())["tests"]:
            for case in test["promql_expr_test"]:
                if named := NAME.search(case["expr"]):
                    found.append((test, named[2], bool(case.get("exp_samples"))))
    return found


def test_every_alert_is_seen_firing_and_silent() -> None:
    fires = {name for _, name, firing in cases() if firing}
    silent = {name for test, name, firing in cases() if not firing for name in name.split("|")}
    # one that fires for `bad` alone is silent for the others of the same case
    silent |= {
        name
        for test, name, firing in cases()
        if firing and any('"good"' in series["series"] for series in test["input_series"])
    }
    quiet = {"InterceptorFeedStale", "InterceptorNoEngine"} & silent
    assert fires == alerts().keys()
    assert silent == alerts().keys(), alerts().keys() - silent
    assert quiet


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
    assert labels <= {"instance", "rule", "list", "source", "kind", "sink"}


def test_an_expression_without_its_comparisons() -> None:
    assert operands('a{b="x > y"} > 14.4 * c and ignoring (b) (d or e) < 1\nor f == 0') == [
        'a{b="x > y"}', "14.4 * c", "(d or e)", "1", "f", "0",
    ]  # fmt: skip
