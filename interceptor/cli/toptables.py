"""What `interceptor top` draws: the head, then tables of rules, lists and callers, as many rows as fit."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from interceptor.cli.tables import STYLES
from interceptor.cli.times import shown
from interceptor.pb.v1 import interception_pb2 as calls
from interceptor.pb.v1 import watch_pb2 as pb

Row = TypeVar("Row", pb.RuleRate, pb.ListRate)

HISTORY = 60  # pictures that the curve is of
LEVELS = " ▁▂▃▄▅▆▇█"
HEAD, FOOT, TITLES = 4, 1, 2  # lines; those of a table beside its rows
MOST = 20  # rows of a table where there is room without end
NARROW = 60  # columns below which tables stand one below the other


class Screen:
    """Draws pictures, and remembers what the last minute looked like."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._rates: deque[float] = deque(maxlen=HISTORY)
        self._last_ms = 0
        self._frozen: pb.WatchDecisionsResponse | None = None
        self._newest: pb.WatchDecisionsResponse | None = None
        self.paused = False

    def pause(self) -> None:
        """Goes on showing what is shown, or no longer."""
        self.paused = not self.paused
        self._frozen = self._newest if self.paused else None

    def drawn(
        self,
        picture: pb.WatchDecisionsResponse | None,
        width: int,
        height: int | None = None,
        *,
        problem: str = "",
    ) -> RenderableType:
        """The newest picture on `width` columns and, but for None, exactly that many lines at most."""
        if picture is None:
            return Text(f"{self._server}: waiting for the first second", "dim")
        if picture.time_ms != self._last_ms:
            self._rates.append(picture.decided_per_second)
            self._last_ms = picture.time_ms
        self._newest = picture if self._frozen is None else self._frozen
        seen = self._newest
        room = MOST * 2 + 2 * TITLES if height is None else max(height - HEAD - FOOT, 2)
        parts: list[RenderableType] = [*self._head(seen, width, problem)]
        parts.extend(tables(seen, width, room))
        if height is not None:
            parts.append(foot(seen, self.paused))
        return Group(*parts)

    def _head(self, seen: pb.WatchDecisionsResponse, width: int, problem: str) -> list[Text]:
        place = Text(f"interceptor top  {self._server}", "bold")
        place.append(f"  {shown(seen.time_ms)}", "default")
        if self.paused:
            place.append("  PAUSED", "black on yellow")
        under = Text(
            f"{seen.decided:,} decided since the start, rates over {seen.span_ms / 1000:.0f} s", "dim"
        )
        under.append(f", revision {seen.policy_revision} of {Path(seen.policy).name}")
        if problem:
            under = Text(problem, "red")
        rates = Text(f"{seen.decided_per_second:,.0f} decisions/s", "bold")
        for name, verdict, rate in (
            ("pass", calls.VERDICT_PASS, seen.passed_per_second),
            ("warn", calls.VERDICT_WARN, seen.warned_per_second),
            ("block", calls.VERDICT_BLOCK, seen.blocked_per_second),
        ):
            share = rate / seen.decided_per_second if seen.decided_per_second else 0.0
            rates.append(f"  {name} {share:.1%}", STYLES[verdict])
        if seen.HasField("p50_ns"):
            rates.append(f"  p50 {moment(seen.p50_ns)}  p99 {moment(seen.p99_ns)}", "default")
        if seen.repeated_per_second:
            rates.append(f"  {seen.repeated_per_second:,.0f} repeated/s", "dim")
        lines = [place, under, rates, Text(curve(self._rates), "green")]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
            line.truncate(width, overflow="ellipsis")
        return lines


def tables(seen: pb.WatchDecisionsResponse, width: int, room: int) -> list[RenderableType]:
    """Rules and lists, and below them callers, on `room` lines."""
    callers = min(len(seen.callers), MOST, max(room // 2 - TITLES, 0)) if seen.callers else 0
    left = room - (callers + TITLES if callers else 0)
    if width < NARROW:
        parts = [rules(seen, width, left - TITLES)]
    else:
        beside = Table.grid(padding=(0, 2))
        of_rules = width * 3 // 5
        rows = left - TITLES
        beside.add_row(rules(seen, of_rules, rows), lists(seen, width - of_rules - 2, rows))
        parts = [beside]
    if callers:
        parts.append(of_callers(seen, width, callers))
    return list(parts)


def rules(seen: pb.WatchDecisionsResponse, width: int, rows: int) -> Table:
    table = made("rules", ("rule", "does"), ("/s", "total"), width)
    for rule in fitting(seen.rules, rows, lambda each: each.total > 0):
        does = calls.Verdict.Name(rule.verdict).removeprefix("VERDICT_").lower()
        does += " (shadow)" if rule.shadow else " (demoted)" if rule.demoted else ""
        style = "dim" if rule.shadow else STYLES.get(rule.verdict, "")
        table.add_row(Text(rule.rule), Text(does, style), *figures(rule.per_second, rule.total))
    return table


def lists(seen: pb.WatchDecisionsResponse, width: int, rows: int) -> Table:
    table = made("lists", ("list",), ("hits/s", "entries"), width)
    for each in fitting(seen.lists, rows, lambda each: each.entries > 0 or each.total > 0):
        table.add_row(Text(each.list), *figures(each.per_second, each.entries))
    return table


def of_callers(seen: pb.WatchDecisionsResponse, width: int, rows: int) -> Table:
    sample = f", passes: 1 of {seen.pass_sample:,} seen" if seen.pass_sample else ", no passes seen"
    title = f"callers, last {seen.callers_span_ms / 1000:.0f} s"
    title += sample + (f"; {seen.unseen:,} decisions unseen" if seen.unseen else "")
    table = made(title, ("caller", "last by"), ("blocked", "warned", "passes seen"), width)
    for each in seen.callers[:rows]:
        counts = [f"{count:,}" if count else "" for count in (each.blocked, each.warned, each.passes_seen)]
        table.add_row(Text(each.caller), Text(each.rule, "dim"), *counts)
    return table


def made(title: str, texts: Sequence[str], counts: Sequence[str], width: int) -> Table:
    table = Table(
        title=Text(title, "bold cyan", no_wrap=True, overflow="ellipsis"),
        title_justify="left",
        box=None,
        pad_edge=False,
        width=width,
    )
    for name in texts:
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1, header_style="dim")
    for name in counts:
        table.add_column(name, justify="right", no_wrap=True, header_style="dim")
    return table


def foot(seen: pb.WatchDecisionsResponse, paused: bool) -> Text:
    line = Text("q", "bold")
    line.append(" quits  ", "dim")
    line.append("p", "bold")
    line.append(" goes on" if paused else " pauses", "dim")
    if seen.callers and seen.masked:
        line.append("   numbers are masked", "dim")
    return line


def fitting(found: Sequence[Row], rows: int, telling: Callable[[Row], bool]) -> list[Row]:
    """The first ones that have something to tell."""
    return [each for each in found if telling(each)][: max(rows, 0)]


def figures(per_second: float, total: int) -> tuple[Text, str]:
    rate = f"{per_second:,.0f}" if per_second >= 10 or not per_second else f"{per_second:.1f}"
    return Text(rate, "bold" if per_second else "dim"), f"{total:,}"


def moment(ns: int) -> str:
    """A time, in three digits or so."""
    for unit, size in (("ns", 1), ("us", 1_000), ("ms", 1_000_000)):
        if ns < 1000 * size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def curve(rates: Sequence[float]) -> str:
    """Rates as a row of blocks, the highest one full."""
    most = max(rates, default=0) or 1
    return "".join(LEVELS[round(rate / most * (len(LEVELS) - 1))] for rate in rates)
