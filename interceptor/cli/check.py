"""The options of `interceptor policy ...`."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    group = typer.Typer(help="Checks policy files; no service is needed.", no_args_is_help=True)
    group.command("check")(check)
    app.add_typer(group, name="policy")


def check(
    file: Annotated[
        str, typer.Argument(help="The policy file, or the name of a shipped policy.", metavar="FILE")
    ],
    lists: Annotated[bool, typer.Option("--lists", help="Read the list files it names, too.")] = False,
    home: Annotated[str, typer.Option(help="Region whose dial plan reads numbers of list files.")] = "CN",
) -> None:
    """Checks a policy as the service would load it.

    Shows every problem with file, line, column and a caret, and exits with 1; or what the policy holds, the most a
    decision may cost under it and the memory its counters may take, and exits with 0.
    """
    from interceptor.cli import checking  # noqa: PLC0415 - the engine: not for the other commands

    checking.check(file, lists=lists, home=home)
