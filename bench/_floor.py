"""The floor of a decision: how many random cache lines it touches, and how long a bare C loop takes for as many.

Counted are the lines that no cache can be expected to hold: list slots, entity sets and records, the table of
repeated calls. Not counted: the call itself (read in order), the policy's program, the numbering plan, prefixes,
and tables smaller than `RESIDENT`, which stay in the cache.
"""

import ctypes
import mmap
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LINE = 64
#: a table up to this size is taken to stay in the cache
RESIDENT = 1 << 20
WAYS = 14  # of an entity set
RECENT_WAYS = 15


@dataclass(frozen=True)
class Lines:
    """Lines touched in one table by the calls that look there."""

    what: str
    lines: int  #: of one place, side by side
    places: int
    stride: int  #: bytes from one place to the next
    share: float  #: of the calls that look there
    writes: bool

    @property
    def nbytes(self) -> int:
        return self.places * self.stride

    @property
    def per_call(self) -> float:
        return self.lines * self.share


def list_slots(nbytes: int, field: str, share: float) -> Lines:
    """A probe of the list table: the one line its key falls on."""
    return Lines(f"list slot of {field}", 1, nbytes // LINE, LINE, share, writes=False)


def entity(kind: str, slots: int, record_bytes: int, share: float) -> list[Lines]:
    """An entity's set, and its record: all of it, since every counter of an entity is read or bumped."""
    sets = slots // WAYS
    spanned = (record_bytes + LINE - 1) // LINE
    return [
        Lines(f"set of {kind}", 1, sets, LINE, share, writes=True),
        Lines(f"record of {kind}", spanned, slots, -(-record_bytes // LINE) * LINE, share, writes=True),
    ]


def repeats(capacity: int, share: float) -> list[Lines]:
    """The table of repeated calls: two lines to look a call up in, and the line its answer is put on."""
    return [
        Lines("set of repeated calls", 2, capacity // RECENT_WAYS, 2 * LINE, share, writes=True),
        Lines("entry of repeated calls", 1, capacity, LINE, share, writes=True),
    ]


class _Table(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_void_p),
        ("places", ctypes.c_uint64),
        ("stride", ctypes.c_uint64),
        ("lines", ctypes.c_uint32),
        ("thousandths", ctypes.c_uint32),
        ("writes", ctypes.c_uint32),
    )


class Floor:
    """A bare C loop over memory laid out like the tables.

    Parameters
    ----------
    lines
        What one call touches.
    most
        Bytes to use at most; larger tables are all scaled down alike.
    """

    def __init__(self, lines: Sequence[Lines], most: int) -> None:
        self.lines = [each for each in lines if each.nbytes > RESIDENT]
        self.nbytes = sum(each.nbytes for each in self.lines)
        self.scale = min(1.0, most / self.nbytes)
        self._library = _compiled()
        self._arena = mmap.mmap(-1, int(self.nbytes * self.scale) + (len(self.lines) + 1) * 4096)
        self._arena.madvise(mmap.MADV_HUGEPAGE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._arena))
        ctypes.memset(base, 1, len(self._arena))
        self._tables = (_Table * len(self.lines))()
        at = -(-base // 4096) * 4096
        for table, each in zip(self._tables, self.lines, strict=True):
            places = int(each.places * self.scale)
            table.base, table.places, table.stride = at, places, each.stride
            table.lines, table.writes = each.lines, each.writes
            table.thousandths = round(each.share * 1000)
            at += -(-places * each.stride // 4096) * 4096
        self._seed = 1

    @property
    def lines_per_call(self) -> float:
        return sum(each.per_call for each in self.lines)

    def single(self, calls: int) -> float:
        """Nanoseconds a call, one call at a time."""
        return self._timed(calls, self._library.floor_single)

    def batch(self, calls: int, chunk: int) -> float:
        """Nanoseconds a call, `chunk` calls at a time."""
        return self._timed(calls, self._library.floor_batch, ctypes.c_uint32(chunk))

    def _timed(self, calls: int, loop: "ctypes._NamedFuncPointer", *more: ctypes.c_uint32) -> float:
        self._seed += 1 << 40
        begun = time.thread_time()
        loop(
            self._tables,
            ctypes.c_uint32(len(self.lines)),
            ctypes.c_uint64(calls),
            ctypes.c_uint64(self._seed),
            *more,
        )
        return (time.thread_time() - begun) * 1e9 / calls


def _compiled() -> ctypes.CDLL:
    source = Path(__file__).with_name("floor.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "floor.so"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", library, source], check=True)
        return ctypes.CDLL(str(library))
