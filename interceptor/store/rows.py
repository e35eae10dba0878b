"""What the rows of a list file are, whatever kind of file: their columns, their lines, and which were no good."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interceptor.store import arrow as pa

#: Names that the column of entries may have in a header; the others are reason, source and valid_until.
ENTRY_NAMES = frozenset(
    "entry number prefix range domain device imei tac subscriber imsi trunk pair network".split()  # noqa: SIM905
)
DETAILS = ("reason", "source", "valid_until")
#: What the rows of an import may say besides.
FEED_DETAILS = (*DETAILS, "note", "valid_from")


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
    entry: Any  #: a large_string array, as those of `details` are
    details: dict[str, Any]  #: those of reason, source, valid_until, note, valid_from that the file has


def rows_of(names: list[str], lines: npt.NDArray[np.int64], columns: Iterable[Any]) -> Rows:
    """Rows of text columns, named as `header` gives the names."""
    trimmed = {
        name: pa.compute.utf8_trim_whitespace(column.cast(pa.large_string()).fill_null(""))
        for name, column in zip(names, columns, strict=True)
    }
    details = {name: trimmed.pop(name) for name in FEED_DETAILS if name in trimmed}
    (entry,) = trimmed.values()
    return Rows(lines, entry, details)


def header(path: Path, names: list[str], line: int, details: Sequence[str]) -> list[str]:
    """Names of the columns, each of them known, one of them the entries'."""
    known = [name.strip().lower() for name in names]
    for name, lower in zip(names, known, strict=True):
        if lower not in ENTRY_NAMES and lower not in details:
            raise ListFileError(path, f"unknown column {name[:40]!r}; columns are {named(details)}", line)
    if len(set(known)) < len(known) or sum(name in ENTRY_NAMES for name in known) != 1:
        raise ListFileError(
            path, "give the column of entries (number) once, and each other column at most once", line
        )
    return known


def named(details: Sequence[str]) -> str:
    """The columns of a file, for messages."""
    return f"number, {', '.join(details[:-1])} and {details[-1]}"


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
