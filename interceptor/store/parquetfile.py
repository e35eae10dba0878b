"""A Parquet file as rows, a bounded number at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from interceptor.store.rows import ListFileError, Rows, header, one_line, rows_of

PARQUET_ROWS = 1 << 16


def parquet_rows(path: Path, source: IO[bytes], details: Sequence[str]) -> Iterator[Rows]:
    """Reads the columns as text, whatever they hold; a file of one column holds entries, whatever its name."""
    try:
        file = pyarrow.parquet.ParquetFile(source)
        written = file.schema_arrow.names
        names = ["entry"] if len(written) == 1 else header(path, written, 1, details)
        done = 0
        for batch in file.iter_batches(PARQUET_ROWS, use_threads=False):
            batch.validate(full=True)  # what the file says of offsets, dictionaries and UTF-8 may be wrong
            lines = np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64)
            done += batch.num_rows
            yield rows_of(
                names, lines, [_text(path, n, c) for n, c in zip(written, batch.columns, strict=True)]
            )
    except ListFileError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ListFileError(
            path, f"is not a readable Parquet file ({one_line(error)}); write it again"
        ) from None


def _text(path: Path, name: str, column: Any) -> Any:
    held = column.type
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_timestamp(column.type):  # in UTC, whatever zone it is to be shown in
            column = column.cast(pa.int64()).cast(pa.timestamp(column.type.unit))
        if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            column = column.cast(pa.int64())  # whole numbers beside nulls are often kept as doubles
        return column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise ListFileError(
            path,
            f"column {name[:40]!r} holds {held}, which is no text, whole number or date ({one_line(error)})",
        ) from None
