"""The options of `interceptor replay`, which needs no service."""

from pathlib import Path
from typing import Annotated

import typer

RECORDING, RESULT = "The recorded calls", "The result"


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command("replay")(replay)


def replay(
    calls: Annotated[
        Path,
        typer.Argument(
            help="Recorded calls sorted by time: Parquet, or CSV with a header (compressed or not).",
            metavar="CALLS",
        ),
    ],
    *,
    policy: Annotated[
        str, typer.Option(help="The candidate: a policy file, or the name of a shipped policy.")
    ],
    against: Annotated[
        str | None,
        typer.Option(
            help="The policy it is held against: calls that it answers otherwise.", show_default=False
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            help="thresholds.NAME=FROM:TO:STEP, or =A,B,C: replay under these values, too; repeat it for a grid."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=NAME: the file's name for a field, such as caller=A_NUMBER; repeat it.",
            rich_help_panel=RECORDING,
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Pass over rows that are no call, and count them.", rich_help_panel=RECORDING
        ),
    ] = False,
    list_file: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            help="NAME=FILE: what is on a list that the store keeps, as `interceptor lists export` writes it; "
            "repeat it. A list without a file is empty.",
        ),
    ] = None,
    home: Annotated[
        str, typer.Option(help="Region whose dial plan reads numbers where the policy's trunks say none.")
    ] = "CN",
    cores: Annotated[
        int | None, typer.Option(help="Cores to use.", min=1, show_default="all there are")
    ] = None,
    flips: Annotated[
        Path | None,
        typer.Option(
            help="Write every call with another verdict there, as Parquet (needs --against).",
            rich_help_panel=RESULT,
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with plots there: one HTML file.", rich_help_panel=RESULT, show_default=False
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole result there, as JSON.", rich_help_panel=RESULT, show_default=False
        ),
    ] = None,
    show_numbers: Annotated[
        bool,
        typer.Option(
            "--show-numbers", help="Whole telephone numbers; masked otherwise.", rich_help_panel=RESULT
        ),
    ] = False,
) -> None:
    """Decides recorded calls again, as a service with that policy would have, under the clock of the recording.

    Tells verdicts by rule and hour and who was hit hardest; with --against which calls would have been answered
    otherwise; where the calls are labelled, precision and recall and how soon offenders were caught.
    """
    from interceptor.cli import replaying  # noqa: PLC0415 - the engine, pyarrow: not for the other commands

    replaying.replay(
        calls,
        replaying.Options(
            policy=policy,
            against=against,
            sweeps=tuple(sweep or ()),
            columns=tuple(column or ()),
            lists=tuple(list_file or ()),
            skip_bad=skip_bad,
            home=home,
            cores=cores,
            flips=flips,
            report=report,
            json=json,
            show_numbers=show_numbers,
        ),
    )
