"""Copies of tables on disk, for when their memory is gone: made beside the calls, read at a start.

A copy is the table's label, then pieces of its memory where anything was ever written, each with its checksum, then an
end that says how many. A piece is of one moment set by set; one that is not whole, or not all there, is no copy.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from interceptor.engine.copying import Pace, copy_into, put
from interceptor.engine.memory import Region

#: where in the table, bytes, CRC-32
PIECE = struct.Struct("<QII")
END = (1 << 64) - 1
LONGEST_PIECE = 1 << 26

#: what lies under locks: where the sets begin (each with its lock first), bytes of one, how many; where what lies
#: beside them begins, bytes of that for each set
Part = tuple[int, int, int, int, int]


class CopyError(Exception):
    """A copy that is not whole."""


def write(path: Path, head: bytes, region: Region, parts: Sequence[Part], pace: Pace) -> int:
    """Writes a copy and puts it in the place of the last; returns how many sets were too busy to be in it.

    Raises OSError, and CopyError when it was given up: then the last one stays.
    """
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        missed = copy_into(fd, os.fsencode(new), os.fsencode(path), head, region, parts, pace)
        if missed is None:
            raise CopyError("given up")
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
