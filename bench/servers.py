"""Servers side by side: this data plane, and the same service on grpcio, threaded and asyncio.

One run, the same calls (scenario mixed), the same policy (antifraud-cn with a million listed numbers), the same load
generator and h2load too; servers on one core, clients on the other:

- calls a second in closed loop, 4 connections with 50 calls in flight each
- median latency with one call in flight on each of 4 connections
- calls a second on one DecideStream with 1,024 in flight, against unary calls of the same run
- the data plane with TLS and without
"""

import argparse
import functools
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from _report import ROOT, Report, arguments, interleaved
from _service import (
    CLIENT_CORE,
    SERVER_CORE,
    Service,
    antifraud,
    complain,
    drive,
    requests_of,
    scratch,
    serve,
    settle,
    started,
)

from interceptor.dataplane.tls import TlsClient
from interceptor.loadtest.generator import Generator
from interceptor.loadtest.requests import Requests
from interceptor.pb.v1 import interception_pb2 as pb

OURS, SYNC, AIO = "data plane", "grpcio, threads", "grpcio, asyncio"
#: what was promised against the same service on grpcio, and of a stream against unary calls
THROUGHPUT, LATENCY, STREAM = 30, 0.25, 2.5
METHOD = "interceptor.v1.InterceptionService/Decide"
IN_FLIGHT = 1024


class Bench:
    """The runs, each of which returns its own figure."""

    def __init__(self, report: Report, requests: Requests, seconds: float) -> None:
        self.report, self.requests, self.seconds = report, requests, seconds

    def throughput(self, address: str, tls: TlsClient | None = None) -> float:
        return self._rate(address, connections=4, in_flight=50, tls=tls)

    def stream(self, address: str) -> float:
        return self._rate(address, mode="stream", connections=1, in_flight=IN_FLIGHT)

    def median(self, address: str, tls: TlsClient | None = None) -> float:
        run = self._run(address, connections=4, in_flight=1, tls=tls)
        return run.latency.percentile(50) / 1000

    def _rate(self, address: str, **settings: object) -> float:
        return self._run(address, **settings).outcome.ok / self.seconds

    def _run(self, address: str, **settings: object) -> Generator:
        run = drive(address, self.requests, duration=self.seconds, warm_up=0.5, **settings)
        complain(self.report, address, run)
        return run


def h2load(address: str, body: Path, seconds: float) -> float:
    """Requests a second that h2load gets answered with 4 connections, 50 streams each."""
    # fmt: off
    done = subprocess.run(
        [
            "taskset", "-c", str(CLIENT_CORE), "h2load", "--connection-window-bits=30", "--window-bits=30",
            "-c4", "-m50", "-t1", f"--duration={seconds:g}", "--warm-up-time=1s", "-d", str(body),
            "-H", "content-type: application/grpc", "-H", "te: trailers", f"http://{address}/{METHOD}",
        ],
        capture_output=True, text=True, check=True,
    )
    # fmt: on
    found = re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if found is None or statuses is None or int(statuses[1]) == 0:
        raise SystemExit(f"h2load said:\n{done.stdout}{done.stderr}")
    return float(found[1])


def one_call(directory: Path) -> Path:
    """A file with a framed DecideRequest for h2load, without a call_id: a repeated one is answered from memory."""
    message = pb.DecideRequest(
        caller="+8613213734093", callee="10086", trunk="own-access", user_agent="IMS-AS/7.3",
        source_ip="10.20.9.7", imsi="460000000386409", imei="350000003864090", cell="46000000036409",
        sim_age_days=449, event_time_ms=1_767_573_780_000,
    ).SerializeToString()  # fmt: skip
    path = directory / "call.bin"
    path.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    return path


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    pem, key = directory / "server.pem", directory / "server.key"
    # fmt: off
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem),
        ],
        capture_output=True, check=True,
    )
    # fmt: on
    return pem, key


def side_by_side(
    report: Report, what: str, unit: str, variants: dict[str, Callable[[], float]]
) -> dict[str, float]:
    """Runs the variants in turns; returns their medians."""
    report.section(what)
    samples = interleaved(variants, rounds=report.rounds(7, quick=2), seed=report.args.seed)
    return {name: report.figure(name, samples[name], unit) for name in variants}


def compare(report: Report, bench: Bench, addresses: dict[str, str], body: Path) -> None:
    """What was promised against grpcio, and the stream."""
    each = {name: functools.partial(bench.throughput, address) for name, address in addresses.items()}
    each["one stream"] = functools.partial(bench.stream, addresses[OURS])
    rates = side_by_side(report, "Calls a second, 4 connections, 50 in flight on each", "calls/s", each)
    for peer in (SYNC, AIO):
        report.ratio(f"{OURS} against {peer}", rates[OURS], rates[peer], at_least=THROUGHPUT)
    report.ratio(
        f"one stream, {IN_FLIGHT:,} in flight, against unary",
        rates["one stream"],
        rates[OURS],
        at_least=STREAM,
    )
    each = {name: functools.partial(bench.median, address) for name, address in addresses.items()}
    times = side_by_side(report, "Median latency, 4 connections, one call in flight on each", "us", each)
    for peer in (SYNC, AIO):
        report.ratio(f"{OURS} against {peer}", times[OURS], times[peer], at_most=LATENCY)

    each = {
        name: functools.partial(h2load, address, body, bench.seconds) for name, address in addresses.items()
    }
    rates = side_by_side(report, "The same seen by h2load (one and the same call)", "calls/s", each)
    for peer in (SYNC, AIO):
        report.ratio(f"{OURS} against {peer}", rates[OURS], rates[peer], at_least=THROUGHPUT)


def with_tls(report: Report, bench: Bench, plain: Service, policy: Path, directory: Path) -> None:
    pem, key = certificate(directory)
    client = TlsClient(pem, None, None, "127.0.0.1")
    with serve(policy, "--threads", "1", "--tls-cert", str(pem), "--tls-key", str(key)) as secured:
        settle(secured.listen, bench.requests, tls=client)
        each = {
            "plain": functools.partial(bench.throughput, plain.listen),
            "TLS": functools.partial(bench.throughput, secured.listen, client),
        }
        rates = side_by_side(report, "TLS: calls a second", "calls/s", each)
        report.ratio("TLS against plain", rates["TLS"], rates["plain"])
        each = {
            "plain": functools.partial(bench.median, plain.listen),
            "TLS": functools.partial(bench.median, secured.listen, client),
        }
        times = side_by_side(report, "TLS: median latency, one call in flight on each connection", "us", each)
        report.ratio("TLS against plain", times["TLS"], times["plain"])


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listed", type=int, help="listed numbers (default: 1 million, 100,000 with --quick)"
    )


def main() -> None:
    args = arguments(__doc__, _options)
    listed = args.listed or (100_000 if args.quick else 1_000_000)
    report = Report(
        "servers",
        args,
        policy="antifraud-cn",
        listed=listed,
        server_core=SERVER_CORE,
        client_core=CLIENT_CORE,
    )
    requests = requests_of("mixed", listed=listed, seed=args.seed)
    bench = Bench(report, requests, 1.0 if args.quick else 3.0)
    with scratch() as directory:
        policy = antifraud(directory, listed)
        with (
            serve(policy, "--threads", "1") as ours,
            started([str(ROOT / "bench/_aio.py"), str(policy)], (SERVER_CORE,)) as (_, log),
        ):
            addresses = {OURS: ours.listen, SYNC: ours.control, AIO: log[-1]["control"]}
            settle(ours.listen, requests)
            settle(addresses[AIO], requests, calls=100_000)
            compare(report, bench, addresses, one_call(directory))
            with_tls(report, bench, ours, policy, directory)
    report.close()


if __name__ == "__main__":
    main()
