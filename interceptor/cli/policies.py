"""The options of `interceptor policy ...`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from interceptor.cli.check import check
from interceptor.cli.connecting import Comment, Confirm, DryRun, connected

PATIENT = 600.0  # seconds: a policy is tried on recent calls, and may read list files

File = Annotated[Path, typer.Argument(metavar="FILE", help="The policy file (YAML).", show_default=False)]
Revision = Annotated[int, typer.Argument(metavar="REVISION", help="As `policy history` shows it.", min=1)]


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    group = typer.Typer(help="Policies: checked, tried, put into force, taken back.", no_args_is_help=True)
    group.command("check")(check)
    for name, command in (
        ("put", put),
        ("get", get),
        ("diff", diff),
        ("history", history),
        ("rollback", rollback),
        ("trial", trial),
        ("promote", promote),
    ):
        group.command(name)(connected(command, timeout=PATIENT))
    app.add_typer(group, name="policy")


def put(
    service: Any, *, file: File, comment: Comment = "", dry_run: DryRun = False, confirm: Confirm = None
) -> None:
    """Puts a policy into force and keeps it.

    Refused when it has problems, all of which are shown, or when it would turn too many recent calls.
    """
    from interceptor.cli import governing  # noqa: PLC0415

    governing.put(service, file, comment=comment, dry_run=dry_run, confirm=confirm)


def get(
    service: Any,
    *,
    revision: Annotated[
        int, typer.Argument(metavar="[REVISION]", help="The one in force otherwise.", show_default=False)
    ] = 0,
) -> None:
    """Prints the text of the policy in force, or of an earlier one."""
    from interceptor.cli import governing  # noqa: PLC0415

    governing.get(service, revision)


def diff(
    service: Any,
    *,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A revision or a FILE.", show_default=False)],
    new: Annotated[
        str, typer.Argument(metavar="[NEW]", help="A revision or a FILE; the policy in force otherwise.")
    ] = "",
) -> None:
    """Shows what differs between two policies, line by line."""
    from interceptor.cli import governing  # noqa: PLC0415

    governing.diff(service, old, new)


def history(
    service: Any, *, limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100
) -> None:
    """The policies that were in force, the last first."""
    from interceptor.cli import governing  # noqa: PLC0415

    governing.history(service, limit)


def rollback(service: Any, *, revision: Revision, comment: Comment = "", confirm: Confirm = None) -> None:
    """Puts an earlier policy into force again, as a new revision."""
    from interceptor.cli import governing  # noqa: PLC0415

    governing.rollback(service, revision, comment=comment, confirm=confirm)


def trial(
    service: Any,
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="The policy to try. Without it: how the trial stands.", show_default=False
        ),
    ] = None,
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long: 1h, 7d.")] = "1h",
    stop: Annotated[bool, typer.Option("--stop", help="End the trial that runs.")] = False,
) -> None:
    """Runs a policy in shadow beside the one in force, on live calls; without FILE, tells how that stands."""
    from interceptor.cli import governing, times  # noqa: PLC0415

    governing.trial(service, file, times.span_ms("--for", span), stop=stop)


def promote(
    service: Any,
    *,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Its id.", show_default=False)],
    comment: Comment = "",
) -> None:
    """Lets a rule block again that became a warning because it began to block far more than usual."""
    from interceptor.cli import governing  # noqa: PLC0415

    governing.promote(service, rule, comment)
