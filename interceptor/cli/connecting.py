"""The options of every command that asks a running service: where it is, and who asks."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

DATA_PORT, CONTROL_PORT = "127.0.0.1:50051", "127.0.0.1:50052"
SERVICE = "The service"

Server = Annotated[str, typer.Option(help="Its address: HOST:PORT or unix:PATH.", rich_help_panel=SERVICE)]
Timeout = Annotated[
    float, typer.Option(help="Seconds to wait for the answer.", min=0.001, rich_help_panel=SERVICE)
]
TlsCa = Annotated[
    Path | None,
    typer.Option(help="Speak TLS; certificates of this CA (PEM) are good.", rich_help_panel=SERVICE),
]
TlsCert = Annotated[
    Path | None, typer.Option(help="Our certificate (PEM), where one is wanted.", rich_help_panel=SERVICE)
]
TlsKey = Annotated[Path | None, typer.Option(help="Its key (PEM).", rich_help_panel=SERVICE)]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the token that says who asks; else the environment's INTERCEPTOR_TOKEN, if it is set.",
        rich_help_panel=SERVICE,
        show_default=False,
    ),
]

#: what changes something takes these as well
Comment = Annotated[str, typer.Option("--comment", help="Why, for the record.", show_default=False)]
Confirm = Annotated[
    int | None,
    typer.Option(
        "--confirm",
        metavar="REVISION",
        help="Do it although it was refused: the revision that the refusal named. Void once anything else has changed.",
        min=0,
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]


def connected(
    command: Callable[..., None], *, server: str = CONTROL_PORT, timeout: float = 30.0, token: bool = True
) -> Callable[..., None]:
    """A command with these options besides its own; it gets a Connection as its first parameter, `service`."""
    signature = inspect.signature(command)
    shared: list[tuple[str, Any, Any]] = [
        ("server", Server, server),
        ("timeout", Timeout, timeout),
        ("tls_ca", TlsCa, None),
        ("tls_cert", TlsCert, None),
        ("tls_key", TlsKey, None),
        *([("token_file", TokenFile, None)] if token else []),
    ]
    own = [each for name, each in signature.parameters.items() if name != "service"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in shared
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        from interceptor.cli import refused  # noqa: PLC0415 - grpc: not for the others' --help
        from interceptor.cli.connection import Connection  # noqa: PLC0415

        where = {name: given.pop(name) for name, *_ in shared}
        service = Connection(
            where["server"],
            where["timeout"],
            where["tls_ca"],
            where["tls_cert"],
            where["tls_key"],
            where.get("token_file"),
            with_token=token,
        )
        with refused.shown():
            command(service, **given)

    parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *options]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    del run.__wrapped__  # typer would read that one's
    return run
