"""Prometheus metrics of the data plane: sums of what its threads count, read when they are scraped."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from interceptor.dataplane.server import DataPlane
from interceptor.dataplane.traffic import BATCH_BOUNDS, LATENCY_BOUNDS_NS
from interceptor.runtime.families import NANO, counter, gauge, histogram, total

#: methods whose requests are calls; the others ask about the service
CALLS = ("decide", "decide_stream", "report_call")
#: statuses of a request that nobody turned down
NOT_REFUSED = ("OK", "CANCELLED")


class TrafficCollector(Collector):
    """All metrics of one data plane."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def collect(self) -> Iterator[Metric]:
        """Called once a scrape."""
        traffic = self._plane.traffic()
        yield from of_requests(traffic)
        yield from of_connections(traffic)

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is shows when it is collected."""
        return iter(())


def of_requests(traffic: dict[str, Any]) -> Iterator[Metric]:
    requests = counter(
        "interceptor_rpc_requests",
        "Requests at the port for switches that were answered; a stream counts once, when it ends.",
        "method",
        "status",
    )
    for method, by_status in traffic["requests"].items():
        for status, count in by_status.items():
            requests.add_metric([method, status], count)
    errors = counter(
        "interceptor_rpc_stream_errors", "Messages of streams that were answered by an error.", "status"
    )
    for status, count in traffic["call_errors"].items():
        errors.add_metric([status], count)
    yield from (requests, errors)
    yield total("interceptor_rpc_stream_messages", "Messages that came on streams.", traffic["messages_in"])
    batches = counter(
        "interceptor_rpc_batches",
        "Batches of requests that were answered together, by the most a batch of that size holds.",
        "requests",
    )
    for bound, count in zip([*BATCH_BOUNDS, "more"], traffic["batches"], strict=True):
        batches.add_metric([str(bound)], count)
    yield batches
    yield histogram(
        "interceptor_rpc_latency_seconds",
        "From the first byte of a request that was read to the reply that was written.",
        LATENCY_BOUNDS_NS,
        traffic["latency"],
        traffic["latency_sum_ns"],
    )
    yield gauge(
        "interceptor_rpc_latency_longest_seconds",
        "The longest of these since the start.",
        traffic["latency_max_ns"] * NANO,
    )
    yield total(
        "interceptor_rpc_expired",
        "Requests whose deadline had passed when their turn came: not decided.",
        traffic["expired"],
    )
    yield total(
        "interceptor_rpc_shed",
        "Requests refused unread: too many were before them for their deadline.",
        traffic["shed"],
    )
    yield total(
        "interceptor_rpc_oversize", "Messages and header lists beyond the bound.", traffic["oversize"]
    )
    yield total(
        "interceptor_rpc_streams_refused",
        "Streams beyond what a connection may have open at once.",
        traffic["streams_refused"],
    )


def of_connections(traffic: dict[str, Any]) -> Iterator[Metric]:
    opened = GaugeMetricFamily(
        "interceptor_connections", "Open connections of a data-plane thread.", labels=["thread"]
    )
    for thread, count in enumerate(traffic["connections"]):
        opened.add_metric([str(thread)], count)
    ended = counter("interceptor_connections_ended", "Connections that ended, and why.", "reason")
    for reason, count in traffic["ended"].items():
        ended.add_metric([reason], count)
    yield from (opened, ended)
    yield total("interceptor_connections_opened", "Connections that began.", traffic["opened"])
    yield gauge("interceptor_rpc_streams", "Open HTTP/2 streams.", traffic["streams"])
    yield total("interceptor_tls_failures", "TLS handshakes that failed.", traffic["tls_failed"])
    yield total("interceptor_received_bytes", "Bytes read from connections.", traffic["bytes_in"])
    yield total("interceptor_sent_bytes", "Bytes written to connections.", traffic["bytes_out"])


def refused(traffic: dict[str, Any]) -> Counter[str]:
    """Calls that were not decided, by the gRPC status their client sees."""
    sums: Counter[str] = Counter(traffic["call_errors"])
    for method in CALLS:
        sums.update({k: n for k, n in traffic["requests"][method].items() if k not in NOT_REFUSED})
    sums["RESOURCE_EXHAUSTED"] += traffic["shed"]  # what ENHANCE_YOUR_CALM means to a gRPC client
    return +sums
