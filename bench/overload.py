"""Twice as many calls as the data plane can decide, with 50 ms each: what it still answers in time.

Ordinary traffic at half of the server's capacity runs throughout, with other traffic of three halves on top of it for
30 seconds. Goodput is what of both is answered in time, as a share of the capacity; recovery is when the ordinary
traffic fares as before again.

The server is throttled, so that the generator has more than three times its power: three busy loops share its core.
(Also thought of: a cgroup's cpu.max is not writable everywhere; one busy loop of higher priority gives the same quarter
and needs root; SIGSTOP and SIGCONT in turns need a third core to keep their time.) More calls may be in flight than the
server decides in 50 ms, so that a queue forms wherever there is room for one.
"""

import argparse
import functools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from _report import Report, arguments
from _service import (
    CLIENT_CORE,
    SERVER_CORE,
    Service,
    antifraud,
    capacity,
    drive,
    requests_of,
    scratch,
    serve,
    settle,
)

from interceptor.loadtest.generator import Generator
from interceptor.loadtest.requests import Requests

DEADLINE = 50  # ms
#: ordinary and additional traffic, as shares of the capacity; the seconds before and after the overload
ORDINARY, ADDITIONAL, BEFORE, AFTER = 0.5, 1.5, 4.0, 6.0
#: connections of each, and calls in flight on each: together more than capacity times deadline
CONNECTIONS, IN_FLIGHT = 32, 512
INTERVAL = 0.1
#: promised: share of the capacity, growth of memory, seconds until all is well
GOODPUT, GROWTH, RECOVERY = 0.8, 1.05, 1.0
#: of the ordinary traffic, so much may fail in an interval in which all is well: this machine has gaps of its own
WELL = 0.02


@contextmanager
def throttled(loops: int) -> Iterator[None]:
    """So many busy loops on the server's core, each of which takes as much of it as the server."""
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(loops)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


class Memory:
    """What the server holds, looked at while a run lasts."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seconds: list[float] = []
        self.resident: list[int] = []

    def follow(self, run: Generator, until: float) -> None:
        while run.elapsed < until:
            self.seconds.append(run.elapsed)
            self.resident.append(self.service.resident())
            time.sleep(INTERVAL)


def overload(report: Report, service: Service, requests: Requests, most: float, seconds: float) -> None:
    both = {
        "deadline_ms": DEADLINE,
        "connections": CONNECTIONS,
        "in_flight": report.args.in_flight,
        "interval": INTERVAL,
    }
    found: dict[str, Generator] = {}

    def ordinary() -> None:
        found["ordinary"] = drive(
            service.listen,
            requests,
            meanwhile=functools.partial(found.__setitem__, "running"),
            rate=most * ORDINARY,
            duration=BEFORE + seconds + AFTER,
            **both,
        )

    memory = Memory(service)
    background = threading.Thread(target=ordinary)
    background.start()
    while "running" not in found or found["running"].elapsed < BEFORE:
        time.sleep(0.01)
    began = ended = 0.0

    def surge(run: Generator) -> None:
        nonlocal began, ended
        while run.elapsed == 0:
            time.sleep(0.001)
        began = found["running"].elapsed
        memory.follow(run, seconds)
        ended = found["running"].elapsed

    additional = drive(
        service.listen,
        requests,
        meanwhile=surge,
        rate=most * ADDITIONAL,
        duration=seconds,
        first=time.time_ns() // 1000 + 3 * 10**13,  # far from the ordinary traffic's numbers
        **both,
    )
    background.join()
    told(report, found["ordinary"], additional, most, (began, ended))

    report.section("Memory of the server")
    settled = [size for at, size in zip(memory.seconds, memory.resident, strict=True) if at > seconds / 10]
    report.figure("after a tenth of the overload", settled[0] / 2**20, "MiB")
    report.figure("at its end", settled[-1] / 2**20, "MiB")
    report.ratio("the most against that", max(settled), settled[0], at_most=GROWTH)


def told(
    report: Report, ordinary: Generator, additional: Generator, most: float, when: tuple[float, float]
) -> None:
    """What the series of both runs say; `when` the overload began and ended by the clock of the ordinary one."""
    began, ended = when
    series = ordinary.series
    at = series["seconds"]
    during = (at >= began) & (at < ended - INTERVAL)
    seconds = np.count_nonzero(during) * INTERVAL
    good = series["ok"][during].sum() / seconds + additional.outcome.ok / (ended - began)
    due = most * (ORDINARY + ADDITIONAL)
    report.section(f"Overload: {due:,.0f} calls/s for {ended - began:.0f} s")
    report.figure("answered in time", good, "calls/s")
    report.ratio("goodput against capacity", float(good), most, at_least=GOODPUT)
    for name, run in (("ordinary", ordinary), ("additional", additional)):
        outcome = run.outcome
        report.note(
            f"{name}: {outcome.ok:,} in time, {outcome.late:,} late, {outcome.statuses[4]:,} answered too late to be"
            f" decided, {outcome.reset:,} refused unread, {outcome.unsent:,} given up unsent,"
            f" {outcome.lost + outcome.missing:,} lost, {outcome.mismatched:,} with another verdict than expected"
        )
    failed = series["late"] + series["failed"] + series["unsent"]
    ill = failed > WELL * most * ORDINARY * INTERVAL
    report.figure("ordinary intervals ill before it", np.count_nonzero(ill & (at < began - INTERVAL)), "")
    after = at[ill & (at > ended - INTERVAL)]
    recovery = float(after[-1] + INTERVAL - ended) if len(after) else 0.0
    report.promise("until the ordinary traffic fares as before", recovery, RECOVERY, "s")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listed", type=int, help="listed numbers (default: 1 million, 100,000 with --quick)"
    )
    parser.add_argument(
        "--in-flight",
        type=int,
        default=IN_FLIGHT,
        help="calls a connection has open at most (default: %(default)s)",
    )
    parser.add_argument(
        "--loops", type=int, default=3, help="busy loops that throttle the server (default: %(default)s)"
    )


def main() -> None:
    args = arguments(__doc__, _options)
    listed = args.listed or (100_000 if args.quick else 1_000_000)
    report = Report(
        "overload",
        args,
        policy="antifraud-cn",
        listed=listed,
        deadline_ms=DEADLINE,
        throttle=f"{args.loops} busy loops on the server's core",
        server_core=SERVER_CORE,
        client_core=CLIENT_CORE,
    )
    requests = requests_of("mixed", listed=listed, seed=args.seed)
    seconds = 3.0 if args.quick else 30.0
    with scratch() as directory, serve(antifraud(directory, listed), "--threads", "1") as service:
        report.section("The server")
        settle(service.listen, requests)
        report.figure("capacity, not throttled", capacity(service.listen, requests, 2.0), "calls/s")
        with throttled(args.loops):
            before = capacity(service.listen, requests, 2.0 if args.quick else 5.0)
            report.figure("capacity, throttled", before, "calls/s")
            report.figure("in flight at most", 2 * CONNECTIONS * args.in_flight, "calls")
            report.figure("capacity times deadline", before * DEADLINE / 1000, "calls")
            overload(report, service, requests, before, seconds)
            report.section("Afterwards")
            after = capacity(service.listen, requests, 2.0 if args.quick else 5.0)
            report.figure("capacity, throttled", after, "calls/s")
    report.close()


if __name__ == "__main__":
    main()
