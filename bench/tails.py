"""Tails: open loop at half of the data plane's own capacity, alone, under reloads, and with a CPU hog on each core.

- p99 and p99.9 beyond what an idle loop is kept from on the same cores
- the same while AdminService/Reload loads a list of a million numbers 20 times: no error, no missing reply
- a busy loop on each core, one data-plane thread and two: nobody waits for a thread that is not running
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _report import Report, arguments, interleaved
from _service import (
    CLIENT_CORE,
    CORES,
    SERVER_CORE,
    Control,
    Service,
    antifraud,
    capacity,
    complain,
    drive,
    requests_of,
    scratch,
    serve,
    settle,
)

from interceptor.loadtest.generator import Generator
from interceptor.loadtest.report import problems
from interceptor.loadtest.requests import Requests

#: promised beyond the idle loop, in microseconds; and of a p99.9 against another
P99, P999, TIMES = 1_000, 3_000, 2
PERCENTILES = (50, 99, 99.9, 99.99)
#: the most seconds a run takes whose reloads decide when it is over
LONGEST = 900
HOG = "while True: pass"


class Tails:
    """What runs at one rate were like: for every name its latencies by percentile, a figure for each run."""

    def __init__(self, report: Report, requests: Requests, rate: float) -> None:
        self.report, self.requests, self.rate = report, requests, rate
        self.latency: dict[str, dict[float, list[float]]] = {}
        self.wrong: dict[str, list[str]] = {}

    def run(
        self,
        name: str,
        service: Service,
        seconds: float,
        meanwhile: Callable[[Generator], None] | None = None,
    ) -> float:
        """One run; returns its p99.9 in microseconds."""
        run = drive(
            service.listen,
            self.requests,
            meanwhile=meanwhile,
            rate=self.rate,
            duration=seconds,
            warm_up=1.0,
            connections=4,
        )
        complain(self.report, name, run)
        self.wrong.setdefault(name, []).extend(problems(run.outcome))
        found = self.latency.setdefault(name, {percent: [] for percent in PERCENTILES})
        for percent in PERCENTILES:
            found[percent].append(run.latency.percentile(percent) / 1000)
        return found[99.9][-1]

    def show(self, name: str) -> dict[float, float]:
        """Prints the medians of a name's runs."""
        return {
            percent: self.report.figure(f"p{percent:g} {name}", values, "us")
            for percent, values in self.latency[name].items()
        }


def under_reloads(report: Report, tails: Tails, service: Service, control: Control, quick: bool) -> None:
    seconds, times = (5.0, 4) if quick else (30.0, 20)
    taken: list[float] = []

    def reload(run: Generator) -> None:
        while run.elapsed == 0:  # its connections are not open yet
            time.sleep(0.05)
        for _ in range(times):
            begun = time.monotonic()
            service.reload()
            taken.append(time.monotonic() - begun)
            time.sleep(max(0.0, seconds / times - taken[-1]))
        run.stop()

    def alone() -> None:
        control.look(2.0 if quick else 15.0)
        tails.run("alone", service, seconds)

    alone()
    tails.run("with reloads", service, LONGEST, reload)
    for _ in range(report.rounds(2, quick=0)):
        alone()
    report.section("Alone")
    found = tails.show("alone")
    for percent, limit in ((99, P99), (99.9, P999)):
        idle = report.figure(f"p{percent:g} of waiting for an idle core", control.percentile(percent), "us")
        report.promise(f"p{percent:g} beyond it", max(found[percent] - idle, 0), limit, "us")
    report.section(f"With {times} reloads of the list")
    report.figure("a reload", taken, "s")
    tails.show("with reloads")
    report.promise("runs with an error or a missing reply", len(tails.wrong["with reloads"]), 0, "")
    both = (tails.latency[name][99.9] for name in ("with reloads", "alone"))
    report.ratio("p99.9 with reloads against alone", *both, at_most=TIMES)


def under_hogs(report: Report, tails: Tails, policy: Path, quick: bool) -> None:
    seconds = 5.0 if quick else 20.0
    cores = sorted(CORES)
    with (
        serve(policy, "--threads", "1", cores=cores) as one,
        serve(policy, "--threads", "2", cores=cores) as two,
    ):
        for service in (one, two):
            settle(service.listen, tails.requests)
        with hogs():
            interleaved(
                {
                    "one": lambda: tails.run("one thread, hogs", one, seconds),
                    "two": lambda: tails.run("two threads, hogs", two, seconds),
                },
                rounds=report.rounds(5, quick=1),
                seed=report.args.seed,
            )
        report.section(f"With a busy loop on each core, {tails.rate:,.0f} calls/s")
        for name, service in (("one thread, hogs", one), ("two threads, hogs", two)):
            tails.show(name)
            waits, waited = (
                service.metric(f"interceptor_lock_{kind}_total") for kind in ("waits", "wait_seconds")
            )
            report.figure(f"waits for a lock, {name}", waits, "")
            report.figure(f"time waited, {name}", waited * 1e3, "ms")
    both = (tails.latency[name][99.9] for name in ("two threads, hogs", "one thread, hogs"))
    report.ratio("p99.9 of two threads against one", *both, at_most=TIMES)


@contextmanager
def hogs() -> Iterator[None]:
    """A busy process on every core."""
    running = [subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", HOG]) for core in CORES]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listed", type=int, help="listed numbers (default: 1 million, 100,000 with --quick)"
    )


def main() -> None:
    args = arguments(__doc__, _options)
    listed = args.listed or (100_000 if args.quick else 1_000_000)
    report = Report(
        "tails", args, policy="antifraud-cn", listed=listed, server_core=SERVER_CORE, client_core=CLIENT_CORE
    )
    requests = requests_of("mixed", listed=listed, seed=args.seed)
    control = Control()
    with scratch() as directory:
        policy = antifraud(directory, listed)
        with serve(policy, "--threads", "1") as service:
            settle(service.listen, requests)
            most = capacity(service.listen, requests, 2.0)
            report.figure("capacity: closed loop, 4 connections, 50 in flight on each", most, "calls/s")
            report.figure("half of it", most / 2, "calls/s")
            under_reloads(report, Tails(report, requests, most / 2), service, control, args.quick)
        under_hogs(report, Tails(report, requests, most / 8), policy, args.quick)
    report.close()


if __name__ == "__main__":
    main()
