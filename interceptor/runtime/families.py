"""Metric families as the service writes them: counters, gauges and histograms of nanoseconds."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

NANO = 1e-9


def counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def total(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def histogram(
    name: str, text: str, bounds_ns: Iterable[int], counts: Sequence[int], sum_ns: int
) -> HistogramMetricFamily:
    """A histogram of nanoseconds in seconds, cumulative as Prometheus wants it; the last count has no bound."""
    buckets: list[tuple[str, float]] = []
    seen = 0
    for bound, count in zip([*bounds_ns, None], counts, strict=True):
        seen += count
        # 2e-07, not 2.0000000000000002e-07
        buckets.append(("+Inf" if bound is None else repr(bound / 1e9), seen))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=sum_ns * NANO)
