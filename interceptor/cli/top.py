"""The options of `interceptor top`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from interceptor.cli.connecting import connected


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command("top")(connected(top, timeout=10.0))


def top(
    service: Any,
    *,
    span: Annotated[int, typer.Option(help="Seconds that rates are over.", min=1, max=60)] = 2,
    callers: Annotated[int, typer.Option(help="Callers shown, at most; 0: none.", min=0, max=100)] = 20,
    show_numbers: Annotated[
        bool,
        typer.Option(
            "--show-numbers", help="Whole numbers, of a service that was started with this option, too."
        ),
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Say it once, and end.")] = False,
    svg: Annotated[
        Path | None, typer.Option(help="Draw it once, into a file, as a picture.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON each second, for scripts.")] = False,
) -> None:
    """How calls are being decided, live: decisions a second, verdicts, latency, hottest rules, lists and callers.

    q quits, p pauses. JSON where there is no terminal. That callers are looked at is audited.
    """
    from interceptor.cli import watching  # noqa: PLC0415

    if svg is not None:
        watching.into_file(service, svg, span=span, callers=callers, show_numbers=show_numbers)
        return
    watching.top(service, span=span, callers=callers, show_numbers=show_numbers, once=once, as_json=as_json)
