"""The options of `interceptor loadtest`."""

from pathlib import Path
from typing import Annotated

import typer

SERVICE, REPORT = "The service", "The report"


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command("loadtest")(loadtest)


def loadtest(
    *,
    target: Annotated[
        str, typer.Option(help="Its data plane: HOST:PORT or unix:PATH.", rich_help_panel=SERVICE)
    ] = "127.0.0.1:50051",
    scenario: Annotated[
        str, typer.Option(help="Who calls whom: mixed, listed, flood, scan, simbox or never-repeat.")
    ] = "mixed",
    rate: Annotated[
        float | None,
        typer.Option(
            help="Calls a second, at random moments (Poisson), whatever the service does: open loop. "
            "Without it closed loop: --in-flight calls are kept open on every connection.",
            min=0.001,
            show_default=False,
        ),
    ] = None,
    duration: Annotated[float, typer.Option(help="Seconds measured.", min=0.1)] = 10.0,
    warm_up: Annotated[float, typer.Option(help="Seconds before them, not counted.", min=0)] = 1.0,
    connections: Annotated[int, typer.Option(help="Connections.", min=1)] = 4,
    stream: Annotated[
        bool, typer.Option("--stream", help="DecideStream, one stream a connection, instead of Decide.")
    ] = False,
    in_flight: Annotated[
        int,
        typer.Option(help="Calls a connection has open: in closed loop always, in open loop at most.", min=1),
    ] = 100,
    deadline: Annotated[
        int, typer.Option(help="Milliseconds a call has, from its intended start; 0: none.", min=0)
    ] = 0,
    listed: Annotated[
        Path | None,
        typer.Option(
            help="A list file of the service's policy whose callers it blocks: the scenario has calls from them, and "
            "checks that.",
            show_default=False,
        ),
    ] = None,
    calls: Annotated[
        int, typer.Option(help="Different calls made beforehand, gone through again and again.", min=1)
    ] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 1,
    home: Annotated[str, typer.Option(help="Region whose dial plan reads the numbers of --listed.")] = "CN",
    tls_ca: Annotated[
        Path | None,
        typer.Option(help="Speak TLS; certificates of this CA (PEM) are good.", rich_help_panel=SERVICE),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(help="Our certificate (PEM), where one is wanted.", rich_help_panel=SERVICE),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).", rich_help_panel=SERVICE)] = None,
    tls_name: Annotated[
        str | None,
        typer.Option(
            help="The name its certificate must be for.",
            rich_help_panel=SERVICE,
            show_default="the target's host",
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole report there, as JSON.", rich_help_panel=REPORT, show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw latency by percentile and over time there, as PNG (needs matplotlib).",
            rich_help_panel=REPORT,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Puts a service under load from one core and tells its latencies.

    A latency counts from the moment a call was meant to start. The service's counters count these calls: this is for a
    service of its own, never for one that decides real calls. Exits with 1 when a verdict is not the scenario's, or a
    reply is an error or missing.
    """
    from interceptor.cli import loadtesting  # noqa: PLC0415 - numpy, the generator: not for the other commands

    loadtesting.loadtest(
        loadtesting.Options(
            target=target,
            scenario=scenario,
            rate=rate,
            duration=duration,
            warm_up=warm_up,
            connections=connections,
            stream=stream,
            in_flight=in_flight,
            deadline=deadline,
            listed=listed,
            calls=calls,
            seed=seed,
            home=home,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_name=tls_name,
            json=json,
            plot=plot,
        )
    )
