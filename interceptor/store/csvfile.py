"""A CSV file as rows, a bounded piece at a time. A row is a line: a quote that is not closed spoils its line alone."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from interceptor.store import arrow as pa
from interceptor.store.rows import (
    ENTRY_NAMES,
    FEED_DETAILS,
    Complaints,
    ListFileError,
    Rows,
    header,
    named,
    rows_of,
)

PIECE = 4 << 20  #: bytes, or so, parsed at a time


def csv_rows(
    path: Path, source: IO[bytes] | gzip.GzipFile, complaints: Complaints, details: Sequence[str]
) -> Iterator[Rows]:
    names: list[str] = []  # known once a line was seen
    first = 1  # line number of the piece's first line
    for piece in _whole_lines(path, source):
        data = piece
        if first == 1:
            data = data.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not data.endswith(b"\n"):
            data += b"\n"
        _check_utf8(path, data, first)
        data, lines, n = _without_remarks(data, first)
        first += n
        if not names and len(lines):
            head, _, rest = data.partition(b"\n")
            names, headed = _names_of(path, head.decode(), int(lines[0]), details)
            if headed:
                data, lines = rest, lines[1:]
        if len(lines):
            yield _parsed(names, data, lines, complaints)


def _whole_lines(path: Path, source: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Pieces that end where a line does, or where the file does."""
    kept = b""
    while piece := source.read(PIECE):
        kept += piece
        cut = kept.rfind(b"\n") + 1 or kept.rfind(b"\r", 0, -1) + 1
        if cut:
            yield kept[:cut]
            kept = kept[cut:]
        elif len(kept) > 2 * PIECE:
            raise ListFileError(
                path, f"has a line of more than {PIECE >> 20} MiB; is it a list of one entry a line?"
            )
    if kept:
        yield kept


def _check_utf8(path: Path, data: bytes, first: int) -> None:
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = first + data.count(b"\n", 0, error.start)
        raise ListFileError(path, "is not in UTF-8; save it as UTF-8", line) from None


def _without_remarks(data: bytes, first: int) -> tuple[bytes, npt.NDArray[np.int64], int]:
    """Takes blank lines and comments out; the text left, the number of each line left, and how many there were."""
    text = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(text == 10)
    starts = np.concatenate(([0], ends[:-1] + 1))
    head = text[starts]
    dropped = (head == 10) | (head == 35)
    for i in np.flatnonzero((head == 32) | (head == 9)).tolist():
        dropped[i] = data[starts[i] : ends[i]].strip()[:1] in (b"", b"#")
    lines = np.arange(first, first + len(ends), dtype=np.int64)
    if dropped.any():
        data = text[np.repeat(~dropped, ends - starts + 1)].tobytes()
    return data, lines[~dropped], len(ends)


def _names_of(path: Path, head: str, line: int, details: Sequence[str]) -> tuple[list[str], bool]:
    """Names of the columns by the file's first line, and whether that is a header."""
    try:
        written = next(csv.reader([head], strict=True))
    except csv.Error as error:
        raise ListFileError(path, f"cannot be told apart into columns: {error}", line) from None
    if any(name.strip().lower() in (*FEED_DETAILS, *ENTRY_NAMES) for name in written):
        return header(path, written, line, details), True
    if len(written) > 1 + len(details):
        raise ListFileError(path, f"has {len(written)} columns; they are {named(details)}", line)
    return ["entry", *details][: len(written)], False


def _parsed(names: list[str], data: bytes, lines: npt.NDArray[np.int64], complaints: Complaints) -> Rows:
    wrong: list[tuple[int, str]] = []  # index of the line, what is wrong with it

    def invalid(row: Any) -> str:
        wrong.append((row.number - 1, _miscounted(row.actual_columns, len(names))))
        return "skip"

    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            pa.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
            pa.csv.ParseOptions(
                quote_char='"' if b'"' in data else False,
                ignore_empty_lines=False,
                invalid_row_handler=invalid,
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        texts = [column.combine_chunks() for column in table.columns]
        whole = table.num_rows + len(wrong) == len(lines)
        # A quote left open takes the lines after it along; in the last line, its end.
        whole &= table.num_rows == 0 or not any("\n" in text[-1].as_py() for text in texts)
    except pa.ArrowInvalid:
        whole = False
    if not whole:
        texts, wrong = _line_by_line(data, len(names))
    good = np.ones(len(lines), dtype=bool)
    good[[i for i, _ in wrong]] = False
    complaints.add(lines[~good], lambda i: wrong[i][1])
    return rows_of(names, lines[good], texts)


def _miscounted(has: int, wanted: int) -> str:
    return f"has {has} column{'s' * (has != 1)}, the file has {wanted}"


def _line_by_line(data: bytes, width: int) -> tuple[list[Any], list[tuple[int, str]]]:
    wrong: list[tuple[int, str]] = []
    rows: list[list[str]] = []
    for i, line in enumerate(data.decode().split("\n")[:-1]):
        try:
            row = next(csv.reader([line], strict=True))
        except csv.Error as error:
            unclosed = "unexpected end" in str(error)
            wrong.append((i, "a quote is not closed on its line" if unclosed else f"cannot be read: {error}"))
            continue
        if len(row) == width:
            rows.append(row)
        else:
            wrong.append((i, _miscounted(len(row), width)))
    return [pa.array([row[c] for row in rows], pa.large_string()) for c in range(width)], wrong
