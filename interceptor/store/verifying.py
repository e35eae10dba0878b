"""`interceptor audit verify`: whether the audit trail is whole, and whether it and the tables tell the same."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Row, func, literal, select, tuple_

from interceptor.store.audit import COVERED, PAGE, beginning, hash_of
from interceptor.store.columns import PIECE, few
from interceptor.store.digests import MacPile, entry_macs, joined
from interceptor.store.policies import digest_of
from interceptor.store.schema import audit, changes, entries, erased, installation, policies
from interceptor.store.words import Action, Int64s, Keys, Verified

#: erased entries read at once
ROWS = 1 << 16
#: changes whose digests are computed at once
WINDOW = 1 << 16
#: problems that are told one by one
TOLD = 100


def verify(conn: Connection, *, deep: bool = False, folder: Path | None = None) -> Verified:
    """Looks at every record; `deep` also at every entry and policy.

    Shows each record that was changed, put in, taken out or moved, and records that are missing at the end for
    changes that are live. A trail cut off behind its last change, or replaced as a whole, shows only against a hash
    that was kept elsewhere: `last_hash`.

    Parameters
    ----------
    conn
        Of one transaction that sees one state all along.
    folder
        Where a deep look lays down what it does not keep in memory: 48 bytes an entry at most.
    """
    findings = Findings()
    records, last = _walk(conn, findings)
    if deep:
        audit_key = conn.execute(select(installation.c.audit_key)).scalar_one()
        with MacPile(folder) as added, MacPile(folder) as removed:
            _read_entries(conn, audit_key, added, removed)
            _compare_digests(conn, added, removed, findings)
        _compare_policies(conn, findings)
    return Verified(records=records, last_hash=last, problems=findings.told())


class Findings:
    """What is wrong, in words; bounded."""

    def __init__(self) -> None:
        self._problems: list[str] = []
        self._more = 0

    def add(self, problem: str) -> None:
        if len(self._problems) < TOLD:
            self._problems.append(problem)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        return (*self._problems, *([f"and {self._more} more"] if self._more else ()))


# --------------------------------------------------------------------------------------------------- links


def _walk(conn: Connection, findings: Findings) -> tuple[int, str]:
    """Every record against the one before it and against its change; how many there are, and the last one's hash."""
    records, sequence, revision, last = 0, 0, 0, beginning(conn)
    linked = 0
    for page in _pages(conn):
        ids = [row.change_id for row in page if isinstance(row.change_id, int)]
        of_page = {row.id: row for row in conn.execute(select(changes).where(changes.c.id.in_(ids)))}
        for row in page:
            records += 1
            for problem in _broken(row, sequence, last):
                findings.add(f"record {row.sequence} {problem}")
            sequence, last = row.sequence, str(row.hash)
            if row.change_id is None and row.revision is None:
                continue
            linked += 1
            if row.revision != revision + 1:
                findings.add(f"record {row.sequence} has revision {row.revision} after revision {revision}")
            revision = row.revision if isinstance(row.revision, int) else revision
            for problem in _differs(row, of_page.get(row.change_id)):
                findings.add(f"record {row.sequence} {problem}")
    live = conn.execute(select(func.count(changes.c.revision), func.max(changes.c.revision))).one()
    if (live[1] or 0) > revision:
        findings.add(
            f"after record {sequence}: the changes with revision {revision + 1} to {live[1]} are live and have no "
            "record, so the trail was cut off"
        )
    elif live[0] != linked:
        findings.add(
            f"up to record {sequence}: {linked} records tell of changes, and {live[0]} changes are live"
        )
    return records, last


def _pages(conn: Connection) -> Iterator[Sequence[Row[Any]]]:
    ordered = select(audit).order_by(audit.c.sequence).limit(PAGE)
    page = conn.execute(ordered).all()
    while page:
        yield page
        page = conn.execute(ordered.where(audit.c.sequence > page[-1].sequence)).all()


def _broken(row: Row[Any], sequence: int, last: str) -> Iterator[str]:
    if row.sequence != sequence + 1:
        yield (
            f"comes after record {sequence}: what was between them is missing"
            if sequence
            else ("is the first one: what was before it is missing")
        )
    if row.previous != last:
        yield "does not follow from the record before it"
    try:
        expected = hash_of([row._mapping[name] for name in COVERED])
    except TypeError:  # a column holds bytes
        expected = ""
    if row.hash != expected:
        yield "was changed: its hash is not that of what it says"


def _differs(row: Row[Any], change: Row[Any] | None) -> Iterator[str]:
    if change is None:
        yield f"tells of change {row.change_id}, which is not there"
        return
    for name, told, kept in (
        ("revision", row.revision, change.revision),
        ("action", row.action, change.action),
        ("actor", row.actor, change.actor),
        ("time", row.at_ms, change.live_ms),
    ):
        if told != kept:
            yield f"has {name} {told}, and the change it tells of ({row.change_id}) has {kept}"


# --------------------------------------------------------------------------------------------------- entries


def _read_entries(conn: Connection, audit_key: bytes, added: MacPile, removed: MacPile) -> None:
    """Lays down the MAC of every entry by the change that brought it and the one that let go of it."""
    for list_ids, key, key2, source_ids, change_ids, gone in _every_entry(conn):
        for list_id in np.unique(list_ids).tolist():
            its = list_ids == list_id
            macs = entry_macs(audit_key, list_id, source_ids[its], Keys(key[its], key2[its]))
            _lay(added, removed, macs, change_ids[its], gone[its])
    gone_too = select(erased.c.mac, erased.c.change_id, func.coalesce(erased.c.gone, 0))
    for part in conn.execute(gone_too).partitions(ROWS):
        macs = np.frombuffer(b"".join(mac for mac, _, _ in part), dtype=np.uint8).reshape(-1, 16)
        change_ids, gone = (np.array([of[i] for of in part], dtype=np.int64) for i in (1, 2))
        _lay(added, removed, macs, change_ids, gone)


def _every_entry(conn: Connection) -> Iterator[list[Int64s]]:
    """Columns of `entries`, page by page in the order of its primary key: each page is little work under the GIL."""
    row = entries.c
    place = (row.list_id, row.key, row.key2, row.source_id, row.change_id)
    page = select(*place, func.coalesce(row.gone, 0)).order_by(*place).limit(PIECE)
    columns = few(conn, page, len(place) + 1)
    while len(columns[0]):
        yield columns
        last = tuple_(*(literal(int(column[-1]), BigInteger) for column in columns[: len(place)]))
        columns = few(conn, page.where(tuple_(*place) > last), len(place) + 1)


def _lay(added: MacPile, removed: MacPile, macs: Any, change_ids: Int64s, gone: Int64s) -> None:
    added.take(macs, change_ids)
    let_go = gone != 0
    removed.take(macs[let_go], gone[let_go])


def _compare_digests(conn: Connection, added: MacPile, removed: MacPile, findings: Findings) -> None:
    last = conn.execute(select(func.max(audit.c.change_id))).scalar() or 0
    for low in range(1, last + 1, WINDOW):
        high = low + WINDOW
        brought, let_go = added.digests(low, high), removed.digests(low, high)
        told = (
            select(audit.c.sequence, audit.c.change_id, audit.c.digest)
            .where(audit.c.change_id >= low, audit.c.change_id < high, audit.c.action != Action.POLICY)
            .order_by(audit.c.sequence)
        )
        for sequence, change_id, digest in conn.execute(told):
            if digest != joined(brought.get(change_id), let_go.get(change_id)):
                findings.add(
                    f"record {sequence}: the entries that change {change_id} added and removed are not the ones it "
                    "was recorded with"
                )


# --------------------------------------------------------------------------------------------------- policies


def _compare_policies(conn: Connection, findings: Findings) -> None:
    told = select(audit.c.revision, audit.c.sequence, audit.c.digest).where(audit.c.action == Action.POLICY)
    records = {row.revision: row for row in conn.execute(told)}
    digests = {}
    for row in conn.execute(select(policies.c.revision, policies.c.digest, policies.c.text)):
        digests[row.revision] = row.digest
        if digest_of(row.text) != row.digest:
            findings.add(f"policy {row.revision}: its text was changed")
    for revision, record in records.items():
        if digests.get(revision) != record.digest:
            findings.add(f"record {record.sequence}: policy {revision} is not the one it was recorded with")
    for revision in digests.keys() - records.keys():
        findings.add(f"policy {revision} has no record")
