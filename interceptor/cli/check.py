"""The options of `interceptor policy check`, which needs no service."""

from typing import Annotated

import typer


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
