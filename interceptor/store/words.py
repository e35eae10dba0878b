"""The words of the store: what is asked of it and what it answers. Plain, immutable data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]


class StoreError(Exception):
    """Something was not done, and nothing has changed; the message says what to do."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached or written: no connection, a full disk, a read-only directory."""


class StoreLeftError(StoreUnavailableError):
    """Another process is to write from now on."""


class StoreRefusedError(StoreError):
    """What was asked for makes no sense here: an entry that is none, an undone revision."""


class StoreUnknownError(StoreRefusedError):
    """What was named is not there: a list that the store has none of."""


class StaleRevisionError(StoreError):
    """Something else became live since the revision that was confirmed."""


class Action(StrEnum):
    """What a change or an audit record is about."""

    ADD = "add"
    REMOVE = "remove"
    IMPORT = "import"
    UNDO = "undo"
    ERASE = "erase"
    RETENTION = "retention"
    POLICY = "policy"
    TRIAL = "trial"
    DEMOTE = "demote"
    PROMOTE = "promote"
    FEEDBACK = "feedback"
    GRANT = "grant"
    REVOKE = "revoke"
    READ = "read"
    CLUE = "clue"
    RESET = "reset"
    REFUSED = "refused"
    CONFIRMED = "confirmed"


class Mode(StrEnum):
    """What an import does to what its source put on the list before."""

    ADDITION = "addition"
    REPLACEMENT = "replacement"  #: what the file no longer has goes


@dataclass(frozen=True)
class NewEntry:
    """An entry to be added, as it is written."""

    text: str
    reason: str = ""
    note: str = ""
    valid_from_ms: int | None = None
    valid_until_ms: int | None = None


@dataclass(frozen=True, eq=False)
class Keys:
    """Entries of one list: keys as the store has them (signed), in ascending order of (key, key2)."""

    key: Int64s
    key2: Int64s  #: of the same length; all 0 but for lists of kind pair

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True, eq=False)
class Applied:
    """A change that is live, and on disk."""

    change: int
    revision: int
    list_name: str
    added: int  #: entries that this source now has and had not, or had with other words
    removed: int
    unchanged: int
    touched: Keys  #: whatever may now be on the list, or no longer
    conflicts: int = 0  #: of an undo: entries that were changed since, and were left


@dataclass(frozen=True, eq=False)
class Difference:
    """What an import would do."""

    added: Keys
    removed: Keys
    changed: int  #: entries that stay with another reason, note or time
    unchanged: int
    revision: int  #: the last live one when this was found


@dataclass(frozen=True)
class Held:
    """An entry as one source has it."""

    list_name: str
    text: str
    source: str
    reason: str
    note: str
    valid_from_ms: int | None
    valid_until_ms: int | None
    added_by: str
    added_ms: int
    revision: int  #: it came with
    live: bool  #: neither let go of, nor ended, nor still to begin
    gone_revision: int | None = None
    gone_by: str = ""
    gone_ms: int | None = None


@dataclass(frozen=True)
class ListState:
    """One list of the store."""

    name: str
    kind: str
    entries: int  #: live ones, each counted once however many sources have it
    by_source: Mapping[str, int]
    by_reason: Mapping[str, int]
    last_change_ms: int | None
    retention_ms: int | None


@dataclass(frozen=True)
class PolicyRevision:
    revision: int
    digest: str
    text: str
    origin: str
    folder: str
    actor: str
    put_ms: int
    comment: str


@dataclass(frozen=True)
class AuditRecord:
    sequence: int
    at_ms: int
    actor: str
    action: str
    change_id: int | None
    revision: int | None
    subject: str
    detail: Mapping[str, object]
    digest: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Verified:
    """What `audit verify` found."""

    records: int
    last_hash: str
    problems: Sequence[str] = field(default_factory=tuple)  #: empty: the chain is whole


@dataclass(frozen=True)
class Credential:
    name: str
    kind: str  #: "token" or "certificate"
    role: str  #: "viewer", "operator" or "admin"
    actor: str
    at_ms: int
    valid_until_ms: int | None
