"""One file of the spool: records one after the other, and nothing else.

A record is CRC-32 (of all that follows), length of the body, sequence, milliseconds since the epoch, kind, body.
One that was erased has its number still, and no body but blanks.
"""

import mmap
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from interceptor.delivery.envelope import Spooled
from interceptor.delivery.settings import KINDS

_CRC = struct.Struct("<I")
_HEAD = struct.Struct("<IQqB")
_BOTH = struct.Struct("<IIQqB")
#: bytes of a record besides its body
OVERHEAD = _BOTH.size
SUFFIX = ".events"
#: bytes that are searched at once
WINDOW = 1 << 20

_NUMBERS: dict[str, int] = {kind: number for number, kind in enumerate(KINDS)}
#: kind of what was erased, as the file has it and as it is read
_GONE, ERASED = 255, ""
_KINDS: dict[int, str] = {**dict(enumerate(KINDS)), _GONE: ERASED}


def written(event: Spooled) -> bytes:
    """A record, as the file holds it."""
    head = _HEAD.pack(len(event.body), event.sequence, event.at_ms, _NUMBERS[event.kind])
    return _CRC.pack(zlib.crc32(event.body, zlib.crc32(head))) + head + event.body


class Segment:
    """A mapped file of records whose numbers ascend from `first`.

    One thread writes, any number read: a reader goes no further than `end`, which moves when a record is whole.
    """

    def __init__(self, path: Path, first: int, data: mmap.mmap, end: int) -> None:
        self.path = path
        self.first = first  #: no record has a lower number
        self.end = end  #: where the records end
        self.size = len(data)  #: of the file
        self._data = data

    @classmethod
    def create(cls, folder: Path, first: int, size: int) -> "Segment":
        """A file of `size` bytes, all of them taken: a full disk is an OSError here, and never a signal later."""
        path = folder / f"{first:020d}{SUFFIX}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, size)
            data = mmap.mmap(fd, size)
            # Nothing is there to read ahead. The kernel would clear megabytes of it at the first touch of a page, up to
            # 27 ms in which it leaves no core to a call.
            data.madvise(mmap.MADV_RANDOM)
            return cls(path, first, data, 0)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(fd)

    @classmethod
    def open(cls, path: Path) -> "Segment | None":
        """A file there is; None for an empty one, which goes. What it holds is looked at when it is read."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if not size:
                path.unlink()
                return None
            return cls(path, first_of(path), mmap.mmap(fd, size), size)
        finally:
            os.close(fd)

    def put(self, records: Iterable[bytes]) -> int:
        """Writes the records there is room for, and returns how many those are."""
        fitting: list[bytes] = []
        room = self.size - self.end
        for record in records:
            room -= len(record)
            if room < 0:
                break
            fitting.append(record)
        data = b"".join(fitting)
        self._data[self.end : self.end + len(data)] = data
        self.end += len(data)
        return len(fitting)

    def at(self, place: int, least: int) -> tuple[Spooled, int] | None:
        """The record at a place, and the place behind it; None when it is damaged, or its number below `least`."""
        behind = self._behind(place, least)
        if behind is None:
            return None
        crc, _, sequence, at_ms, kind = _BOTH.unpack_from(self._data, place)
        checked = self._data[place + _CRC.size : behind]
        if zlib.crc32(checked) != crc:
            whole = self._data[place:behind]  # at once: it may just have been erased
            checked, kind = whole[_CRC.size :], whole[OVERHEAD - 1]
            if kind != _GONE or zlib.crc32(checked) != _CRC.unpack_from(whole)[0]:
                return None
        return Spooled(sequence, at_ms, _KINDS[kind], checked[_HEAD.size :]), behind

    def erase(self, text: bytes, named: re.Pattern[bytes]) -> list[int]:
        """Overwrites the records whose body has `text` in it and `named` is found in, on disk as well; their numbers.

        Any thread's: it may be written to, and read, meanwhile. Raises OSError.
        """
        gone, place, least = [], 0, self.first
        for hit in self._hits(text):
            while (behind := self._behind(place, least)) is not None and behind <= hit:
                _, _, sequence, _, _ = _BOTH.unpack_from(self._data, place)
                place, least = behind, sequence + 1
            found = None if behind is None or hit < place else self.at(place, least)
            if found is None or found[0].kind == ERASED or not named.search(found[0].body):
                continue
            event, behind = found
            length = len(event.body)
            blank = _HEAD.pack(length, event.sequence, event.at_ms, _GONE) + b" " * length
            # at once: a reader sees one of the two
            self._data[place:behind] = _CRC.pack(zlib.crc32(blank)) + blank
            gone.append(event.sequence)
        if gone:
            self._data.flush()
        return gone

    def _hits(self, text: bytes) -> Iterator[int]:
        """Where it stands, each time: a window at once, so that other threads have their turn."""
        for begin in range(0, self.end, WINDOW):
            some = self._data[begin : min(begin + WINDOW + len(text) - 1, self.end)]
            found = some.find(text)
            while found >= 0:
                yield begin + found
                found = some.find(text, found + 1)

    def _behind(self, place: int, least: int) -> int | None:
        """The place behind the record at a place; None when there is none, or none that is whole by its head."""
        if place + OVERHEAD > self.end:
            return None
        _, length, sequence, _, kind = _BOTH.unpack_from(self._data, place)
        behind: int = place + OVERHEAD + length
        return None if behind > self.end or sequence < least or kind not in _KINDS else behind

    def cut(self) -> tuple[int, bool]:
        """Ends records and file before the first that is not whole.

        Returns the number behind the last whole one, and whether there was anything behind it but room.
        """
        place, least = 0, self.first
        while (found := self.at(place, least)) is not None:
            event, place = found
            least = event.sequence + 1
        torn = bool(self._data[place : self.end].strip(b"\0"))
        self.end = place
        self.seal()
        return least, torn

    def seal(self) -> None:
        """Gives back what was taken and not written. Nothing is written to it from here on."""
        os.truncate(self.path, self.end)
        self._data.madvise(mmap.MADV_NORMAL)
        self.size = self.end

    def remove(self) -> None:
        """The file goes; who reads it still can."""
        self.path.unlink(missing_ok=True)


def first_of(path: Path) -> int:
    """The number a file's name begins with."""
    return int(path.name.removesuffix(SUFFIX))
