"""The table of listed numbers: build time, bytes a number, lookups, cache lines, changes beside calls, peak of memory.

python bench/lists.py                       10 million numbers
python bench/lists.py --rows 100000000      the largest list there is to hold
"""

import argparse
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from _report import Report, arguments, interleaved, seconds_of

from interceptor.engine.engine import CALL_DTYPE, Engine, ListContent
from interceptor.engine.keys import KeyKind, digits_key_of
from interceptor.engine.lists import ListTable
from interceptor.numbering import load_plan
from interceptor.policy import load_policy

Keys = npt.NDArray[np.uint64]
ASKED = 1_000_000
NOW = 1_700_000_000_000
POLICY = """
version: 1
lists: {{{first}: {{kind: number}}, {second}: {{kind: number}}}}
rules:
  - {{id: listed, when: call.caller in lists.fraud, verdict: block, class: list}}
default: pass
"""


def peak_gib() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def numbers(rows: int, rng: np.random.Generator) -> Keys:
    """Keys of different numbers of 13 digits in no order; the number after each of them is not among them."""
    keys = np.arange(rows, dtype=np.uint64)
    keys *= np.uint64(7)
    keys += np.uint64(digits_key_of(KeyKind.KEY_NUMBER, b"8613000000000"))
    rng.shuffle(keys)
    return keys


def build(report: Report, keys: Keys, seed: int) -> ListTable:
    report.section("building")

    def to_capacity() -> float:
        table = ListTable(len(keys), seed)
        return seconds_of(lambda: table.add_many(keys, 0))

    def growing() -> float:
        table = ListTable(0, seed)

        def add() -> None:
            for part in np.array_split(keys, 64):
                table.add_many(part, 0)

        return seconds_of(add)

    def twice() -> float:
        table = ListTable(len(keys), seed)
        table.add_many(keys, 0)
        return seconds_of(lambda: table.add_many(keys, 1))

    variants = {"to capacity": to_capacity}
    if len(keys) <= 20_000_000:  # the others need the memory of two tables, or the time
        variants |= {"growing": growing, "twice": twice}
    times = interleaved(variants, rounds=report.rounds(5, quick=2) if len(keys) <= 20_000_000 else 1)
    labels = {
        "to capacity": "add_many, a table of the right capacity",
        "growing": "add_many in 64 parts, a table that grows",
        "twice": "add_many of the same numbers to a second list",
    }
    for name, samples in times.items():
        report.figure(labels[name], samples, "s")
    if len(keys) == 10_000_000:
        report.promise(
            "10 million numbers from a numpy array", float(np.median(times["to capacity"])), 3, "s"
        )
    table = ListTable(len(keys), seed)
    table.add_many(keys, 0)
    report.promise("bytes a listed number", table.nbytes / len(table), 32, "bytes")
    return table


def look_up(report: Report, table: ListTable, keys: Keys, rng: np.random.Generator) -> None:
    report.section("lookups, by time of the thread")
    listed = keys[rng.integers(0, len(keys), ASKED)]
    absent = listed + np.uint64(1)

    def asking(asked: Keys, prefetch: bool) -> float:
        return seconds_of(lambda: table.find_many(asked, prefetch=prefetch), time.thread_time) / ASKED * 1e9

    times = interleaved(
        {
            "listed, one by one": lambda: asking(listed, False),
            "listed, 64 at a time, prefetched": lambda: asking(listed, True),
            "not listed, one by one": lambda: asking(absent, False),
            "not listed, 64 at a time, prefetched": lambda: asking(absent, True),
        },
        rounds=report.rounds(9, quick=3),
    )
    for name, samples in times.items():
        report.figure(name, samples, "ns")
    report.figure("cache lines a number that is listed", table.lines(listed) / ASKED, "lines")
    report.figure("cache lines a number that is not", table.lines(absent) / ASKED, "lines")


def change(report: Report, keys: Keys) -> None:
    """Large changes of an engine's lists by a thread at nice 19, single ones and calls beside them."""
    report.section("large changes, with single ones and calls beside them")
    engine = Engine(load_plan(), secret=bytes(16), pass_sample=0)
    spec, swapped = (
        load_policy("bench", POLICY.format(first=first, second=second))
        for first, second in (("fraud", "spam"), ("spam", "fraud"))
    )
    calls = np.zeros(64, CALL_DTYPE)
    calls["caller"], calls["callee"] = b"+8613000000000", b"+8613900139000"
    worker, times = engine.enlist(), np.full(len(calls), NOW)
    nothing = ListContent(keys[:0])
    over = threading.Event()
    waits: dict[str, list[float]] = {"single add": [], "64 calls": []}

    def beside(name: str, act: Callable[[int], object]) -> None:
        turn = 0
        while not over.wait(0.0005):
            turn += 1
            waits[name].append(seconds_of(lambda turn=turn: act(turn)) * 1e3)

    def add(turn: int) -> None:
        engine.add("spam", ListContent(keys[:1] + np.uint64(14 * len(keys) + turn)))

    steps: dict[str, Callable[[], object]] = {
        "publish, lists given": lambda: engine.publish(spec, {"fraud": ListContent(keys)}, revision=1),
        "publish, the same lists": lambda: engine.publish(spec, {}, revision=2),
        "publish, lists in another order": lambda: engine.publish(swapped, {}, revision=3),
        "apply, as many to a second list": lambda: engine.apply("spam", ListContent(keys), nothing),
        "replace by half of them": lambda: engine.replace("spam", ListContent(keys[::2])),
    }

    def build() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        for name, step in steps.items():
            for each in waits.values():
                each.clear()
            report.figure(name, seconds_of(step), "s")
            for each, some in waits.items():
                if len(some) > 10:
                    report.figure(f"  {each} beside it, p99", float(np.percentile(some, 99)), "ms")
                    report.figure(f"  {each} beside it, longest", max(some), "ms")
            report.figure("  memory of the process then", resident_gib(), "GiB")

    engine.publish(spec, {}, revision=0)
    threads = [
        threading.Thread(target=beside, args=("single add", add)),
        threading.Thread(target=beside, args=("64 calls", lambda _: worker.decide_batch(calls, times))),
    ]
    builder = threading.Thread(target=build)
    for thread in [*threads, builder]:
        thread.start()
    builder.join()
    over.set()
    for thread in threads:
        thread.join()


def resident_gib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**30


def main() -> None:
    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--rows", type=int, help="numbers on the list (default: 10 million, quick: 1 million)"
        )

    args = arguments(__doc__, extra)
    rows = args.rows or (1_000_000 if args.quick else 10_000_000)
    report = Report("lists", args, rows=rows)
    rng = np.random.default_rng(args.seed)
    before = peak_gib()
    keys = numbers(rows, rng)
    table = build(report, keys, args.seed)
    look_up(report, table, keys, rng)
    report.section("memory")
    report.figure("before the numbers", before, "GiB")
    report.figure("the numbers as an array", keys.nbytes / 2**30, "GiB")
    report.figure("the table", table.nbytes / 2**30, "GiB")
    if rows == 100_000_000:
        report.promise("peak of the process, numbers and building included", peak_gib(), 3.5, "GiB")
    else:
        report.figure("peak of the process, numbers and building included", peak_gib(), "GiB")
    if rows <= 20_000_000:
        del table
        change(report, keys)
    report.close()


if __name__ == "__main__":
    main()
