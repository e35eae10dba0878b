"""A client's metrics for Prometheus, read when they are scraped. Loaded only where a registry is given."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from interceptor.client.lines import Lines


class ClientCollector(Collector):
    """Of the lines of the process that is scraped."""

    def __init__(self, lines: Callable[[], Lines]) -> None:
        self._lines = lines

    def collect(self) -> Iterator[Metric]:
        """Called once a scrape."""
        lines = self._lines()
        tally = lines.tally
        calls = CounterMetricFamily(
            "interceptor_client_calls",
            "Calls answered, by verdict; with a cause those that no service decided.",
            labels=["verdict", "cause"],
        )
        for (verdict, cause), number in sorted(tally.calls.items()):
            calls.add_metric([verdict.lower(), cause], number)
        yield calls
        buckets, seconds = tally.histogram()
        yield HistogramMetricFamily(
            "interceptor_client_call_seconds", "How long calls waited.", buckets=buckets, sum_value=seconds
        )
        reports = CounterMetricFamily(
            "interceptor_client_reports", "Reports, by what became of them.", labels=["outcome"]
        )
        for outcome in ("sent", "refused", "lost"):
            reports.add_metric([outcome], tally.reports[outcome])
        yield reports
        yield GaugeMetricFamily(
            "interceptor_client_reports_waiting", "Reports waiting to be sent.", value=len(lines.reports)
        )
        open_ = GaugeMetricFamily(
            "interceptor_client_service_open",
            "Whether a service failed and is not asked until it is well (1), by where it is.",
            labels=["target"],
        )
        for endpoint in lines.endpoints:
            open_.add_metric([endpoint.target], endpoint.breaker.open)
        yield open_

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is shows when it is collected."""
        return iter(())
