from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImportMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMPORT_MODE_UNSPECIFIED: _ClassVar[ImportMode]
    IMPORT_MODE_ADDITION: _ClassVar[ImportMode]
    IMPORT_MODE_REPLACEMENT: _ClassVar[ImportMode]
IMPORT_MODE_UNSPECIFIED: ImportMode
IMPORT_MODE_ADDITION: ImportMode
IMPORT_MODE_REPLACEMENT: ImportMode

class ListEntry(_message.Message):
    __slots__ = ("text", "reason", "note", "valid_from_ms", "valid_until_ms")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    text: str
    reason: str
    note: str
    valid_from_ms: int
    valid_until_ms: int
    def __init__(self, text: _Optional[str] = ..., reason: _Optional[str] = ..., note: _Optional[str] = ..., valid_from_ms: _Optional[int] = ..., valid_until_ms: _Optional[int] = ...) -> None: ...

class Confirmation(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ImportListRequest(_message.Message):
    __slots__ = ("header", "piece")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    header: ImportHeader
    piece: ImportPiece
    def __init__(self, header: _Optional[_Union[ImportHeader, _Mapping]] = ..., piece: _Optional[_Union[ImportPiece, _Mapping]] = ...) -> None: ...

class ImportHeader(_message.Message):
    __slots__ = ("list", "source", "mode", "file_name", "size", "sha256", "reason", "comment", "dry_run", "allow_bad", "confirmation")
    LIST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BAD_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    list: str
    source: str
    mode: ImportMode
    file_name: str
    size: int
    sha256: str
    reason: str
    comment: str
    dry_run: bool
    allow_bad: bool
    confirmation: Confirmation
    def __init__(self, list: _Optional[str] = ..., source: _Optional[str] = ..., mode: _Optional[_Union[ImportMode, str]] = ..., file_name: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ..., reason: _Optional[str] = ..., comment: _Optional[str] = ..., dry_run: _Optional[bool] = ..., allow_bad: _Optional[bool] = ..., confirmation: _Optional[_Union[Confirmation, _Mapping]] = ...) -> None: ...

class ImportPiece(_message.Message):
    __slots__ = ("offset", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class ImportListResponse(_message.Message):
    __slots__ = ("send_from", "progress", "change", "preview")
    SEND_FROM_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    send_from: int
    progress: ImportProgress
    change: ListChange
    preview: ImportPreview
    def __init__(self, send_from: _Optional[int] = ..., progress: _Optional[_Union[ImportProgress, _Mapping]] = ..., change: _Optional[_Union[ListChange, _Mapping]] = ..., preview: _Optional[_Union[ImportPreview, _Mapping]] = ...) -> None: ...

class ImportProgress(_message.Message):
    __slots__ = ("phase", "done", "total")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    phase: str
    done: int
    total: int
    def __init__(self, phase: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class ImportPreview(_message.Message):
    __slots__ = ("added", "removed", "changed", "unchanged", "bad_rows", "first_bad", "first_added", "first_removed", "impact")
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    BAD_ROWS_FIELD_NUMBER: _ClassVar[int]
    FIRST_BAD_FIELD_NUMBER: _ClassVar[int]
    FIRST_ADDED_FIELD_NUMBER: _ClassVar[int]
    FIRST_REMOVED_FIELD_NUMBER: _ClassVar[int]
    IMPACT_FIELD_NUMBER: _ClassVar[int]
    added: int
    removed: int
    changed: int
    unchanged: int
    bad_rows: int
    first_bad: _containers.RepeatedScalarFieldContainer[str]
    first_added: _containers.RepeatedScalarFieldContainer[str]
    first_removed: _containers.RepeatedScalarFieldContainer[str]
    impact: Impact
    def __init__(self, added: _Optional[int] = ..., removed: _Optional[int] = ..., changed: _Optional[int] = ..., unchanged: _Optional[int] = ..., bad_rows: _Optional[int] = ..., first_bad: _Optional[_Iterable[str]] = ..., first_added: _Optional[_Iterable[str]] = ..., first_removed: _Optional[_Iterable[str]] = ..., impact: _Optional[_Union[Impact, _Mapping]] = ...) -> None: ...

class Impact(_message.Message):
    __slots__ = ("calls", "flipped", "first", "protected_numbers", "unknown_counters", "allowed_share", "refused", "revision")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    FLIPPED_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    PROTECTED_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_COUNTERS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_SHARE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    calls: int
    flipped: int
    first: _containers.RepeatedCompositeFieldContainer[FlippedCall]
    protected_numbers: _containers.RepeatedScalarFieldContainer[str]
    unknown_counters: _containers.RepeatedScalarFieldContainer[str]
    allowed_share: float
    refused: bool
    revision: int
    def __init__(self, calls: _Optional[int] = ..., flipped: _Optional[int] = ..., first: _Optional[_Iterable[_Union[FlippedCall, _Mapping]]] = ..., protected_numbers: _Optional[_Iterable[str]] = ..., unknown_counters: _Optional[_Iterable[str]] = ..., allowed_share: _Optional[float] = ..., refused: _Optional[bool] = ..., revision: _Optional[int] = ...) -> None: ...

class FlippedCall(_message.Message):
    __slots__ = ("decision_id", "caller", "callee", "was", "would_be")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLEE_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    WOULD_BE_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    caller: str
    callee: str
    was: str
    would_be: str
    def __init__(self, decision_id: _Optional[str] = ..., caller: _Optional[str] = ..., callee: _Optional[str] = ..., was: _Optional[str] = ..., would_be: _Optional[str] = ...) -> None: ...

class AddEntriesRequest(_message.Message):
    __slots__ = ("list", "source", "entries", "comment", "confirmation", "dry_run")
    LIST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    list: str
    source: str
    entries: _containers.RepeatedCompositeFieldContainer[ListEntry]
    comment: str
    confirmation: Confirmation
    dry_run: bool
    def __init__(self, list: _Optional[str] = ..., source: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[ListEntry, _Mapping]]] = ..., comment: _Optional[str] = ..., confirmation: _Optional[_Union[Confirmation, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class RemoveEntriesRequest(_message.Message):
    __slots__ = ("list", "source", "texts", "comment", "confirmation", "dry_run")
    LIST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    list: str
    source: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    comment: str
    confirmation: Confirmation
    dry_run: bool
    def __init__(self, list: _Optional[str] = ..., source: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ..., comment: _Optional[str] = ..., confirmation: _Optional[_Union[Confirmation, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class UndoChangeRequest(_message.Message):
    __slots__ = ("revision", "comment", "confirmation", "dry_run")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    revision: int
    comment: str
    confirmation: Confirmation
    dry_run: bool
    def __init__(self, revision: _Optional[int] = ..., comment: _Optional[str] = ..., confirmation: _Optional[_Union[Confirmation, _Mapping]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class ListChange(_message.Message):
    __slots__ = ("revision", "added", "removed", "unchanged", "conflicts", "bad_rows", "impact")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    BAD_ROWS_FIELD_NUMBER: _ClassVar[int]
    IMPACT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    added: int
    removed: int
    unchanged: int
    conflicts: int
    bad_rows: int
    impact: Impact
    def __init__(self, revision: _Optional[int] = ..., added: _Optional[int] = ..., removed: _Optional[int] = ..., unchanged: _Optional[int] = ..., conflicts: _Optional[int] = ..., bad_rows: _Optional[int] = ..., impact: _Optional[_Union[Impact, _Mapping]] = ...) -> None: ...

class ShowEntryRequest(_message.Message):
    __slots__ = ("text", "history")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    text: str
    history: bool
    def __init__(self, text: _Optional[str] = ..., history: _Optional[bool] = ...) -> None: ...

class HeldEntry(_message.Message):
    __slots__ = ("list", "text", "source", "reason", "note", "valid_from_ms", "valid_until_ms", "added_by", "added_ms", "revision", "live", "gone_revision", "gone_by", "gone_ms")
    LIST_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    ADDED_BY_FIELD_NUMBER: _ClassVar[int]
    ADDED_MS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    GONE_REVISION_FIELD_NUMBER: _ClassVar[int]
    GONE_BY_FIELD_NUMBER: _ClassVar[int]
    GONE_MS_FIELD_NUMBER: _ClassVar[int]
    list: str
    text: str
    source: str
    reason: str
    note: str
    valid_from_ms: int
    valid_until_ms: int
    added_by: str
    added_ms: int
    revision: int
    live: bool
    gone_revision: int
    gone_by: str
    gone_ms: int
    def __init__(self, list: _Optional[str] = ..., text: _Optional[str] = ..., source: _Optional[str] = ..., reason: _Optional[str] = ..., note: _Optional[str] = ..., valid_from_ms: _Optional[int] = ..., valid_until_ms: _Optional[int] = ..., added_by: _Optional[str] = ..., added_ms: _Optional[int] = ..., revision: _Optional[int] = ..., live: _Optional[bool] = ..., gone_revision: _Optional[int] = ..., gone_by: _Optional[str] = ..., gone_ms: _Optional[int] = ...) -> None: ...

class ShowEntryResponse(_message.Message):
    __slots__ = ("entries", "stopped", "warned", "decision_ids")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    WARNED_FIELD_NUMBER: _ClassVar[int]
    DECISION_IDS_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[HeldEntry]
    stopped: int
    warned: int
    decision_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entries: _Optional[_Iterable[_Union[HeldEntry, _Mapping]]] = ..., stopped: _Optional[int] = ..., warned: _Optional[int] = ..., decision_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchEntriesRequest(_message.Message):
    __slots__ = ("text", "list", "source", "reason", "limit", "page")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    text: str
    list: str
    source: str
    reason: str
    limit: int
    page: str
    def __init__(self, text: _Optional[str] = ..., list: _Optional[str] = ..., source: _Optional[str] = ..., reason: _Optional[str] = ..., limit: _Optional[int] = ..., page: _Optional[str] = ...) -> None: ...

class SearchEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[HeldEntry]
    next_page: str
    def __init__(self, entries: _Optional[_Iterable[_Union[HeldEntry, _Mapping]]] = ..., next_page: _Optional[str] = ...) -> None: ...

class ExportListRequest(_message.Message):
    __slots__ = ("list", "format", "source")
    LIST_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    list: str
    format: str
    source: str
    def __init__(self, list: _Optional[str] = ..., format: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class ExportListResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class GetListStatsRequest(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: str
    def __init__(self, list: _Optional[str] = ...) -> None: ...

class GetListStatsResponse(_message.Message):
    __slots__ = ("lists", "revision")
    LISTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[ListStats]
    revision: int
    def __init__(self, lists: _Optional[_Iterable[_Union[ListStats, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class ListStats(_message.Message):
    __slots__ = ("list", "kind", "entries", "by_source", "by_reason", "last_change_ms", "retention_ms", "file")
    class BySourceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ByReasonEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LIST_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    BY_SOURCE_FIELD_NUMBER: _ClassVar[int]
    BY_REASON_FIELD_NUMBER: _ClassVar[int]
    LAST_CHANGE_MS_FIELD_NUMBER: _ClassVar[int]
    RETENTION_MS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    list: str
    kind: str
    entries: int
    by_source: _containers.ScalarMap[str, int]
    by_reason: _containers.ScalarMap[str, int]
    last_change_ms: int
    retention_ms: int
    file: str
    def __init__(self, list: _Optional[str] = ..., kind: _Optional[str] = ..., entries: _Optional[int] = ..., by_source: _Optional[_Mapping[str, int]] = ..., by_reason: _Optional[_Mapping[str, int]] = ..., last_change_ms: _Optional[int] = ..., retention_ms: _Optional[int] = ..., file: _Optional[str] = ...) -> None: ...

class SetRetentionRequest(_message.Message):
    __slots__ = ("list", "source", "retention_ms", "comment", "confirmation")
    LIST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RETENTION_MS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    list: str
    source: str
    retention_ms: int
    comment: str
    confirmation: Confirmation
    def __init__(self, list: _Optional[str] = ..., source: _Optional[str] = ..., retention_ms: _Optional[int] = ..., comment: _Optional[str] = ..., confirmation: _Optional[_Union[Confirmation, _Mapping]] = ...) -> None: ...

class CheckDomainRequest(_message.Message):
    __slots__ = ("domain",)
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    domain: str
    def __init__(self, domain: _Optional[str] = ...) -> None: ...

class CheckDomainResponse(_message.Message):
    __slots__ = ("listed", "entries")
    LISTED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    listed: bool
    entries: _containers.RepeatedCompositeFieldContainer[HeldEntry]
    def __init__(self, listed: _Optional[bool] = ..., entries: _Optional[_Iterable[_Union[HeldEntry, _Mapping]]] = ...) -> None: ...

class AddEntriesResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: ListChange
    def __init__(self, change: _Optional[_Union[ListChange, _Mapping]] = ...) -> None: ...

class RemoveEntriesResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: ListChange
    def __init__(self, change: _Optional[_Union[ListChange, _Mapping]] = ...) -> None: ...

class UndoChangeResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: ListChange
    def __init__(self, change: _Optional[_Union[ListChange, _Mapping]] = ...) -> None: ...

class SetRetentionResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: ListChange
    def __init__(self, change: _Optional[_Union[ListChange, _Mapping]] = ...) -> None: ...
