"""What operators see in Prometheus."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from interceptor.pb.v1 import interception_pb2 as pb
from service.running import CALLEE, LISTED, POLICY, Running, refused, write_policy

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
    "interceptor_reports_total": {"outcome"},
    "interceptor_calls_in_flight": set(),
    "interceptor_call_slots": set(),
    "interceptor_call_memory_bytes": set(),
    "interceptor_call_evictions_total": set(),
    "interceptor_policy_reloads_total": {"result"},
    "interceptor_policy_last_reload_successful": set(),
    "interceptor_policy_last_reload_success_timestamp_seconds": set(),
    "interceptor_policy_info": {"revision", "digest", "file", "rules"},
    "interceptor_policy_revision": set(),
    "interceptor_events_dropped_total": set(),
    "interceptor_events_waiting": set(),
    "interceptor_decision_log_lines_total": {"result"},
    "interceptor_requests_refused_total": {"status"},
    "interceptor_lock_waits_total": {"table"},
    "interceptor_lock_wait_seconds_total": {"table"},
    "interceptor_lock_wait_longest_seconds": {"table"},
    "interceptor_certificate_reloads_total": {"result"},
    "interceptor_rpc_requests_total": {"method", "status"},
    "interceptor_rpc_stream_messages_total": set(),
    "interceptor_rpc_stream_errors_total": {"status"},
    "interceptor_rpc_batches_total": {"requests"},
    "interceptor_rpc_latency_seconds_bucket": {"le"},
    "interceptor_rpc_latency_seconds_count": set(),
    "interceptor_rpc_latency_seconds_sum": set(),
    "interceptor_rpc_latency_longest_seconds": set(),
    "interceptor_rpc_expired_total": set(),
    "interceptor_rpc_shed_total": set(),
    "interceptor_rpc_oversize_total": set(),
    "interceptor_rpc_streams": set(),
    "interceptor_rpc_streams_refused_total": set(),
    "interceptor_connections": {"thread"},
    "interceptor_connections_opened_total": set(),
    "interceptor_connections_ended_total": {"reason"},
    "interceptor_tls_failures_total": set(),
    "interceptor_received_bytes_total": set(),
    "interceptor_sent_bytes_total": set(),
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
}


def test_every_promised_metric_is_on_the_page(service: Running) -> None:
    refused(lambda: service.data.raw("InterceptionService/Decide", b"\xff"))
    assert next(service.data.stream([b"\xff"])).error.code
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


def test_requests_at_the_port_for_switches_are_counted_by_method_and_status(service: Running) -> None:
    def counted(method: str, status: str) -> float:
        samples = service.scrape()["interceptor_rpc_requests_total"]
        return samples.get(frozenset({("method", method), ("status", status)}), 0)

    kinds = [
        ("decide", "OK"),
        ("decide", "INVALID_ARGUMENT"),
        ("decide_stream", "OK"),
        ("health_check", "OK"),
    ]
    before = [counted(*kind) for kind in kinds]
    sums = (
        "interceptor_rpc_latency_seconds_count",
        "interceptor_received_bytes_total",
        "interceptor_sent_bytes_total",
    )
    earlier = [service.metric(name) for name in sums]
    service.decide(caller=LISTED, callee=CALLEE)
    refused(lambda: service.data.raw("InterceptionService/Decide", b"\xff"))
    message = pb.DecideStreamRequest(id=1, call=pb.DecideRequest(caller=LISTED)).SerializeToString()
    assert len(list(service.data.stream([message] * 3))) == 3
    health_pb2_grpc.HealthStub(service.data.channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert [counted(*kind) for kind in kinds] == [
        was + new for was, new in zip(before, (1, 1, 1, 1), strict=True)
    ]
    assert all(service.metric(name) > was for name, was in zip(sums, earlier, strict=True))


def test_connections_are_counted_while_they_are_open_and_when_they_end(service: Running) -> None:
    names = (
        "interceptor_connections",
        "interceptor_connections_opened_total",
        "interceptor_connections_ended_total",
    )
    service.decide(caller=LISTED, callee=CALLEE)
    was = [service.metric(name) for name in names]
    host, _, port = service.data.address.rpartition(":")
    with socket.create_connection((host, int(port)), 60) as one:
        one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert one.recv(9)  # it has been taken in
        assert [service.metric(name) for name in names] == [was[0] + 1, was[1] + 1, was[2]]
    while service.metric("interceptor_connections_ended_total") == was[2]:
        pass
    assert service.metric("interceptor_connections") == was[0]


def test_a_kind_of_entity_is_one_sample_however_many_reloads_have_split_it(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    service = start(write_policy(tmp_path))
    room = service.metric("interceptor_entity_slots", kind="caller")
    more = "  caller_calls_1m: {count: call, per: caller, window: 1m}\nrules:"
    write_policy(tmp_path, POLICY.replace("rules:", more))
    service.reload()
    samples = [line for line in service.page().splitlines() if line.startswith("interceptor_")]
    names = [line.rpartition(" ")[0] for line in samples]
    assert len(names) == len(set(names))
    assert service.metric("interceptor_entity_slots", kind="caller") == 2 * room


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
