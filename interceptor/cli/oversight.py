"""The options of `interceptor why`, `feedback`, `audit`, `privacy` and `access`."""

from typing import Annotated, Any, Literal

import typer

from interceptor.cli.connecting import Comment, connected

PATIENT = 600.0  # seconds for what may take long

Decision = Annotated[
    str, typer.Argument(metavar="DECISION_ID", help="As the switch was told it.", show_default=False)
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Of a token, or of a certificate.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    app.command("why")(connected(why))
    app.command("feedback")(connected(feedback))
    audit = typer.Typer(
        help="The audit trail: who did what, and that nobody changed it since.", no_args_is_help=True
    )
    audit.command("log")(connected(log))
    audit.command("verify")(connected(verify, timeout=PATIENT))
    app.add_typer(audit, name="audit")
    privacy = typer.Typer(help="What is known of a person.", no_args_is_help=True)
    privacy.command("erase")(connected(erase, timeout=PATIENT))
    app.add_typer(privacy, name="privacy")
    access = typer.Typer(help="Who may ask what of the port for operators.", no_args_is_help=True)
    access.command("grant")(connected(grant))
    access.command("revoke")(connected(revoke))
    access.command("list")(connected(grants))
    app.add_typer(access, name="access")


def why(service: Any, *, decision_id: Decision) -> None:
    """Why a call was warned about or blocked, in words: rule, entries, who put them there, how to undo it."""
    from interceptor.cli import overseeing  # noqa: PLC0415

    overseeing.why(service, decision_id)


def feedback(
    service: Any,
    *,
    decision_id: Decision,
    verdict: Annotated[
        Literal["confirmed", "wrong"],
        typer.Argument(help="confirmed: it was right. wrong: the caller is let through.", show_default=False),
    ],
    span: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="SPAN",
            help="How long the caller is let through: 30d.",
            show_default="the policy's",
        ),
    ] = "",
    comment: Comment = "",
) -> None:
    """Says whether a decision was right. A wrong block releases the caller, in one step, for a time."""
    from interceptor.cli import overseeing, times  # noqa: PLC0415

    release = times.span_ms("--for", span) if span else None
    overseeing.feedback(
        service, decision_id, right=verdict == "confirmed", release_ms=release, comment=comment
    )


def log(
    service: Any,
    *,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100,
    before: Annotated[
        int, typer.Option(metavar="SEQUENCE", help="Only records before this one.", min=0, show_default=False)
    ] = 0,
    action: Annotated[
        str, typer.Option(metavar="WORD", help="add, remove, import, policy, read ...", show_default=False)
    ] = "",
    actor: Annotated[str, typer.Option(metavar="NAME", help="Only by him.", show_default=False)] = "",
) -> None:
    """The audit trail, the last record first."""
    from interceptor.cli import overseeing  # noqa: PLC0415

    overseeing.log(service, limit, before, action, actor)


def verify(
    service: Any,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also look at every entry that ever was: takes a while.")
    ] = False,
) -> None:
    """Whether the audit trail is whole. Exits with 1 when it is not."""
    from interceptor.cli import overseeing  # noqa: PLC0415

    overseeing.verify(service, deep)


def erase(
    service: Any,
    *,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The person's.", show_default=False)],
    comment: Comment = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: there is no way back.")] = False,
) -> None:
    """Takes a person's number out of every list, past and present, remembered decisions, and events not yet delivered.

    It says where the number may stand still: whoever was sent events has to be asked. The audit trail says that a
    number was erased, not which, and verifies as before.
    """
    from interceptor.cli import overseeing  # noqa: PLC0415

    overseeing.erase(service, number, comment, yes)


def grant(
    service: Any,
    *,
    name: Name,
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        typer.Option(
            help="viewer looks; operator changes lists and policies; admin lets others in, and erases."
        ),
    ],
    certificate: Annotated[
        bool,
        typer.Option(
            "--certificate", help="NAME is that of a client's certificate; a token is made otherwise."
        ),
    ] = False,
    span: Annotated[
        str,
        typer.Option(
            "--for", metavar="SPAN", help="How long: 90d. Without an end otherwise.", show_default=False
        ),
    ] = "",
    until: Annotated[str, typer.Option(metavar="DATE", help="When it ends.", show_default=False)] = "",
) -> None:
    """Lets somebody in, and prints his token: it is told once and kept nowhere. The first one must be an admin."""
    from interceptor.cli import overseeing, times  # noqa: PLC0415

    overseeing.grant(service, name, role, token=not certificate, until_ms=times.until_ms(span, until))


def revoke(service: Any, *, name: Name) -> None:
    """Lets somebody in no longer, from the next request on."""
    from interceptor.cli import overseeing  # noqa: PLC0415

    overseeing.revoke(service, name)


def grants(service: Any) -> None:
    """Who is let in."""
    from interceptor.cli import overseeing  # noqa: PLC0415

    overseeing.grants(service)
