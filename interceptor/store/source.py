"""A list file's bytes: opened, unpacked, and told apart into CSV and Parquet."""

import gzip
import stat
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from interceptor.store.csvfile import PIECE, csv_rows
from interceptor.store.rows import DETAILS, Complaints, ListFileError, Rows, one_line

GZIP, PARQUET, UTF_16 = b"\x1f\x8b", b"PAR1", (b"\xff\xfe", b"\xfe\xff")

Source = IO[bytes] | gzip.GzipFile


def read_rows(
    path: Path, complaints: Complaints, *, named: Path | None = None, details: Sequence[str] = DETAILS
) -> Iterator[tuple[Rows, int, int]]:
    """Reads a file piece by piece: (rows, bytes read so far, bytes in all).

    Lines that cannot be told apart into columns go to `complaints`.

    Parameters
    ----------
    named
        What the file is called where it came from.
    details
        Columns it may have besides the entries'; in this order in a file without header.

    Raises
    ------
    ListFileError
        When the file cannot be read at all.
    """
    if "\0" in str(path):
        raise ListFileError(path, "there is no such file")
    kept, path = path, named or path
    try:
        found = kept.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ListFileError(path, "is a directory; name a CSV or Parquet file in it")
        if not stat.S_ISREG(found.st_mode):
            raise ListFileError(path, "is no regular file; name a CSV or Parquet file")
        with kept.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            source: Source = raw
            if start.startswith(GZIP):
                source = gzip.GzipFile(fileobj=raw)
                start = source.read(4)
                source.seek(0)
            for rows in _pieces(path, source, start, complaints, details):
                yield rows, raw.tell(), found.st_size
    except FileNotFoundError:
        raise ListFileError(path, "there is no such file") from None
    except PermissionError:
        raise ListFileError(path, "may not be read by this user; change its permissions") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ListFileError(
            path, f"is not a whole gzip file ({one_line(error)}); make or copy it again"
        ) from None
    except OSError as error:
        raise ListFileError(path, f"cannot be read: {one_line(error)}") from None


def _pieces(
    path: Path, source: Source, start: bytes, complaints: Complaints, details: Sequence[str]
) -> Iterator[Rows]:
    name = path.name.lower().removesuffix(".gz")
    if start == PARQUET:
        from interceptor.store.parquetfile import parquet_rows  # noqa: PLC0415 - what most starts need not load

        with tempfile.TemporaryFile() as plain:
            if isinstance(source, gzip.GzipFile):  # Parquet is read from its end: no stream will do
                while piece := source.read(PIECE):
                    plain.write(piece)
                yield from parquet_rows(path, plain, details)
            else:
                yield from parquet_rows(path, source, details)
    elif name.endswith((".parquet", ".pq")):
        raise ListFileError(path, "is named as a Parquet file and is none; write it again, or name it .csv")
    elif start[:2] in UTF_16:
        raise ListFileError(path, "is in UTF-16; save it as UTF-8")
    else:
        yield from csv_rows(path, source, complaints, details)
