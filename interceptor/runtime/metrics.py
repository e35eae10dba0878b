"""Prometheus metrics: read from the engine's counters when they are scraped, never touched by a call."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from interceptor.dataplane.server import DataPlane
from interceptor.engine.spec import Spec
from interceptor.engine.types import Verdict
from interceptor.runtime.families import NANO, counter, gauge, histogram, total
from interceptor.runtime.loader import Loaded
from interceptor.runtime.page import App
from interceptor.runtime.service import Service
from interceptor.runtime.standing import StandingCollector
from interceptor.runtime.traffic import TrafficCollector, refused


class ServiceCollector(Collector):
    """All metrics of one service. Labels name rules, lists, reasons and kinds of entity; never a number."""

    def __init__(self, service: Service, plane: DataPlane) -> None:
        self._service = service
        self._plane = plane

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
        yield from self._of_reports(stats)
        yield from self._of_locks(stats)

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
        refusals = counter(
            "interceptor_requests_refused", "Requests that were not decided, by gRPC status.", "status"
        )
        for status, count in sorted((tally.refused + refused(self._plane.traffic())).items()):
            refusals.add_metric([status], count)
        yield refusals
        certificates = counter(
            "interceptor_certificate_reloads", "Reads of the data plane's certificate on SIGHUP.", "result"
        )
        certificates.add_metric(["good"], tally.certificates_good)
        certificates.add_metric(["failed"], tally.certificates_failed)
        yield certificates
        expiry = GaugeMetricFamily(
            "interceptor_certificate_expiry_timestamp_seconds",
            "When a certificate in use ends: server, clients (their CA), sink NAME (the CA of its receiver).",
            labels=["use", "file"],
        )
        for labels, end in sorted(tally.certificate_ends.items()):
            expiry.add_metric(labels, end)
        yield expiry
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
                warned = counted["decided"] - counted["blocked"] if rule.verdict == Verdict.BLOCK else 0
                decisions.add_metric([verdict, rule.id, rule.reason], counted["decided"] - warned)
                if warned:  # while the rule was demoted
                    decisions.add_metric(["warn", rule.id, rule.reason], warned)
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
        latency = stats["latency"]
        yield histogram(
            "interceptor_decision_latency_seconds",
            "Time a decision took inside the engine.",
            latency["bounds_ns"],
            latency["counts"],
            latency["sum_ns"],
        )
        yield total(
            "interceptor_events_dropped",
            "Decisions that found the ring to the decision log full.",
            stats["events"]["dropped"],
        )
        yield gauge(
            "interceptor_events_waiting",
            "Decisions in that ring that nothing was made of yet: a log line, an event for a sink.",
            stats["events"]["waiting"],
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
        for kind, tables in kinds(stats["entities"]).items():
            live.add_metric([kind], tables["used"])
            slots.add_metric([kind], tables["slots"])
            memory.add_metric([kind], tables["bytes"])
            evicted.add_metric([kind, "probation"], tables["evicted_probation"])
            evicted.add_metric([kind, "protected"], tables["evicted_protected"])
            saturated.add_metric([kind], tables["saturated"])
        yield from (live, slots, memory, evicted, saturated)

    def _of_reports(self, stats: dict[str, Any]) -> Iterator[Metric]:
        reports = counter(
            "interceptor_reports",
            "Reports of calls and cards that were taken, by what became of them.",
            "outcome",
        )
        for outcome, count in stats["reports"].items():
            reports.add_metric([outcome], count)
        yield reports
        flights = stats["in_flight"]
        yield gauge("interceptor_calls_in_flight", "Calls whose end has not been reported.", flights["open"])
        yield gauge("interceptor_call_slots", "Calls there is room for.", flights["capacity"])
        yield gauge("interceptor_call_memory_bytes", "Memory of the calls in flight.", flights["bytes"])
        yield total(
            "interceptor_call_evictions",
            "Calls in flight that made room for others: their reports count only by the keys they carry.",
            flights["evicted"],
        )

    def _of_locks(self, stats: dict[str, Any]) -> Iterator[Metric]:
        waits = counter(
            "interceptor_lock_waits", "Times a thread found a short lock of a table taken.", "table"
        )
        seconds = counter("interceptor_lock_wait_seconds", "Time threads waited for them.", "table")
        longest = GaugeMetricFamily(
            "interceptor_lock_wait_longest_seconds", "The longest of these waits.", labels=["table"]
        )
        tables = {table: recent["waited"] for table, recent in stats["recent"].items()}
        if stats["in_flight"]["waited"] is not None:
            tables["in_flight"] = stats["in_flight"]["waited"]
        for table, waited in {**lock_waits(stats["entities"]), **tables}.items():
            waits.add_metric([table], waited["waits"])
            seconds.add_metric([table], waited["ns"] * NANO)
            longest.add_metric([table], waited["longest_ns"] * NANO)
        yield from (waits, seconds, longest)


def metrics_app(service: Service, plane: DataPlane) -> App:
    """Answers scrapes with the metrics of service, data plane and this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(service, plane))
    registry.register(TrafficCollector(plane))
    registry.register(StandingCollector(service))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    app: App = make_wsgi_app(registry)
    return app


def kinds(entities: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Entity tables summed by kind: reloads may have split a kind into several."""
    sums: dict[str, Counter[str]] = {}
    for table in entities:
        of_kind = sums.setdefault(table["kind"], Counter())
        of_kind.update({name: value for name, value in table.items() if isinstance(value, int)})
    return sums


def lock_waits(entities: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The same for the waits at their locks."""
    waited: dict[str, dict[str, int]] = {}
    for table in entities:
        one = waited.setdefault(table["kind"], {"waits": 0, "ns": 0, "longest_ns": 0})
        one["waits"] += table["waited"]["waits"]
        one["ns"] += table["waited"]["ns"]
        one["longest_ns"] = max(one["longest_ns"], table["waited"]["longest_ns"])
    return waited
