"""Bulk imports and restarts of the real service: 10 million numbers by ImportList into SQLite, beside decisions.

- rows a second from the first byte to the answer that they are in force, and the memory the service holds after
- the longest answer of an open loop while they are imported, beyond what idle cores keep a call from
- single adds, acknowledged: while 50,000 decisions/s run, and while the import runs
- the same file again, an undo of 1 million, and a restart to ready

python bench/imports.py                  10 million numbers
python bench/imports.py --rows 1000000   another size
"""

import argparse
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
from _report import Report, arguments
from _service import (
    CORES,
    Control,
    Service,
    complain,
    drive,
    listed_numbers,
    processor_seconds,
    requests_of,
    scratch,
    serve,
    settle,
)

from interceptor.loadtest.generator import Generator
from interceptor.loadtest.requests import Requests
from interceptor.pb.v1 import lists_pb2 as pb
from interceptor.pb.v1.admin_pb2_grpc import AdminServiceStub

#: what is promised: rows/s, milliseconds of a pause, MB, seconds, milliseconds of adds
ROWS_S, PAUSE_MS, MEMORY_MB, RESTART_S, ADD_MS, ADD_BESIDE_MS = 200_000, 5, 800, 5, 20, 200
RATE = 50_000
LIST, SOURCE = "imported", "police"
PIECE = 1 << 20
LONGEST_S = 900.0
#: without counters: what these take is bounded by the policy, and measured elsewhere. Everything else may change
#: what it likes: the guard judges every change, and refuses none
POLICY = f"""\
version: 1
trunks:
  default: {{region: CN, trusted: false}}
guard: {{share: 1.0}}
lists:
  {LIST}: {{kind: number}}
rules:
  - {{id: imported, when: call.caller in lists.{LIST}, verdict: block, class: list, reason: imported}}
default: pass
"""
UNDONE = 1_000_000
#: single adds one after the other: what one takes holds on a machine that is busy otherwise, too
ALONE = 300


def write_feed(path: Path, numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
    """A file as feeds are: in no order, with a reason and here and there an end."""
    with path.open("w") as file:
        file.write("number,reason,valid_until\n")
        for start in range(0, len(numbers), 100_000):
            some = numbers[start : start + 100_000].tolist()
            file.write(
                "".join(f"+{each},fake-police,{'2099-12-31' if each % 5 == 0 else ''}\n" for each in some)
            )


class Operator:
    """Asks the service for changes, as the command line does."""

    def __init__(self, service: Service) -> None:
        self._channel = grpc.insecure_channel(service.control)
        self._admin = AdminServiceStub(self._channel)  # type: ignore[no-untyped-call]  # grpc generates no types

    def __enter__(self) -> "Operator":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def feed(self, path: Path) -> pb.ListChange:
        """Imports a file as a replacement, and waits until it is in force."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        header = pb.ImportHeader(
            list=LIST,
            source=SOURCE,
            mode=pb.ImportMode.IMPORT_MODE_REPLACEMENT,
            file_name=path.name,
            size=path.stat().st_size,
            sha256=digest,
        )

        def parts() -> Iterator[pb.ImportListRequest]:
            yield pb.ImportListRequest(header=header)
            with path.open("rb") as file:
                while data := file.read(PIECE):
                    offset = file.tell() - len(data)
                    yield pb.ImportListRequest(piece=pb.ImportPiece(offset=offset, data=data))

        for answer in self._admin.ImportList(parts(), timeout=LONGEST_S):
            if answer.HasField("change"):
                return answer.change  # type: ignore[no-any-return]  # as above
        raise SystemExit("the service ended an import without an answer")

    def add(self, i: int) -> float:
        """Adds a number; returns milliseconds until it is acknowledged."""
        entry = pb.ListEntry(text=f"+86198{i:08}", reason="added")
        begun = time.perf_counter()
        self._admin.AddEntries(
            pb.AddEntriesRequest(list=LIST, source="desk", entries=[entry]), timeout=LONGEST_S
        )
        return (time.perf_counter() - begun) * 1e3

    def undo(self, revision: int) -> pb.ListChange:
        return self._admin.UndoChange(  # type: ignore[no-any-return]  # as above
            pb.UndoChangeRequest(revision=revision), timeout=LONGEST_S
        ).change


@contextmanager
def adding(operator: Operator, taken: list[float], first: int) -> Iterator[None]:
    """Single adds, 20 a second, on a thread of their own."""
    over = threading.Event()

    def add() -> None:
        i = first
        while not over.wait(0.05):
            taken.append(operator.add(i))
            i += 1

    thread = threading.Thread(target=add)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def under_load(
    report: Report, service: Service, requests: Requests, name: str, do: Callable[[], None]
) -> Generator:
    """An open loop of decisions as long as something is done."""

    def meanwhile(run: Generator) -> None:
        os.sched_setaffinity(threading.get_native_id(), CORES)
        while run.elapsed < 1.0:
            time.sleep(0.05)
        do()
        run.stop()

    run = drive(
        service.listen,
        requests,
        meanwhile=meanwhile,
        rate=RATE,
        duration=LONGEST_S,
        warm_up=1.0,
        connections=4,
    )
    complain(report, name, run)
    return run


def measure(report: Report, directory: Path, rows: int) -> None:
    policy = directory / "policy.yaml"
    policy.write_text(POLICY)
    numbers = np.random.default_rng(report.args.seed).permutation(listed_numbers(rows))
    whole, part = directory / "feed.csv", directory / "part.csv"
    write_feed(whole, numbers)
    write_feed(part, numbers[min(UNDONE, rows // 2) :])
    requests = requests_of("never-repeat", listed=rows, seed=report.args.seed, calls=400_000)
    data = ("--data", str(directory / "data"))
    control = Control()
    cores = sorted(CORES)
    with serve(policy, *data, cores=cores) as service, Operator(service) as operator:
        settle(service.listen, requests, calls=400_000)
        report.section("Single adds, nobody else there")
        used = processor_seconds(service.process.pid)
        alone = [operator.add(2_000_000 + i) for i in range(ALONE)]
        used = processor_seconds(service.process.pid) - used
        report.figure("processor time of the service for one", used / ALONE * 1e3, "ms")
        report.figure("acknowledged, p50", float(np.percentile(alone, 50)), "ms")

        report.section(f"Single adds beside {RATE:,} decisions/s")
        taken: list[float] = []

        def some() -> None:
            with adding(operator, taken, 0):
                time.sleep(3 if report.args.quick else 15)

        quiet = under_load(report, service, requests, "single adds", some)
        report.promise("acknowledged, p99", float(np.percentile(taken, 99)), ADD_MS, "ms")
        report.figure("longest answer of a decision", quiet.latency.percentile(100) / 1e6, "ms")

        report.section(f"Import of {rows:,} numbers, nobody else there")
        used, begun = processor_seconds(service.process.pid), time.monotonic()
        done = operator.feed(whole)
        seconds = time.monotonic() - begun
        report.figure("from the first byte to in force", seconds, "s")
        report.figure("processor time of the service", processor_seconds(service.process.pid) - used, "s")
        report.rate("rows a second", done.added / seconds, ROWS_S, "rows/s")
        report.promise("memory of the service", service.resident() / 1e6, MEMORY_MB, "MB")
        begun = time.monotonic()
        again = operator.feed(whole)
        report.figure("the same file again, which changes nothing", time.monotonic() - begun, "s")
        report.promise("revisions that made", again.revision, 0, "")

        report.section(f"Import beside {RATE:,} decisions/s and single adds")
        control.look(2.0 if report.args.quick else 10.0)
        beside: list[float] = []
        changes: list[pb.ListChange] = []

        def imports() -> None:
            with adding(operator, beside, 1_000_000):
                changes.append(operator.feed(part))

        run = under_load(report, service, requests, "import", imports)
        report.promise(
            "single adds meanwhile, acknowledged, p99", float(np.percentile(beside, 99)), ADD_BESIDE_MS, "ms"
        )
        longest = run.latency.percentile(100) / 1e6
        report.figure("longest answer of a decision", longest, "ms")
        idle = control.percentile(100) / 1e3
        report.figure("longest that idle cores are kept away", idle, "ms")
        report.promise("longest pause beyond that", max(longest - idle, 0), PAUSE_MS, "ms")
        report.promise("memory of the service", service.resident() / 1e6, MEMORY_MB, "MB")

        report.section(f"Undo of {changes[0].removed:,} numbers taken away")
        begun = time.monotonic()
        undone = operator.undo(changes[0].revision)
        report.figure("undo", time.monotonic() - begun, "s")
        report.promise("entries it did not bring back", changes[0].removed - undone.added, 0, "")

    report.section("Restart")
    begun = time.monotonic()
    with serve(policy, *data, cores=cores) as service:
        report.promise(f"to ready, with {rows:,} numbers", time.monotonic() - begun, RESTART_S, "s")
        report.figure("memory of the service", service.resident() / 1e6, "MB")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, help="numbers (default: 10 million, 200,000 with --quick)")


def main() -> None:
    args = arguments(__doc__, _options)
    rows = args.rows or (200_000 if args.quick else 10_000_000)
    report = Report("imports", args, rows=rows, rate=RATE, store="SQLite")
    with scratch() as directory:
        measure(report, directory, rows)
    report.close()


if __name__ == "__main__":
    main()
