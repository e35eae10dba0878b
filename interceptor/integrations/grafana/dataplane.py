"""Data plane: connections, requests, and what answers wait for."""

from interceptor.integrations.grafana.board import Board, Row
from interceptor.integrations.grafana.panels import ANY_BAD, Query, Steps, curves, figure, heat

DAY = 86_400  # seconds

REQUESTS = Row(
    "Requests",
    (
        curves(
            "Requests, by method",
            "Answered a second at the port for switches; a stream counts once, when it ends.",
            Query(
                "sum by (method) (rate(interceptor_rpc_requests_total{@}[$__rate_interval]))", "{{method}}"
            ),
            unit="reqps",
            stacked=True,
        ),
        curves(
            "Messages on streams",
            "Calls asked about on DecideStream, a second.",
            Query(
                "sum by (instance) (rate(interceptor_rpc_stream_messages_total{@}[$__rate_interval]))",
                "{{instance}}",
            ),
            unit="cps",
        ),
        heat(
            "How long answers take",
            "From the first byte of a request that was read to the reply written: requests a second, by time.",
            Query(
                "sum by (le) (rate(interceptor_rpc_latency_seconds_bucket{@}[$__rate_interval]))", "{{le}}"
            ),
        ),
        curves(
            "How long answers take, by instance",
            "99th percentile over five minutes, and the longest one since the start. Above it only waiting "
            "can be the cause: a decision takes microseconds (see Detection).",
            Query("interceptor:rpc_latency_seconds:p99_5m{@}", "{{instance}} p99"),
            Query("interceptor_rpc_latency_longest_seconds{@}", "{{instance}} longest"),
            unit="s",
            logarithmic=True,
            limit=Steps(None, 0.02048),
        ),
        curves(
            "Requests answered together",
            "Batches a second, by how many requests the largest of that kind holds. Large ones: threads are "
            "busy and take in one go what has come meanwhile.",
            Query(
                "sum by (requests) (rate(interceptor_rpc_batches_total{@}[$__rate_interval]))",
                "up to {{requests}}",
            ),
            unit="ops",
            stacked=True,
        ),
        curves(
            "Bytes",
            "From and to switches, a second.",
            Query("sum(rate(interceptor_received_bytes_total{@}[$__rate_interval]))", "received"),
            Query("sum(rate(interceptor_sent_bytes_total{@}[$__rate_interval]))", "sent"),
            unit="Bps",
        ),
    ),
)

REFUSED = Row(
    "Refused",
    (
        curves(
            "Overload",
            "Calls a second: expired when their turn came, refused unread since too many were before them, "
            "streams beyond what a connection may have open.",
            Query("sum(rate(interceptor_rpc_expired_total{@}[$__rate_interval]))", "expired"),
            Query("sum(rate(interceptor_rpc_shed_total{@}[$__rate_interval]))", "refused unread"),
            Query("sum(rate(interceptor_rpc_streams_refused_total{@}[$__rate_interval]))", "streams refused"),
            unit="cps",
            limit=ANY_BAD,
        ),
        curves(
            "Not decided, by status",
            "Calls a second, at either port. INVALID_ARGUMENT: malformed, the answer names the field. "
            "PERMISSION_DENIED: a client that may not. UNAVAILABLE, INTERNAL: the service's fault.",
            Query(
                "sum by (status) (rate(interceptor_requests_refused_total{@}[$__rate_interval]))",
                "{{status}}",
            ),
            unit="cps",
        ),
        curves(
            "Messages of streams answered by an error",
            "A second, by status.",
            Query(
                "sum by (status) (rate(interceptor_rpc_stream_errors_total{@}[$__rate_interval]))",
                "{{status}}",
            ),
            unit="cps",
        ),
        curves(
            "Too large",
            "Messages over 64 KiB and header lists beyond the bound, a second.",
            Query(
                "sum by (instance) (rate(interceptor_rpc_oversize_total{@}[$__rate_interval]))",
                "{{instance}}",
            ),
            unit="cps",
        ),
    ),
)

CONNECTIONS = Row(
    "Connections",
    (
        figure("Connections", "Open now.", Query("sum(interceptor_connections{@})"), unit="none", width=5),
        figure(
            "HTTP/2 streams",
            "Open now: calls being answered, and DecideStreams.",
            Query("sum(interceptor_rpc_streams{@})"),
            unit="none",
            width=5,
        ),
        figure(
            "TLS handshakes that failed",
            "In the last hour. After a change of certificates: find out who does not trust whom.",
            Query("sum(increase(interceptor_tls_failures_total{@}[1h]))"),
            unit="none",
            width=5,
            decimals=0,
            steps=Steps(1, 100),
        ),
        figure(
            "Certificates not taken",
            "Reads of the certificate on SIGHUP that failed in the last day: the old one serves on.",
            Query('sum(increase(interceptor_certificate_reloads_total{@,result="failed"}[1d]))'),
            unit="none",
            width=5,
            decimals=0,
            steps=Steps(None, 1),
        ),
        figure(
            "First certificate to end",
            "Of those in use: the service's own, its clients' CA, its sinks' receivers'. Renew it, then SIGHUP.",
            Query("min(interceptor_certificate_expiry_timestamp_seconds{@}) - time()"),
            unit="dtdurations",
            width=4,
            steps=Steps(21 * DAY, 3 * DAY, falling=True),
        ),
        curves(
            "Connections, by thread",
            "Each connection is answered by one thread. Fewer connections than threads leave threads idle.",
            Query("interceptor_connections{@}", "{{instance}} thread {{thread}}"),
            unit="none",
        ),
        curves(
            "Begun and ended, by reason",
            "A second. by_client: the switch closed it; drained, age, idle: we asked it to go; stalled, "
            "protocol, abuse: it had to go.",
            Query("sum(rate(interceptor_connections_opened_total{@}[$__rate_interval]))", "begun"),
            Query(
                "sum by (reason) (rate(interceptor_connections_ended_total{@}[$__rate_interval]))",
                "ended: {{reason}}",
            ),
            unit="cps",
        ),
    ),
)

LOCKS = Row(
    "Waits at short locks",
    (
        curves(
            "Time waited, by table",
            "Share of a core that threads spend waiting at the locks of a table.",
            Query(
                "sum by (table) (rate(interceptor_lock_wait_seconds_total{@}[$__rate_interval]))", "{{table}}"
            ),
            unit="percentunit",
            width=8,
        ),
        curves(
            "Waits, by table",
            "A second: how often a thread found a lock taken.",
            Query("sum by (table) (rate(interceptor_lock_waits_total{@}[$__rate_interval]))", "{{table}}"),
            unit="ops",
            width=8,
        ),
        curves(
            "The longest wait, by table",
            "Since the start. Long ones: a thread was taken off its core while it held the lock.",
            Query("max by (table) (interceptor_lock_wait_longest_seconds{@})", "{{table}}"),
            unit="s",
            width=8,
        ),
    ),
)

DATA_PLANE = Board(
    "dataplane",
    "Data plane",
    "Connections, requests, what was refused, and what answers wait for.",
    (REQUESTS, REFUSED, CONNECTIONS, LOCKS),
)
