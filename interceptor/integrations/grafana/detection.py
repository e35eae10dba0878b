"""Detection: the engine, the entities it counts for, the reports it lives on, and what becomes of its decisions."""

from interceptor.integrations.grafana.board import Board, Row
from interceptor.integrations.grafana.panels import ANY_BAD, Query, Steps, bars, curves, figure, heat

ENGINE = Row(
    "Engine",
    (
        heat(
            "How long decisions take",
            "Inside the engine: calls a second, by time.",
            Query(
                "sum by (le) (rate(interceptor_decision_latency_seconds_bucket{@}[$__rate_interval]))",
                "{{le}}",
            ),
        ),
        curves(
            "How long decisions take, by instance",
            "Over five minutes. It follows the cost of the policy: `interceptor policy check` shows each rule's.",
            Query("interceptor:decision_latency_seconds:p50_5m{@}", "{{instance}} p50"),
            Query("interceptor:decision_latency_seconds:p99_5m{@}", "{{instance}} p99"),
            unit="s",
            limit=Steps(None, 0.0001),
        ),
    ),
)

ENTITIES = Row(
    "Entities: callers, handsets, cells, ... whose counters are kept",
    (
        bars(
            "How full, by kind",
            "Of the room that `entities:` in the policy gives. Full is no fault: the stalest make room. It is "
            "one when active ones have to (beside).",
            Query("max by (kind) (interceptor_entities{@} / interceptor_entity_slots{@})", "{{kind}}"),
            unit="percentunit",
            steps=Steps(0.8, 0.95),
            most=1,
        ),
        curves(
            "Active ones that made room",
            "A second: offenders that are forgotten before they are caught. More `entities:` of this kind are "
            "needed.",
            Query(
                'sum by (kind) (rate(interceptor_entity_evictions_total{@,segment="protected"}[$__rate_interval]))',
                "{{kind}}",
            ),
            unit="ops",
            limit=ANY_BAD,
        ),
        curves(
            "Entities",
            "Whose counters are kept now.",
            Query("sum by (kind) (interceptor_entities{@})", "{{kind}}"),
            unit="short",
        ),
        curves(
            "Newcomers that made room",
            "A second: seen once and forgotten. A flood of random callers shows here, and costs nobody else "
            "his place.",
            Query(
                'sum by (kind) (rate(interceptor_entity_evictions_total{@,segment="probation"}[$__rate_interval]))',
                "{{kind}}",
            ),
            unit="ops",
        ),
        curves(
            "Distinct counts that outgrew what they hold",
            "A second, by kind: they say no less than that from there on.",
            Query(
                "sum by (kind) (rate(interceptor_entity_saturations_total{@}[$__rate_interval]))", "{{kind}}"
            ),
            unit="ops",
        ),
        curves(
            "Memory, by kind",
            "Taken once, when the policy is loaded.",
            Query("sum by (kind) (interceptor_entity_memory_bytes{@})", "{{kind}}"),
            unit="bytes",
            stacked=True,
        ),
    ),
)

REPORTS = Row(
    "Reports: how calls went on",
    (
        curves(
            "Reports, by what became of them",
            "A second. joined: to its decision; carried: counted by the keys it had; unknown: the switch "
            "sends another call_id, or another name, with its reports.",
            Query("sum by (outcome) (rate(interceptor_reports_total{@}[$__rate_interval]))", "{{outcome}}"),
            unit="cps",
            stacked=True,
        ),
        curves(
            "Calls in flight",
            "Whose end has not been reported, and the room for them. Full: raise --calls-in-flight, or let "
            "the switch report ends.",
            Query("sum(interceptor_calls_in_flight{@})", "in flight"),
            Query("sum(interceptor_call_slots{@})", "room"),
            unit="short",
        ),
        figure(
            "Calls in flight that made room",
            "In the last hour.",
            Query("sum(increase(interceptor_call_evictions_total{@}[1h]))"),
            unit="short",
            width=6,
            steps=ANY_BAD,
        ),
        figure(
            "Counters that outlive the process",
            "Memory of them, under /dev/shm as a rule.",
            Query("sum(interceptor_state_bytes{@})"),
            unit="bytes",
            width=6,
        ),
        figure(
            "Their copy on disk",
            "Took so long, the last time.",
            Query("max(interceptor_state_copy_seconds{@})"),
            unit="s",
            width=6,
        ),
        figure(
            "Lost at the last start",
            "Records dropped because the process before died changing them, and tables that did not fit.",
            Query("sum(interceptor_state_torn_total{@} + interceptor_state_left_out_total{@})"),
            unit="none",
            width=6,
            steps=Steps(1, 1000),
        ),
    ),
)

EVENTS = Row(
    "What becomes of decisions",
    (
        curves(
            "Decision log and memory of decisions",
            "Lines written and decisions kept for `interceptor why`, a second.",
            Query(
                "sum by (result) (rate(interceptor_decision_log_lines_total{@}[$__rate_interval]))",
                "log: {{result}}",
            ),
            Query(
                "sum by (result) (rate(interceptor_decisions_remembered_total{@}[$__rate_interval]))",
                "remembered: {{result}}",
            ),
            unit="ops",
            colours={"log: lost": "red", "remembered: lost": "dark-red"},
        ),
        curves(
            "Decisions that found the ring full",
            "A second: they are in no log; calls are not affected.",
            Query(
                "sum by (instance) (rate(interceptor_events_dropped_total{@}[$__rate_interval]))",
                "{{instance}}",
            ),
            unit="ops",
            limit=ANY_BAD,
        ),
    ),
)

OUT = Row(
    "Events out: of services with --sinks",
    (
        curves(
            "Delivered, by sink",
            "Events a second that a receiver has taken.",
            Query("sum by (sink) (rate(interceptor_sink_delivered_total{@}[$__rate_interval]))", "{{sink}}"),
            unit="ops",
        ),
        curves(
            "Not delivered, by sink",
            "Failed: attempts, tried again. Refused: events set aside for good. Dropped: events a sink will "
            "never see. Lost: before they were in the spool, for all sinks.",
            Query(
                "sum by (sink) (rate(interceptor_sink_failures_total{@}[$__rate_interval]))",
                "{{sink}}: failed",
            ),
            Query(
                "sum by (sink) (rate(interceptor_sink_refused_total{@}[$__rate_interval]))",
                "{{sink}}: refused",
            ),
            Query(
                "sum by (sink) (rate(interceptor_sink_dropped_total{@}[$__rate_interval]))",
                "{{sink}}: dropped",
            ),
            Query("sum(rate(interceptor_spool_lost_total{@}[$__rate_interval]))", "lost"),
            unit="ops",
            limit=ANY_BAD,
        ),
        curves(
            "Waiting, by sink",
            "How long the oldest event has waited that a sink tries to deliver. An alert stands after five "
            "minutes.",
            Query("max by (sink) (interceptor_sink_oldest_seconds{@})", "{{sink}}"),
            unit="s",
            limit=Steps(None, 300),
        ),
        curves(
            "Backlog, by sink",
            "Events from the last one delivered to the last one there is.",
            Query("max by (sink) (interceptor_sink_backlog_events{@})", "{{sink}}"),
            unit="short",
        ),
        curves(
            "Reminders",
            "Warned calls a second: a reminder was made, the person had it that day, there are no words for "
            "the category, nobody reads there.",
            Query("sum by (outcome) (rate(interceptor_reminders_total{@}[$__rate_interval]))", "{{outcome}}"),
            unit="ops",
            width=8,
            stacked=True,
        ),
        curves(
            "Reminders made, by category",
            "Of fraud.",
            Query(
                'sum by (category) (rate(interceptor_reminders_total{@,outcome="made"}[$__rate_interval]))',
                "{{category}}",
            ),
            unit="ops",
            width=8,
            stacked=True,
        ),
        curves(
            "Early warnings",
            "Numbers that newly became highly suspected, by why, a second; repeated: it was known.",
            Query(
                "sum by (reason, outcome) (rate(interceptor_early_warnings_total{@}[$__rate_interval]))",
                "{{reason}} {{outcome}}",
            ),
            unit="ops",
            width=8,
        ),
        figure(
            "Spool",
            "What the files of events take; the oldest go when more than its `megabytes` would be needed.",
            Query("sum(interceptor_spool_bytes{@})"),
            unit="bytes",
            width=12,
        ),
        figure(
            "Events",
            "Made since the first start, by their sequence numbers.",
            Query("sum(interceptor_spool_sequence{@})"),
            unit="short",
            width=12,
        ),
    ),
)

DETECTION = Board(
    "detection",
    "Detection",
    "The engine, the entities it counts for, the reports it lives on, and what becomes of its decisions.",
    (ENGINE, ENTITIES, REPORTS, EVENTS, OUT),
)
