"""What `interceptor lists ...` does: asks the service, and shows what it answers."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message
from rich.console import Console

from interceptor.cli import listtables as tables
from interceptor.cli.connection import Connection
from interceptor.cli.printing import show, to_person
from interceptor.pb.v1 import lists_pb2 as pb

Answer = TypeVar("Answer", bound=Message)

AT_ONCE = 10_000  # entries of one request


def told(answer: Answer, for_person: Callable[[Answer], None]) -> None:
    """Prints an answer: for a person, or as JSON."""
    if to_person():
        for_person(answer)
    else:
        show(answer)


def add(
    service: Connection,
    texts: Sequence[str],
    list_name: str,
    source: str,
    *,
    reason: str,
    note: str,
    begins: int | None,
    ends: int | None,
    comment: str,
    dry_run: bool,
    confirm: int | None,
) -> None:
    request = pb.AddEntriesRequest(
        list=list_name,
        source=source,
        entries=[
            pb.ListEntry(text=text, reason=reason, note=note, valid_from_ms=begins, valid_until_ms=ends)
            for text in texts
        ],
        comment=comment,
        confirmation=confirmation(confirm),
        dry_run=dry_run,
    )
    answer = service.ask("AdminService/AddEntries", request, pb.AddEntriesResponse)
    told(answer.change, lambda change: tables.show_change(change, list_name, dry_run))


def remove(
    service: Connection,
    texts: Sequence[str],
    list_name: str,
    source: str,
    *,
    comment: str,
    dry_run: bool,
    confirm: int | None,
) -> None:
    request = pb.RemoveEntriesRequest(
        list=list_name,
        source=source,
        texts=texts,
        comment=comment,
        confirmation=confirmation(confirm),
        dry_run=dry_run,
    )
    answer = service.ask("AdminService/RemoveEntries", request, pb.RemoveEntriesResponse)
    told(answer.change, lambda change: tables.show_change(change, list_name, dry_run))


def undo(service: Connection, revision: int, *, comment: str, dry_run: bool, confirm: int | None) -> None:
    request = pb.UndoChangeRequest(
        revision=revision, comment=comment, confirmation=confirmation(confirm), dry_run=dry_run
    )
    answer = service.ask("AdminService/UndoChange", request, pb.UndoChangeResponse)
    told(answer.change, lambda change: tables.show_change(change, "", dry_run))


def retention(
    service: Connection,
    list_name: str,
    source: str,
    kept_ms: int | None,
    *,
    comment: str,
    confirm: int | None,
) -> None:
    request = pb.SetRetentionRequest(
        list=list_name,
        source=source,
        retention_ms=kept_ms,
        comment=comment,
        confirmation=confirmation(confirm),
    )
    answer = service.ask("AdminService/SetRetention", request, pb.SetRetentionResponse)
    told(answer.change, lambda change: tables.show_change(change, list_name, False))


def show_entry(service: Connection, text: str, history: bool) -> None:
    request = pb.ShowEntryRequest(text=text, history=history)
    found = service.ask("AdminService/ShowEntry", request, pb.ShowEntryResponse)
    told(found, lambda answer: tables.show_entry(answer, text))


def search(
    service: Connection, text: str, *, list_name: str, source: str, reason: str, limit: int, page: str
) -> None:
    request = pb.SearchEntriesRequest(
        text=text, list=list_name, source=source, reason=reason, limit=limit, page=page
    )
    told(
        service.ask("AdminService/SearchEntries", request, pb.SearchEntriesResponse),
        tables.show_found,
    )


def stats(service: Connection, list_name: str) -> None:
    request = pb.GetListStatsRequest(list=list_name)
    told(service.ask("AdminService/GetListStats", request, pb.GetListStatsResponse), tables.show_stats)


def check(service: Connection, domain: str) -> None:
    request = pb.CheckDomainRequest(domain=domain)
    found = service.ask("AdminService/CheckDomain", request, pb.CheckDomainResponse)
    told(found, lambda answer: tables.show_domain(answer, domain))


def export(service: Connection, list_name: str, output: Path | None, form: str, source: str) -> None:
    """Writes the file beside its place and moves it there whole, or writes to standard output."""
    request = pb.ExportListRequest(list=list_name, format=form, source=source)
    pieces = (piece.data for piece in service.take("AdminService/ExportList", request, pb.ExportListResponse))
    if output is None:
        for data in pieces:
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(output.name + ".part")
    try:
        with partial.open("wb") as file:
            for data in pieces:
                file.write(data)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    Console(stderr=True).print(f"{output}: {output.stat().st_size:,} bytes", highlight=False)


def confirmation(revision: int | None) -> pb.Confirmation | None:
    return None if revision is None else pb.Confirmation(revision=revision)
