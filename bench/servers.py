"""Servers side by side: this data plane, and the same service on grpcio, threaded and asyncio.

One run, the same calls (scenario mixed), the same policy (antifraud-cn with a million listed numbers), the same load
generator and h2load too; servers on one core, clients on the other:

- calls a second in closed loop, 4 connections with 50 calls in flight each; and for each second of the server's
  processor time, which says the same on a machine that other programs work on
- median latency with one call in flight on each of 4 connections
- calls a second on one DecideStream with 1,024 in flight, against unary calls of the same run
- the data plane with TLS and without
"""

import argparse
import functools
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from _report import ROOT, Report, arguments, interleaved
from _service import (
    CLIENT_CORE,
    SERVER_CORE,
    antifraud,
    complain,
    drive,
    processor_seconds,
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


@dataclass
class Peer:
    """A server."""

    address: str
    pid: int
    worked: list[float] = field(default_factory=list)  #: calls for a second of its processor time, run by run


class Bench:
    """The runs, each of which returns its own figure."""

    def __init__(self, report: Report, requests: Requests, seconds: float) -> None:
        self.report, self.requests, self.seconds = report, requests, seconds

    def throughput(self, peer: Peer, tls: TlsClient | None = None) -> float:
        return self._rate(peer, connections=4, in_flight=50, tls=tls)

    def stream(self, peer: Peer) -> float:
        return self._rate(peer, mode="stream", connections=1, in_flight=IN_FLIGHT)

    def median(self, peer: Peer, tls: TlsClient | None = None) -> float:
        run = self._run(peer, connections=4, in_flight=1, tls=tls)
        return run.latency.percentile(50) / 1000

    def _rate(self, peer: Peer, **settings: object) -> float:
        before = processor_seconds(peer.pid)
        run = self._run(peer, **settings)
        peer.worked.append(run.outcome.answered / (processor_seconds(peer.pid) - before))
        return run.outcome.ok / self.seconds

    def _run(self, peer: Peer, **settings: object) -> Generator:
        run = drive(peer.address, self.requests, duration=self.seconds, **settings)
        complain(self.report, peer.address, run)
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


def compare(report: Report, bench: Bench, peers: dict[str, Peer], body: Path) -> None:
    """What was promised against grpcio, and the stream."""

    def against_grpcio(figures: dict[str, float], **promised: float) -> None:
        for name in (SYNC, AIO):
            report.ratio(f"{OURS} against {name}", figures[OURS], figures[name], **promised)

    each = {name: functools.partial(bench.throughput, peer) for name, peer in peers.items()}
    streamed = Peer(peers[OURS].address, peers[OURS].pid)
    each["one stream"] = functools.partial(bench.stream, streamed)
    rates = side_by_side(report, "Calls a second, 4 connections, 50 in flight on each", "calls/s", each)
    against_grpcio(rates, at_least=THROUGHPUT)
    report.ratio(
        f"one stream, {IN_FLIGHT:,} in flight, against unary",
        rates["one stream"],
        rates[OURS],
        at_least=STREAM,
    )
    report.section("The same for a second of the server's processor time")
    against_grpcio({name: report.figure(name, peer.worked, "calls/s") for name, peer in peers.items()})
    report.figure("one stream", streamed.worked, "calls/s")
    report.ratio("one stream against unary", streamed.worked, peers[OURS].worked)

    each = {name: functools.partial(bench.median, peer) for name, peer in peers.items()}
    times = side_by_side(report, "Median latency, 4 connections, one call in flight on each", "us", each)
    against_grpcio(times, at_most=LATENCY)

    each = {
        name: functools.partial(h2load, peer.address, body, bench.seconds) for name, peer in peers.items()
    }
    rates = side_by_side(report, "Seen by h2load (one and the same call)", "calls/s", each)
    against_grpcio(rates, at_least=THROUGHPUT)


def with_tls(report: Report, bench: Bench, plain: Peer, policy: Path, directory: Path) -> None:
    """What TLS costs."""
    pem, key = certificate(directory)
    client = TlsClient(pem, None, None, "127.0.0.1")
    with serve(policy, "--threads", "1", "--tls-cert", str(pem), "--tls-key", str(key)) as service:
        secured = Peer(service.listen, service.process.pid)
        settle(secured.address, bench.requests, tls=client)
        each = {
            "plain": functools.partial(bench.throughput, plain),
            "TLS": functools.partial(bench.throughput, secured, client),
        }
        plain.worked.clear()
        rates = side_by_side(report, "TLS: calls a second", "calls/s", each)
        report.ratio("TLS against plain", rates["TLS"], rates["plain"])
        report.ratio("the same for a second of processor time", secured.worked, plain.worked)
        each = {
            "plain": functools.partial(bench.median, plain),
            "TLS": functools.partial(bench.median, secured, client),
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
            started([str(ROOT / "bench/_aio.py"), str(policy)], (SERVER_CORE,)) as (aio, log),
        ):
            peers = {
                OURS: Peer(ours.listen, ours.process.pid),
                SYNC: Peer(ours.control, ours.process.pid),
                AIO: Peer(log[-1]["control"], aio.pid),
            }
            settle(ours.listen, requests)
            settle(peers[AIO].address, requests, calls=100_000)
            compare(report, bench, peers, one_call(directory))
            with_tls(report, bench, peers[OURS], policy, directory)
    report.close()


if __name__ == "__main__":
    main()
