"""Replay of a simulated day: calls a second, reading included, against the engine asked call by call from Python.

    python bench/replay.py [--quick] [--json FILE] [--seed N] [--recording calls.parquet] [--policy antifraud-cn]

Without --recording a day is simulated first. Times of a replay are of this process on a core (reading, deciding, adding
up), as the machine may be shared; the calls a second are those of one core.

They hold what the system takes for pages that are touched for the first time. On a virtual machine whose host finds the
memory only then, that is many times what it is where the memory was there: a control of its own says what a GB costs
here, and again once it was freed. Nothing is subtracted from anything.
"""

import argparse
import mmap
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
from _report import Report, arguments

from interceptor.engine.engine import Engine
from interceptor.numbering import load_plan
from interceptor.policy import load_policy
from interceptor.replay.needs import columns_read
from interceptor.replay.play import SECRET, Replay, Side
from interceptor.replay.recording import Recording
from interceptor.replay.study import study
from interceptor.runtime.loader import policy_path
from interceptor.simulation.scenario import load
from interceptor.simulation.simulate import simulate

PROMISED = 400_000  # calls a second and core
GB = 1 << 30
PAGE = 4096
NOT_OF_A_CALL = ("event", "time_ms", "answered_ms", "ended_ms", "cause", "label", "instance", "fraud")


def extra(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recording", type=Path, help="recorded calls; otherwise a day is simulated")
    parser.add_argument("--policy", default="antifraud-cn", help="a file, or a shipped policy (%(default)s)")
    parser.add_argument("--subscribers", type=int, default=1_000_000, help="simulated (%(default)s)")


def main() -> None:
    args = arguments(__doc__, extra)
    with tempfile.TemporaryDirectory() as folder:
        path = args.recording or Path(folder) / "calls.parquet"
        subscribers = min(args.subscribers, 20_000) if args.quick else args.subscribers
        report = Report("replay", args, policy=args.policy, subscribers=subscribers)
        if args.recording is None:
            hours = 2 if args.quick else 24
            report.note(f"simulating {hours} h of {subscribers:,} subscribers")
            simulate(load("day"), path, subscribers=subscribers, hours=hours, seed=args.seed)
        first_touch(report)
        spec = load_policy(policy_path(args.policy))
        measure(report, Recording(path), Side(spec))
        report.close()


def first_touch(report: Report) -> None:
    """What a GB costs that nobody has touched: as the machine is now, and when the one before was just freed."""
    report.section("memory that is touched for the first time, huge pages asked for as the tables do")
    for when in ("a GB", "a GB, after the one before was freed"):
        with mmap.mmap(-1, GB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.madvise(mmap.MADV_HUGEPAGE)
            pages = np.frombuffer(memory, np.uint8)[::PAGE]
            began = time.process_time()
            pages[:] = 1
            report.figure(when, time.process_time() - began, "s of a processor")
            del pages  # a mapping that is looked into cannot be closed


def measure(report: Report, recording: Recording, side: Side) -> None:
    report.section(f"{recording.rows:,} rows, columns {', '.join(sorted(columns_read(side.spec)))}")
    began = time.process_time()
    for _stretch in recording.stretches(columns_read(side.spec)):
        pass
    reading = time.process_time() - began
    began = time.process_time()
    study(recording, side)
    studying = time.process_time() - began
    replaying, wall, system = [], [], []
    calls = 0
    for _ in range(report.rounds(3, quick=1)):
        run = Replay(recording, [side], cores=1)
        began, begun, before = time.process_time(), time.perf_counter(), os.times().system
        for _played in run:
            pass
        replaying.append(time.process_time() - began)
        system.append(os.times().system - before)
        wall.append(time.perf_counter() - begun)
        calls = run.calls
        report.note(f"replayed {calls:,} calls in {wall[-1]:.1f} s, {replaying[-1]:.1f} s of a processor")
    each = {name: [1e9 * t / calls for t in times] for name, times in
            (("reading", [reading]), ("replay", replaying), ("system", system), ("study", [studying]))}  # fmt: skip
    report.figure("reading columns alone", each["reading"], "ns/call")
    report.figure("replay: reading and deciding", each["replay"], "ns/call")
    report.figure("of that the system's, pages touched first among it", each["system"], "ns/call")
    report.figure("the same, added up by rule, hour and label", each["study"], "ns/call")
    report.figure("replay, by the clock on the wall", [calls / t for t in wall], "calls/s")
    report.rate("replay, of one core", calls / sorted(replaying)[len(replaying) // 2], PROMISED, "calls/s")
    one = [
        one_by_one(recording, side, report.rounds(50_000, quick=20_000))
        for _ in range(report.rounds(3, quick=1))
    ]
    report.figure("Engine.decide from Python, a row as a mapping each", one, "ns/call")
    report.ratio("replay against that", each["replay"], one)


def one_by_one(recording: Recording, side: Side, calls: int) -> float:
    """Nanoseconds a call, of the first so many of the recording."""
    with pyarrow.parquet.ParquetFile(recording.path) as file:
        rows = next(file.iter_batches(calls)).to_pylist()
    rows = [row for row in rows if row.get("event") in (None, "call")]
    engine = Engine(load_plan(), secret=SECRET, pass_sample=0)
    engine.publish(side.spec, {}, revision=1)
    began = time.process_time()
    for row in rows:
        engine.decide(call_of(row), row["time_ms"])
    return 1e9 * (time.process_time() - began) / len(rows)


def call_of(row: dict[str, object]) -> dict[str, object]:
    call: dict[str, object] = {}
    tags: dict[str, object] = {}
    for name, value in row.items():
        if value is None or name in NOT_OF_A_CALL:
            continue
        if name.startswith("tags."):
            tags[name.removeprefix("tags.")] = value
        else:
            call[name] = value
    call["tags"] = tags
    return call


if __name__ == "__main__":
    main()
