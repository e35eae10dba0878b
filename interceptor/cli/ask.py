"""The options of `interceptor decide` and `interceptor explain`."""

from typing import Annotated, Any, Literal

import typer

from interceptor.cli.connecting import CONTROL_PORT, DATA_PORT, connected

CALL = "The call"


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

    def command(
        service: Any,
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
    ) -> None:
        given = dict(locals())
        from interceptor.cli import asking  # noqa: PLC0415 - grpc: not for the others' --help

        getattr(asking, name)(given.pop("service"), given, tag or ())

    app.command(name, help=text)(connected(command, server=where, timeout=2.0, token=name == "explain"))
