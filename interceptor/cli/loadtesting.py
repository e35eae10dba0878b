"""What `interceptor loadtest` does: makes the calls, drives the service, shows how it goes, reports."""

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from interceptor.cli.failing import EXIT_UNREACHABLE, EXIT_USAGE, Failure
from interceptor.dataplane.tls import TlsClient
from interceptor.engine.spec import ListKind
from interceptor.loadtest.generator import Generator
from interceptor.loadtest.idle import idle_gaps
from interceptor.loadtest.plot import PlotError, plot
from interceptor.loadtest.plot import check as check_plots
from interceptor.loadtest.report import Document, report
from interceptor.loadtest.requests import Requests
from interceptor.loadtest.scenarios import SCENARIOS, Calls, Keys, ScenarioError, Wanted
from interceptor.numbering import load_plan
from interceptor.store.listfile import ListFileError, read_list

#: Calls a second a closed loop is taken to reach, when it is asked how often each call is made.
CLOSED_LOOP_RATE = 400_000
IDLE_SECONDS = 0.3
#: Seconds answers are waited for after the run: longer than a service may stand still.
GRACE = 5.0
#: Seconds between two looks at a run: on a terminal, and elsewhere, where each is a line.
LOOK, LINE = 0.25, 5.0


@dataclass(frozen=True)
class Options:
    """The command line of `interceptor loadtest`."""

    target: str
    scenario: str
    rate: float | None
    duration: float
    warm_up: float
    connections: int
    stream: bool
    in_flight: int
    deadline: int
    listed: Path | None
    calls: int
    seed: int
    home: str
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    tls_name: str | None
    json: Path | None
    plot: Path | None

    def tls(self) -> TlsClient | None:
        if self.tls_ca is None:
            if self.tls_cert or self.tls_key or self.tls_name:
                raise Failure(
                    "--tls-cert, --tls-key and --tls-name need --tls-ca, the CA of the service's certificate",
                    EXIT_USAGE,
                )
            return None
        name = self.tls_name or self.target.rpartition(":")[0].removeprefix("[").removesuffix("]")
        try:
            return TlsClient(self.tls_ca, self.tls_cert, self.tls_key, name)
        except ValueError as error:
            raise Failure(str(error), EXIT_USAGE) from None

    def settings(self) -> dict[str, object]:
        """As the report tells them."""
        return {
            name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()
        }


def loadtest(options: Options) -> None:
    """Runs the load test and prints what came of it. Raises Failure when something is wrong with that."""
    if options.plot is not None:
        try:
            check_plots()
        except PlotError as error:
            raise Failure(f"--plot: {error}") from None
    calls = make(options)
    try:
        run = Generator(
            options.target,
            Requests(calls.data.tobytes(), calls.offsets, calls.expected, calls.serials),
            mode="stream" if options.stream else "unary",
            connections=options.connections,
            rate=options.rate,
            in_flight=options.in_flight,
            duration=options.duration,
            warm_up=options.warm_up,
            grace=GRACE,
            deadline_ms=options.deadline,
            seed=options.seed,
            first=time.time_ns() // 1000,  # an earlier run's numbers lie behind
            tls=options.tls(),
        )
    except ValueError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    idle = idle_gaps(IDLE_SECONDS)
    drive(run, options)
    document = report(run, options.settings(), idle)
    tell(document)
    if options.json is not None:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.plot is not None:
        try:
            plot(document, options.plot)
        except PlotError as error:
            raise Failure(f"--plot {error}") from None
    if document["problems"]:
        raise Failure("; ".join(document["problems"]))


def make(options: Options) -> Calls:
    """The calls of the scenario."""
    scenario = SCENARIOS.get(options.scenario)
    if scenario is None:
        raise Failure(f"--scenario {options.scenario}: say {', '.join(SCENARIOS)}", EXIT_USAGE)
    rate = options.rate or CLOSED_LOOP_RATE
    seconds = options.warm_up + options.duration
    count = min(options.calls, max(int(rate * seconds), 1))
    wanted = Wanted(
        count,
        seed=options.seed,
        listed=numbers(options.listed, options.home) if options.listed else np.zeros(0, np.uint64),
        times=rate * min(seconds, 60) / count,
        run=secrets.token_hex(4),
    )
    try:
        return scenario(wanted)
    except ScenarioError as error:
        raise Failure(str(error), EXIT_USAGE) from None


def numbers(path: Path, home: str) -> Keys:
    """The numbers of a list file."""
    try:
        return read_list(
            path, ListKind.NUMBER, load_plan(), home, bytes(16), time.time_ns() // 1_000_000
        ).content.keys
    except ListFileError as error:
        raise Failure(f"--listed {error}") from None


def drive(run: Generator, options: Options) -> None:
    """Runs the generator on a thread of its own and shows how it goes; Ctrl-C ends it early."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="generator")
    console = Console(stderr=True)
    terminal = console.is_terminal
    thread.start()
    try:
        with Live(console=console, transient=True, auto_refresh=False) if terminal else nullcontext() as live:
            seen = watch(run, options)
            while thread.is_alive():
                thread.join(LOOK if terminal else LINE)
                if live is not None:
                    live.update(Text(seen(), no_wrap=True, overflow="ellipsis"), refresh=True)
                elif thread.is_alive():
                    print(seen(), file=sys.stderr, flush=True)
    finally:
        run.stop()
        thread.join()
    for error in failed:
        if isinstance(error, ConnectionError):
            raise Failure(str(error), EXIT_UNREACHABLE) from None
        raise error


def watch(run: Generator, options: Options) -> Callable[[], str]:
    """A function that says how the run stands."""
    answered, at = 0, 0.0

    def line() -> str:
        nonlocal answered, at
        now, outcome, latency = run.elapsed, run.outcome, run.latency
        rate = (outcome.answered - answered) / max(now - at, 1e-9)
        answered, at = outcome.answered, now
        whole = options.warm_up + options.duration
        failed = outcome.answered - outcome.statuses[0]
        return (
            f"{min(now, whole):.0f}/{whole:g} s  {rate:,.0f} answers/s  p50 {short(latency.percentile(50))}  "
            f"p99 {short(latency.percentile(99))}  max {short(latency.max_ns)}  "
            f"{failed:,} failed  {outcome.late:,} late  {outcome.mismatched:,} wrong"
        )

    return line


def short(ns: int) -> str:
    """A duration in three digits or so."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns / 1000:.0f} µs"


def tell(document: Document) -> None:
    """Prints the report in short."""
    rates, latency, lag, calls = (document[name] for name in ("rates", "latency", "lag", "calls"))
    times = ("p50", "p90", "p99", "p99.9", "p99.99", "max")

    def durations(of: Document) -> str:
        return "  ".join(f"{name} {of[name]:,.0f}" for name in times)

    def counts(of: Document) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in of.items() if count) or "none"

    lines = {
        "rate": f"{rates['sent']:,.0f} sent, {rates['ok']:,.0f} answered OK and in time, a second",
        "latency, µs": durations(latency),
        "of it unsent": durations(lag),
        "calls": counts(calls),
        "statuses": counts(document["statuses"]),
        "verdicts": counts(document["verdicts"]) + f"; {document['mismatched']:,} not as the scenario has it",
        "idle loop": f"longest gap {document['idle']['max']:,.0f} µs in {IDLE_SECONDS} s",
    }
    for name, text in lines.items():
        print(f"{name:<13} {text}")
    if document["first_error"]:
        print(f"{'first error':<13} {document['first_error']}")
