"""What `interceptor explain` and `interceptor policy check` show on a terminal."""

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.pb.v1 import admin_pb2
from interceptor.pb.v1 import interception_pb2 as pb

STYLES = {pb.VERDICT_PASS: "green", pb.VERDICT_WARN: "yellow", pb.VERDICT_BLOCK: "red"}
OUTCOMES = {
    admin_pb2.RULE_OUTCOME_MATCH: ("match", "bold"),
    admin_pb2.RULE_OUTCOME_NO_MATCH: ("no match", ""),
    admin_pb2.RULE_OUTCOME_ABSENT: ("absent: reads what the call does not have", "dim"),
    admin_pb2.RULE_OUTCOME_ERROR: ("error", "red"),
    admin_pb2.RULE_OUTCOME_NOT_REACHED: ("not reached", "dim"),
    admin_pb2.RULE_OUTCOME_GRACED: ("passed over: the callee dialled an emergency number", "yellow"),
}


def show_explanation(found: admin_pb2.ExplainResponse) -> None:
    """The verdict, then a table each of rules, counters, list entries and numbers."""
    console = Console()
    decision = found.decision
    verdict = pb.Verdict.Name(decision.verdict).removeprefix("VERDICT_")
    line = Text(verdict, STYLES.get(decision.verdict, ""))
    line.append(f"  by {decision.rule}", "default")
    if decision.reason:
        line.append(f", {decision.reason}", "default")
    if decision.sip_code:
        line.append(f", {decision.sip_code} {decision.sip_reason}", "default")
    console.print(line)
    for table in (rules(found), counters(found), lists(found), numbers(found)):
        if table.row_count:
            console.print(table)


def rules(found: admin_pb2.ExplainResponse) -> Table:
    table = Table("rule", "outcome", "condition", title="Rules", title_justify="left")
    for rule in found.rules:
        outcome, style = OUTCOMES.get(rule.outcome, ("?", ""))
        name = rule.rule + (" (shadow)" if rule.shadow else "") + (" *" if rule.decides else "")
        table.add_row(Text(name, style), Text(outcome, style), Text(rule.condition, "dim"))
    return table


def counters(found: admin_pb2.ExplainResponse) -> Table:
    table = Table(
        "counter", "per", "window", "value", title="Counters, this call included", title_justify="left"
    )
    for counter in found.counters:
        value = str(counter.value) if counter.HasField("value") else "not readable"
        table.add_row(counter.counter, counter.per, span(counter.window_ms), value)
    return table


def lists(found: admin_pb2.ExplainResponse) -> Table:
    table = Table(
        "list", "field", "entry", "reason", "source", "until", title="On lists", title_justify="left"
    )
    for entry in found.lists:
        until = ""
        if entry.HasField("valid_until_ms"):
            until = datetime.fromtimestamp(entry.valid_until_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        table.add_row(entry.list, entry.field, entry.entry, entry.reason, entry.source, until)
    return table


def numbers(found: admin_pb2.ExplainResponse) -> Table:
    table = Table(
        "field", "status", "number", "valid", "region", "type", title="Numbers", title_justify="left"
    )
    for number in found.numbers:
        valid = "yes" if number.valid else "no"
        table.add_row(number.field, number.status, number.text, valid, number.region, number.type)
    return table


def span(ms: int) -> str:
    """``86400000`` as ``1d``."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"
