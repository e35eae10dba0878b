"""A service of the benchmarks' own, on a core of its own, and runs of the load generator against it.

    with scratch() as directory, serve(antifraud(directory, 1_000_000)) as service:
        run = drive(service.listen, requests, duration=5)
        run.outcome, run.latency.percentile(99)

The service is the real command in a process of its own; the generator runs in this process, on the other core.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from _report import ROOT, Report

from interceptor.dataplane.tls import TlsClient
from interceptor.engine.keys import KeyKind
from interceptor.loadtest import idle
from interceptor.loadtest.generator import Generator
from interceptor.loadtest.histogram import Histogram
from interceptor.loadtest.report import problems
from interceptor.loadtest.requests import Requests
from interceptor.loadtest.scenarios import SCENARIOS, Calls, Wanted, mobile
from interceptor.pb.v1 import admin_pb2

POLICIES = ROOT / "interceptor/policies"
#: The list of the policy that the listed numbers are written to.
LIST = "other-fraud.csv"
#: Numbers of virtual operators: valid, and nobody else's in the scenarios.
LISTED_RANGE = 8616

#: the server's core, the client's; on a machine with one core both are that one
SERVER_CORE, CLIENT_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
CORES = frozenset(os.sched_getaffinity(0))
#: Calls of a table: at 400,000 a second each is made 10 times a minute, too seldom for any counter to mind.
CALLS = 2_400_000


def listed_numbers(count: int) -> npt.NDArray[np.int64]:
    return mobile(np.arange(count), LISTED_RANGE)


def listed_keys(count: int) -> npt.NDArray[np.uint64]:
    return np.uint64(KeyKind.KEY_NUMBER << 58 | 13 << 54) | listed_numbers(count).astype(np.uint64)


def antifraud(directory: Path, listed: int) -> Path:
    """Copies the policy antifraud-cn into `directory`, with so many listed numbers; returns its path."""
    shutil.copytree(POLICIES, directory, dirs_exist_ok=True)
    rows = "".join(f"+{each},fake-police,police,\n" for each in listed_numbers(listed).tolist())
    (directory / "lists" / LIST).write_text("number,reason,source,valid_until\n" + rows)
    return directory / "antifraud-cn.yaml"


def requests_of(scenario: str, *, listed: int, seed: int, calls: int = CALLS) -> Requests:
    """The calls of a scenario, to be shared by all runs of a benchmark."""
    made: Calls = SCENARIOS[scenario](
        Wanted(calls, seed=seed, listed=listed_keys(listed), times=10, run=f"{os.getpid():x}")
    )
    return Requests(made.data.tobytes(), made.offsets, made.expected, made.serials)


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for the run."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        yield Path(name)


@dataclass
class Service:
    """A service in a process of its own."""

    process: "subprocess.Popen[str]"
    listen: str  #: its data plane
    control: str  #: its grpcio port
    metrics: str  #: its metrics page

    def reload(self) -> admin_pb2.ReloadResponse:
        """AdminService/Reload, waited for. Raises grpc.RpcError."""
        with grpc.insecure_channel(self.control) as channel:
            ask = channel.unary_unary(
                "/interceptor.v1.AdminService/Reload",
                request_serializer=admin_pb2.ReloadRequest.SerializeToString,
                response_deserializer=admin_pb2.ReloadResponse.FromString,
            )
            answer: admin_pb2.ReloadResponse = ask(admin_pb2.ReloadRequest(), timeout=120)
            return answer

    def resident(self) -> int:
        """Bytes of memory it holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name: str) -> float:
        """Sum of the samples of a metric; 0 when it has none."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=30) as page:
            text = page.read().decode()
        found = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, flags=re.MULTILINE)
        return sum(map(float, found))


def processor_seconds(pid: int) -> float:
    """Processor time a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serve(policy: Path, *options: str, cores: Sequence[int] = (SERVER_CORE,)) -> Iterator[Service]:
    """Runs `interceptor serve` on the given cores until the block ends."""
    arguments = ["-m", "interceptor.cli.main", "serve", "--policy", str(policy)]
    arguments += [
        word for plane in ("listen", "control", "metrics") for word in (f"--{plane}", "127.0.0.1:0")
    ]
    with (
        tempfile.TemporaryDirectory() as data,
        started([*arguments, "--data", data, *options], cores) as (process, log),
    ):
        serving = log[-1]
        yield Service(process, serving["listen"][0], serving["control"], serving["metrics"])


@contextmanager
def started(
    arguments: Sequence[str], cores: Sequence[int]
) -> "Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]":
    """Runs Python with these arguments until the block ends; its log holds the event `serving` by then."""
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, cores)), sys.executable, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={"INTERCEPTOR_STATE": "none", **os.environ, "PYTHONPATH": str(ROOT)},
    )
    log: list[dict[str, Any]] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(json.loads(line) if line.startswith("{") else {"event": line.rstrip()})
            if log[-1]["event"] == "serving":
                break
        else:
            raise SystemExit(f"the service did not start: {log[-1:]}")
        threading.Thread(target=process.stderr.read, daemon=True).start()  # else its log would fill the pipe
        yield process, log
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


def drive(
    address: str, requests: Requests, *, meanwhile: Callable[[Generator], None] | None = None, **settings: Any
) -> Generator:
    """One run of the generator on the client's core; `meanwhile` is called while it runs, and waited for."""
    run = Generator(address, requests, **{"first": time.time_ns() // 1000, **settings})
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        if meanwhile is None:
            run.run()
        else:
            driving = threading.Thread(target=run.run)
            driving.start()
            try:
                meanwhile(run)
            finally:
                driving.join()
    finally:
        os.sched_setaffinity(0, CORES)
    return run


def settle(
    address: str,
    requests: Requests,
    *,
    calls: int = CALLS,
    seconds: float = 60.0,
    tls: TlsClient | None = None,
) -> None:
    """Has so many calls decided beforehand: what is touched for the first time costs a page fault."""

    def enough(run: Generator) -> None:
        while run.outcome.sent < calls and run.elapsed < seconds:
            time.sleep(0.05)
        run.stop()

    drive(address, requests, meanwhile=enough, duration=seconds, connections=4, in_flight=50, tls=tls)


def capacity(address: str, requests: Requests, seconds: float, **settings: Any) -> float:
    """Answers a second in closed loop: 4 connections with 50 calls in flight each, unless `settings` say otherwise."""
    settings = {"connections": 4, "in_flight": 50, "warm_up": 0.5, **settings}
    run = drive(address, requests, duration=seconds, **settings)
    return run.outcome.ok / seconds


def complain(report: Report, what: str, run: Generator, deadline_ms: float = 0) -> None:
    """Notes what was wrong with a run, if anything was."""
    for problem in problems(run.outcome, deadline_ms):
        report.note(f"{what}: {problem}" + (f" ({run.first_error})" if run.first_error else ""))


class Control:
    """The idle loop of the server's and the client's core: what a call suffers on this machine from neither.

    Both cores are looked at in the same moments. Were one left idle, the kernel would do its own work there, unseen; in
    a run both are busy, and one of them is kept from its work.
    """

    def __init__(self) -> None:
        self.gaps = Histogram()
        self.seconds = 0.0

    def look(self, seconds: float) -> None:
        """Adds so many seconds of looking, on both cores at once."""

        def watch(core: int) -> Histogram:
            os.sched_setaffinity(threading.get_native_id(), {core})
            return idle.idle_gaps(seconds)

        cores = {SERVER_CORE, CLIENT_CORE}
        with ThreadPoolExecutor(len(cores)) as pool:
            for gaps in pool.map(watch, cores):
                self.gaps.add(gaps)
        self.seconds += seconds

    def percentile(self, percent: float) -> float:
        """Microseconds that calls at random moments would wait for both cores at that percentile."""
        return idle.idle_delay_ns(self.gaps, self.seconds, percent) / 1000
