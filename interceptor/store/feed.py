"""The file of an import as what it says: for each source its entries in order, each once, and what is said of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.engine.spec import ListKind
from interceptor.store import arrow as pa
from interceptor.store.entries import Judged, Reader
from interceptor.store.keysets import of_pairs, signed
from interceptor.store.lists import LONGEST_NOTE, LONGEST_REASON, Words, name_of_source
from interceptor.store.rows import FEED_DETAILS, Complaints, Rows
from interceptor.store.source import read_rows
from interceptor.store.validity import NEVER, end_of, start_of
from interceptor.store.words import Int64s, Keys, StoreRefusedError

#: entries of a file; arrays of them are held in memory
MOST_ENTRIES = 100_000_000
#: different sets of words (source, reason, note, times) of a file
MOST_WORDS = 250_000
LONGEST = {"reason": LONGEST_REASON, "note": LONGEST_NOTE}

Indexes = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class SourceRows:
    """What a file says for one source."""

    source: str
    keys: Keys
    words: Indexes  #: by entry: index into `Feed.words`; of length 1 when all say the same
    names: Any  #: by entry: its text, as an arrow array; None where keys tell texts

    @classmethod
    def none(cls, source: str) -> "SourceRows":
        return cls(source, of_pairs(()), np.zeros(0, dtype=np.uint8), None)

    def said(self, which: Any) -> Indexes:
        """The words of some entries (a mask, a slice or indexes), or the one index that all have."""
        return self.words if len(self.words) == 1 else self.words[which]


@dataclass(frozen=True, eq=False)
class Feed:
    """A file that was read."""

    parts: Sequence[SourceRows]  #: by name of the source
    words: Sequence[Words]
    rows: int  #: good, bad and ended
    ended: int  #: rows whose end has passed: they are left out
    bad: int
    first_bad: tuple[str, ...]


def read_feed(
    path: Path,
    file_name: str,
    reader: Reader,
    *,
    source: str,
    reason: str,
    only_source: bool,
    now_ms: int,
) -> Iterator[tuple[int, int] | Feed]:
    """Reads a file: yields (bytes read, bytes in all) after each piece, and what it says at last.

    Parameters
    ----------
    source, reason
        Of rows that have none.
    only_source
        Refuse rows that name another source.
    now_ms
        Rows whose end is not after it are left out.

    Raises
    ------
    ListFileError
        The file cannot be read.
    StoreRefusedError
        It is too large, too varied, or names another source.
    """
    complaints = Complaints()
    said = _Said(source, reason, only_source, now_ms)
    gathered = _Gathered(reader.kind, said, complaints)
    for rows, done, total in read_rows(path, complaints, named=Path(file_name), details=FEED_DETAILS):
        gathered.add(rows, reader.keys(rows.entry), done / total)
        yield done, total
    yield Feed(
        parts=gathered.finish(),
        words=said.words,
        rows=gathered.rows + complaints.count,
        ended=gathered.ended,
        bad=complaints.count,
        first_bad=tuple(f"line {line}: {why}" for line, why in complaints.first),
    )


class _Said:
    """Different words of a file, each judged once, however many rows have them."""

    ENDED = -1

    def __init__(self, source: str, reason: str, only_source: bool, now_ms: int) -> None:
        self.source, self.reason, self.only_source, self.now_ms = source, reason, only_source, now_ms
        self.words: list[Words] = []
        self.sources: list[str] = []
        self.source_of: list[int] = []  # by index of the words
        self.wrong: list[str] = []  # why words are refused: index -2 is the first
        self._index: dict[tuple[str, ...], int] = {}
        self._alike: dict[tuple[int, Words], int] = {}

    def of(self, details: dict[str, Any], lines: Int64s) -> Int64s:
        """Index of the words of each row; ENDED, or less: -2 minus an index into `wrong`."""
        code = np.zeros(len(lines), dtype=np.int64)
        first = np.zeros(1, dtype=np.int64)  # by code: a row that has it
        for name in FEED_DETAILS:
            if name in details and len(lines):
                column = details[name].dictionary_encode()
                both = pa.array(code * len(column.dictionary) + column.indices.to_numpy()).dictionary_encode()
                code = both.indices.to_numpy().astype(np.int64)
                first = np.zeros(len(both.dictionary), dtype=np.int64)
                first[code[::-1]] = np.arange(len(code) - 1, -1, -1)
        if not len(lines):
            return code
        texts = [
            details[name].take(pa.array(first)).to_pylist() if name in details else [""] * len(first)
            for name in FEED_DETAILS
        ]
        found = [
            self._find(written, int(lines[i]))
            for written, i in zip(zip(*texts, strict=True), first, strict=True)
        ]
        return np.array(found, dtype=np.int64)[code]

    def _find(self, written: tuple[str, ...], line: int) -> int:
        found = self._index.get(written)
        if found is None:
            if len(self._index) == MOST_WORDS:
                raise StoreRefusedError(
                    f"the file has more than {MOST_WORDS:,} different reasons, notes and times: split it, or leave "
                    "the notes out"
                )
            found = self._index[written] = self._judge(dict(zip(FEED_DETAILS, written, strict=True)), line)
        return found

    def _judge(self, written: dict[str, str], line: int) -> int:
        source = written["source"] or self.source
        if self.only_source and source != self.source:
            raise StoreRefusedError(
                f"line {line} is of source {source[:40]!r}: a replacement is of one source, here {self.source!r}; "
                "import the file as an addition, or take the other sources' rows out"
            )
        for name, most in LONGEST.items():
            if len(written[name]) > most:
                return self._refuse(f"{name} has more than {most} characters")
            if "\0" in written[name]:
                return self._refuse(f"{name} has a NUL character in it")
        try:
            source = name_of_source(source)
        except StoreRefusedError as error:
            return self._refuse(str(error))
        start, end = None, end_of(written["valid_until"])
        if end is None:
            return self._refuse(_unclear("valid_until", written))
        if written["valid_from"]:
            start = start_of(written["valid_from"])
            if start is None:
                return self._refuse(_unclear("valid_from", written))
            if start >= end:
                return self._refuse("it ends before it begins: correct valid_from or valid_until")
        if end <= self.now_ms:
            return self.ENDED
        if source not in self.sources:
            self.sources.append(source)
        whose = self.sources.index(source)
        words = Words(written["reason"] or self.reason, written["note"], start, None if end == NEVER else end)
        if (whose, words) not in self._alike:
            self._alike[whose, words] = len(self.words)
            self.words.append(words)
            self.source_of.append(whose)
        return self._alike[whose, words]

    def _refuse(self, why: str) -> int:
        self.wrong.append(why)
        return -1 - len(self.wrong)


def _unclear(name: str, written: dict[str, str]) -> str:
    return f"{name} {written[name][:40]!r} is no date or date-time of ISO 8601"


class _Column:
    """An array that grows: large ones are the system's again as soon as they are let go of, many small ones are not."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._array: npt.NDArray[Any] = np.empty(0, dtype)
        self._used = 0

    def add(self, values: npt.NDArray[Any], share: float) -> None:
        """Appends values; they and those before them are about this share of all that will come."""
        used = self._used + len(values)
        wanted = np.promote_types(self._array.dtype, values.dtype)
        if used > len(self._array) or wanted != self._array.dtype:
            grown = np.empty(max(used, int(used / max(share, 0.01) * 1.02)), wanted)
            grown[: self._used] = self._array[: self._used]
            self._array = grown
        self._array[self._used : used] = values
        self._used = used

    def take(self) -> npt.NDArray[Any]:
        """What was added; the column is empty then."""
        whole, self._array = self._array[: self._used], np.empty(0, self._array.dtype)
        return whole


class _Gathered:
    """The good rows so far, column by column."""

    def __init__(self, kind: ListKind, said: _Said, complaints: Complaints) -> None:
        self.rows = self.ended = self.entries = 0  # rows: good and ended
        self._paired = kind is ListKind.PAIR
        self._said, self._complaints = said, complaints
        self._key, self._key2, self._words = _Column(np.int64), _Column(np.int64), _Column(np.uint8)
        self._names: list[Any] = []

    def add(self, rows: Rows, judged: Judged, share: float) -> None:
        refused = np.flatnonzero(judged.bad)
        self._complaints.add(rows.lines[refused], lambda i: judged.why(int(refused[i])))
        words = self._said.of(rows.details, rows.lines)
        wrong = np.flatnonzero((words < _Said.ENDED) & ~judged.bad)
        self._complaints.add(rows.lines[wrong], lambda i: self._said.wrong[-2 - int(words[wrong[i]])])
        ended = int(((words == _Said.ENDED) & ~judged.bad).sum())
        good = ~judged.bad & (words >= 0)
        self.ended += ended
        self.rows += ended + int(good.sum())
        kept = good[judged.row]
        row = judged.row[kept]
        self.entries += len(row)
        if self.entries > MOST_ENTRIES:
            raise StoreRefusedError(f"the file has more than {MOST_ENTRIES:,} entries: split it")
        self._key.add(signed(judged.key[kept]), share)
        if self._paired:
            self._key2.add(signed(judged.key2[kept]), share)
        self._words.add(words[row].astype(np.min_scalar_type(max(len(self._said.words) - 1, 0))), share)
        if judged.names is not None:
            self._names.append(pa.array(judged.names, pa.large_string()).filter(pa.array(kept)))

    def finish(self) -> list[SourceRows]:
        """What was gathered, by source, in order of (key, key2), each entry once."""
        if not self.entries:
            return []
        key, words = self._key.take(), self._words.take()
        key2 = self._key2.take() if self._paired else np.zeros(len(key), dtype=np.int64)
        names = pa.chunked_array(self._names).combine_chunks() if self._names else None
        self._names.clear()
        if len(self._said.words) == 1 and not self._paired and names is None:
            key.sort()
            once = np.ones(len(key), dtype=bool)
            once[1:] = key[1:] != key[:-1]
            if not once.all():
                key = key[once]
            return [SourceRows(self._said.sources[0], Keys(key, key2[: len(key)]), words[:1], names)]
        whose = np.array(self._said.source_of)
        parts = []
        for i in sorted(range(len(self._said.sources)), key=self._said.sources.__getitem__):
            its = None if len(self._said.sources) == 1 else np.flatnonzero(whose[words] == i)
            order = self._in_order(key, key2, words, its)
            if not len(order):
                continue
            parts.append(
                SourceRows(
                    self._said.sources[i],
                    Keys(key[order], key2[order] if self._paired else np.zeros(len(order), dtype=np.int64)),
                    words[order],
                    None if names is None else names.take(pa.array(order)),
                )
            )
        return parts

    def _in_order(self, key: Int64s, key2: Int64s, words: Indexes, its: Int64s | None) -> Int64s:
        """Rows in order of their keys: of those with the same the one that ends last, of these the first.

        `its` are the rows of one source; None: all.
        """
        if its is None:
            order = np.lexsort((key2, key)) if self._paired else np.argsort(key)
        elif self._paired:
            order = its[np.lexsort((key2[its], key[its]))]
        else:
            order = its[np.argsort(key[its])]
        here = key[order]
        once = np.ones(len(order), dtype=bool)
        once[1:] = here[1:] != here[:-1]
        if self._paired:
            here = key2[order]
            once[1:] |= here[1:] != here[:-1]
        if once.all():
            return order
        shared = ~once
        shared[:-1] |= ~once[1:]
        until = np.array(
            [NEVER if each.valid_until_ms is None else each.valid_until_ms for each in self._said.words]
        )
        rows = order[shared]
        order[shared] = rows[np.lexsort((rows, -until[words[rows]], np.cumsum(once)[shared]))]
        return order[once]
