"""The options of `interceptor clue`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from interceptor.cli.connecting import connected

PATIENT = 120.0  # seconds for a pack of many calls


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command("clue")(connected(clue, timeout=PATIENT))


def clue(
    service: Any,
    *,
    text: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER|IMEI|CELL", help="What it is about; or a file, with --verify.", show_default=False
        ),
    ],
    since: Annotated[str, typer.Option(metavar="SPAN", help="How far back: 24h, 7d; at most 30d.")] = "24h",
    subject: Annotated[
        Literal["number", "device", "card", "cell"] | None,
        typer.Option("--as", help="What NUMBER|IMEI|CELL is, where it does not tell.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write it: OUT.jsonl and OUT.html.", show_default="clue-SUBJECT-TIME", metavar="OUT"
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Whether a pack (.jsonl or .html) is as it was made, and made here."),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="With --verify: only whether it is whole, without asking the service."
        ),
    ] = False,
) -> None:
    """An evidence pack for the police: calls, rules, counters, devices, cells, numbers and list history, verifiable.

    JSON lines, each covering the hash of the one before, and a page for people. Called parties are masked. That it was
    made goes on the audit trail with the pack's hash.
    """
    from interceptor.cli import cluing  # noqa: PLC0415

    if verify:
        cluing.verify(service, Path(text), offline=offline)
    else:
        cluing.gather(service, text, since=since, subject=subject or "unspecified", out=out)
