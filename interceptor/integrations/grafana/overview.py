"""Overview: is it well, what does it answer, how fast, and on what machine."""

from interceptor.integrations.grafana.board import Board, Row
from interceptor.integrations.grafana.panels import (
    ANY_BAD,
    BAD,
    GOOD,
    VERDICTS,
    WORRY,
    Column,
    Query,
    Steps,
    curves,
    figure,
    rows,
    states,
)

WELL = Row(
    "Is it well?",
    (
        figure(
            "Engines up",
            "Instances that answer Prometheus. None: every call goes unscreened (alerts InterceptorNoEngine, "
            "EngineDown).",
            Query("sum(up{@})"),
            unit="none",
            steps=Steps(None, 1, falling=True),
        ),
        figure(
            "Alerts",
            "Alerts that stand, of both severities. Each carries a runbook.",
            Query('count(ALERTS{alertname=~"Interceptor.*",alertstate="firing"}) or vector(0)'),
            unit="none",
            steps=Steps(None, 1),
        ),
        figure(
            "Calls decided",
            "A second, over five minutes, emergency calls and repeated ones left out of neither.",
            Query("sum(rate(interceptor_decision_latency_seconds_count{@}[5m]))"),
            unit="cps",
        ),
        figure(
            "Blocked",
            "Share of all decisions, over five minutes.",
            Query(
                'sum(interceptor:verdicts:rate5m{@,verdict="block"}) / sum(interceptor:decisions:rate5m{@})'
            ),
            unit="percentunit",
            decimals=2,
        ),
        figure(
            "Availability, budget left",
            "Of the 0.01 % of calls that may go without a verdict in 30 days; below 0 the service level is broken.",
            Query('min(interceptor:availability:budget_left{job=~"$job"})'),
            unit="percentunit",
            decimals=1,
            steps=Steps(0.5, 0, falling=True),
        ),
        figure(
            "Latency, budget left",
            "Of the 0.1 % of answers that may take more than 20.48 ms in 30 days.",
            Query('min(interceptor:latency:budget_left{job=~"$job"})'),
            unit="percentunit",
            decimals=1,
            steps=Steps(0.5, 0, falling=True),
        ),
        figure(
            "Store",
            "Down: calls are decided as before, nothing can be changed.",
            Query("min(interceptor_store_up{@})"),
            unit="none",
            words={"0": ("down", BAD), "1": ("up", GOOD)},
        ),
        figure(
            "Last reload",
            "Failed: the policy file is not the policy in force; the log shows every mistake.",
            Query("min(interceptor_policy_last_reload_successful{@})"),
            unit="none",
            words={"0": ("failed", BAD), "1": ("good", GOOD)},
        ),
    ),
)

CALLS = Row(
    "Calls",
    (
        curves(
            "Decisions by verdict",
            "Calls a second.",
            Query("sum by (verdict) (rate(interceptor_decisions_total{@}[$__rate_interval]))", "{{verdict}}"),
            unit="cps",
            stacked=True,
            colours=VERDICTS,
        ),
        curves(
            "Share blocked and warned, and what is usual",
            "Over five minutes, and the median of the last day. Twice the usual share of blocks wakes somebody.",
            Query(
                'avg by (verdict) (interceptor:verdict_share:ratio_rate5m{@,verdict!="pass"})', "{{verdict}}"
            ),
            Query(
                'avg by (verdict) (interceptor:verdict_share:usual1d{@,verdict!="pass"})', "usual {{verdict}}"
            ),
            unit="percentunit",
            colours={**VERDICTS, "usual block": "light-red", "usual warn": "light-orange"},
        ),
        curves(
            "Blocked, by reason",
            "Calls a second.",
            Query(
                'sum by (reason) (rate(interceptor_decisions_total{@,verdict="block"}[$__rate_interval]))',
                "{{reason}}",
            ),
            unit="cps",
            stacked=True,
        ),
        curves(
            "Warned, by reason",
            "Calls a second.",
            Query(
                'sum by (reason) (rate(interceptor_decisions_total{@,verdict="warn"}[$__rate_interval]))',
                "{{reason}}",
            ),
            unit="cps",
            stacked=True,
        ),
    ),
)

ANSWERS = Row(
    "Answers",
    (
        curves(
            "How long answers take",
            "From the first byte of a request that was read to the reply written; each instance's, the worst "
            "one shown. 99.9 % are to take no more than 20.48 ms.",
            Query("max(interceptor:rpc_latency_seconds:p50_5m{@})", "p50"),
            Query("max(interceptor:rpc_latency_seconds:p99_5m{@})", "p99"),
            Query("max(interceptor:rpc_latency_seconds:p999_5m{@})", "p99.9"),
            unit="s",
            limit=Steps(None, 0.02048),
            logarithmic=True,
        ),
        curves(
            "Without a verdict",
            "Calls a second that got none in time: expired waiting for their turn, refused unread for the "
            "same reason, refused with UNAVAILABLE or INTERNAL.",
            Query("sum(rate(interceptor_rpc_expired_total{@}[$__rate_interval]))", "expired"),
            Query("sum(rate(interceptor_rpc_shed_total{@}[$__rate_interval]))", "refused unread"),
            Query("sum(rate(interceptor:unanswered:total{@}[$__rate_interval]))", "all"),
            unit="cps",
            limit=ANY_BAD,
        ),
        curves(
            "How fast the availability budget burns",
            "1: the budget of 30 days lasts 30 days. The page comes at 14.4 over an hour or 6 over six hours, "
            "the ticket at 1 over three days.",
            *(
                Query(f'max(interceptor:unanswered:ratio_rate{window}{{job=~"$job"}}) / 0.0001', window)
                for window in ("5m", "1h", "6h", "3d")
            ),
            unit="none",
            limit=Steps(1, 14.4),
        ),
        curves(
            "How fast the latency budget burns",
            "The same for answers that take more than 20.48 ms.",
            *(
                Query(f'max(interceptor:late:ratio_rate{window}{{job=~"$job"}}) / 0.001', window)
                for window in ("5m", "1h", "6h", "3d")
            ),
            unit="none",
            limit=Steps(1, 14.4),
        ),
    ),
)

SWITCHES = Row(
    "As switches see it (all whose client is scraped, whatever is chosen above)",
    (
        curves(
            "Calls no engine decided, by cause",
            "A second: they passed unscreened, or what the switch is configured to do instead. deadline: no "
            "answer in time; unavailable, open: engines down or not reached; refused: the switch may not ask, "
            "or asks wrongly.",
            Query(
                'sum by (cause) (rate(interceptor_client_calls_total{cause!=""}[$__rate_interval]))',
                "{{cause}}",
            ),
            unit="cps",
            limit=ANY_BAD,
        ),
        curves(
            "How long switches wait",
            "From the question to the answer, network and all.",
            *(
                Query(
                    f"histogram_quantile({share}, "
                    "sum by (le) (rate(interceptor_client_call_seconds_bucket[$__rate_interval])))",
                    name,
                )
                for share, name in ((0.5, "p50"), (0.99, "p99"))
            ),
            unit="s",
            logarithmic=True,
            limit=Steps(None, 0.05),
        ),
        states(
            "Engines, as switches reach them",
            "Left alone: it failed a moment ago, and is not asked until it is well.",
            Query(
                "max by (instance, target) (interceptor_client_service_open)", "{{instance}} to {{target}}"
            ),
            words={"0": ("asked", GOOD), "1": ("left alone", BAD)},
        ),
        curves(
            "Reports of switches",
            "A second: how calls went on. Lost: more came than could be sent.",
            Query(
                "sum by (outcome) (rate(interceptor_client_reports_total[$__rate_interval]))", "{{outcome}}"
            ),
            Query("sum(interceptor_client_reports_waiting)", "waiting"),
            unit="short",
            colours={"lost": BAD, "refused": WORRY},
        ),
    ),
)

MACHINE = Row(
    "Processes",
    (
        rows(
            "Engines",
            "Each instance: what is in force, and since when. Revisions that differ for long: one of them did "
            "not take it.",
            (
                Column(Query("max by (instance) (up{@})"), "up", "none", Steps(None, 1, falling=True)),
                Column(Query("max by (instance) (time() - process_start_time_seconds{@})"), "runs for", "s"),
                Column(Query("max by (instance) (interceptor_policy_revision{@})"), "policy", "none"),
                Column(
                    Query(
                        "max by (instance) (time() - interceptor_policy_last_reload_success_timestamp_seconds{@})"
                    ),
                    "in force for",
                    "s",
                ),
                Column(Query("max by (instance) (interceptor_store_revision{@})"), "lists revision", "none"),
                Column(Query("sum by (instance) (interceptor_connections{@})"), "connections", "none"),
            ),
            by=("instance",),
            width=24,
            height=6,
        ),
        curves(
            "Processor",
            "Cores in use by the whole process: threads that answer, builders, the control port.",
            Query("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}"),
            unit="none",
            width=8,
        ),
        curves(
            "Memory",
            "Resident, and what is reserved for whom. Only lists grow, with their entries; the rest is fixed "
            "by policy and options.",
            Query("sum(process_resident_memory_bytes{@})", "resident"),
            Query("sum(interceptor_list_memory_bytes{@})", "lists"),
            Query("sum(interceptor_entity_memory_bytes{@})", "counters of entities"),
            Query("sum(interceptor_call_memory_bytes{@})", "calls in flight"),
            unit="bytes",
            width=8,
        ),
        curves(
            "Files and sockets open",
            "Of what the process may have open; at 1 nobody else can connect.",
            Query("process_open_fds{@} / process_max_fds{@}", "{{instance}}"),
            unit="percentunit",
            width=8,
            most=1,
            limit=Steps(0.7, 0.9),
        ),
    ),
)

OVERVIEW = Board(
    "overview",
    "Overview",
    "Is it well, what does it answer, how fast, and on what.",
    (WELL, CALLS, ANSWERS, SWITCHES, MACHINE),
)
