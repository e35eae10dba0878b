"""A flood of callers nobody has seen before against the windows of a bounded table, and what a touch costs.

python bench/flood.py                           100 million distinct callers
python bench/flood.py --callers 1000000000      a billion

While they come, 10,000 busy entities (handsets, cells, offenders) are touched every few thousand calls of the flood,
and 10,000 slow ones, seen twice at first, only every 20 million: a table without a protected segment would have
replaced everyone in their sets 70 times over by then. None may be evicted.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
from _floor import Floor, entity
from _report import Report, arguments, interleaved, resident_bytes, seconds_of

from interceptor.engine.columns import Measure
from interceptor.engine.entities import EntityTable

Words = npt.NDArray[np.uint64]

HOUR = 3_600_000
COLUMNS = [(Measure.MEASURE_COUNT, HOUR), (Measure.MEASURE_DISTINCT, HOUR)]
BEGIN = 1_790_000_000_000  # virtual milliseconds
CALLS_A_MS = 100  # 100,000 a second
KEPT = 10_000  # of each: busy and slow
PERIOD = 5_000  # calls of the flood between two of a busy entity
BLOCKS = 40  # periods driven in one go
SLOW_PERIOD = 100 * BLOCKS * PERIOD
ODD = np.uint64(0x9E3779B97F4A7C15)  # times an odd number: no two calls share a key
SKETCHES = 4096


def keys_of(first: int, n: int) -> Words:
    return np.arange(first, first + n, dtype=np.uint64) * ODD


class Flood:
    """The calls in order: in every period each busy entity once, at its own place among the strangers."""

    def __init__(self, table: EntityTable, rng: np.random.Generator) -> None:
        self.table, self.rng = table, rng
        self.busy, self.slow = keys_of(1, KEPT), keys_of(1 + KEPT, KEPT)
        self.strangers = 0
        self.made = np.zeros(KEPT, np.int64)
        self.slow_made = np.zeros(KEPT, np.int64)
        places = rng.permutation(PERIOD + KEPT)
        self.busy_at, self.strangers_at = places[:KEPT], np.sort(places[KEPT:])
        calls = BLOCKS * (PERIOD + KEPT)
        self.a = np.zeros((BLOCKS, PERIOD + KEPT), np.uint64)
        self.a[:, self.busy_at] = self.busy
        self.b = np.zeros(calls, np.uint64)
        self.elements = np.zeros(calls, np.uint64)
        self.values = np.zeros((calls, len(COLUMNS)), np.int64)
        self.seconds = 0.0
        self.touches = 0

    @property
    def now(self) -> int:
        return BEGIN + self.strangers // CALLS_A_MS

    def drive(self) -> None:
        """One go: BLOCKS periods, and the slow entities whose turn it is."""
        n = BLOCKS * PERIOD
        self.a[:, self.strangers_at] = keys_of(1 + 2 * KEPT + self.strangers, n).reshape(BLOCKS, PERIOD)
        now = self.now + np.arange(len(self.b), dtype=np.int64) * (n // CALLS_A_MS) // len(self.b)
        self.elements[:] = self.rng.integers(0, 64, len(self.elements), dtype=np.uint64)
        keys = self.a.reshape(-1)
        self.seconds += seconds_of(
            lambda: self.table.touch_many(keys, self.b, now, self.elements, self.values),
            clock=time.thread_time,
        )
        self.touches += len(keys)
        counts = self.values[:, 0].reshape(BLOCKS, PERIOD + KEPT)[:, self.busy_at]
        self.made += (counts == 1).sum(axis=0)
        self.touch_slow(self.strangers // n % (SLOW_PERIOD // n))
        self.strangers += n

    def touch_slow(self, turn: int) -> None:
        n = KEPT * BLOCKS * PERIOD // SLOW_PERIOD
        share = slice(turn * n, (turn + 1) * n)
        keys = self.slow[share]
        values = np.zeros((len(keys), len(COLUMNS)), np.int64)
        zeros = np.zeros(len(keys), np.uint64)
        times = 1 if self.slow_made[share].any() else 2
        for _ in range(times):
            self.table.touch_many(keys, zeros, np.full(len(keys), self.now), zeros, values)
            self.slow_made[share] += values[:, 0] == 1

    def evicted(self) -> tuple[int, int]:
        """Busy and slow entities that were ever made anew, or are not there at the end."""
        return (
            int(sum((self.made != 1) | ~self.there(self.busy))),
            int(sum((self.slow_made > 1) | ((self.slow_made == 1) & ~self.there(self.slow)))),
        )

    def there(self, keys: Words) -> npt.NDArray[np.bool_]:
        return np.array([self.table.contains(int(key), 0) for key in keys])


def flood(report: Report, slots: int, callers: int, seed: int) -> None:
    report.section(f"{callers:,} callers nobody has seen before, {slots:,} slots")
    before = resident_bytes()
    table = EntityTable(slots, COLUMNS, SKETCHES, seed)
    run = Flood(table, np.random.default_rng(seed))
    full = 0
    while run.strangers < callers:
        run.drive()
        if not full and run.strangers >= 4 * slots:
            full = resident_bytes()
    after = resident_bytes()
    busy, slow = run.evicted()
    report.figure("bytes of a record", table.record_bytes, "B")
    report.figure("reserved at the start", table.nbytes / 2**20, "MiB")
    report.figure("resident before", before / 2**20, "MiB")
    if full:
        report.figure("resident after 4 strangers a slot", full / 2**20, "MiB")
    report.figure("resident after the flood", after / 2**20, "MiB")
    report.promise("grown, of what was reserved", (after - before - 64 * 2**20) / table.nbytes, 1, "x")
    report.figure("touches", run.touches, "")
    report.figure("a touch, 64 at a time", run.seconds / run.touches * 1e9, "ns")
    report.figure("strangers evicted", table.evicted_probation, "")
    report.figure("entities evicted that were seen twice", table.evicted_protected, "")
    report.figure("slow entities there were", sum(run.slow_made > 0), "")
    report.promise("of 10,000 busy entities were ever evicted", busy, 0, "")
    report.promise("of 10,000 slow entities were ever evicted", slow, 0, "")


def touches(report: Report, live: int, seed: int) -> None:
    report.section(f"a touch at {live:,} live entities (two columns, half the slots in use)")
    table = EntityTable(2 * live, COLUMNS, SKETCHES, seed)
    rng = np.random.default_rng(seed)
    keys = keys_of(1, live)
    for part in np.array_split(keys, 64):
        zeros = np.zeros(len(part), np.uint64)
        table.touch_many(part, zeros, np.full(len(part), BEGIN), zeros)
    floor = Floor(entity("caller", table.slots, table.record_bytes, 1.0), most=table.nbytes)
    n = min(live, 1_000_000)
    zeros, now = np.zeros(n, np.uint64), np.full(n, BEGIN + 1000)
    values = np.zeros((n, len(COLUMNS)), np.int64)

    def asked(chunk: int) -> float:
        some = rng.choice(keys, n)
        return (
            seconds_of(
                lambda: table.touch_many(some, zeros, now, zeros, values, chunk), clock=time.thread_time
            )
            * 1e9
            / n
        )

    times = interleaved(
        {
            "single": lambda: asked(1),
            "64 at a time": lambda: asked(64),
            "floor, single": lambda: floor.single(n),
            "floor, 64 at a time": lambda: floor.batch(n, 64),
        },
        rounds=report.rounds(7, quick=3),
    )
    report.figure("live", table.live(BEGIN + 1000), "")
    report.figure("lines touched", floor.lines_per_call, "")
    medians = {name: report.figure(name, samples, "ns") for name, samples in times.items()}
    for kind in ("single", "64 at a time"):
        report.ratio(f"{kind}, against its floor", times[kind], times[f"floor, {kind}"])
        report.figure(f"{kind}, above its floor", medians[kind] - medians[f"floor, {kind}"], "ns")


def main() -> None:
    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--callers", type=int, help="strangers in the flood (default: 100 million; quick: 5)"
        )
        parser.add_argument(
            "--slots", type=int, default=4_000_000, help="of the table (default: %(default)s)"
        )
        parser.add_argument("--live", type=int, help="entities to touch (default: 10 million; quick: 1)")

    args = arguments(__doc__, extra)
    callers = args.callers or (5_000_000 if args.quick else 100_000_000)
    live = args.live or (1_000_000 if args.quick else 10_000_000)
    report = Report("flood", args, callers=callers, slots=args.slots, live=live, sketches=SKETCHES)
    report.note(
        f"busy: {KEPT:,}, each every {PERIOD:,} strangers; slow: {KEPT:,}, each every {SLOW_PERIOD:,}"
    )
    flood(report, args.slots, callers, args.seed)
    touches(report, live, args.seed)
    report.close()


if __name__ == "__main__":
    main()
