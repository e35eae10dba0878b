"""The options of `interceptor decide` and `interceptor explain`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

DATA_PORT, CONTROL_PORT = "127.0.0.1:50051", "127.0.0.1:50052"
CALL = "The call"
SERVICE = "The service"


def told(text: str) -> Any:
    """An option that is a field of the call."""
    return typer.Option(help=text, rich_help_panel=CALL, show_default=False)


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    add(
        app,
        "decide",
        "Asks a running service what to do with a call and prints its answer as JSON. The call is counted.",
        DATA_PORT,
    )
    add(
        app,
        "explain",
        "Shows what a running service would answer to a call and why: every rule, counter, list entry and number. "
        "Nothing is counted. Tables on a terminal, JSON elsewhere.",
        CONTROL_PORT,
    )


def add(app: typer.Typer, name: Literal["decide", "explain"], text: str, where: str) -> None:
    """Adds a command that takes a call's fields as options."""

    @app.command(name, help=text)
    def command(
        *,
        caller: Annotated[str, told("Who calls, as signalled: +8613800138000, sip:..., anonymous.")] = "",
        callee: Annotated[str, told("Whom the call is for, as dialled.")] = "",
        call_id: Annotated[str, told("Call-ID; the same one again within 32 s gets the same answer.")] = "",
        asserted_identity: Annotated[str, told("P-Asserted-Identity.")] = "",
        privacy: Annotated[str, told("Privacy header, such as id.")] = "",
        redirecting: Annotated[
            list[str] | None, told("A number that diverted the call; repeat it, the most recent first.")
        ] = None,
        trunk: Annotated[str, told("Trunk group the call came in on.")] = "",
        domain: Annotated[str, told("Host part of the caller's SIP URI.")] = "",
        user_agent: Annotated[str, told("User-Agent header.")] = "",
        source_ip: Annotated[str, told("Address the request came from.")] = "",
        imsi: Annotated[str, told("The caller's IMSI.")] = "",
        imei: Annotated[str, told("The caller's device, 14 to 16 digits.")] = "",
        cell: Annotated[str, told("The caller's cell.")] = "",
        verstat: Annotated[str, told("Result of caller verification, such as TN-Validation-Failed.")] = "",
        attestation: Annotated[str, told("A, B or C.")] = "",
        international_ingress: Annotated[
            bool | None, told("Whether the call came over an international gateway.")
        ] = None,
        roaming: Annotated[bool | None, told("Whether the calling subscriber roams abroad.")] = None,
        sim_age_days: Annotated[
            int | None, told("Days since the caller's subscription was activated.")
        ] = None,
        tag: Annotated[list[str] | None, told("NAME=VALUE: what else is known; repeat it.")] = None,
        server: Annotated[
            str, typer.Option(help="Its address: HOST:PORT or unix:PATH.", rich_help_panel=SERVICE)
        ] = where,
        timeout: Annotated[
            float, typer.Option(help="Seconds to wait for the answer.", min=0.001, rich_help_panel=SERVICE)
        ] = 2.0,
        tls_ca: Annotated[
            Path | None,
            typer.Option(help="Speak TLS; certificates of this CA (PEM) are good.", rich_help_panel=SERVICE),
        ] = None,
        tls_cert: Annotated[
            Path | None,
            typer.Option(help="Our certificate (PEM), where one is wanted.", rich_help_panel=SERVICE),
        ] = None,
        tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).", rich_help_panel=SERVICE)] = None,
    ) -> None:
        given = dict(locals())
        from interceptor.cli import asking  # noqa: PLC0415 - grpc: not for the others' --help

        service = asking.Connection(server, timeout, tls_ca, tls_cert, tls_key)
        getattr(asking, name)(service, given, tag or ())
