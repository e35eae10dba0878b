"""A list from a file: its entries as keys and prefixes, and for each of them why it is there and until when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.plan import NumberingPlan
from interceptor.engine.spec import ListContent, ListKind
from interceptor.store.entries import ROOTS, Reader, prefix_digits
from interceptor.store.rows import Complaints, ListFileError, Rows
from interceptor.store.source import read_rows
from interceptor.store.validity import NEVER, Int64s, ends

__all__ = ["Annotation", "Expiries", "ListFile", "ListFileError", "read_list"]

Entry = int | tuple[int, bytes]  #: a key, or a prefix (PrefixRoot, digits)
Keys = npt.NDArray[np.uint64]
Progress = Callable[[int, int, int], None]  #: rows so far, bytes read, bytes in all

#: the share of bad rows beyond which a file is refused
TOLERATED = 0.01


@dataclass(frozen=True)
class Annotation:
    """What the file says about an entry."""

    reason: str = ""
    source: str = ""
    valid_until_ms: int | None = None


class Expiries(Sequence[tuple[Entry, int]]):
    """(entry, end in ms) of each entry that will end, the next to end first."""

    def __init__(self, kind: ListKind, keys: Keys, until: Int64s) -> None:
        order = np.argsort(until)
        self.kind, self.keys, self.until = kind, keys[order], until[order]

    @classmethod
    def of(cls, kind: ListKind, notes: "_Notes | None") -> "Expiries":
        if notes is None:
            return cls(kind, np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
        ending = notes.until != NEVER
        return cls(kind, notes.keys[ending], notes.until[ending])

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, i: int) -> tuple[Entry, int]: ...
    @overload
    def __getitem__(self, i: slice) -> list[tuple[Entry, int]]: ...
    def __getitem__(self, i: int | slice) -> tuple[Entry, int] | list[tuple[Entry, int]]:
        if isinstance(i, slice):
            return [self[n] for n in range(*i.indices(len(self)))]
        return _entry(self.kind, int(self.keys[i])), int(self.until[i])

    def between(self, after_ms: int, now_ms: int) -> ListContent:
        """The entries whose end is after `after_ms` and not after `now_ms`: what to take off the list."""
        start, stop = np.searchsorted(self.until, [after_ms, now_ms], side="right")
        return _content(self.kind, np.sort(self.keys[start:stop]))


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

    def annotation(self, entry: Entry | str) -> Annotation | None:
        """What the file says about an entry; None when it does not hold it.

        `entry` is a key, a prefix (PrefixRoot, digits), or a text as the file or a ListTrace has it; ``+33162*`` is
        a prefix. An entry that stands in several rows has the last end, and the texts of that row.
        """
        if self._notes is None:
            return None
        key = _key_of(self._reader, entry)
        return self._notes.of(key) if key else None


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
    keys, notes = gathered.finish()
    return ListFile(
        path=path,
        kind=kind,
        content=_content(kind, keys),
        rows=total,
        bad=complaints.count,
        first_bad=complaints.first,
        expired=gathered.expired,
        expiries=Expiries.of(kind, notes),
        _reader=reader,
        _notes=notes,
    )


class _Gathered:
    """The good rows so far, column by column, a part for each piece of the file."""

    def __init__(self) -> None:
        self.rows = self.expired = 0  # rows: good and expired
        self.keys: list[Keys] = []
        self.until: list[Int64s] = []
        self.texts: dict[str, list[Any]] = {"reason": [], "source": []}

    def add(self, rows: Rows, reader: Reader, now_ms: int, complaints: Complaints) -> None:
        keys, bad, why = reader.keys(rows.entry)
        where = np.flatnonzero(bad)
        complaints.add(rows.lines[where], lambda i: why(int(where[i])))
        good = ~bad
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
            self.until.append(until[good])
        else:
            self.rows += int(good.sum())
        self.keys.append(keys[good])
        mask = pa.array(good)
        for name in ("reason", "source"):
            if name in rows.details:
                self.texts[name].append(rows.details[name].filter(mask).dictionary_encode())

    def finish(self) -> tuple[Keys, "_Notes | None"]:
        """The keys, and what there is to say of them; then they are in order, each once."""
        keys = np.concatenate(self.keys) if self.keys else np.zeros(0, dtype=np.uint64)
        self.keys.clear()
        if not self.until and not any(self.texts.values()):
            return keys, None
        until = np.concatenate(self.until) if self.until else np.full(len(keys), NEVER)
        order = np.argsort(keys)
        ordered = keys[order]
        once = np.ones(len(keys), dtype=bool)
        once[1:] = ordered[1:] != ordered[:-1]
        if not once.all():  # of rows with the same key the one that ends last, of these the first
            shared = ~once
            shared[:-1] |= ~once[1:]
            rows = order[shared]
            order[shared] = rows[np.lexsort((rows, -until[rows], keys[rows]))]
        order = order[once]
        keys, until = keys[order], until[order]
        return keys, _Notes(keys, until, {name: _Texts(parts, order) for name, parts in self.texts.items()})


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
    keys: Keys  # in order
    until: Int64s
    texts: dict[str, _Texts]

    def of(self, key: int) -> Annotation | None:
        i = int(np.searchsorted(self.keys, np.uint64(key)))
        if i == len(self.keys) or int(self.keys[i]) != key:
            return None
        until = int(self.until[i])
        return Annotation(
            self.texts["reason"].of(i), self.texts["source"].of(i), None if until == NEVER else until
        )


# ---- keys and prefixes ---------------------------------------------------------------------------------------


def _content(kind: ListKind, keys: Keys) -> ListContent:
    if kind not in ROOTS:
        return ListContent(keys)
    prefix = np.asarray(keys >> np.uint64(58) == KeyKind.KEY_PREFIX)
    return ListContent(
        keys[~prefix], [(ROOTS[kind], prefix_digits(key)) for key in np.unique(keys[prefix]).tolist()]
    )


def _entry(kind: ListKind, key: int) -> Entry:
    return (ROOTS[kind], prefix_digits(key)) if key >> 58 == KeyKind.KEY_PREFIX else key


def _key_of(reader: Reader, entry: Entry | str) -> int:
    if isinstance(entry, int):
        return entry
    if isinstance(entry, tuple):
        return digits_key_of(KeyKind.KEY_PREFIX, entry[1])
    try:
        return reader.key(entry.strip())
    except ValueError:
        return 0
