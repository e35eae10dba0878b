"""Recorded calls in a file, Parquet or CSV: its columns by the fields of a call, a bounded number of rows at a time."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from interceptor.replay.values import CODED, FEW, KINDS, TAG, Flawed, kind_of, read_as

#: rows decided at a time; a group of rows of Parquet is read so many at a time
ROWS = 1 << 16
#: bytes, or so, of CSV read at a time
PIECE = 8 << 20
NEEDED = ("time_ms", "caller", "callee")
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


class RecordingError(Exception):
    """A file that cannot be replayed; the message names it and, where they are known, row and column."""

    def __init__(self, path: Path, problem: str, row: int | None = None, column: str | None = None) -> None:
        where = "".join((f": row {row:,}" if row else "", f", column {column!r}" if column else ""))
        super().__init__(f"{path}{where}: {problem}")


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some rows of a file."""

    first: int  #: rows before it
    columns: Mapping[str, Any]  #: by field: Arrow arrays of the type that values.read_as gives
    flawed: Flawed  #: row of the stretch -> what cannot be read in it, and in which field
    share: float  #: of the file that was read with it, 0 to 1

    @property
    def rows(self) -> int:
        return len(self.columns["time_ms"])


class Recording:
    """A file of recorded calls, sorted by time.

    Parameters
    ----------
    path
        Parquet if its name ends so, else CSV with a header, compressed or not.
    columns
        Field -> what the file calls it, where that is another name.

    Raises
    ------
    RecordingError
        It cannot be read, or lacks a column.
    """

    def __init__(self, path: Path | str, columns: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self.parquet = self.path.suffix.lower() in (".parquet", ".pq")
        self.rows: int | None = None  #: None: not known before it was read
        try:
            written = self._parquet_names() if self.parquet else self._csv_names()
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from None
        self._named = self._fields(written, columns or {})

    def __contains__(self, field: str) -> bool:
        return field in self._named

    @property
    def fields(self) -> Collection[str]:
        """Fields of a call, and of what became of it, that the file has."""
        return self._named.keys()

    def name(self, field: str) -> str:
        """What the file calls a field."""
        return self._named.get(field, field)

    def stretches(self, fields: Collection[str]) -> Iterator[Stretch]:
        """All rows in their order; of the columns those that are asked for and there."""
        asked = [field for field in self._named if field in fields or field in NEEDED]
        first = 0
        try:
            for batch, share in self._parquet_batches(asked) if self.parquet else self._csv_batches(asked):
                if batch.num_rows == 0:
                    continue
                flawed: Flawed = {}
                columns = {
                    field: read_as(kind_of(field), array, field, flawed)
                    for field, array in zip(asked, batch.columns, strict=True)
                }
                yield Stretch(first, columns, flawed, share)
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from None

    def begin_ms(self) -> int:
        """When the first call was that has a time; 0 when none has."""
        for stretch in self.stretches(NEEDED):
            times = stretch.columns["time_ms"].drop_null()
            if len(times):
                return int(times[0].as_py())
        return 0

    # --- what there is

    def _fields(self, written: list[str], columns: Mapping[str, str]) -> dict[str, str]:
        for field, name in columns.items():
            if field not in KINDS and not field.startswith(TAG):
                known = ", ".join([*KINDS, TAG + "NAME"])
                raise RecordingError(
                    self.path, f"{field!r} is no field of a recorded call; there are {known}"
                )
            if name not in written:
                raise RecordingError(
                    self.path, f"has no column {name!r} for {field}; it has {', '.join(written)}"
                )
        taken = set(columns.values())
        found = {
            name: name
            for name in written
            if (name in KINDS or name.startswith(TAG)) and name not in columns and name not in taken
        } | dict(columns)
        for field in NEEDED:
            if field not in found:
                raise RecordingError(
                    self.path,
                    f"has no column {field!r}; it has {', '.join(written)}: say --column {field}=NAME",
                )
        twice = {name for name in found.values() if written.count(name) > 1}
        if twice:
            raise RecordingError(self.path, f"has more than one column {min(twice)!r}")
        return found

    def _parquet_names(self) -> list[str]:
        with pyarrow.parquet.ParquetFile(self.path) as file:
            self.rows = file.metadata.num_rows
            return list(file.schema_arrow.names)

    def _csv_names(self) -> list[str]:
        packed = _PACKED.get(self.path.suffix.lower())
        with pa.OSFile(str(self.path)) as file, pa.input_stream(file, compression=packed) as source:
            head = source.read(1 << 16)
        if not head.strip():
            raise RecordingError(self.path, "is empty: a CSV file begins with the names of its columns")
        try:
            line = head.removeprefix(b"\xef\xbb\xbf").splitlines()[0].decode()
        except UnicodeDecodeError:
            raise RecordingError(self.path, "is not in UTF-8; save it as UTF-8", 1) from None
        table = pyarrow.csv.read_csv(pa.BufferReader(f"{line}\n{line}\n".encode()))
        return list(table.column_names)

    # --- its rows

    def _parquet_batches(self, asked: list[str]) -> Iterator[tuple[Any, float]]:
        names = [self._named[field] for field in asked]
        few = [self._named[field] for field in asked if field in FEW or field.startswith(TAG)]
        done = 0
        with pyarrow.parquet.ParquetFile(self.path, read_dictionary=few, memory_map=True) as file:
            for batch in file.iter_batches(ROWS, columns=names, use_threads=False):
                done += batch.num_rows
                yield batch.select(names), done / max(file.metadata.num_rows, 1)

    def _csv_batches(self, asked: list[str]) -> Iterator[tuple[Any, float]]:
        names = [self._named[field] for field in asked]
        size = max(self.path.stat().st_size, 1)
        types = {
            self._named[field]: CODED if field in FEW or field.startswith(TAG) else pa.string()
            for field in asked
        }
        packed = _PACKED.get(self.path.suffix.lower())
        with pa.OSFile(str(self.path)) as file, pa.input_stream(file, compression=packed) as source:
            reader = pyarrow.csv.open_csv(
                source,
                read_options=pyarrow.csv.ReadOptions(block_size=PIECE, use_threads=False),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=types,
                    include_columns=names,
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            for batch in reader:
                for first in range(0, batch.num_rows, ROWS):
                    yield batch.slice(first, ROWS), min(file.tell() / size, 1.0)

    def _unreadable(self, error: Exception) -> RecordingError:
        what = "Parquet" if self.parquet else "CSV"
        said = " ".join(str(error).split())[:300]
        return RecordingError(self.path, f"is not a readable {what} file ({said})")
