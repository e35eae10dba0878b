"""Copies of tables on disk, for when their memory is gone: made beside the calls, read at a start.

A copy is the table's label, then pieces of its memory where anything was ever written, each with its checksum, then an
end that says how many. A piece is of one moment set by set; one that is not whole, or not all there, is no copy.
"""

import os
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from interceptor.engine.copying import copy_sets, put
from interceptor.engine.memory import Region

#: where in the table, bytes, CRC-32
PIECE = struct.Struct("<QII")
END = (1 << 64) - 1
#: bytes copied in one go: what a waiter for a core waits for
STEP = 1 << 20
LONGEST_PIECE = 1 << 26

#: what lies under locks: where the sets begin (each with its lock first), bytes of one, how many; where what lies
#: beside them begins, bytes of that for each set
Part = tuple[int, int, int, int, int]
#: told after each step how many bytes it was
Pause = Callable[[int], None]


class CopyError(Exception):
    """A copy that is not whole."""


def write(path: Path, head: bytes, region: Region, parts: Sequence[Part], pause: Pause) -> int:
    """Writes a copy and puts it in the place of the last; returns how many sets were too busy to be in it.

    Raises OSError, and the last one stays.
    """
    new = path.with_suffix(".new")
    missed = pieces = 0
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _write(fd, head)
        for part in parts:
            at, size, count, beside_at, beside_size = part
            n = max(STEP // (size + beside_size), 1)
            heads, besides = bytearray(n * size), bytearray(n * beside_size)
            for first in range(0, count, n):
                some = min(n, count - first)
                used, busy = copy_sets(region, part, first, some, heads, besides)
                missed += busy
                if used:
                    for offset, data in (
                        (at + first * size, memoryview(heads)[: some * size]),
                        (beside_at + first * beside_size, memoryview(besides)[: some * beside_size]),
                    ):
                        _write(fd, PIECE.pack(offset, len(data), zlib.crc32(data)))
                        _write(fd, data)
                        pieces += 1
                pause(some * (size + beside_size) if used else some * size)
        _write(fd, PIECE.pack(END, pieces, 0))
        os.fsync(fd)
        new.rename(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    return missed


def read(path: Path, begin: int, region: Region) -> None:
    """Puts a copy, whose pieces begin there, into fresh memory. Raises CopyError, OSError."""
    pieces = 0
    with path.open("rb", buffering=0) as file:
        file.seek(begin)
        while True:
            head = file.read(PIECE.size)
            if len(head) < PIECE.size:
                raise CopyError("ends in the middle")
            offset, length, crc = PIECE.unpack(head)
            if offset == END:
                if length != pieces:
                    raise CopyError(f"has {pieces} of {length} pieces")
                return
            data = file.read(length) if length <= LONGEST_PIECE else b""
            if len(data) < length or not length or zlib.crc32(data) != crc:
                raise CopyError("is damaged")
            try:
                put(region, offset, data)
            except ValueError as error:
                raise CopyError(f"does not fit: {error}") from None
            pieces += 1


def _write(fd: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
