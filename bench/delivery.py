"""Events on their way out: a million warned calls, their gateway down for a minute, the service killed meanwhile.

- calls: the same calls in open loop with and without sinks; what these cost a call, by percentile. The service has one
  core for all its threads, those that deliver among them. Generator and gateway, which are other machines' in the
  field, have the other one, and the gateway only while the generator does not want it (SCHED_IDLE)
- a million: every call is warned about, each called party is so twice at least. The gateway (a process of its own,
  which counts by id) refuses connections for a minute, and in the middle of it the service is killed (SIGKILL) and
  started again. At the end every party must have had its reminder, under one id; and the numbers missing among all
  events must be as many as the service says it dropped
- a full spool: the same with one of 8 MB and the gateway down, so that most is dropped: the gaps are as many as told
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from _report import Report, arguments
from _service import CLIENT_CORE, SERVER_CORE, Control, Service, complain, drive, scratch, serve

from interceptor.loadtest import encoding
from interceptor.loadtest.encoding import Choice, Digits
from interceptor.loadtest.generator import Generator
from interceptor.loadtest.requests import Requests
from interceptor.loadtest.scenarios import CALL_DIGITS, WARN, mobile

CATEGORIES = ("fake-ecommerce-service", "credit-record", "false-loan", "highly-suspected")
RULES = "".join(
    f'  - {{id: {name}, when: call.user_agent == "{name}", verdict: warn, reason: {name}}}\n'
    for name in CATEGORIES
)
POLICY = f"version: 1\nrules:\n{RULES}default: pass\n"
SINKS = """\
version: 1
spool: {{megabytes: {megabytes}}}
reminders: {{timezone: {zone}, quiet_hours: null}}
sinks:
  - {{name: gateway, kind: webhook, url: "http://127.0.0.1:{port}/", secret_file: {secret}, numbers: whole,
     events: [decision, reminder], verdicts: [warn]}}
"""
#: seconds the gateway is down, and after which of them the service is killed
DOWN, KILLED = 60.0, 30.0
#: seconds of each run that are not measured
WARM_UP = 1.0
#: promised: p99 with sinks against without
UNCHANGED = 1.25
LARGE, SMALL = 4096, 8  # megabytes of spool


def requests_of(count: int, seed: int) -> Requests:
    """Calls to so many people, each in one category."""
    order = np.random.default_rng(seed).permutation(count)
    data, offsets = encoding.encode(
        [
            Digits("call_id", np.arange(count), CALL_DIGITS, b"d-"),
            Digits("caller", mobile(order % 100_000, 8613), 13, b"+"),
            Digits("callee", mobile(order, 18), 11),
            Choice([encoding.field("user_agent", name) for name in CATEGORIES], order % len(CATEGORIES)),
        ],
        count,
    )
    return Requests(data.tobytes(), offsets, np.full(count, WARN, np.uint8), [(4, CALL_DIGITS)])


class Gateway:
    """The other end, in a process of its own: told by a line what to do, it answers by a line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--gateway"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port: int = self.ask("up")["port"]

    def ask(self, what: str) -> dict[str, Any]:
        """up, down, counts or forget."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Counted:
    """What came to the gateway."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.events = 0
        self.ids: dict[str, set[int]] = {}  # by type
        self.read: set[tuple[str, str]] = set()  # person and category
        self.sequences: set[int] = set()

    def take(self, body: bytes) -> None:
        events = json.loads(body)
        with self.lock:
            self.events += len(events)
            for event in events:
                self.ids.setdefault(event["type"], set()).add(int(event["id"], 16))
                self.sequences.add(int(event["sequence"]))
                if event["type"] == "interceptor.reminder":
                    self.read.add((event["data"]["to"], event["data"]["category"]))

    def counts(self) -> dict[str, int]:
        with self.lock:
            last = max(self.sequences, default=0)
            return {
                "events": self.events,
                "decisions": len(self.ids.get("interceptor.decision", ())),
                "reminders": len(self.ids.get("interceptor.reminder", ())),
                "read": len(self.read),
                "last": last,
                "missing": last - len(self.sequences),
            }


def be_gateway() -> None:
    """The gateway's process. It stands aside for the generator, on its core: never on the service's."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    counted = Counted()
    server: ThreadingHTTPServer | None = None
    port = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if server is None:  # a connection that was open when it went down
                self.close_connection = True
                return
            counted.take(body)
            self.send_response(204)
            self.end_headers()

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the service was killed
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    for line in sys.stdin:
        what, answer = line.strip(), {}
        if what == "up" and server is None:
            server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
            server.daemon_threads = True
            port = server.server_address[1]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            answer = {"port": port}
        elif what == "down" and server is not None:
            gone, server = server, None
            gone.shutdown()
            gone.server_close()
        elif what == "counts":
            answer = counted.counts()
        elif what == "forget":
            counted = Counted()
        print(json.dumps(answer), flush=True)


def zone() -> str:
    """One in which it is about noon: no day ends while this runs."""
    east = (12 - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-east:+}" if east else "Etc/GMT"


def sinks(directory: Path, gateway: Gateway, megabytes: int) -> tuple[str, str]:
    """The options of a service that tells the gateway."""
    (directory / "secret").write_text("of the benchmark\n")
    file = directory / f"sinks-{megabytes}.yaml"
    said = SINKS.format(megabytes=megabytes, zone=zone(), port=gateway.port, secret=directory / "secret")
    file.write_text(said)
    return "--sinks", str(file)


def waited_s(service: Service) -> float:
    """For how long its deciding thread has waited for its core, ready to run."""
    tasks = Path(f"/proc/{service.process.pid}/task").iterdir()
    (deciding,) = (task for task in tasks if (task / "comm").read_text() == "ic-data-0\n")
    return int((deciding / "schedstat").read_text().split()[1]) / 1e9


def emptied(service: Service, seconds: float = 900.0) -> float:
    """Waits until all that was decided is in the spool, and delivered; how long that took."""
    begun = time.monotonic()

    def behind() -> float:
        told = service.metric("interceptor_reminders_total") + service.metric(
            "interceptor_events_dropped_total"
        )
        return service.metric("interceptor_decisions_total") - told

    while behind() or service.metric("interceptor_sink_backlog_events"):
        if time.monotonic() > begun + seconds:
            raise SystemExit(f"after {seconds:.0f} s not everything was delivered")
        time.sleep(0.2)
    return time.monotonic() - begun


def beside_calls(report: Report, directory: Path, gateway: Gateway, requests: Requests) -> None:
    """Latencies with and without sinks, in turns."""
    args = report.args
    policy = directory / "policy.yaml"
    report.section(f"What sinks cost a call: {args.rate:,.0f} warned calls/s in open loop")
    seconds = 3.0 if args.quick else 15.0
    report.note(
        f"core {SERVER_CORE}: each service, whole; core {CLIENT_CORE}: generator, and the gateway when that is idle"
    )
    found: dict[str, dict[float, list[float]]] = {}
    waits: dict[str, list[float]] = {}
    control = Control()
    with (
        serve(policy) as without,
        serve(policy, *sinks(directory, gateway, LARGE)) as told,
    ):
        first = 0
        for _ in range(report.rounds(5, quick=3)):
            control.look(1.0)
            for name, service in (("without", without), ("with", told)):
                waited = waited_s(service)
                run = drive(
                    service.listen,
                    requests,
                    rate=args.rate,
                    duration=seconds,
                    warm_up=WARM_UP,
                    connections=4,
                    first=first,
                )
                waits.setdefault(name, []).append(1000 * (waited_s(service) - waited) / (seconds + WARM_UP))
                complain(report, name, run)
                for percent in (50.0, 99.0, 99.9):
                    at = run.latency.percentile(percent) / 1000
                    found.setdefault(name, {}).setdefault(percent, []).append(at)
            first += int(args.rate * (seconds + 2))  # others are called now: their reminders are new
        took = emptied(told)
        lost = told.metric("interceptor_spool_lost_total")
    for percent in (50.0, 99.0, 99.9):
        for name in ("without", "with"):
            report.figure(f"p{percent:g} {name} sinks", found[name][percent], "us")
        report.figure(f"p{percent:g} of idle cores", control.percentile(percent), "us")
    for name in ("without", "with"):
        report.figure(f"the deciding thread waits for its core, {name} sinks", waits[name], "ms/s")
    report.ratio(
        "p99 with sinks against without", found["with"][99.0], found["without"][99.0], at_most=UNCHANGED
    )
    report.figure("until the last event was delivered", took, "s")
    report.figure("events the ring or spool had no room for", lost, "events")


def a_million(report: Report, directory: Path, gateway: Gateway, requests: Requests) -> None:
    """The gateway down for a minute, the service killed in the middle of it."""
    args, people = report.args, len(requests)
    policy, options = (
        directory / "policy.yaml",
        (*sinks(directory, gateway, LARGE), "--data", str(directory / "data")),
    )
    down, killed = (DOWN / 6, KILLED / 6) if args.quick else (DOWN, KILLED)
    before = down / 6
    report.section(
        f"{args.warned:,} warned calls to {people:,} people, {args.rate:,.0f}/s; the gateway down {down:.0f} s"
    )
    gateway.ask("forget")
    up = threading.Timer(before + down, gateway.ask, ["up"])
    answered = 0
    with serve(policy, *options) as service:

        def kill(run: Generator) -> None:
            time.sleep(before)
            gateway.ask("down")
            up.start()
            time.sleep(killed)
            service.process.kill()  # among calls
            run.stop()

        run = drive(
            service.listen,
            requests,
            meanwhile=kill,
            rate=args.rate,
            duration=before + killed + 60.0,
            connections=4,
            first=0,
        )
        answered += run.outcome.ok
        service.process.wait()
    with serve(policy, *options) as service:
        # At least all of them once more: what the killed service had answered and not yet told.
        left = max(args.warned - answered, people)

        def enough(run: Generator) -> None:
            while run.outcome.ok < left:
                time.sleep(0.02)
            run.stop()

        run = drive(
            service.listen,
            requests,
            meanwhile=enough,
            rate=args.rate,
            duration=2 * left / args.rate + 60.0,
            connections=4,
            first=1000 * people,
        )
        answered += run.outcome.ok
        complain(report, "after the kill", run)
        up.join()
        took = emptied(service)
        counts = gateway.ask("counts")
        dropped = service.metric("interceptor_sink_dropped_total")
        lost = service.metric("interceptor_spool_lost_total")
        failures = service.metric("interceptor_sink_failures_total")
    report.figure("calls answered", answered, "calls")
    report.figure("until the last event was delivered", took, "s")
    report.figure("attempts of the second service that failed", failures, "attempts")
    report.figure("events the gateway was sent", counts["events"], "events")
    report.figure(
        "of these, sent again", counts["events"] - counts["decisions"] - counts["reminders"], "events"
    )
    report.figure("warned calls it knows", counts["decisions"], "events")
    report.figure(
        "answered, and not yet spooled when it was killed", answered - counts["decisions"] - lost, "calls"
    )
    report.figure("lost before the spool (by number)", lost, "events")
    report.promise("reminders by id, beyond those who should have one", counts["reminders"] - people, 0, "")
    report.promise("people without a reminder", people - counts["read"], lost, "people")
    report.promise("numbers missing, beyond those dropped", abs(counts["missing"] - dropped), 0, "")


def a_full_spool(report: Report, directory: Path, gateway: Gateway, requests: Requests) -> None:
    """What is dropped shows as gaps, one for one."""
    args = report.args
    report.section(f"A spool of {SMALL} MB, the gateway down")
    gateway.ask("forget")
    gateway.ask("down")
    with serve(directory / "policy.yaml", *sinks(directory, gateway, SMALL)) as service:
        seconds = 10.0 if args.quick else 20.0
        run = drive(service.listen, requests, rate=args.rate, duration=seconds, connections=4, first=0)
        complain(report, "calls", run)
        gateway.ask("up")
        emptied(service)
        counts = gateway.ask("counts")
        dropped = service.metric("interceptor_sink_dropped_total")
    report.figure("events delivered", counts["decisions"] + counts["reminders"], "events")
    report.figure("events dropped, as told", dropped, "events")
    report.promise("numbers missing, beyond those dropped", abs(counts["missing"] - dropped), 0, "")


@contextlib.contextmanager
def gateway_running() -> Iterator[Gateway]:
    made = Gateway()
    try:
        yield made
    finally:
        made.close()


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--warned", type=int, help="warned calls (default: 1 million, 100,000 with --quick)")
    parser.add_argument("--rate", type=float, default=5_000.0, help="of them a second (default: %(default)s)")


def main() -> None:
    if sys.argv[1:] == ["--gateway"]:
        be_gateway()
        return
    args = arguments(__doc__, _options)
    args.warned = args.warned or (100_000 if args.quick else 1_000_000)
    report = Report("delivery", args, warned=args.warned, rate=args.rate)
    requests = requests_of(args.warned // 2, args.seed)
    with scratch() as directory, gateway_running() as gateway:
        (directory / "policy.yaml").write_text(POLICY)
        beside_calls(report, directory, gateway, requests)
        a_million(report, directory, gateway, requests)
        a_full_spool(report, directory, gateway, requests)
    report.close()


if __name__ == "__main__":
    main()
