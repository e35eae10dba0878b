"""The spool: events on disk in mapped files, numbered, bounded, and there again after a kill -9 of the process.

What is appended is in the page cache at once, so the process may die at any instruction. Nothing is synced to the disk:
the kernel writes it within some 30 s, and a machine that loses power loses what it had not written. What was lost shows
as a gap in the numbers, wherever it was lost.
"""

import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from interceptor.delivery.envelope import Record, Spooled
from interceptor.delivery.mapped import MappedPair
from interceptor.delivery.segment import ERASED, SUFFIX, Segment, first_of, written

#: files of a full spool, and the largest file
FILES, LARGEST = 8, 64 << 20
#: numbers below it are good
HIGHEST = 1 << 62
_NAME = re.compile(rf"\d{{20}}{re.escape(SUFFIX)}")

#: tells what was found damaged: which file, where, in words
Teller = Callable[[str], None]


class SpoolError(ValueError):
    """The spool's directory cannot be used; the message says what to do."""


class Spool:
    """Events in their order. Any thread appends; each reader is one thread's.

    Full, it lets its oldest file go, read or not: no sink that lags holds up another, nor whoever appends.
    """

    def __init__(
        self, directory: Path, lock: int, megabytes: int, told: Teller, clock: Callable[[], int]
    ) -> None:
        """See `open`."""
        self._directory = directory
        self._limit = megabytes << 20
        self._size = min(self._limit // FILES, LARGEST)
        self.told = told
        self._clock = clock
        self._one_process = lock
        self._lock = threading.Lock()
        self._readers: list[Reader] = []
        self._numbers = MappedPair(directory / "numbers")
        number, self.lost = self._numbers.pair  #: numbers that no event was kept under
        #: the number the next event gets
        self.next = max(number, 1)
        #: numbers of what was erased, and a reader may have taken before
        self.erased: frozenset[int] = frozenset()
        #: replaced and never changed, so that readers may walk along it; the last is the one that is written to
        self.segments = self._found()

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        megabytes: int,
        told: Teller = lambda what: None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> "Spool":
        """Opens the spool of a directory, or makes it.

        Parameters
        ----------
        directory
            Of one process at a time.
        megabytes
            What its files of events may take, eight or more.
        told
            Is told what was found damaged, by `open` and by readers.
        clock
            Milliseconds since the Unix epoch.

        Raises
        ------
        SpoolError
            The directory cannot be used, or another process has it.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return cls(directory, lock, megabytes, told, clock)
            except BaseException:
                os.close(lock)
                raise
        except BlockingIOError:
            raise SpoolError(
                f"{directory}: another service has this spool: give each a directory of its own"
            ) from None
        except OSError as error:
            raise SpoolError(
                f"{error.filename or directory}: {error.strerror}: give the spool a directory it can write"
            ) from None

    @property
    def nbytes(self) -> int:
        """What the files of events take."""
        return sum(segment.size for segment in self.segments)

    def append(self, records: Sequence[Record]) -> None:
        """Numbers events and keeps them.

        Raises
        ------
        OSError
            The disk is full, or not there. What was not kept is counted as lost, and its numbers are left out.
        """
        with self._lock:
            at_ms = self._clock()
            first = self.next
            self._go_on(len(records), 0)  # before they are written: no number is given twice
            left = [
                (number, data)
                for number, (kind, body) in enumerate(records, first)
                if len(data := written(Spooled(number, at_ms, kind, body))) <= self._size
            ]
            kept = len(left)
            try:
                while left:
                    if self.segments:
                        left = left[self.segments[-1].put([data for _, data in left]) :]
                    if left:
                        self._roll(left[0][0])
            finally:
                if lost := len(records) - kept + len(left):
                    self._go_on(0, lost)

    def skip(self, events: int) -> None:
        """Counts events that were lost before they came here: so many numbers are left out."""
        with self._lock:
            self._go_on(events, events)

    def erase(self, text: bytes, named: re.Pattern[bytes]) -> int:
        """Overwrites events in which `text` stands and `named` is found: gaps, to readers that are not there yet.

        How many there were. It takes as long as reading the spool, and nobody waits for it. Raises OSError.
        """
        erased = 0
        for segment in self.segments:
            gone = segment.erase(text, named)
            with self._lock:
                least = min((reader.committed for reader in self._readers), default=self.next)
                self.erased = frozenset(number for number in (*self.erased, *gone) if number >= least)
            erased += len(gone)
        return erased

    def reader(self, name: str) -> "Reader":
        """Whoever reads under this name: from where it committed last, at first from the oldest event there is.

        What every reader has committed may go. Raises OSError.
        """
        with self._lock:
            reader = Reader(self, MappedPair(self._directory / f"{name}.cursor"))
            # power was lost: the cursor was on the disk, the events not yet
            self.next = max(self.next, reader.at)
            self._readers.append(reader)
        return reader

    def sweep(self) -> None:
        """Lets go of files that every reader has behind it."""
        with self._lock:
            least = min((reader.committed for reader in self._readers), default=0)
            done = [second.first <= least for second in self.segments[1:]].count(True)
            self._let_go(done)

    def close(self) -> None:
        """Gives the directory free. Its readers have ended."""
        with self._lock:
            for reader in self._readers:
                reader.close()
            if self.segments:
                self.segments[-1].seal()
            self._numbers.close()
            os.close(self._one_process)

    def _go_on(self, numbers: int, lost: int) -> None:
        self.next += numbers
        self.lost += lost
        self._numbers.write(self.next, self.lost)

    def _roll(self, first: int) -> None:
        """Begins a file, within the bound."""
        if self.segments:
            self.segments[-1].seal()
        sizes = [segment.size for segment in self.segments]
        gone = 0
        while gone < len(sizes) and sum(sizes[gone:]) + self._size > self._limit:
            gone += 1
        self._let_go(gone)
        self.segments = [*self.segments, Segment.create(self._directory, first, self._size)]

    def _let_go(self, files: int) -> None:
        old, self.segments = self.segments[:files], self.segments[files:]
        for segment in old:
            segment.remove()

    def _found(self) -> list[Segment]:
        """What an earlier process has left."""
        paths = sorted(
            path
            for path in self._directory.iterdir()
            if _NAME.fullmatch(path.name) and first_of(path) < HIGHEST
        )
        found = [segment for path in paths if (segment := Segment.open(path)) is not None]
        while found:
            last = found[-1]
            behind, torn = last.cut()
            if torn:
                self.told(f"{last.path}: torn at byte {last.end}: what came behind it is lost")
            self.next = max(self.next, behind)
            if last.end:
                break
            found.pop().remove()
        return found


class Reader:
    """One sink's way through the spool."""

    def __init__(self, spool: Spool, cursor: MappedPair) -> None:
        self._spool = spool
        self._cursor = cursor
        segments = spool.segments
        start = segments[0].first if segments else spool.next
        self.at, self.dropped = cursor.pair if cursor.found else (start, 0)  #: see `committed`, `dropped`
        self._segment: Segment | None = None
        self._place = 0
        self._least = 0
        cursor.write(self.at, self.dropped)
        #: it has to be delivered from here on
        self.committed = self.at
        #: when the oldest event came that is taken and not committed, milliseconds since the epoch; None: none is
        self.since_ms: int | None = None

    @property
    def erased(self) -> frozenset[int]:
        """Numbers of events that are not to be delivered any more, though they were taken."""
        return self._spool.erased

    @property
    def backlog(self) -> int:
        """Numbers from what was committed to the last one."""
        segments = self._spool.segments
        first = segments[0].first if segments else self._spool.next
        return self._spool.next - max(self.committed, min(first, self._spool.next))

    def take(self, limit: int) -> list[Spooled]:
        """Up to so many events, the next in order; none when there are no more. Gaps between them are in `dropped`."""
        events: list[Spooled] = []
        while len(events) < limit and self._read(events, limit):
            pass
        if events and self.since_ms is None:
            self.since_ms = events[0].at_ms
        return events

    def commit(self) -> None:
        """What was taken is delivered: after a restart it is not given again."""
        self._cursor.write(self.at, self.dropped)
        self.committed = self.at
        self.since_ms = None
        segments = self._spool.segments
        if len(segments) > 1 and segments[1].first <= self.at:
            self._spool.sweep()

    def close(self) -> None:
        self._cursor.close()

    def _read(self, events: list[Spooled], limit: int) -> bool:
        """Adds what a file has; False when there is nothing behind it."""
        segments = self._spool.segments
        if not segments:
            return False
        if self._segment not in segments:  # at first, and when it was let go: with the file that has `at`
            begun = [segment for segment in segments if segment.first <= self.at]
            self._enter(begun[-1] if begun else segments[0])
        segment = self._segment
        assert segment is not None
        behind = segments[segments.index(segment) + 1 :]
        above = behind[0].first if behind else HIGHEST
        end = segment.end  # asked for after `segments`: one that has others behind it grows no more
        while self._place < end and len(events) < limit:
            found = segment.at(self._place, self._least)
            if found is None or found[0].sequence >= above:
                self._spool.told(
                    f"{segment.path}: damaged at byte {self._place}: the rest of the file is lost"
                )
                self._place = end
                break
            event, self._place = found
            self._least = after = event.sequence + 1
            if event.sequence >= self.at and event.kind != ERASED:
                self.dropped += event.sequence - self.at
                self.at = after
                events.append(event)
        if self._place < end:
            return True
        if behind:
            self._enter(behind[0])
        return bool(behind)

    def _enter(self, segment: Segment) -> None:
        self._segment, self._place, self._least = segment, 0, segment.first
