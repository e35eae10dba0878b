"""Runs a simulation from the command line: reads its scenario, shows how far it is, tells what it made."""

import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from interceptor.cli.failing import EXIT_USAGE, Failure
from interceptor.simulation import scenario as scenarios
from interceptor.simulation.simulate import Told
from interceptor.simulation.simulate import simulate as run
from interceptor.simulation.sources import REFERENCES


def scenario_of(name: str, instances: list[str], sets: list[str]) -> scenarios.Scenario:
    """The scenario with what the command line changes in it."""
    changes: dict[str, dict[str, Any]] = {}
    for text in instances:
        kind, sign, number = text.partition("=")
        if not sign or not number.isdigit():
            raise Failure(f"--instances {text}: write KIND=N, such as sim-box=60", EXIT_USAGE)
        changes.setdefault(kind, {})["instances"] = int(number)
    for text in sets:
        place, sign, value = text.partition("=")
        kind, dot, parameter = place.partition(".")
        if not sign or not dot:
            raise Failure(f"--set {text}: write KIND.PARAMETER=VALUE, such as courier.share=0.01", EXIT_USAGE)
        try:
            changes.setdefault(kind, {})[parameter] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise Failure(f"--set {text}: the value is not YAML", EXIT_USAGE) from None
    try:
        return scenarios.load(name, changes)
    except scenarios.ScenarioError as error:
        raise Failure(str(error)) from None


def simulate(scenario: scenarios.Scenario, out: Path, *, hours: int, subscribers: int, seed: int) -> None:
    """Simulates and records, with a progress bar where somebody looks."""
    console = Console(stderr=True)
    began = time.monotonic()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("hours  {task.fields[calls]:,} calls"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("simulating", total=hours, calls=0)

        def shown(done: float, told: Told) -> None:
            progress.update(task, completed=int(done * hours), calls=told.events["call"])

        told = run(scenario, out, subscribers=subscribers, hours=hours, seed=seed, progress=shown)
    took = time.monotonic() - began
    rows = sum(told.events.values())
    table = Table(
        title=f"{out}: {rows:,} rows in {took:.0f} s ({rows / max(took, 1e-9):,.0f}/s)", title_justify="left"
    )
    table.add_column("what")
    table.add_column("rows", justify="right")
    for counts in (told.events, told.labels):
        for name, n in counts.items():
            table.add_row(name, f"{n:,}")
        table.add_section()
    Console().print(table)


def describe(scenario: scenarios.Scenario) -> None:
    """Prints every parameter: its value, what it means, where it comes from."""
    console = Console()
    for name, kind in scenario.kinds().items():
        table = Table(title=f"{name}: {type(kind).__doc__}", title_justify="left", expand=True)
        for column, ratio in (("parameter", 3), ("value", 3), ("meaning", 6), ("source", 5)):
            table.add_column(column, ratio=ratio)
        for parameter, field in type(kind).model_fields.items():
            extra = field.json_schema_extra
            source = extra.get("source", "") if isinstance(extra, dict) else ""
            table.add_row(parameter, _value(getattr(kind, parameter)), field.description or "", str(source))
        console.print(table)
    table = Table("source", "what it is", title="Sources; `assumed`: none was found", title_justify="left")
    for name, reference in REFERENCES.items():
        table.add_row(name, reference)
    console.print(table)


def _value(value: Any) -> str:
    return " ".join(str(each) for each in value) if isinstance(value, tuple) else str(value)
