"""What `interceptor replay` shows on a terminal."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.replay.document import Document
from interceptor.replay.page import wrongly

STYLES = {"pass": "green", "warn": "yellow", "block": "red"}
SHOWN = 15  # rows of a table that may be long


def show(found: Document, console: Console | None = None) -> None:
    """The head, then a table each of rules, flipped calls, kinds of traffic, thresholds and the numbers hit hardest."""
    console = console or Console(highlight=False)
    recording, candidate = found["recording"], found["candidate"]
    console.print(head(found))
    if candidate["one_core_because"]:
        console.print(Text(f"decided on one core: {candidate['one_core_because']}", "dim"))
    for side in filter(None, (candidate, found.get("against"))):
        if side["calls_without_reports"]:
            console.print(Text(unreported(side), "yellow"))
    for bad in recording["bad"]:
        console.print(Text(f"row {bad['row']:,}, column {bad['column']}: {bad['problem']}", "yellow"))
    tables = [rules(candidate), flipped(found), kinds(candidate), swept(found), hardest(candidate)]
    for table in tables:
        if table is not None and table.row_count:
            console.print(table)


def unreported(side: Document) -> str:
    """That a policy's counters of answers and ends are too low."""
    return (
        f"{side['policy']}: of {side['calls_without_reports']:,} calls it was not told answer and end, "
        "as too many were in progress: what it counts of them is too low"
    )


def head(found: Document) -> Text:
    recording, verdicts = found["recording"], found["candidate"]["verdicts"]
    calls = recording["calls"]
    line = Text(f"{calls:,} calls", "bold")
    if calls:
        line.append(f", {moment(recording['begin_ms'])} to {moment(recording['end_ms'])}", "default")
    for name, told in (("warn", "warned"), ("block", "blocked")):
        line.append(f", {verdicts[name]:,} {told}", STYLES[name] if verdicts[name] else "default")
        line.append(f" ({verdicts[name] / max(calls, 1):.3%})", "default")
    if recording["skipped"]:
        line.append(f", {recording['skipped']:,} rows passed over", "yellow")
    line.append(f"; {found['seconds']:,.1f} s, {found['calls_per_second'] or 0:,} calls/s", "dim")
    return line


def rules(candidate: Document) -> Table:
    table = made("Rules", ("rule", "verdict"), ("calls", "share", "shadow"))
    calls = sum(candidate["verdicts"].values()) or 1
    for rule in candidate["rules"]:
        style = STYLES.get(rule["verdict"], "") if rule["calls"] else "dim"
        row(
            table,
            Text(rule["rule"], style),
            Text(rule["verdict"], style),
            rule["calls"],
            f"{rule['calls'] / calls:.4%}" if rule["calls"] else "",
            rule["shadow"] or "",
        )
    return table


def flipped(found: Document) -> Table | None:
    if "flips" not in found:
        return None
    flips = found["flips"]
    table = made(f"Calls with another verdict: {flips['calls']:,}", ("before", "now"), ("calls",))
    for kind in flips["kinds"][:SHOWN]:
        row(table, answer(kind["before"]), answer(kind["after"]), kind["calls"])
    return table


def kinds(candidate: Document) -> Table | None:
    if "score" not in candidate:
        return None
    names = ("calls", "warned", "blocked", "callers warned", "callers blocked", "offenders", "warned by call 50",
             "blocked by call 50")  # fmt: skip
    rates = candidate["score"]["warned_or_blocked"]
    title = f"Kinds of traffic: precision {percent(rates['precision'])}, recall {percent(rates['recall'])} of calls"
    table = made(title, ("kind",), names)
    for kind in candidate["score"]["kinds"]:
        caught = (
            [percent(kind[name]["within"]["50"]) for name in ("caught_warned", "caught_blocked")]
            if "caught_warned" in kind
            else ["", ""]
        )
        row(
            table,
            Text(kind["label"], "bold" if kind["fraud"] else ""),
            *(kind[name] for name in ("calls", "warned", "blocked", "callers_warned", "callers_blocked")),
            kind["instances"] if kind["fraud"] else "",
            *caught,
        )
    return table


def swept(found: Document) -> Table | None:
    if "sweep" not in found:
        return None
    names = tuple(found["sweep"][0]["thresholds"])
    scored = all("score" in each for each in found["sweep"])
    further = (
        ("offenders' calls stopped", "honest callers warned", "honest callers blocked") if scored else ()
    )
    table = made("Thresholds", (), (*names, "warned", "blocked", *further))
    for each in found["sweep"]:
        told: list[str] = []
        if scored:
            told = [percent(each["score"]["warned_or_blocked"]["recall"])]
            told += [f"{wrongly(each, hit):.4f} %" for hit in ("callers_warned", "callers_blocked")]
        row(table, *each["thresholds"].values(), each["verdicts"]["warn"], each["verdicts"]["block"], *told)
    return table


def hardest(candidate: Document) -> Table:
    table = made("Hit hardest", ("caller",), ("blocked", "warned"))
    for hit in candidate["hit_hardest"][:SHOWN]:
        row(table, hit["caller"] or "withheld", hit["blocked"], hit["warned"])
    return table


def made(title: str, texts: Iterable[str], figures: Iterable[str]) -> Table:
    table = Table(*texts, title=title, title_justify="left")
    for name in figures:
        table.add_column(name, justify="right")
    return table


def row(table: Table, *cells: Any) -> None:
    shown: Sequence[Any] = [f"{cell:,}" if isinstance(cell, int) else cell for cell in cells]
    table.add_row(*(cell if isinstance(cell, Text) else str(cell) for cell in shown))


def answer(said: Document) -> Text:
    return Text(f"{said['verdict']} by {said['rule']}", STYLES[said["verdict"]])


def percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.2%}"


def moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
