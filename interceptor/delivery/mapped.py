"""A few numbers in a mapped file, kept whatever happens to the process: written by turns into two places, with CRCs."""

import mmap
import os
import struct
import zlib
from pathlib import Path

#: how often it was written (the higher turn is the later one), two numbers, CRC-32 of these
_SLOT = struct.Struct("<QQQ")
_CRC = struct.Struct("<I")
_EACH = 32  # bytes from one place to the other


class MappedPair:
    """Two whole numbers, below 2^64. A write that was cut leaves the pair before it."""

    def __init__(self, path: Path) -> None:
        """Opens the file or makes it. `found` is False when it was new, or held nothing good."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, 2 * _EACH)
            self._map = mmap.mmap(fd, 2 * _EACH)
        finally:
            os.close(fd)
        good = [pair for place in (0, _EACH) if (pair := self._read(place)) is not None]
        self.found = bool(good)
        self._turn, *self._pair = max(good, default=(0, 0, 0))

    @property
    def pair(self) -> tuple[int, int]:
        first, second = self._pair
        return first, second

    def write(self, first: int, second: int) -> None:
        self._turn += 1
        self._pair = [first, second]
        data = _SLOT.pack(self._turn, first, second)
        place = _EACH * (self._turn % 2)
        self._map[place : place + _SLOT.size + _CRC.size] = data + _CRC.pack(zlib.crc32(data))

    def close(self) -> None:
        self._map.close()

    def _read(self, place: int) -> tuple[int, int, int] | None:
        data = self._map[place : place + _SLOT.size]
        (crc,) = _CRC.unpack_from(self._map, place + _SLOT.size)
        turn, first, second = _SLOT.unpack(data)
        return (turn, first, second) if turn and crc == zlib.crc32(data) else None
