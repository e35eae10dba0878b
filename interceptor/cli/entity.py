"""The options of `interceptor entity`."""

from typing import Annotated, Any

import typer

from interceptor.cli.connecting import Comment, connected

Key = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY", help="A number, IMEI, IMSI, cell, trunk ...; of a pair both.", show_default=False
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        help="What it is, as the policy's counters name it: caller, imei, prefix(caller,7), caller+callee; or number.",
        show_default="all that such a key can be",
    ),
]

entity = typer.Typer(help="What is counted of one caller, handset, cell or trunk.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    entity.command("show")(connected(show))
    entity.command("reset")(connected(reset))
    app.add_typer(entity, name="entity")


def show(service: Any, *, key: Key, kind: Kind = "") -> None:
    """An entity's counters now, in words. A table on a terminal, JSON elsewhere. The read is audited."""
    from interceptor.cli import entities  # noqa: PLC0415

    entities.show(service, key, kind)


def reset(service: Any, *, key: Key, kind: Kind = "", comment: Comment = "") -> None:
    """Ends an entity's counters, from the next call on: after a mistake, or a test. Audited."""
    from interceptor.cli import entities  # noqa: PLC0415

    entities.reset(service, key, kind, comment)
