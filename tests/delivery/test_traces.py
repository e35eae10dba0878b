"""Traces of decisions, told to a collector that reads OTLP as one does: spans, their traces and attributes."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from delivery.delivering import TIME_MS, Delivering, decision, name_of


class Collector:
    """An OTLP/HTTP receiver of traces."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, answer = collector.answers.pop(0) if collector.answers else (200, b"")
                if status == 200 and self.path == "/v1/traces":
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def delivering(directory: Path, collector: Collector, **more: Any) -> Delivering:
    return Delivering(directory, {"name": "traces", "kind": "otlp", "url": collector.url} | more)


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


def test_a_decision_is_a_span(tmp_path: Path, collector: Collector) -> None:
    (tmp_path / "token").write_text("Bearer known to both\n")
    sinks = delivering(tmp_path, collector, secret_file=tmp_path / "token")
    sinks.put(7)
    sinks.emptied("traces")
    sinks.stop()
    (span,) = collector.spans
    assert (span.name, span.span_id, span.kind) == ("decide", (7).to_bytes(8), Span.SPAN_KIND_SERVER)
    assert span.start_time_unix_nano == span.end_time_unix_nano == (TIME_MS + 7) * 1_000_000
    assert attributes(span) == {
        "interceptor.sequence": f"{1:020d}",
        "interceptor.event_id": name_of(7),
        "interceptor.decision_id": name_of(7),
        "interceptor.verdict": "warn",
        "interceptor.rule": "shop",
        "interceptor.reason": "fake-ecommerce-service",
        "interceptor.policy_revision": 1,
        "call.caller": "+86138******07",
        "call.callee": "+86139******00",
        "call.id": "7@10.0.0.1",
    }
    (resource,) = collector.requests[0].resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes} == {
        "service.name": "interceptor"
    }
    assert collector.headers[0]["authorization"] == "Bearer known to both"


def test_spans_of_a_call_share_a_trace_and_calls_are_sampled_whole(
    tmp_path: Path, collector: Collector
) -> None:
    sinks = delivering(tmp_path, collector, one_in=4)
    for number in range(1, 401):
        sinks.put(number, call_id=f"{number // 2}@10.0.0.1")
    sinks.spool.append([decision(500)._replace(kind="rule-demoted")])
    sinks.emptied("traces")
    sinks.stop()
    traces: dict[bytes, list[int]] = {}
    for span in collector.spans:
        traces.setdefault(span.trace_id, []).append(int.from_bytes(span.span_id))
    assert 20 < len(traces) < 90
    assert all(
        numbers in ([first := numbers[0] // 2 * 2, first + 1], [1], [400]) for numbers in traces.values()
    )


def test_a_collector_that_is_overloaded_is_told_again_and_what_it_rejects_is_counted(
    tmp_path: Path, collector: Collector
) -> None:
    rejected = ExportTraceServiceResponse()
    rejected.partial_success.rejected_spans = 1
    rejected.partial_success.error_message = "too old"
    collector.answers = [(503, b""), (200, rejected.SerializeToString())]
    sinks = delivering(tmp_path, collector)
    sinks.put(1)
    sinks.emptied("traces")
    sinks.stop()
    courier = sinks.courier("traces")
    assert (courier.failures, courier.refused, courier.delivered) == (1, 1, 0)
    assert "1 spans: too old" in sinks.problems()
