"""The options of `interceptor simulate`."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command("simulate")(simulate)


def simulate(
    *,
    scenario: Annotated[str, typer.Option(help="A YAML file, or one that is shipped: day, small.")] = "day",
    out: Annotated[
        Path | None, typer.Option(help="The Parquet file that is written.", show_default=False)
    ] = None,
    hours: Annotated[int, typer.Option(help="How long, from midnight in Shanghai.", min=1, max=24 * 90)] = 24,
    subscribers: Annotated[
        int, typer.Option(help="The operator's own subscribers.", min=1_000, max=20_000_000)
    ] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 1,
    instances: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND=N: so many devices or gangs of a kind that defrauds. May be repeated.",
            show_default=False,
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KIND.PARAMETER=VALUE, over the scenario's. May be repeated.", show_default=False
        ),
    ] = None,
    describe: Annotated[
        bool, typer.Option("--describe", help="Print every parameter with its source, and simulate nothing.")
    ] = False,
) -> None:
    """Simulates labelled calls of a network: its people, its companies, and who defrauds them.

    The file is what `interceptor replay` reads. The same options give the same bytes.
    """
    from interceptor.cli import simulating  # noqa: PLC0415 - numpy, Parquet: not for the other commands

    read = simulating.scenario_of(scenario, instances or [], sets or [])
    if describe:
        simulating.describe(read)
    elif out is None:
        raise typer.BadParameter("where to write: --out FILE", param_hint="--out")
    else:
        simulating.simulate(read, out, hours=hours, subscribers=subscribers, seed=seed)
