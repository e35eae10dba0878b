"""A service under load, watched by a real Prometheus: panels have something to show, alerts something to compare."""

import json
import math
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry, start_http_server

from interceptor.client import Screening, Tls, Verdict
from interceptor.pb.v1 import interception_pb2 as pb
from interceptor.pb.v1 import policies_pb2
from observability.watching import BOARDS, Prometheus, alerts, operands, program, promtool, queries
from service.certificates import Authority, needs_openssl
from service.operating import add, becomes
from service.running import CALLEE, LISTED, POLICY, Running, command, environment, refused, write_policy

pytestmark = needs_openssl
SUSPECT, DIALLER = "+8613700137001", "+8613700137002"
#: what comes of changes that the guard refuses, and of a switch's own calls, some scrapes after them
GUARD = 'ALERTS{alertname="InterceptorGuardRefuses",alertstate="firing"}'
LAST = (GUARD, "interceptor:client_undecided:ratio_rate5m")
#: a list that a feed fills, and nobody ordinary calls too often
WATCHED = (
    POLICY.replace("> 2,", "> 0,")
    .replace("> 5,", "> 1000,")
    .replace("  watch:", "  reported: {kind: number}\n  watch:")
    .replace(
        "default: pass",
        "  - {id: reported, when: call.caller in lists.reported, verdict: warn, reason: false-loan}\ndefault: pass",
    )
)
SINKS = """
version: 1
reminders: {{quiet_hours: null}}
early_warnings: {{}}
sinks: [{{name: desk, kind: file, path: {}}}]
"""
#: values of these labels are no people's: bounds of buckets, a hash, addresses of our own
NO_NUMBERS = {"le", "digest", "instance", "file"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def switch(service: Running, authority: Authority) -> Iterator["Switch"]:
    begun = Switch(service.data.address, authority)
    yield begun
    begun.stop()


class Switch:
    """It asks through the client, whose metrics it serves."""

    def __init__(self, engine: str, authority: Authority) -> None:
        registry = CollectorRegistry()
        self.client = Screening(engine, tls=Tls(authority.ca), deadline_ms=10_000, registry=registry)
        self._server, self._thread = start_http_server(0, "127.0.0.1", registry)
        self.metrics = f"127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self.client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def service(directory: Path, authority: Authority) -> Iterator[Running]:
    policy = write_policy(directory, WATCHED)
    sinks = directory / "sinks.yaml"
    sinks.write_text(SINKS.format(directory / "events.jsonl"))
    kept = ("--state", directory / "state", "--decision-log", directory / "decisions.log", "--sinks", sinks)
    own = authority.issue("service", "IP:127.0.0.1")
    running = Running(
        policy,
        *(*kept, "--tls-cert", own.certificate, "--tls-key", own.key),
        identity=grpc.ssl_channel_credentials(authority.ca.read_bytes()),
    )
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def prometheus(
    service: Running, switch: Switch, directory: Path, authority: Authority
) -> Iterator[Prometheus]:
    """It has seen some seconds of load, and one of whatever else happens to a service."""
    program("prometheus")
    everything_once(service, switch)
    watching = Prometheus(directory, engines=[service.metrics], switches=[switch.metrics])
    try:
        load = command(
            "loadtest", "--target", service.data.address, "--scenario", "mixed", "--calls", "20000",
            "--listed", directory / "fraud.csv", "--rate", "300", "--duration", "8",
            "--tls-ca", authority.ca,
        )  # fmt: skip
        done = subprocess.run(
            load, capture_output=True, text=True, timeout=120, check=False, env=environment()
        )
        assert done.returncode == 0, done.stdout + done.stderr
        ripe(watching)
        everything_once(service, switch)
        becomes(lambda: all(watching.values(name) for name in LAST))
        yield watching
    finally:
        watching.stop()


def everything_once(service: Running, switch: Switch) -> None:
    """What the load has not: warnings, entries of rules, reports, feedback, changes of lists, and what is refused."""
    add(service, SUSPECT, "reported", "police")
    blocked = service.decide(caller=LISTED, callee=CALLEE)
    assert switch.client.decide(caller=SUSPECT, callee=CALLEE).verdict == Verdict.WARN
    assert not switch.client.decide(pb.DecideRequest(caller="1" * 5000)).decided
    switch.client.report_call(call_id="one", event="answered")
    service.decide(caller=DIALLER, callee=CALLEE, user_agent="friendly-scanner", call_id="one")
    messages = [
        pb.DecideStreamRequest(id=1, call=pb.DecideRequest(caller=SUSPECT)).SerializeToString(),
        b"\xff",
    ]
    assert len(list(service.data.stream(messages))) == 2
    refused(lambda: service.data.raw("InterceptionService/Decide", b"\xff"))
    for _ in range(5):
        refused(lambda: add(service, "110", "reported"))
    right = policies_pb2.GiveFeedbackRequest(decision_id=blocked.decision_id, right=True)
    becomes(lambda: told(service, right))


def told(service: Running, right: policies_pb2.GiveFeedbackRequest) -> bool:
    """Whether feedback was taken: a decision is remembered a moment after it was made."""
    try:
        service.admin("GiveFeedback", right)
    except grpc.RpcError as error:
        assert "is not remembered" in (error.details() or "")
        return False
    return True


def ripe(watching: Prometheus, seconds: float = 60) -> None:
    """Waits for what comes last: the service asks its store for facts now and then."""
    last = ("interceptor:feed_age:seconds", "interceptor_source_precision")
    becomes(lambda: all(watching.values(name) for name in last), seconds)


def test_every_rule_is_evaluated_without_a_fault(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= alerts().keys()
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert [name for name in recorded if not prometheus.values(name)] == []


def test_an_alert_fires_and_says_why(prometheus: Prometheus) -> None:
    (alert,) = (each for each in prometheus.ask("alerts")["alerts"] if each["labels"]["alertname"] in GUARD)
    assert alert["state"] == "firing"
    assert re.match(
        r"the guard has refused [\d.]+ changes within the hour \(127", alert["annotations"]["summary"]
    )


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_panel_has_something_to_show(prometheus: Prometheus, path: Path) -> None:
    asked = list(queries(json.loads(path.read_text())))
    assert [f"{title}: {expr}" for title, expr, _ in asked if not shown(prometheus, expr)] == []
    nameless = [
        f"{title}: {labels} of {expr}"
        for title, expr, labels in asked
        if labels and not any(labels <= found for found in prometheus.labels(expr))
    ]
    assert nameless == []


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_something_to_compare(prometheus: Prometheus, name: str) -> None:
    assert [expr for expr in operands(alerts()[name]["expr"]) if not shown(prometheus, expr)] == []


def shown(prometheus: Prometheus, expr: str) -> bool:
    """Whether an expression has a value that is a number."""
    return any(not math.isnan(value) for value in prometheus.values(expr))


def test_the_page_of_a_service_under_load_is_as_prometheus_wants_it(
    service: Running, prometheus: Prometheus
) -> None:
    assert prometheus.values("up") == [1, 1]
    done = promtool("check", "metrics", stdin=service.page())
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_label_carries_a_number(prometheus: Prometheus) -> None:
    for label in prometheus.ask("labels"):
        if label not in NO_NUMBERS:
            values = prometheus.ask(f"label/{label}/values")
            assert [value for value in values if re.search(r"\d{6}", value)] == [], label
