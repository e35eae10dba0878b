"""The audit trail: one record for each change, read and refusal, each covering the hash of the one before."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from interceptor.store.prepared import Prepared
from interceptor.store.schema import audit, installation
from interceptor.store.words import AuditRecord

#: how many records are read at once
PAGE = 4096
#: the columns a record's hash covers, in this order: all but the hash itself
COVERED = (
    "sequence",
    "at_ms",
    "actor",
    "action",
    "change_id",
    "revision",
    "subject",
    "detail",
    "digest",
    "previous",
)

_LAST = Prepared(select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1))
_APPEND = Prepared(insert(audit), [*COVERED, "hash"])


def append(
    conn: Connection,
    *,
    at_ms: int,
    actor: str,
    action: str,
    change_id: int | None = None,
    revision: int | None = None,
    subject: str = "",
    detail: Mapping[str, object] | None = None,
    digest: str = "",
) -> AuditRecord:
    """Appends a record, inside the caller's write transaction: it is there when what it tells of is, and never else.

    Parameters
    ----------
    conn
        Of `Database.write()`, whose one writer at a time makes sequences without gaps.
    subject, detail
        What it is about. A telephone number stands in neither, only its MAC (`digests.number_mac`): nothing of the
        trail can be taken out when a person's number is to be erased. So comments of people do not go here either;
        they are in the tables the record tells of.
    digest
        Of the entries a change added and removed (`digests.ChangeDigest`), or SHA-256 of a policy's text.
    """
    before = _LAST.first(conn)
    record: dict[str, Any] = {
        "sequence": before[0] + 1 if before else 1,
        "at_ms": at_ms,
        "actor": actor,
        "action": str(action),
        "change_id": change_id,
        "revision": revision,
        "subject": subject,
        "detail": json.dumps(detail or {}, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        "digest": digest,
        "previous": before[1] if before else beginning(conn),
    }
    record["hash"] = hash_of([record[name] for name in COVERED])
    _APPEND.rows(conn, **record)
    return AuditRecord(**{**record, "detail": dict(detail or {})})


def beginning(conn: Connection) -> str:
    """What the first record covers in place of a hash before it: no other store's trail begins like this one."""
    identity = conn.execute(select(installation.c.identity)).scalar_one()
    return hashlib.sha256(b"interceptor audit trail of " + identity.encode()).hexdigest()


def hash_of(covered: Sequence[object]) -> str:
    """SHA-256, in hexadecimal, over the columns of COVERED as one JSON array: no two records have the same text."""
    return hashlib.sha256(json.dumps(covered, separators=(",", ":")).encode()).hexdigest()


def last_hash(conn: Connection) -> str:
    """Hash of the last record. Kept elsewhere, it shows a trail that was cut off or replaced as a whole."""
    last = _LAST.first(conn)
    return str(last[1]) if last is not None else beginning(conn)


def told(row: Row[Any]) -> AuditRecord:
    """A row of the table as a record. What is no JSON any more is told as it stands: `verify` says what is wrong."""
    try:
        detail = json.loads(row.detail)
    except ValueError:
        detail = row.detail
    values = dict(row._mapping)
    return AuditRecord(**{**values, "detail": detail if isinstance(detail, dict) else {"": detail}})
