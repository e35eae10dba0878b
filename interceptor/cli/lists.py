"""The options of `interceptor lists ...`: what an analyst does with lists, day by day."""

from pathlib import Path
from typing import Annotated, Any

import typer

from interceptor.cli.connecting import Comment, Confirm, DryRun, connected

PATIENT = 600.0  # seconds for what may take long

ListName = Annotated[str, typer.Option("--list", metavar="NAME", help="The list.", show_default=False)]
OneList = Annotated[str, typer.Option("--list", metavar="NAME", help="Only this list.", show_default=False)]
Source = Annotated[
    str,
    typer.Option(metavar="NAME", help="Whose entries these are: a feed, an authority, a desk."),
]
OneSource = Annotated[
    str, typer.Option("--source", metavar="NAME", help="Only those of this source.", show_default=False)
]
Reason = Annotated[
    str, typer.Option(metavar="WORD", help="Why, as one word: fake-police.", show_default=False)
]
Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="ENTRY...",
        help="A number, prefix (+33162*), range (+331620000..+331629999), domain, IMEI or TAC, IMSI, network, trunk: "
        "what the list's kind says.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    group = typer.Typer(
        help="Lists: who is on them, why, until when. A change is on disk when it is answered, and holds for the next "
        "call.",
        no_args_is_help=True,
    )
    for name, command, timeout in (
        ("add", add, 30.0),
        ("remove", remove, 30.0),
        ("import", import_file, PATIENT),
        ("export", export, PATIENT),
        ("show", show, 30.0),
        ("search", search, 30.0),
        ("stats", stats, PATIENT),
        ("undo", undo, PATIENT),
        ("retention", retention, PATIENT),
        ("check", check, 30.0),
    ):
        group.command(name)(connected(command, timeout=timeout))
    app.add_typer(group, name="lists")


def add(
    service: Any,
    *,
    texts: Texts,
    list_name: ListName,
    source: Source = "desk",
    reason: Reason = "",
    note: Annotated[str, typer.Option(help="Why, for people: a case number.", show_default=False)] = "",
    starts: Annotated[
        str,
        typer.Option("--from", metavar="DATE", help="When it begins; at once otherwise.", show_default=False),
    ] = "",
    span: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long it stays: 30d, 12h.", show_default=False)
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="When it ends: 2026-12-31 (with that day, in UTC).", show_default=False
        ),
    ] = "",
    comment: Comment = "",
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> None:
    """Puts entries on a list. Refused when it would turn too many recent calls or hits a protected number."""
    from interceptor.cli import listing, times  # noqa: PLC0415

    begins = times.moment_ms("--from", starts, end=False) if starts else None
    listing.add(
        service,
        texts,
        list_name,
        source,
        reason=reason,
        note=note,
        begins=begins,
        ends=times.until_ms(span, until),
        comment=comment,
        dry_run=dry_run,
        confirm=confirm,
    )


def remove(
    service: Any,
    *,
    texts: Texts,
    list_name: ListName,
    source: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Only what this source has; everybody's otherwise.", show_default=False
        ),
    ] = "",
    comment: Comment = "",
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> None:
    """Takes entries off a list."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.remove(service, texts, list_name, source, comment=comment, dry_run=dry_run, confirm=confirm)


def import_file(
    service: Any,
    *,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV (.csv, .csv.gz) or Parquet (.parquet).", show_default=False),
    ],
    list_name: ListName,
    source: Source,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="What this source has and the file has not goes. Adds otherwise."),
    ] = False,
    reason: Annotated[
        str, typer.Option(metavar="WORD", help="Reason of rows that have none.", show_default=False)
    ] = "",
    allow_bad_rows: Annotated[
        bool,
        typer.Option("--allow-bad-rows", help="Take a file of which more than 1 % of the rows are bad, too."),
    ] = False,
    comment: Comment = "",
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> None:
    """Puts a file on a list, all of it at once or nothing.

    A cut connection is taken up where it broke; the same file again changes nothing.
    """
    from interceptor.cli import importing  # noqa: PLC0415

    importing.import_file(
        service,
        file,
        list_name,
        source,
        replace=replace,
        reason=reason,
        allow_bad=allow_bad_rows,
        comment=comment,
        dry_run=dry_run,
        confirm=confirm,
    )


def export(
    service: Any,
    *,
    list_name: Annotated[str, typer.Argument(metavar="LIST", help="The list.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write there.", show_default="standard output"),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="csv, or rpz: a DNS response policy zone, of a list of domains.")
    ] = "csv",
    source: OneSource = "",
) -> None:
    """Writes a list as a file."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.export(service, list_name, output, form, source)


def show(
    service: Any,
    *,
    text: Annotated[
        str,
        typer.Argument(metavar="ENTRY", help="A number, domain, IMEI ... in any form.", show_default=False),
    ],
    history: Annotated[bool, typer.Option("--history", help="Entries that are gone, too.")] = False,
) -> None:
    """All that is known of a number or domain: lists, sources, who and when, the calls it stopped, how to undo it."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.show_entry(service, text, history)


def search(
    service: Any,
    *,
    text: Annotated[
        str,
        typer.Argument(metavar="BEGINNING", help="How entries begin: +8613, example.", show_default=False),
    ] = "",
    list_name: OneList = "",
    source: OneSource = "",
    reason: Annotated[str, typer.Option(metavar="WORD", help="Only this reason.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100,
    page: Annotated[str, typer.Option(help="Where the last answer said to go on.", show_default=False)] = "",
) -> None:
    """Entries that begin with a text."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.search(service, text, list_name=list_name, source=source, reason=reason, limit=limit, page=page)


def stats(
    service: Any,
    *,
    list_name: Annotated[
        str, typer.Argument(metavar="[LIST]", help="Only this list.", show_default=False)
    ] = "",
) -> None:
    """How large the lists are, by source and reason."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.stats(service, list_name)


def undo(
    service: Any,
    *,
    revision: Annotated[
        int, typer.Argument(metavar="REVISION", help="Of the change: add, remove, import.", min=1)
    ],
    comment: Comment = "",
    dry_run: DryRun = False,
    confirm: Confirm = None,
) -> None:
    """Reverts a change as a whole, an import of millions too. What was changed again since is left."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.undo(service, revision, comment=comment, dry_run=dry_run, confirm=confirm)


def retention(
    service: Any,
    *,
    list_name: Annotated[
        str, typer.Option("--list", metavar="NAME", help="Of this list, or", show_default=False)
    ] = "",
    source: Annotated[str, typer.Option(metavar="NAME", help="of this source.", show_default=False)] = "",
    span: Annotated[
        str,
        typer.Option("--for", metavar="SPAN", help="How long: 365d. For good otherwise.", show_default=False),
    ] = "",
    comment: Comment = "",
    confirm: Confirm = None,
) -> None:
    """How long entries stay that say no end themselves."""
    from interceptor.cli import listing, times  # noqa: PLC0415

    kept = times.span_ms("--for", span) if span else None
    listing.retention(service, list_name, source, kept, comment=comment, confirm=confirm)


def check(
    service: Any,
    *,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="www.example.com", show_default=False)],
) -> None:
    """Whether a web domain, or a domain above it, is on a list of domains."""
    from interceptor.cli import listing  # noqa: PLC0415

    listing.check(service, domain)
