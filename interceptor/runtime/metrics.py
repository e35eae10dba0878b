"""Prometheus metrics: read from the engine's counters when they are scraped, never touched by a call."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from interceptor.engine.spec import Spec
from interceptor.runtime.loader import Loaded
from interceptor.runtime.service import Service

NANO = 1e-9


class ServiceCollector(Collector):
    """All metrics of one service. Labels name rules, lists, reasons and kinds of entity; never a number."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Called once a scrape."""
        yield from self._of_the_service()
        loaded = self._service.loader.current
        if loaded is None:
            return
        spec, stats = self._policy_and_stats()
        yield from self._of_decisions(spec, stats)
        yield from self._of_lists(loaded, stats)
        yield from self._of_entities(stats)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is shows when it is collected."""
        return iter(())

    def _policy_and_stats(self) -> tuple[Spec, dict[str, Any]]:
        """The policy in force and what was counted under its names, also while a reload swaps it."""
        engine = self._service.engine
        while True:
            spec = engine.spec
            stats = engine.stats()
            if engine.spec is spec:
                return spec, stats

    def _of_the_service(self) -> Iterator[Metric]:
        tally = self._service.tally
        reloads = counter(
            "interceptor_policy_reloads", "Loads of the policy, the first one included.", "result"
        )
        reloads.add_metric(["good"], tally.reloads_good)
        reloads.add_metric(["failed"], tally.reloads_failed)
        yield reloads
        yield gauge(
            "interceptor_policy_last_reload_successful",
            "1 when the last load of the policy succeeded, 0 when the last good one was kept.",
            float(tally.last_reload_good),
        )
        yield gauge(
            "interceptor_policy_last_reload_success_timestamp_seconds",
            "When a policy was last put into force, in seconds since the epoch.",
            tally.last_reload_time,
        )
        refused = counter(
            "interceptor_requests_refused", "Requests that were not decided, by gRPC status.", "status"
        )
        for status, count in sorted(tally.refused.items()):
            refused.add_metric([status], count)
        yield refused
        lines = counter("interceptor_decision_log_lines", "Lines of the decision log.", "result")
        lines.add_metric(["written"], tally.log_lines)
        lines.add_metric(["lost"], tally.log_errors)
        yield lines

    def _of_decisions(self, spec: Spec, stats: dict[str, Any]) -> Iterator[Metric]:
        decisions = counter("interceptor_decisions", "Calls decided.", "verdict", "rule", "reason")
        shadow = counter("interceptor_shadow_matches", "Calls a shadow rule matched.", "rule", "verdict")
        errors = counter(
            "interceptor_rule_errors",
            "Conditions that ended in an error: read something absent, or failed otherwise.",
            "rule",
            "kind",
        )
        additions = counter("interceptor_rule_additions", "Entries rules put on lists.", "rule", "result")
        for rule in spec.rules:
            counted = stats["rules"][rule.id]
            verdict = rule.verdict.name.lower()
            if rule.shadow:
                shadow.add_metric([rule.id, verdict], counted["shadow"])
            else:
                decisions.add_metric([verdict, rule.id, rule.reason], counted["decided"])
            for kind in ("absent", "failed"):
                errors.add_metric([rule.id, kind], counted[kind])
            if rule.add_to is not None:
                additions.add_metric([rule.id, "added"], counted["added"])
                additions.add_metric([rule.id, "refused"], counted["not_added"])
        decisions.add_metric([spec.default.name.lower(), "default", ""], stats["default"])
        decisions.add_metric(["pass", "emergency", ""], stats["emergency"])
        yield from (decisions, shadow, errors, additions)
        yield total(
            "interceptor_repeated_calls",
            "Calls whose call_id was answered before; not in decisions.",
            stats["repeated"],
        )
        yield total(
            "interceptor_graced_calls",
            "Blocks by analytics passed over because the called party dialled an emergency number lately.",
            stats["graced"],
        )
        yield latency(stats["latency"])
        yield total(
            "interceptor_events_dropped",
            "Decisions that found the ring to the decision log full.",
            stats["events"]["dropped"],
        )
        info = InfoMetricFamily("interceptor_policy", "The policy in force.")
        info.add_metric(
            [],
            {
                "revision": str(stats["revision"]),
                "digest": spec.digest,
                "file": spec.source,
                "rules": str(len(spec.rules)),
            },
        )
        yield info
        yield gauge("interceptor_policy_revision", "Revision of the policy in force.", stats["revision"])

    def _of_lists(self, loaded: Loaded, stats: dict[str, Any]) -> Iterator[Metric]:
        entries = GaugeMetricFamily("interceptor_list_entries", "Entries of a list.", labels=["list"])
        hits = counter("interceptor_list_hits", "Calls with something on a list.", "list")
        bad = GaugeMetricFamily(
            "interceptor_list_bad_rows",
            "Rows of a list's file that were left out as malformed.",
            labels=["list"],
        )
        for name, size in stats["list_sizes"].items():
            entries.add_metric([name], size)
            hits.add_metric([name], stats["list_hits"][name])
        for name, each in loaded.lists.items():
            bad.add_metric([name], each.bad)
        yield from (entries, hits, bad)
        yield gauge("interceptor_list_memory_bytes", "Memory of all lists.", stats["list_bytes"])
        added = stats["recent"]["added"]
        yield gauge(
            "interceptor_rule_list_entries",
            "Entries rules have put on lists, of all lists.",
            added["entries"],
        )

    def _of_entities(self, stats: dict[str, Any]) -> Iterator[Metric]:
        live = GaugeMetricFamily("interceptor_entities", "Entities whose counters are kept.", labels=["kind"])
        slots = GaugeMetricFamily("interceptor_entity_slots", "Entities there is room for.", labels=["kind"])
        memory = GaugeMetricFamily(
            "interceptor_entity_memory_bytes", "Memory of a kind of entity.", labels=["kind"]
        )
        evicted = counter(
            "interceptor_entity_evictions",
            "Entities that made room for another; those of the protected segment had been active.",
            "kind",
            "segment",
        )
        saturated = counter(
            "interceptor_entity_saturations", "Distinct counts that outgrew what they hold.", "kind"
        )
        for table in stats["entities"]:
            kind = [table["kind"]]
            live.add_metric(kind, table["used"])
            slots.add_metric(kind, table["slots"])
            memory.add_metric(kind, table["bytes"])
            evicted.add_metric([*kind, "probation"], table["evicted_probation"])
            evicted.add_metric([*kind, "protected"], table["evicted_protected"])
            saturated.add_metric(kind, table["saturated"])
        yield from (live, slots, memory, evicted, saturated)


@dataclass(frozen=True)
class MetricsServer:
    """The page at http://ADDRESS/metrics."""

    address: str
    server: Any
    thread: Thread

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def serve_metrics(
    service: Service, host: str, port: int, certificate: str | None = None, key: str | None = None
) -> MetricsServer:
    """Serves the metrics of `service` and of this process; port 0 lets the system choose. Raises OSError."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(service))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    server, thread = start_http_server(port, host, registry, certfile=certificate, keyfile=key)
    shown = f"[{host}]" if ":" in host else host
    return MetricsServer(f"{shown}:{server.server_port}", server, thread)


def counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def total(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def latency(counted: dict[str, Any]) -> HistogramMetricFamily:
    """The engine's histogram, in seconds and cumulative as Prometheus wants it."""
    buckets: list[tuple[str, float]] = []
    seen = 0
    for bound, count in zip([*counted["bounds_ns"], None], counted["counts"], strict=True):
        seen += count
        # 2e-07, not 2.0000000000000002e-07
        buckets.append(("+Inf" if bound is None else repr(bound / 1e9), seen))
    return HistogramMetricFamily(
        "interceptor_decision_latency_seconds",
        "Time a decision took inside the engine.",
        buckets=buckets,
        sum_value=counted["sum_ns"] * NANO,
    )
