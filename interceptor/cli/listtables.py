"""What commands about lists show on a terminal: entries, changes, sizes, and what a change would have meant."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from interceptor.cli.tables import span
from interceptor.cli.times import shown
from interceptor.pb.v1 import lists_pb2 as pb


def show_change(change: pb.ListChange, list_name: str, dry_run: bool) -> None:
    """What changed, or would; and how to take it back."""
    console = Console(highlight=False)
    where = f" {list_name}" if list_name else ""
    would = "would change" if dry_run else "changed"
    counts = {
        "added": change.added,
        "removed": change.removed,
        "as before": change.unchanged,
        "changed since and left": change.conflicts,
        "bad rows": change.bad_rows,
    }
    line = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"
    console.print(f"{would}{where}: {line}")
    if change.HasField("impact"):
        show_impact(change.impact, console)
    if change.revision:
        console.print(
            f"revision {change.revision}; `interceptor lists undo {change.revision}` takes it back",
            style="dim",
        )


def show_preview(preview: pb.ImportPreview) -> None:
    """What an import would do."""
    console = Console(highlight=False)
    table = Table("would be", "entries", "the first of them", title_justify="left")
    table.add_row("added", f"{preview.added:,}", ", ".join(preview.first_added))
    table.add_row("removed", f"{preview.removed:,}", ", ".join(preview.first_removed))
    table.add_row("told otherwise", f"{preview.changed:,}", "")
    table.add_row("as before", f"{preview.unchanged:,}", "")
    if preview.bad_rows:
        table.add_row("left out: bad rows", f"{preview.bad_rows:,}", "\n".join(preview.first_bad))
    console.print(table)
    show_impact(preview.impact, console)


def show_impact(impact: pb.Impact, console: Console) -> None:
    """What recent calls would have been answered."""
    share = impact.flipped / impact.calls if impact.calls else 0.0
    line = f"of {impact.calls:,} recent calls {impact.flipped:,} ({share:.2%}) would have been answered otherwise"
    console.print(
        f"{line}; up to {impact.allowed_share:.2%} pass without a further word",
        style="red" if impact.refused else "",
    )
    if impact.first:
        table = Table("decision", "caller", "callee", "was", "would be")
        for call in impact.first:
            table.add_row(call.decision_id, call.caller, call.callee, call.was, call.would_be)
        console.print(table)
    for each in impact.protected_numbers:
        console.print(f"protected: {each}", style="red")
    for each in impact.unknown_counters:
        console.print(f"counter {each} is not counted yet: only a trial can tell", style="yellow")


def show_entry(found: pb.ShowEntryResponse, text: str) -> None:
    """All that is known of one entry."""
    console = Console(highlight=False)
    if not found.entries:
        console.print(f"{text} is on no list")
    else:
        console.print(entries(found.entries))
    console.print(f"calls it stopped: {found.stopped:,}; warned about: {found.warned:,}, of those remembered")
    if found.decision_ids:
        console.print("the last: " + ", ".join(found.decision_ids) + "  (`interceptor why DECISION_ID`)")
    for revision in sorted({each.revision for each in found.entries if each.live}):
        console.print(f"`interceptor lists undo {revision}` takes back the change it came with", style="dim")


def show_found(found: pb.SearchEntriesResponse) -> None:
    console = Console(highlight=False)
    console.print(entries(found.entries) if found.entries else "nothing begins like this")
    if found.next_page:
        console.print(f"more: --page {found.next_page}", style="dim")


def show_domain(found: pb.CheckDomainResponse, domain: str) -> None:
    console = Console(highlight=False)
    console.print(
        f"{domain} is {'listed' if found.listed else 'on no list'}", style="red" if found.listed else ""
    )
    if found.entries:
        console.print(entries(found.entries))


def entries(held: Iterable[pb.HeldEntry]) -> Table:
    table = Table("list", "entry", "source", "reason", "until", "by", "added", "revision", "note")
    for each in held:
        until = shown(each.valid_until_ms) if each.HasField("valid_until_ms") else ""
        if each.HasField("gone_revision"):
            until = f"gone with {each.gone_revision} by {each.gone_by}"
        elif not each.live:
            until = (
                f"from {shown(each.valid_from_ms)}" if each.HasField("valid_from_ms") else f"ended {until}"
            )
        row = (
            each.list,
            each.text,
            each.source,
            each.reason,
            until,
            each.added_by,
            shown(each.added_ms),
            str(each.revision),
            each.note,
        )
        table.add_row(*(Text(cell, "" if each.live else "dim") for cell in row))
    return table


def show_stats(found: pb.GetListStatsResponse) -> None:
    console = Console(highlight=False)
    table = Table("list", "kind", "entries", "by source", "by reason", "kept for", "last change")
    for each in found.lists:
        table.add_row(
            each.list,
            each.kind,
            f"{each.entries:,}",
            counts(each.by_source),
            counts(each.by_reason),
            each.file or (span(each.retention_ms) if each.HasField("retention_ms") else "good"),
            shown(each.last_change_ms) if each.HasField("last_change_ms") else "",
        )
    console.print(table)
    console.print(f"revision {found.revision}", style="dim")


def counts(by: Mapping[str, int]) -> str:
    """The largest few, one a line."""
    most = sorted(by.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{name or '(none)'}: {count:,}" for name, count in most[:5]]
    return "\n".join([*lines, f"and {len(most) - 5} more"] if len(most) > 5 else lines)
