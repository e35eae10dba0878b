"""The rows of a list file, CSV or Parquet, compressed or not, a bounded piece at a time; nothing of what they mean."""

import csv
import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

#: Names that the column of entries may have in a header; the others are reason, source and valid_until.
ENTRY_NAMES = frozenset(
    ["entry", "number", "prefix", "domain", "device", "imei", "tac", "subscriber", "imsi", "trunk"]
)
DETAILS = ("reason", "source", "valid_until")

PIECE = 4 << 20  #: bytes of CSV, or so, parsed at a time
PARQUET_ROWS = 1 << 16
GZIP, PARQUET, UTF_16 = b"\x1f\x8b", b"PAR1", (b"\xff\xfe", b"\xfe\xff")

Progress = Callable[[int, int, int], None]  #: rows so far, bytes read, bytes in all


class ListFileError(ValueError):
    """A list file that cannot be used: which file, where, what to do, in one line."""

    def __init__(self, path: Path, message: str, line: int | None = None) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}:{line}: {message}" if line is not None else f"{path}: {message}")


class Complaints:
    """Rows that are no good: how many, and the first ten with their line and the reason."""

    KEPT = 10

    def __init__(self) -> None:
        self.count = 0
        self.first: list[tuple[int, str]] = []

    def add(self, lines: npt.NDArray[np.int64], reason: Callable[[int], str]) -> None:
        """`lines` are bad; ``reason(i)`` says why the i-th of them is (asked for the first ten only)."""
        self.count += len(lines)
        for i, line in enumerate(lines[: self.KEPT].tolist()):
            if len(self.first) == self.KEPT and line > self.first[-1][0]:
                break
            self.first = sorted([*self.first, (line, reason(i))])[: self.KEPT]


@dataclass(frozen=True)
class Rows:
    """Some rows of a file, column by column. Texts are trimmed, and never null."""

    lines: npt.NDArray[np.int64]  #: line in the file, or row of a Parquet file, from 1
    entry: pa.Array
    details: dict[str, pa.Array]  #: those of reason, source, valid_until that the file has


def read_rows(path: Path, complaints: Complaints, progress: Progress | None) -> Iterator[Rows]:
    """Reads a file piece by piece. Rows that cannot be told apart into columns go to `complaints`.

    Raises
    ------
    ListFileError
        When the file cannot be read at all.
    """
    if path.is_dir():
        raise ListFileError(path, "is a directory; name a CSV or Parquet file in it")
    try:
        with path.open("rb") as raw:
            if not path.is_file():
                raise ListFileError(path, "is no regular file; name a CSV or Parquet file")
            total = path.stat().st_size
            start = raw.read(4)
            raw.seek(0)
            source: IO[bytes] | gzip.GzipFile = raw
            if start.startswith(GZIP):
                source = gzip.GzipFile(fileobj=raw)
                start = source.read(4)
                source.seek(0)
            done = 0
            for rows in _pieces(path, source, start, complaints):
                done += len(rows.lines)
                yield rows
                if progress is not None:
                    progress(done, raw.tell(), total)
    except FileNotFoundError:
        raise ListFileError(path, "there is no such file") from None
    except PermissionError:
        raise ListFileError(path, "may not be read by this user; change its permissions") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ListFileError(
            path, f"is not a whole gzip file ({_one_line(error)}); make or copy it again"
        ) from None
    except OSError as error:
        raise ListFileError(path, f"cannot be read: {_one_line(error)}") from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _pieces(
    path: Path, source: IO[bytes] | gzip.GzipFile, start: bytes, complaints: Complaints
) -> Iterator[Rows]:
    name = path.name.lower().removesuffix(".gz")
    if start == PARQUET:
        with tempfile.TemporaryFile() as plain:
            if isinstance(source, gzip.GzipFile):  # Parquet is read from its end: no stream will do
                while piece := source.read(PIECE):
                    plain.write(piece)
                yield from _parquet(path, plain)
            else:
                yield from _parquet(path, source)
    elif name.endswith((".parquet", ".pq")):
        raise ListFileError(path, "is named as a Parquet file and is none; write it again, or name it .csv")
    elif start[:2] in UTF_16:
        raise ListFileError(path, "is in UTF-16; save it as UTF-8")
    else:
        yield from _csv(path, source, complaints)


# ---- Parquet -------------------------------------------------------------------------------------------------


def _parquet(path: Path, source: IO[bytes]) -> Iterator[Rows]:
    try:
        file = pyarrow.parquet.ParquetFile(source)
        names = file.schema_arrow.names
        where = [0] if len(names) == 1 else _header(path, names, 1)
        columns = _Columns(path, ["entry"] if len(names) == 1 else [names[i].strip().lower() for i in where])
        done = 0
        for batch in file.iter_batches(PARQUET_ROWS, use_threads=False):
            lines = np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64)
            done += batch.num_rows
            yield columns.rows(lines, [_plain(path, names[i], batch.column(i)) for i in where])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, ListFileError):
            raise
        raise ListFileError(
            path, f"is not a readable Parquet file ({_one_line(error)}); write it again"
        ) from None


def _plain(path: Path, name: str, column: Any) -> Any:
    """A column as text; dates and times stay what they are."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.int64())  # whole numbers beside nulls are often kept as doubles
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return column
    if (
        pa.types.is_integer(column.type)
        or pa.types.is_binary(column.type)
        or pa.types.is_large_binary(column.type)
        or pa.types.is_string(column.type)
        or pa.types.is_large_string(column.type)
        or pa.types.is_string_view(column.type)
        or pa.types.is_null(column.type)
    ):
        return column.cast(pa.large_string())
    raise ListFileError(path, f"column {name!r} holds {column.type}; it must hold text or whole numbers")


class _Columns:
    """Which column is what; makes Rows of columns."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path, self.names = path, names

    def rows(self, lines: npt.NDArray[np.int64], columns: Iterable[Any]) -> Rows:
        entry: Any = None
        details: dict[str, Any] = {}
        for name, column in zip(self.names, columns, strict=True):
            if name in DETAILS:
                details[name] = column if not _is_text(column) else _trimmed(column)
            elif _is_text(column):
                entry = _trimmed(column)
            else:
                raise ListFileError(self.path, f"column {name!r} holds {column.type}; it must hold text")
        for name in ("reason", "source"):
            if name in details and not _is_text(details[name]):
                details[name] = _trimmed(details[name].cast(pa.large_string()))
        return Rows(lines, entry, details)


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _trimmed(column: Any) -> Any:
    return pa.compute.utf8_trim_whitespace(column.cast(pa.large_string()).fill_null(""))


def _header(path: Path, names: list[str], line: int) -> list[int]:
    """Indices of the columns, in their order; every one must be known."""
    known = [name.strip().lower() for name in names]
    for name, lower in zip(names, known, strict=True):
        if lower not in ENTRY_NAMES and lower not in DETAILS:
            raise ListFileError(
                path,
                f"unknown column {name[:40]!r}; columns are number, reason, source and valid_until",
                line,
            )
    if len(set(known)) < len(known) or sum(name in ENTRY_NAMES for name in known) != 1:
        raise ListFileError(
            path, "give the column of entries (number) once, and each other column at most once", line
        )
    return list(range(len(known)))


# ---- CSV -----------------------------------------------------------------------------------------------------


def _csv(path: Path, source: IO[bytes] | gzip.GzipFile, complaints: Complaints) -> Iterator[Rows]:
    columns: _Columns | None = None
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
        if columns is None and len(lines):
            head, _, rest = data.partition(b"\n")
            columns, is_header = _columns_of(path, head.decode(), int(lines[0]))
            if is_header:
                data, lines = rest, lines[1:]
        if columns is not None and len(lines):
            yield _parsed(columns, data, lines, complaints)


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


def _columns_of(path: Path, head: str, line: int) -> tuple[_Columns, bool]:
    try:
        names = next(csv.reader([head], strict=True))
    except csv.Error as error:
        raise ListFileError(path, f"cannot be told apart into columns: {error}", line) from None
    known = [name.strip().lower() for name in names]
    if any(name in DETAILS or name in ENTRY_NAMES for name in known):
        _header(path, names, line)
        return _Columns(path, known), True
    if len(names) > 1 + len(DETAILS):
        raise ListFileError(
            path, f"has {len(names)} columns; they are number, reason, source and valid_until", line
        )
    return _Columns(path, ["entry", *DETAILS][: len(names)]), False


def _parsed(columns: _Columns, data: bytes, lines: npt.NDArray[np.int64], complaints: Complaints) -> Rows:
    wrong: list[tuple[int, str]] = []  # index of the line, what is wrong with it

    def invalid(row: Any) -> str:
        wrong.append((row.number - 1, _miscounted(row.actual_columns, len(names))))
        return "skip"

    names = columns.names
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
            pyarrow.csv.ParseOptions(
                quote_char='"' if b'"' in data else False,
                ignore_empty_lines=False,
                invalid_row_handler=invalid,
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
        texts = [column.combine_chunks() for column in table.columns]
        whole = table.num_rows + len(wrong) == len(lines)
    except pa.ArrowInvalid:
        whole = False
    if not whole:  # a quote that is not closed takes the lines after it along: line by line, then
        texts, wrong = _line_by_line(data, len(names))
    good = np.ones(len(lines), dtype=bool)
    good[[i for i, _ in wrong]] = False
    complaints.add(lines[~good], lambda i: wrong[i][1])
    return columns.rows(lines[good], texts)


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
