"""A million DecideRequests at a time: columns of values -> their protobuf wire bytes, one behind the other."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from interceptor.pb.v1 import interception_pb2 as pb

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

#: requests made at a time: their columns stay in the cache
BLOCK = 1 << 13

# The digits of 0..9999, four to a row.
_FOUR = np.array([list(f"{i:04}".encode()) for i in range(10_000)], dtype=np.uint8)


def field(name: str, value: str | int | bool) -> bytes:
    """Wire bytes of one field of a DecideRequest."""
    return pb.DecideRequest(**{name: value}).SerializeToString()  # type: ignore[arg-type]


class Column(Protocol):
    """One field of every request."""

    @property
    def width(self) -> int:
        """The most bytes it takes in a request, its tag and length included."""

    def write(self, rows: slice, out: Bytes, used: Bools) -> None:
        """Writes its bytes for the requests `rows`: (requests, width), and which of them count."""


class Choice:
    """A field that is one of a few: `which` of the pieces (wire bytes; none: the field is absent) each request has."""

    def __init__(self, pieces: Sequence[bytes], which: npt.NDArray[np.integer]) -> None:
        self.width = max(map(len, pieces))
        self._which = which
        self._bytes = np.zeros((len(pieces), self.width), dtype=np.uint8)
        self._used = np.zeros((len(pieces), self.width), dtype=bool)
        for i, piece in enumerate(pieces):
            self._bytes[i, : len(piece)] = list(piece)
            self._used[i, : len(piece)] = True

    def write(self, rows: slice, out: Bytes, used: Bools) -> None:
        which = self._which[rows]
        np.take(self._bytes, which, axis=0, out=out)
        np.take(self._used, which, axis=0, out=used)


class Digits:
    """A text field of `lead` and a decimal number, with so many digits in each request; 0 digits: absent.

    Parameters
    ----------
    name
        The field, a text.
    values
        The numbers, not negative, one a request.
    digits
        How many digits each is written with, up to 16; leading zeros fill it.
    lead
        What stands before the digits.
    """

    def __init__(self, name: str, values: Whole, digits: int | Whole, lead: bytes = b"") -> None:
        self._values, self._lead = values, lead
        self._digits = digits
        self._most = int(np.max(digits, initial=0))
        assert self._most <= 16
        # Tag, length and lead, for each number of digits.
        heads = [field(name, "0" * (len(lead) + n))[: -len(lead) - n] + lead if n else b"" for n in range(17)]
        self._head = len(heads[1])
        self._heads = np.array([list(head or bytes(self._head)) for head in heads], dtype=np.uint8)
        self.width = self._head + self._most

    def write(self, rows: slice, out: Bytes, used: Bools) -> None:
        values = self._values[rows]
        text = np.empty((len(values), 16), dtype=np.uint8)
        for group in (3, 2, 1):
            values, last = np.divmod(values, 10_000)
            text[:, 4 * group : 4 * group + 4] = _FOUR[last]
        text[:, :4] = _FOUR[values]
        out[:, self._head :] = text[:, 16 - self._most :]
        if isinstance(self._digits, int):
            out[:, : self._head] = self._heads[self._digits]
            used[:] = self._digits > 0
            return
        digits = self._digits[rows]
        np.take(self._heads, digits, axis=0, out=out[:, : self._head])
        used[:, : self._head] = (digits > 0)[:, None]
        np.less_equal(np.arange(self._most, 0, -1), digits[:, None], out=used[:, self._head :])


def encode(columns: Sequence[Column], count: int) -> tuple[Bytes, Whole]:
    """The bytes of all requests, and where each begins (`count` + 1 offsets, the last is the end).

    The fields of a request stand in the order of the columns.
    """
    edges = np.cumsum([0, *(column.width for column in columns)])
    room = np.empty((min(count, BLOCK), edges[-1]), dtype=np.uint8)
    mask = np.empty(room.shape, dtype=bool)
    parts: list[Bytes] = []
    offsets = np.zeros(count + 1, dtype=np.int64)
    for first in range(0, count, BLOCK):
        rows = slice(first, min(first + BLOCK, count))
        out, used = room[: rows.stop - first], mask[: rows.stop - first]
        for column, begin, end in zip(columns, edges[:-1], edges[1:], strict=True):
            column.write(rows, out[:, begin:end], used[:, begin:end])
        parts.append(out[used])
        offsets[first + 1 : rows.stop + 1] = np.count_nonzero(used, axis=1)
    np.cumsum(offsets, out=offsets)
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint8), offsets
