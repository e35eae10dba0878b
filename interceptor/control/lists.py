"""Methods of AdminService about lists: what changes them, and what looks into them."""

from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from interceptor.control.answering import Method
from interceptor.control.authorising import Caller
from interceptor.control.impacts import change_of, held_entries
from interceptor.control.reads import Reads
from interceptor.control.refusing import Refusal
from interceptor.pb.v1 import lists_pb2 as pb
from interceptor.runtime.live import ListFigures, LiveLists
from interceptor.store.words import NewEntry

MOST_ENTRIES = 10_000
MOST_FOUND, FOUND = 1_000, 100
LARGEST = 1 << 20  # bytes of a request with entries
FORMATS = ("csv", "rpz")


class Lists:
    """Lists as operators change them and look into them."""

    def __init__(self, lists: LiveLists, reads: Reads) -> None:
        self._lists = lists
        self._reads = reads

    def methods(self) -> Mapping[str, Method]:
        return {
            "AddEntries": Method(self.add, pb.AddEntriesRequest, LARGEST),
            "RemoveEntries": Method(self.remove, pb.RemoveEntriesRequest, LARGEST),
            "UndoChange": Method(self.undo, pb.UndoChangeRequest, long=True),
            "SetRetention": Method(self.set_retention, pb.SetRetentionRequest, long=True),
            "ShowEntry": Method(self.show, pb.ShowEntryRequest),
            "SearchEntries": Method(self.search, pb.SearchEntriesRequest),
            "ExportList": Method(self.export, pb.ExportListRequest, long=True),
            "GetListStats": Method(self.stats, pb.GetListStatsRequest, long=True),
            "CheckDomain": Method(self.check_domain, pb.CheckDomainRequest),
        }

    def add(self, request: pb.AddEntriesRequest, caller: Caller) -> pb.AddEntriesResponse:
        few("entries", len(request.entries))
        changed = self._lists.add(
            request.list,
            request.source,
            [new_entry(each, place) for place, each in enumerate(request.entries)],
            actor=caller.name,
            comment=request.comment,
            confirmed=confirmed(request),
            dry_run=request.dry_run,
        )
        return pb.AddEntriesResponse(change=change_of(changed))

    def remove(self, request: pb.RemoveEntriesRequest, caller: Caller) -> pb.RemoveEntriesResponse:
        few("texts", len(request.texts))
        changed = self._lists.remove(
            request.list,
            list(request.texts),
            source=request.source,
            actor=caller.name,
            comment=request.comment,
            confirmed=confirmed(request),
            dry_run=request.dry_run,
        )
        return pb.RemoveEntriesResponse(change=change_of(changed))

    def undo(self, request: pb.UndoChangeRequest, caller: Caller) -> pb.UndoChangeResponse:
        changed = self._lists.undo(
            request.revision,
            actor=caller.name,
            comment=request.comment,
            confirmed=confirmed(request),
            dry_run=request.dry_run,
        )
        return pb.UndoChangeResponse(change=change_of(changed))

    def set_retention(self, request: pb.SetRetentionRequest, caller: Caller) -> pb.SetRetentionResponse:
        if bool(request.list) == bool(request.source):
            raise invalid("say a list or a source, and not both")
        if request.HasField("retention_ms") and request.retention_ms <= 0:
            raise invalid("retention_ms: must be above 0; leave it out to keep entries for good")
        changed = self._lists.set_retention(
            list_name=request.list,
            source=request.source,
            retention_ms=request.retention_ms if request.HasField("retention_ms") else None,
            actor=caller.name,
            comment=request.comment,
            confirmed=confirmed(request),
        )
        return pb.SetRetentionResponse(change=change_of(changed))

    def show(self, request: pb.ShowEntryRequest, caller: Caller) -> pb.ShowEntryResponse:
        wanted("text", request.text)
        shown = self._lists.show(request.text, history=request.history)
        self._reads.of_text(caller, "entry", request.text, len(shown.entries))
        return pb.ShowEntryResponse(
            entries=held_entries(shown.entries),
            stopped=shown.stopped,
            warned=shown.warned,
            decision_ids=shown.decision_ids,
        )

    def search(self, request: pb.SearchEntriesRequest, caller: Caller) -> pb.SearchEntriesResponse:
        if request.limit > MOST_FOUND:
            raise invalid(f"limit: {request.limit} is more than {MOST_FOUND}; next_page goes on")
        page = self._lists.search(
            request.text,
            list_name=request.list,
            source=request.source,
            reason=request.reason,
            limit=request.limit or FOUND,
            page=request.page,
        )
        self._reads.of_text(caller, "search", request.text, len(page.entries))
        return pb.SearchEntriesResponse(entries=held_entries(page.entries), next_page=page.next_page)

    def export(self, request: pb.ExportListRequest, caller: Caller) -> Iterator[pb.ExportListResponse]:
        if request.format not in FORMATS:
            raise invalid(f'format: "{request.format}" is none; there are {" and ".join(FORMATS)}')
        pieces = self._lists.export(request.list, file_format=request.format, source=request.source)
        self._reads.of_list(caller, request.list, request.source)
        for piece in pieces:
            yield pb.ExportListResponse(data=piece)

    def stats(self, request: pb.GetListStatsRequest, _caller: Caller) -> pb.GetListStatsResponse:
        figures, revision = self._lists.stats(request.list)
        return pb.GetListStatsResponse(lists=[stats_of(each) for each in figures], revision=revision)

    def check_domain(self, request: pb.CheckDomainRequest, _caller: Caller) -> pb.CheckDomainResponse:
        wanted("domain", request.domain)
        entries = self._lists.check_domain(request.domain)
        return pb.CheckDomainResponse(listed=bool(entries), entries=held_entries(entries))


def stats_of(figures: ListFigures) -> pb.ListStats:
    state = figures.state
    return pb.ListStats(
        list=state.name,
        kind=state.kind,
        entries=state.entries,
        by_source=state.by_source,
        by_reason=state.by_reason,
        last_change_ms=state.last_change_ms,
        retention_ms=state.retention_ms,
        file=figures.file,
    )


def new_entry(entry: pb.ListEntry, place: int) -> NewEntry:
    begins = entry.valid_from_ms if entry.HasField("valid_from_ms") else None
    ends = entry.valid_until_ms if entry.HasField("valid_until_ms") else None
    if begins is not None and ends is not None and ends <= begins:
        raise invalid(f"entries[{place}].valid_until_ms: it ends before it begins")
    return NewEntry(entry.text, entry.reason, entry.note, begins, ends)


def confirmed(request: Any) -> int | None:
    """The revision that the caller has seen what it would do at."""
    return request.confirmation.revision if request.HasField("confirmation") else None


def few(field: str, count: int) -> None:
    if not count:
        raise invalid(f"{field}: is empty")
    if count > MOST_ENTRIES:
        raise invalid(f"{field}: {count:,} are more than {MOST_ENTRIES:,}; import a file instead")


def wanted(field: str, text: str) -> None:
    if not text:
        raise invalid(f"{field}: is empty")


def invalid(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)
