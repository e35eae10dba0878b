"""A list from a file: its entries as keys and prefixes, and for each of them why it is there and until when."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, overload

import numpy as np

from interceptor.engine.keys import KeyKind, digits_key_of, key_digits_of
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListContent, ListKind
from interceptor.store import arrow as pa
from interceptor.store.content import ROOTS, Identities, content_of
from interceptor.store.entries import Reader
from interceptor.store.rows import Complaints, ListFileError, Rows
from interceptor.store.source import read_rows
from interceptor.store.validity import NEVER, Int64s, ends

__all__ = ["Annotation", "Expiries", "ListFile", "ListFileError", "read_list"]

#: a key, a prefix (PrefixRoot, digits), or a pair (callee, caller)
ListEntry = int | tuple[int, bytes] | tuple[int, int]
Progress = Callable[[int, int, int], None]  #: rows so far, bytes read, bytes in all

#: the share of bad rows beyond which a file is refused
TOLERATED = 0.01


@dataclass(frozen=True)
class Annotation:
    """What the file says about an entry."""

    reason: str = ""
    source: str = ""
    valid_until_ms: int | None = None


class Expiries(Sequence[tuple[ListEntry, int]]):
    """(entry, end in ms) of each entry that will end, the next to end first."""

    def __init__(self, kind: ListKind, entries: Identities, until: Int64s, names: Mapping[int, str]) -> None:
        order = np.argsort(until)
        self.kind, self.entries, self.until, self.names = kind, entries[order], until[order], names

    @classmethod
    def of(cls, kind: ListKind, notes: "_Notes | None", names: Mapping[int, str]) -> "Expiries":
        if notes is None:
            return cls(kind, Identities.none(kind), np.zeros(0, dtype=np.int64), names)
        ending = notes.until != NEVER
        return cls(kind, notes.entries[ending], notes.until[ending], names)

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, i: int) -> tuple[ListEntry, int]: ...
    @overload
    def __getitem__(self, i: slice) -> list[tuple[ListEntry, int]]: ...
    def __getitem__(self, i: int | slice) -> tuple[ListEntry, int] | list[tuple[ListEntry, int]]:
        if isinstance(i, slice):
            return [self[n] for n in range(*i.indices(len(self)))]
        key, key2 = int(self.entries.key[i]), self.entries.key2
        until = int(self.until[i])
        if key2 is not None:
            return (key, int(key2[i])), until
        return ((ROOTS[self.kind], key_digits_of(key)) if key >> 58 == KeyKind.KEY_PREFIX else key), until

    def between(self, after_ms: int, now_ms: int) -> ListContent:
        """The entries whose end is after `after_ms` and not after `now_ms`: what to take off the list."""
        start, stop = np.searchsorted(self.until, [after_ms, now_ms], side="right")
        ended = self.entries[start:stop]
        return content_of(self.kind, ended[ended.order()], self.names)


@dataclass(frozen=True, eq=False)
class ListFile:
    """The entries of a file that are good and have not ended."""

    path: Path
    kind: ListKind
    content: ListContent
    rows: int  #: rows read: good, bad and expired
    bad: int
    first_bad: list[tuple[int, str]]  #: (line, reason) of the first ten
    expired: int  #: rows whose valid_until has passed; they are left out
    expiries: Expiries
    _reader: Reader
    _notes: "_Notes | None"

    def annotation(self, entry: ListEntry | str) -> Annotation | None:
        """What the file says about an entry; None when it does not hold it.

        `entry` is a key, a prefix (PrefixRoot, digits), a pair of keys, or a text as the file or a ListTrace has it;
        ``+33162*`` is a prefix. An entry that stands in several rows has the last end, and the texts of that row.
        """
        if self._notes is None:
            return None
        return self._notes.of(*_keys_of(self._reader, entry))


def read_list(  # noqa: PLR0917 - what it reads by, in the order in which it is thought of
    path: Path | str,
    kind: ListKind,
    plan: NumberingPlan,
    home: str,
    secret: bytes,
    now_ms: int,
    *,
    allow_bad: bool = False,
    progress: Progress | None = None,
) -> ListFile:
    """Reads a list from a CSV or Parquet file, compressed with gzip or not.

    The file has one column of entries, or columns number, reason, source and valid_until in this order, or a header
    that names them in any order. CSV is UTF-8; lines that are empty or begin with ``#`` do not count. valid_until is
    an ISO 8601 date (to the end of that day, UTC) or date-time (UTC unless it says otherwise).

    Parameters
    ----------
    path
        The file.
    kind
        What its entries are: numbers (in any form the home region dials, or international), prefixes of numbers
        (``+33162*``), domains, IMEIs or TACs, IMSIs or MCC-MNCs, names of trunks.
    home
        Region whose dial plan numbers without ``+`` are read by.
    secret
        The installation's 16 bytes, for the keys of texts.
    now_ms
        Entries whose valid_until is not after it are left out.
    allow_bad
        Take the good rows of a file however many are bad. Entries that cover a country are refused all the same.
    progress
        Called after each piece with rows so far, bytes read, bytes in all.

    Raises
    ------
    ListFileError
        When the file cannot be read, or more than 1 % of its rows are bad.
    """
    path = Path(path)
    reader = Reader(kind, plan, home, secret)
    complaints = Complaints()
    gathered = _Gathered()
    for rows, bytes_read, bytes_total in read_rows(path, complaints):
        gathered.add(rows, reader, now_ms, complaints)
        if progress is not None:
            progress(gathered.rows + complaints.count, bytes_read, bytes_total)
    total = gathered.rows + complaints.count
    if complaints.count > TOLERATED * total and not allow_bad:
        line, reason = complaints.first[0]
        raise ListFileError(
            path,
            f"{complaints.count} of {total} rows are bad (here: {reason}); correct them, or allow bad rows",
            line,
        )
    entries, notes = gathered.finish(kind)
    return ListFile(
        path=path,
        kind=kind,
        content=content_of(kind, entries, gathered.names),
        rows=total,
        bad=complaints.count,
        first_bad=complaints.first,
        expired=gathered.expired,
        expiries=Expiries.of(kind, notes, gathered.names),
        _reader=reader,
        _notes=notes,
    )


class _Gathered:
    """The good rows so far, column by column, a part for each piece of the file."""

    def __init__(self) -> None:
        self.rows = self.expired = 0  # rows: good and expired
        self.entries: list[Identities] = []
        self.names: dict[int, str] = {}
        self.until: list[Int64s] = []
        self.texts: dict[str, list[Any]] = {"reason": [], "source": []}

    def add(self, rows: Rows, reader: Reader, now_ms: int, complaints: Complaints) -> None:
        judged = reader.keys(rows.entry)
        where = np.flatnonzero(judged.bad)
        complaints.add(rows.lines[where], lambda i: judged.why(int(where[i])))
        good, row, until = ~judged.bad, judged.row, None
        if "valid_until" in rows.details:
            until, unclear = ends(rows.details["valid_until"])
            where_unclear = np.flatnonzero(unclear & good)
            column = rows.details["valid_until"]
            complaints.add(
                rows.lines[where_unclear],
                lambda i: (
                    f"valid_until {str(column[int(where_unclear[i])])[:40]!r} is no date or date-time of ISO 8601"
                ),
            )
            good &= ~unclear
            self.rows += int(good.sum())
            ended = good & (until <= now_ms)
            self.expired += int(ended.sum())
            good &= ~ended
        else:
            self.rows += int(good.sum())
        kept = good[row]
        row = row[kept]
        second = judged.key2 if reader.kind is ListKind.PAIR else None
        self.entries.append(Identities(judged.key, second)[kept])
        if until is not None:
            self.until.append(until[row])
        if judged.names is not None:
            self.names.update(compress(zip(judged.key.tolist(), judged.names, strict=True), kept))
        # pa.array(row) would load masked arrays, and look for pandas
        taken = pa.Array.from_buffers(pa.int64(), len(row), [None, pa.py_buffer(row.astype(np.int64))])
        for name in ("reason", "source"):
            if name in rows.details:
                self.texts[name].append(rows.details[name].take(taken).dictionary_encode())

    def finish(self, kind: ListKind) -> tuple[Identities, "_Notes | None"]:
        """The keys, and what there is to say of them; then they are in order, each once."""
        entries = Identities.joined(kind, self.entries)
        self.entries.clear()
        if not self.until and not any(self.texts.values()):
            return entries, None
        until = np.concatenate(self.until) if self.until else np.full(len(entries), NEVER)
        order = entries.order()
        once = entries[order].differs_from_previous()
        if not once.all():  # of rows with the same key the one that ends last, of these the first
            shared = ~once
            shared[:-1] |= ~once[1:]
            rows = order[shared]
            same = np.cumsum(once)[shared]
            order[shared] = rows[np.lexsort((rows, -until[rows], same))]
        order = order[once]
        entries, until = entries[order], until[order]
        return entries, _Notes(
            entries, until, {name: _Texts(parts, order) for name, parts in self.texts.items()}
        )


class _Texts:
    """One text column: each different text once, and which one each entry has."""

    def __init__(self, parts: list[Any], order: Int64s) -> None:
        self.different: Any = None
        if parts:
            column = pa.chunked_array(parts).unify_dictionaries().combine_chunks()
            self.different, self.which = column.dictionary, column.indices.to_numpy()[order]

    def of(self, i: int) -> str:
        return "" if self.different is None else str(self.different[int(self.which[i])])


@dataclass(frozen=True, eq=False)
class _Notes:
    entries: Identities  # in order
    until: Int64s
    texts: dict[str, _Texts]

    def of(self, key: int, key2: int) -> Annotation | None:
        i = self.entries.find(key, key2)
        if i is None:
            return None
        until = int(self.until[i])
        return Annotation(
            self.texts["reason"].of(i), self.texts["source"].of(i), None if until == NEVER else until
        )


def _keys_of(reader: Reader, entry: ListEntry | str) -> tuple[int, int]:
    """(0, 0), which is no entry's, for what is none."""
    match entry:
        case int():
            return entry, 0
        case (_, bytes(digits)):
            return digits_key_of(KeyKind.KEY_PREFIX, digits), 0
        case (int(callee), int(caller)):
            return callee, caller
    try:
        found = reader.read(str(entry).strip())
    except ValueError:
        return 0, 0
    return found[0].key, found[0].key2
