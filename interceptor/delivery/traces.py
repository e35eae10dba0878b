"""Decisions as spans of OpenTelemetry, over OTLP/HTTP. A call's spans share a trace, which goes by its call id.

A switch's own trace context is in no event: whoever wants both side by side joins them by `call.id`, whole or masked.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from interceptor.delivery.http import Post
from interceptor.delivery.settings import OtlpEntry, secret
from interceptor.delivery.sink import Event, Refused

NANOS = 1_000_000
#: field of an event -> attribute of its span
NAMES = {name: f"call.{name}" for name in ("caller", "callee", "trunk", "switch", "imei", "imsi", "cell")}
NAMES |= {"call_id": "call.id"}
RESOURCE = Resource({"service.name": "interceptor"})
SCOPE = InstrumentationScope("interceptor")


class TraceSink:
    """A span an event; calls are sampled by their trace."""

    def __init__(self, entry: OtlpEntry, *, masked: Callable[[str], str]) -> None:
        self._masked = masked
        self._one_in = entry.one_in
        self._headers = {"content-type": "application/x-protobuf"}
        if entry.secret_file is not None:
            self._headers["authorization"] = secret(entry.secret_file)
        self._post = Post(entry.url, ca_file=entry.ca_file, timeout_s=entry.timeout_s, masked=masked)

    def deliver(self, events: Sequence[Event]) -> None:
        spans = [span(event) for event in events if int.from_bytes(event.call) % self._one_in == 0]
        if not spans:
            return
        answer = self._post.send(encode_spans(spans).SerializeToString(), self._headers)
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        if partial.rejected_spans:
            raise Refused(f"{partial.rejected_spans} spans: {self._masked(partial.error_message)}")

    def close(self) -> None:
        self._post.close()


def span(event: Event) -> ReadableSpan:
    """The span of a decision: an instant, as events do not tell how long it took."""
    cloud = event.cloud
    data = cloud["data"]
    at = round(datetime.fromisoformat(cloud["time"]).timestamp() * 1000) * NANOS
    attributes = {"interceptor.sequence": event.number, "interceptor.event_id": cloud["id"]}
    for name, value in data.items():
        attributes[NAMES.get(name, f"interceptor.{name}")] = value
    context = SpanContext(
        trace_id=int.from_bytes(event.call) or 1,
        span_id=int(data["decision_id"], 16) or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return ReadableSpan(
        "decide",
        context=context,
        kind=SpanKind.SERVER,
        resource=RESOURCE,
        instrumentation_scope=SCOPE,
        attributes=attributes,
        start_time=at,
        end_time=at,
    )
