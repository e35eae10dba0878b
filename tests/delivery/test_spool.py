"""The spool against an obvious model: what is appended is read once, in order, whatever happens to the process."""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interceptor.delivery.envelope import Record, Spooled
from interceptor.delivery.mapped import MappedPair
from interceptor.delivery.segment import OVERHEAD, WINDOW, written
from interceptor.delivery.settings import KINDS
from interceptor.delivery.spool import Reader, Spool, SpoolError

SINKS = ("near", "far")
#: a number that is erased, and where nothing else begins or ends with it
NUMBER, ALONE = b"8613800138000", re.compile(rb"(?<!\d)8613800138000(?!\d)")
MEGABYTES = 1  # files of 128 KiB

BODIES = st.integers(0, 40_000).flatmap(
    lambda size: st.integers(0, 255).map(lambda byte: bytes([byte]) * size)
)
RECORDS = st.builds(Record, st.sampled_from(KINDS), BODIES)


def everything(spool: Spool, name: str) -> list[Spooled]:
    """What a reader gets until there is no more."""
    reader = spool.reader(name)
    events: list[Spooled] = []
    while taken := reader.take(100):
        events += taken
    return events


def test_what_is_erased_is_a_gap_to_whoever_has_not_read_it(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, megabytes=8)
    early = spool.reader("early")
    said = [b"of +8613800138000", b"of +8613800138001", b"of 8613800138000@host", b"of 86138001380001"]
    spool.append([Record("decision", body) for body in said])
    assert [event.body for event in early.take(1)] == said[:1]
    assert spool.erase(NUMBER, ALONE) == 2
    late = spool.reader("late")
    for reader in (early, late):
        assert [event.sequence for event in reader.take(10)] == [2, 4]
    assert (early.dropped, late.dropped) == (1, 2)
    spool.close()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("*.events"))
    assert (held.count(b"13800138000"), held.count(b"138001380001")) == (
        1,
        1,
    )  # a part of what is longer stays
    spool = Spool.open(tmp_path, megabytes=8)
    assert [event.sequence for event in everything(spool, "later")] == [2, 4]
    spool.append([Record("decision", b"more")])
    assert [event.sequence for event in everything(spool, "last")] == [2, 4, 5]
    spool.close()


def test_what_is_to_be_erased_is_found_wherever_it_stands(tmp_path: Path) -> None:
    """Also across the pieces that are searched at once; and twice in one event, and once in part of a longer number."""
    spool = Spool.open(tmp_path, megabytes=64)
    chance = random.Random(7)
    bodies, named = [], []
    for i in range(150):
        body = bytearray(chance.choice(b"ab") for _ in range(97)) * chance.randrange(1, 700)
        if chance.random() < 0.5:
            spot = chance.randrange(len(body))
            body[spot:spot] = NUMBER + b" " + (NUMBER if i % 2 else b"")
            named.append(i + 1)
        elif i % 3:
            body += NUMBER + b"1"
        bodies.append(bytes(body))
    edge = 2 * WINDOW - sum(len(body) + OVERHEAD for body in bodies) % WINDOW
    bodies.append(b"x" * (edge - OVERHEAD - 5) + NUMBER)
    named.append(len(bodies))
    spool.append([Record("decision", body) for body in bodies])
    assert spool.erase(NUMBER, ALONE) == len(named)
    left = [event.sequence for event in everything(spool, "late")]
    assert left == [i for i in range(1, len(bodies) + 1) if i not in named]
    assert spool.erase(NUMBER, ALONE) == 0
    spool.close()


def test_who_appends_does_not_wait_for_an_erasure(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, megabytes=8)
    spool.append([Record("decision", NUMBER)])

    class Slow:
        def search(self, body: bytes) -> bool:
            appending = threading.Thread(target=spool.append, args=([Record("decision", b"meanwhile")],))
            appending.start()
            appending.join(30)
            assert not appending.is_alive()
            return True

    assert spool.erase(NUMBER, Slow()) == 1  # type: ignore[arg-type]
    assert [event.body for event in everything(spool, "late")] == [b"meanwhile"]
    spool.close()


class SpoolMachine(RuleBasedStateMachine):
    """Appends, reads and deaths, at any byte of an append."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.lives = 0
        self.kept: dict[int, Record] = {}
        self.next = 1
        self.lost = 0
        self.at = dict.fromkeys(SINKS, 1)
        self.committed = dict.fromkeys(SINKS, 1)
        self.seen = dict.fromkeys(SINKS, 0)  # events a sink has read, up to what it committed and beyond
        self.seen_committed = dict.fromkeys(SINKS, 0)
        self.begin(self.root / "0")

    def begin(self, directory: Path) -> None:
        """A process opens it."""
        self.directory = directory
        self.problems: list[str] = []
        self.spool = Spool.open(directory, megabytes=MEGABYTES, told=self.problems.append, clock=lambda: 1)
        self.readers: dict[str, Reader] = {name: self.spool.reader(name) for name in SINKS}
        self.at = dict(self.committed)
        self.seen = dict(self.seen_committed)

    def copy(self) -> Path:
        """The files as a process that died now would leave them."""
        self.lives += 1
        return Path(shutil.copytree(self.directory, self.root / str(self.lives)))

    @rule(records=st.lists(RECORDS, max_size=8))
    def append(self, records: list[Record]) -> None:
        self.spool.append(records)
        self.kept |= {self.next + i: each for i, each in enumerate(records)}
        self.next += len(records)

    @rule(events=st.integers(1, 5))
    def lose(self, events: int) -> None:
        self.spool.skip(events)
        self.next += events
        self.lost += events

    @rule(name=st.sampled_from(SINKS), limit=st.integers(1, 12))
    def take(self, name: str, limit: int) -> None:
        taken = self.readers[name].take(limit)
        oldest = self.spool.segments[0].first if self.spool.segments else self.next
        due = [number for number in sorted(self.kept) if number >= max(self.at[name], oldest)][:limit]
        assert [each.sequence for each in taken] == due
        assert [Record(each.kind, each.body) for each in taken] == [self.kept[number] for number in due]
        if taken:
            self.at[name] = taken[-1].sequence + 1
            self.seen[name] += len(taken)

    @rule(name=st.sampled_from(SINKS))
    def commit(self, name: str) -> None:
        self.readers[name].commit()
        self.committed[name] = self.at[name]
        self.seen_committed[name] = self.seen[name]
        for segment in self.spool.segments[1:2]:  # what both have behind them has gone
            assert segment.first > min(self.committed.values())

    @rule()
    def end_and_begin(self) -> None:
        self.spool.close()
        self.begin(self.directory)
        assert not self.problems

    @rule()
    def die(self) -> None:
        left = self.copy()
        self.spool.close()
        self.begin(left)
        assert not self.problems

    @rule(records=st.lists(RECORDS, min_size=1, max_size=8), share=st.floats(0, 1), begun=st.booleans())
    def die_while_appending(self, records: list[Record], share: float, begun: bool) -> None:
        """So much of what was to be written is; `begun`: the next file is there and empty."""
        size = self.spool._size
        before = {segment.path.name: segment.end for segment in self.spool.segments}
        first = self.next
        self.append(records)
        ends = {segment.path.name: segment.end for segment in self.spool.segments}
        left = self.copy()
        self.spool.close()

        texts = [written(Spooled(first + i, 1, *each)) for i, each in enumerate(records)]
        left_bytes = room = round(share * sum(map(len, texts)))
        for i, each in enumerate(texts):
            if each[max(room, 0) :].strip(b"\0"):  # zeros are there already
                del self.kept[first + i]
            room -= len(each)
        for name in sorted(ends):
            new = ends[name] - before.get(name, 0)
            path = left / name
            if left_bytes <= 0 and name not in before:
                if begun:
                    path.write_bytes(bytes(size))
                    begun = False
                else:
                    path.unlink()
            elif new > left_bytes:  # it was the one that was written to
                with path.open("r+b") as file:
                    file.truncate(before.get(name, 0) + left_bytes)
                    file.truncate(size)
            left_bytes = max(left_bytes - new, 0)
        self.begin(left)

    @invariant()
    def numbers_go_on(self) -> None:
        assert (self.spool.next, self.spool.lost) == (self.next, self.lost)

    @invariant()
    def it_is_bounded(self) -> None:
        files = list(self.directory.glob("*.events"))
        assert sum(path.stat().st_size for path in files) == self.spool.nbytes <= MEGABYTES << 20

    @invariant()
    def gaps_are_counted(self) -> None:
        for name, reader in self.readers.items():
            assert reader.dropped == self.at[name] - 1 - self.seen[name]

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.root)


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=25, stateful_step_count=20)


# --- pieces of it


@given(
    pairs=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=2, max_size=4),
    cut=st.integers(0, 28),
)
def test_numbers_whose_write_was_cut_are_those_before(pairs: list[tuple[int, int]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "numbers"
        kept = MappedPair(path)
        for pair in pairs[:-1]:
            kept.write(*pair)
        before = path.read_bytes()
        kept.write(*pairs[-1])
        after = path.read_bytes()
        kept.close()
        start = 32 * (len(pairs) % 2)
        path.write_bytes(before[:start] + after[start : start + cut] + before[start + cut :])
        again = MappedPair(path)
        assert again.found
        assert again.pair in (pairs[-2], pairs[-1])
        again.close()


def test_a_new_sink_begins_with_the_oldest_event_there_is(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    spool.skip(3)
    spool.append([Record("decision", b"one")])
    assert [each.sequence for each in everything(spool, "new")] == [4]
    assert spool.reader("newer").dropped == 0
    spool.close()


def test_a_sink_that_never_reads_holds_nobody_up(tmp_path: Path) -> None:
    """And it counts what it missed, exactly: the others miss nothing."""
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    quick, slow = spool.reader("quick"), spool.reader("slow")
    for i in range(400):
        spool.append([Record("decision", b"%d" % i + bytes(9_000))])
        assert [each.sequence for each in quick.take(5)] == [i + 1]
        quick.commit()
    read = [each.sequence for each in slow.take(1_000)]
    assert read == list(range(401 - len(read), 401))
    assert (quick.dropped, slow.dropped) == (0, 400 - len(read))
    assert 80 < len(read) < 120
    spool.close()


def test_one_process_has_a_spool(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    with pytest.raises(SpoolError, match="another service has this spool: give each a directory of its own"):
        Spool.open(tmp_path, megabytes=MEGABYTES)
    spool.close()
    Spool.open(tmp_path, megabytes=MEGABYTES).close()


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"file/spool: Not a directory: give the spool a directory"):
        Spool.open(tmp_path / "file" / "spool", megabytes=MEGABYTES)


def test_what_a_full_disk_refuses_leaves_its_numbers_out(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    spool.append([Record("decision", b"before")])
    full = [Record("decision", bytes(30_000))] * 6
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, limits[1]))  # no further file can be made
    try:
        with pytest.raises(OSError, match="File too large"):
            spool.append(full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    spool.append([Record("decision", b"after")])
    reader = spool.reader("sink")
    events = reader.take(100)
    assert [each.sequence for each in events] == [1, 2, 3, 4, 5, 8]
    assert events[-1].body == b"after"
    assert reader.dropped == spool.lost == 2
    spool.close()


def advice(path: Path) -> str:
    """How the kernel is to read a file that is mapped here."""
    mapped = Path("/proc/self/smaps").read_text().partition(f" {path}\n")[2]
    return mapped.partition("VmFlags:")[2].partition("\n")[0]


def test_the_kernel_reads_ahead_of_readers_and_not_of_who_writes(tmp_path: Path) -> None:
    """It would clear megabytes that nothing was written to, and leave no core to a call meanwhile."""
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    while len(spool.segments) < 2:
        spool.append([Record("decision", bytes(10_000))] * 10)
    written, writing = spool.segments
    assert " rr " not in advice(written.path)
    assert " rr " in advice(writing.path)
    spool.close()


def test_an_event_that_fits_into_no_file_is_lost_alone(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    sizes = (10, 1 << 20, 20)
    spool.append([Record("decision", bytes(size)) for size in sizes])
    assert [(each.sequence, len(each.body)) for each in everything(spool, "sink")] == [(1, 10), (3, 20)]
    assert spool.lost == 1
    spool.close()


def test_numbers_go_on_behind_what_a_sink_has_had(tmp_path: Path) -> None:
    """After power was lost: what was read from memory had not come to the disk."""
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    reader = spool.reader("sink")
    spool.append([Record("decision", b"gone")] * 9)
    reader.take(9)
    reader.commit()
    spool.close()
    (tmp_path / "numbers").unlink()
    for path in tmp_path.glob("*.events"):
        path.unlink()
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    reader = spool.reader("sink")
    spool.append([Record("decision", b"new")])
    assert [(each.sequence, each.body) for each in reader.take(9)] == [(10, b"new")]
    spool.close()


# --- damage


def damaged(directory: Path, random: random.Random) -> None:
    """Something happens to one file."""
    path = random.choice(sorted(path for path in directory.iterdir() if path.name != "lock"))
    data = bytearray(path.read_bytes())
    what = random.randrange(7)
    if what == 0 and data:
        for _ in range(random.choice([1, 1, 3, 40])):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif what == 1:
        del data[random.randrange(len(data) + 1) :]
    elif what == 2:
        data += random.randbytes(random.randrange(1, 3_000))
    elif what == 3 and data:
        start = random.randrange(len(data))
        data[start : start + 4_096] = bytes(len(data[start : start + 4_096]))
    elif what == 4:
        path.unlink()
        return
    elif what == 5:
        path.rename(directory / f"{random.randrange(10 ** random.randrange(1, 21)):020d}.events")
        return
    else:
        data[:] = random.randbytes(random.randrange(200))
    path.write_bytes(data)


@given(random=st.randoms(use_true_random=False), times=st.integers(1, 3))
def test_a_damaged_directory_gives_what_is_whole(random: random.Random, times: int) -> None:
    """It opens, never gives what was not written, nor anything twice; says what is damaged; and goes on."""
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root)
        spool = Spool.open(directory, megabytes=MEGABYTES)
        given = {i + 1: Record("decision", b"%d:" % i + bytes(random.randrange(30_000))) for i in range(12)}
        reader = spool.reader("sink")
        for record in given.values():
            spool.append([record])
        reader.take(3)
        reader.commit()
        spool.close()
        for _ in range(times):
            damaged(directory, random)

        told: list[str] = []
        spool = Spool.open(directory, megabytes=MEGABYTES, told=told.append)
        reader = spool.reader("sink")
        start, dropped = reader.at, reader.dropped
        events = []
        while taken := reader.take(3):
            events += taken
        numbers = [each.sequence for each in events]
        assert numbers == sorted(set(numbers))
        for each in events:
            assert Record(each.kind, each.body) == given[each.sequence]
        after = Record("reminder", b"after")
        spool.append([after])
        (last,) = reader.take(3)
        assert last.sequence > max(numbers, default=0)
        assert Record(last.kind, last.body) == after
        assert reader.dropped - dropped == reader.at - start - len(numbers) - 1
        spool.close()


def test_damage_is_told_with_file_and_place(tmp_path: Path) -> None:
    told: list[str] = []
    spool = Spool.open(tmp_path, megabytes=MEGABYTES)
    spool.append([Record("decision", b"%d" % i + bytes(9_000)) for i in range(30)])
    spool.close()
    first, *_, last = sorted(tmp_path.glob("*.events"))
    for path, place in ((first, 50_000), (last, 10_000)):
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
    spool = Spool.open(tmp_path, megabytes=MEGABYTES, told=told.append)
    numbers = [each.sequence for each in everything(spool, "sink")]
    spool.close()
    assert numbers == [1, 2, 3, 4, 5, *range(15, 31)][: len(numbers)]
    assert told == [
        f"{last}: torn at byte 9027: what came behind it is lost",
        f"{first}: damaged at byte 45130: the rest of the file is lost",
    ]


# --- a real process, killed

WRITER = """
import sys
from pathlib import Path
from interceptor.delivery.envelope import Record
from interceptor.delivery.spool import Spool
spool = Spool.open(Path(sys.argv[1]), megabytes=16)
while True:
    spool.append([Record("decision", b"%d" % (spool.next + i) + bytes(i)) for i in range(200)])
    sys.stdout.write("%d\\n" % spool.next)
    sys.stdout.flush()
"""


def test_what_was_appended_is_there_after_a_kill(tmp_path: Path, scale: Callable[[int, int], int]) -> None:
    draw = random.Random(6)
    promised = 1
    for _ in range(scale(6, 200)):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert writer.stdout is not None
        for _ in range(draw.randrange(1, 60)):
            promised = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        promised = max([promised, *map(int, writer.stdout.read().split())])
        writer.wait()
        writer.stdout.close()

        spool = Spool.open(tmp_path, megabytes=16)
        reader = spool.reader("sink")
        start, dropped = reader.at, reader.dropped
        numbers: list[int] = []
        while taken := reader.take(1_000):
            numbers += [each.sequence for each in taken]
            assert all(each.body.startswith(b"%d" % each.sequence) for each in taken)
        assert (
            numbers[0] + len(numbers) - start
            <= numbers[-1] - start + 1
            == len(numbers) + reader.dropped - dropped
        )
        assert set(range(numbers[0], promised)) <= set(numbers)
        assert spool.next >= promised
        reader.commit()
        spool.close()
