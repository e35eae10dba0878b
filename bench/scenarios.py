"""Every scenario of the load test against the data plane: what it can do, and how long a call takes at half of that.

Server on one core, generator on the other; policy antifraud-cn with a million listed numbers. Verdicts are checked
against what each scenario is certain of.
"""

import argparse

from _report import Report, arguments
from _service import (
    CLIENT_CORE,
    SERVER_CORE,
    Control,
    antifraud,
    capacity,
    complain,
    drive,
    requests_of,
    scratch,
    serve,
    settle,
)

from interceptor.loadtest.report import VERDICTS
from interceptor.loadtest.scenarios import SCENARIOS


def one(report: Report, name: str, address: str, listed: int, seconds: float) -> None:
    report.section(name)
    requests = requests_of(name, listed=listed, seed=report.args.seed)
    settle(address, requests)
    rates = [capacity(address, requests, seconds) for _ in range(report.rounds(3, quick=1))]
    most = report.figure("closed loop, 4 connections, 50 in flight on each", rates, "calls/s")
    run = drive(address, requests, rate=most / 2, duration=2 * seconds, warm_up=0.5, connections=4)
    complain(report, name, run)
    report.figure("open loop at half of it", run.outcome.ok / (2 * seconds), "calls/s")
    for percent in (50, 99, 99.9, 99.99):
        report.figure(f"p{percent:g}", run.latency.percentile(percent) / 1000, "us")
    report.figure("longest", run.latency.max_ns / 1000, "us")
    shares = {
        verdict: f"{count / max(run.outcome.statuses[0], 1):.1%}"
        for verdict, count in zip(VERDICTS, run.outcome.verdicts, strict=True)
        if count
    }
    report.promise("verdicts other than expected", run.outcome.mismatched, 0, "")
    report.note("verdicts: " + ", ".join(f"{verdict} {share}" for verdict, share in shares.items()))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listed", type=int, help="listed numbers (default: 1 million, 100,000 with --quick)"
    )
    parser.add_argument("--scenario", choices=SCENARIOS, help="only this one")


def main() -> None:
    args = arguments(__doc__, _options)
    listed = args.listed or (100_000 if args.quick else 1_000_000)
    report = Report(
        "scenarios",
        args,
        policy="antifraud-cn",
        listed=listed,
        server_core=SERVER_CORE,
        client_core=CLIENT_CORE,
    )
    control = Control()
    control.look(1.0)
    with scratch() as directory:
        policy = antifraud(directory, listed)
        for name in [args.scenario] if args.scenario else SCENARIOS:
            with serve(policy, "--threads", "1") as service:  # anew: nobody is known from the scenario before
                one(report, name, service.listen, listed, 1.5 if args.quick else 5.0)
    control.look(1.0)
    report.section("The machine itself")
    for percent in (99, 99.9, 99.99):
        report.figure(f"p{percent:g} of waiting for an idle core", control.percentile(percent), "us")
    report.close()


if __name__ == "__main__":
    main()
