"""What operators see in Prometheus."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.running import CALLEE, LISTED, Running, refused

#: every metric the service promises, with the labels it has
PROMISED = {
    "interceptor_decisions_total": {"verdict", "rule", "reason"},
    "interceptor_shadow_matches_total": {"rule", "verdict"},
    "interceptor_rule_errors_total": {"rule", "kind"},
    "interceptor_rule_additions_total": {"rule", "result"},
    "interceptor_rule_list_entries": set(),
    "interceptor_repeated_calls_total": set(),
    "interceptor_graced_calls_total": set(),
    "interceptor_decision_latency_seconds_bucket": {"le"},
    "interceptor_decision_latency_seconds_count": set(),
    "interceptor_decision_latency_seconds_sum": set(),
    "interceptor_list_entries": {"list"},
    "interceptor_list_hits_total": {"list"},
    "interceptor_list_bad_rows": {"list"},
    "interceptor_list_memory_bytes": set(),
    "interceptor_entities": {"kind"},
    "interceptor_entity_slots": {"kind"},
    "interceptor_entity_memory_bytes": {"kind"},
    "interceptor_entity_evictions_total": {"kind", "segment"},
    "interceptor_entity_saturations_total": {"kind"},
    "interceptor_policy_reloads_total": {"result"},
    "interceptor_policy_last_reload_successful": set(),
    "interceptor_policy_last_reload_success_timestamp_seconds": set(),
    "interceptor_policy_info": {"revision", "digest", "file", "rules"},
    "interceptor_policy_revision": set(),
    "interceptor_events_dropped_total": set(),
    "interceptor_decision_log_lines_total": {"result"},
    "interceptor_requests_refused_total": {"status"},
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
}


def test_every_promised_metric_is_on_the_page(service: Running) -> None:
    refused(lambda: service.raw("InterceptionService/Decide", b"\xff"))
    page = service.scrape()
    assert PROMISED.keys() <= page.keys()
    for name, labels in PROMISED.items():
        assert {frozenset(dict(sample)) for sample in page[name]} == {frozenset(labels)}, name


def test_decisions_are_counted_by_verdict_rule_and_reason(service: Running) -> None:
    def counted(rule: str, verdict: str, reason: str) -> float:
        return service.metric("interceptor_decisions_total", rule=rule, verdict=verdict, reason=reason)

    blocked, emergency = ("listed", "block", "credit-record"), ("emergency", "pass", "")
    before = counted(*blocked), counted(*emergency)
    service.decide(caller=LISTED, callee=CALLEE)
    service.decide(caller=LISTED, callee="112")
    assert (counted(*blocked), counted(*emergency)) == (before[0] + 1, before[1] + 1)


def test_shadow_matches_rule_errors_and_list_hits_are_counted(service: Running) -> None:
    names = {
        "shadow": ("interceptor_shadow_matches_total", {"rule": "often"}),
        "absent": ("interceptor_rule_errors_total", {"rule": "scanner", "kind": "absent"}),
        "failed": ("interceptor_rule_errors_total", {"rule": "fails", "kind": "failed"}),
        "hits": ("interceptor_list_hits_total", {"list": "fraud"}),
        "repeated": ("interceptor_repeated_calls_total", {}),
    }
    before = {key: service.metric(name, **labels) for key, (name, labels) in names.items()}
    for number in range(3):
        service.decide(caller="+8613722222222", callee=CALLEE, call_id=f"metrics-{number}")
    service.decide(caller="+8613722222222", callee=CALLEE, call_id="metrics-0")
    service.decide(caller=LISTED, callee=CALLEE)
    after = {key: service.metric(name, **labels) - before[key] for key, (name, labels) in names.items()}
    assert after == {"shadow": 1, "absent": 3, "failed": 3, "hits": 1, "repeated": 1}


def test_latency_has_buckets_from_100_ns_to_10_ms(service: Running) -> None:
    service.decide(caller=LISTED, callee=CALLEE)
    page = service.scrape()
    buckets = {
        dict(key)["le"]: value for key, value in page["interceptor_decision_latency_seconds_bucket"].items()
    }
    bounds = sorted(float(bound) for bound in buckets)
    assert (bounds[0], bounds[-2], bounds[-1]) == (1e-7, 1e-2, float("inf"))
    assert all(re.fullmatch(r"[\d.]+(e-\d+)?|\+Inf", bound) and len(bound) <= 6 for bound in buckets)
    values = [buckets[bound] for bound in sorted(buckets, key=float)]
    assert values == sorted(values)
    assert values[-1] == page["interceptor_decision_latency_seconds_count"][frozenset()] > 0


def test_no_label_carries_a_number(service: Running) -> None:
    service.decide(
        caller="+8613733333333", callee="+8613944444444", call_id="13755555555", imei="490154203237518"
    )
    assert not re.findall(r'="[^"]*(?:13733333333|13944444444|13755555555|490154203237518)', service.page())
    info = service.page().split("interceptor_policy_info{")[1]
    assert 'revision="1"' in info


def test_promtool_finds_nothing_to_improve(service: Running) -> None:
    promtool = shutil.which("promtool", path=str(Path(sys.executable).parent)) or shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (it comes with Prometheus)")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=service.page(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
