"""The command `interceptor dashboards export`: dashboards, rules and alerts, for Grafana and Prometheus to load."""

from pathlib import Path
from typing import Annotated

import typer

from interceptor.cli.failing import Failure

SHIPPED = Path(__file__).parent.parent / "integrations"
#: what goes out: dashboards; rules, alerts, their tests and an example of a configuration
KINDS = ("grafana/*.json", "prometheus/*.yaml")


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    group = typer.Typer(help="Dashboards of Grafana, rules and alerts of Prometheus.", no_args_is_help=True)
    group.command("export")(export)
    app.add_typer(group, name="dashboards")


def export(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Where they go; made if it is not there.", show_default=False),
    ],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that differ.")] = False,
) -> None:
    """Writes the shipped dashboards (JSON), recording rules and alerts (YAML) into a directory, and their names."""
    files = [path for kind in KINDS for path in sorted(SHIPPED.glob(kind))]
    directory.mkdir(parents=True, exist_ok=True)
    there = [directory / path.name for path in files]
    changed = [
        new
        for new, path in zip(there, files, strict=True)
        if new.exists() and new.read_bytes() != path.read_bytes()
    ]
    if changed and not force:
        named = ", ".join(path.name for path in changed)
        raise Failure(
            f"{directory}: {named} there and different: move them away, or say --force to overwrite them"
        )
    for new, path in zip(there, files, strict=True):
        new.write_bytes(path.read_bytes())
        print(new)
