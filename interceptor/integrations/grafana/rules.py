"""Rules and lists: what each rule and list does, whether it is right, and where it comes from."""

from interceptor.integrations.grafana.board import Board, Row
from interceptor.integrations.grafana.panels import (
    ANY_BAD,
    BAD,
    GOOD,
    Column,
    Query,
    Steps,
    bars,
    curves,
    figure,
    rows,
    states,
)

RULES_ROW = Row(
    "Rules",
    (
        curves(
            "Blocked, by rule",
            "Calls a second that the rule decided.",
            Query(
                'sum by (rule) (rate(interceptor_decisions_total{@,verdict="block"}[$__rate_interval]))',
                "{{rule}}",
            ),
            unit="cps",
            stacked=True,
        ),
        curves(
            "Warned, by rule",
            "Calls a second that the rule decided; a block rule that has demoted itself is here too.",
            Query(
                'sum by (rule) (rate(interceptor_decisions_total{@,verdict="warn"}[$__rate_interval]))',
                "{{rule}}",
            ),
            unit="cps",
            stacked=True,
        ),
        curves(
            "On trial: matches of shadow rules",
            "Calls a second that a rule in `mode: shadow` would have decided, whatever decided them.",
            Query(
                "sum by (rule, verdict) (rate(interceptor_shadow_matches_total{@}[$__rate_interval]))",
                "{{rule}} ({{verdict}})",
            ),
            unit="cps",
        ),
        curves(
            "Let through all the same",
            "Calls a second: emergency calls, blocks by analytics passed over because the called party had "
            "dialled an emergency number, and calls whose call_id was answered before.",
            Query(
                'sum(rate(interceptor_decisions_total{@,rule="emergency"}[$__rate_interval]))', "emergency"
            ),
            Query("sum(rate(interceptor_graced_calls_total{@}[$__rate_interval]))", "graced"),
            Query("sum(rate(interceptor_repeated_calls_total{@}[$__rate_interval]))", "repeated"),
            unit="cps",
        ),
        rows(
            "Every rule",
            "Calls of the last hour, and how conditions fared: absent, the switch does not send what the rule "
            "reads; failed, a division by zero or the like.",
            (
                Column(Query("sum by (rule) (increase(interceptor_decisions_total{@}[1h]))"), "decided"),
                Column(
                    Query('sum by (rule) (increase(interceptor_rule_errors_total{@,kind="absent"}[1h]))'),
                    "absent",
                ),
                Column(
                    Query('sum by (rule) (increase(interceptor_rule_errors_total{@,kind="failed"}[1h]))'),
                    "failed",
                    steps=ANY_BAD,
                ),
                Column(
                    Query("min by (rule) (interceptor_rule_precision{@})"),
                    "called right",
                    "percentunit",
                    Steps(0.95, 0.9, falling=True),
                ),
            ),
            by=("rule",),
            height=10,
        ),
        states(
            "Rules that demoted themselves",
            "An analytics rule that blocks far more than usual only warns until somebody promotes it.",
            Query("max by (rule) (interceptor_rule_demoted{@})", "{{rule}}"),
            words={"0": ("blocks", GOOD), "1": ("only warns", BAD)},
            height=10,
        ),
    ),
)

LISTS = Row(
    "Lists",
    (
        rows(
            "Every list",
            "Entries, calls with something on it, and rows of its file that were left out as malformed.",
            (
                Column(Query("max by (list) (interceptor_list_entries{@})"), "entries", "locale"),
                Column(Query("sum by (list) (rate(interceptor_list_hits_total{@}[5m]))"), "hits", "cps"),
                Column(
                    Query("max by (list) (interceptor_list_bad_rows{@})"), "bad rows", "none", Steps(None, 1)
                ),
            ),
            by=("list",),
            height=10,
        ),
        curves(
            "Calls with something on a list",
            "A second.",
            Query("sum by (list) (rate(interceptor_list_hits_total{@}[$__rate_interval]))", "{{list}}"),
            unit="cps",
            height=10,
        ),
        bars(
            "Age of feeds",
            "Since a source last changed something on a list; people and rules are no feeds. An alert stands "
            "after two days.",
            Query("max by (list, source) (interceptor:feed_age:seconds{@})", "{{source}}: {{list}}"),
            unit="s",
            steps=Steps(86400, 172800),
        ),
        curves(
            "Entries",
            "Of all lists together, and of these what rules have put there.",
            Query("max by (instance) (sum without (list) (interceptor_list_entries{@}))", "{{instance}}"),
            Query("max by (instance) (interceptor_rule_list_entries{@})", "{{instance}}: by rules"),
            unit="short",
        ),
    ),
)

CHANGES = Row(
    "Changes",
    (
        curves(
            "What rules put on lists",
            "Entries a second: added, and refused since the list or the rate was full.",
            Query(
                "sum by (rule, result) (rate(interceptor_rule_additions_total{@}[$__rate_interval]))",
                "{{rule}} {{result}}",
            ),
            unit="short",
        ),
        curves(
            "On their way to the store",
            "Entries of rules that are in force and not on disk yet.",
            Query("interceptor_rule_entries_waiting{@}", "{{instance}}"),
            unit="short",
            limit=Steps(None, 10000),
        ),
        figure(
            "Revision",
            "The last live one of the store. `interceptor audit log` says who changed what.",
            Query("max(interceptor_store_revision{@})"),
            unit="none",
            width=4,
        ),
        figure(
            "Refused by the guard",
            "Changes of the last hour that would have turned too many recent calls or hit protected numbers.",
            Query("sum(increase(interceptor_guard_refusals_total{@}[1h]))"),
            unit="none",
            width=4,
            decimals=0,
            steps=Steps(1, 4),
        ),
        figure(
            "Policy on trial",
            "Beside the one in force, in shadow.",
            Query("max(interceptor_trial_running{@})"),
            unit="none",
            width=4,
            words={"0": ("none", "text"), "1": ("running", "blue")},
        ),
        figure(
            "It would decide otherwise",
            "Calls, of those the trial has seen: `interceptor policy trial` shows which.",
            Query("sum(interceptor_trial_differing_calls{@})"),
            unit="short",
            width=4,
        ),
        figure(
            "Reloads that failed",
            "Of policy and list files, in the last day.",
            Query('sum(increase(interceptor_policy_reloads_total{@,result="failed"}[1d]))'),
            unit="none",
            width=4,
            decimals=0,
            steps=Steps(None, 1),
        ),
        figure(
            "Calls that changes are tried on",
            "Of the last hour; the guard knows no others.",
            Query("sum(interceptor_recent_calls{@})"),
            unit="short",
            width=4,
        ),
    ),
)

RIGHT = Row(
    "Right or wrong",
    (
        bars(
            "Rules, as people called them",
            "Share of the decisions of a rule that somebody called right, of those anybody spoke of "
            "(`interceptor feedback`).",
            Query("min by (rule) (interceptor_rule_precision{@})", "{{rule}}"),
            unit="percentunit",
            steps=Steps(0.95, 0.9, falling=True),
            most=1,
        ),
        bars(
            "Sources, as people called them",
            "The same by who put the entry there that decided.",
            Query("min by (source) (interceptor_source_precision{@})", "{{source}}"),
            unit="percentunit",
            steps=Steps(0.95, 0.9, falling=True),
            most=1,
        ),
    ),
)

RULES = Board(
    "rules",
    "Rules and lists",
    "What each rule and list does, whether it is right, and where it comes from.",
    (RULES_ROW, LISTS, CHANGES, RIGHT),
)
