"""Prometheus metrics of events on their way out: the spool, and each sink."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from interceptor.delivery.outlets import Outlets
from interceptor.runtime.families import counter, gauge, total


def made(name: str, text: str, label: str, counts: Mapping[tuple[str, str], int]) -> Metric:
    """How many events were made, by what they are about and what became of them."""
    family = counter(name, text, label, "outcome")
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


def families(outlets: Outlets) -> Iterator[Metric]:
    """What a scrape shows of them."""
    spool = outlets.spool
    yield gauge("interceptor_spool_bytes", "What the files of events for sinks take.", spool.nbytes)
    yield gauge("interceptor_spool_sequence", "The number of the last event.", spool.next - 1)
    yield total(
        "interceptor_spool_lost",
        "Numbers of events that were lost before they were in the spool: the ring or the disk was full.",
        spool.lost,
    )
    delivered = counter("interceptor_sink_delivered", "Events a receiver has taken.", "sink")
    failures = counter("interceptor_sink_failures", "Attempts to deliver that failed.", "sink")
    refused = counter(
        "interceptor_sink_refused", "Events a receiver refused for good, which were set aside.", "sink"
    )
    dropped = counter(
        "interceptor_sink_dropped",
        "Events that a sink will not see: it lagged behind, or they were lost.",
        "sink",
    )
    backlog = GaugeMetricFamily(
        "interceptor_sink_backlog_events",
        "Events from the last one delivered to the last one there is.",
        labels=["sink"],
    )
    oldest = GaugeMetricFamily(
        "interceptor_sink_oldest_seconds",
        "How long the oldest event that a sink tries to deliver has waited; 0: none does.",
        labels=["sink"],
    )
    for courier in outlets.couriers:
        labels = [courier.name]
        delivered.add_metric(labels, courier.delivered)
        failures.add_metric(labels, courier.failures)
        refused.add_metric(labels, courier.refused)
        dropped.add_metric(labels, courier.dropped)
        backlog.add_metric(labels, courier.reader.backlog)
        oldest.add_metric(labels, courier.oldest_seconds)
    yield from (delivered, failures, refused, dropped, backlog, oldest)
