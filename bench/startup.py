"""How long `interceptor serve` takes until health says SERVING, with a list of 423,100 numbers in a CSV file.

Measured from the start of the process to the log line that says so; Python, imports, numbering plan, policy and list
included. Without the kept numbering plan the first start on a machine builds it.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _report import ROOT, Report, arguments, interleaved

LISTED = 423_100
PROMISED = 3.0  # seconds
POLICY = """
version: 1
trunks:
  default: {region: CN}
lists:
  fraud: {kind: number, file: fraud.csv}
rules:
  - {id: listed, when: call.caller in lists.fraud, verdict: block, class: list, reason: listed-fraud}
default: pass
"""


def write_list(path: Path, count: int, seed: int) -> None:
    """A CSV file of that many distinct mobile numbers, with the columns a fraud list has."""
    numbers = np.random.default_rng(seed).choice(1_000_000_000, count, replace=False, shuffle=True)
    with path.open("w") as file:
        file.write("number,reason,source,valid_until\n")
        file.writelines(f"+8613{number:09},fake-ecommerce-service,police,\n" for number in numbers.tolist())


@dataclass(frozen=True)
class Start:
    seconds: float  #: until SERVING
    cpu: float  #: seconds of processor time, the stop included
    entries: int  #: that its list holds


def start(policy: Path, cache: Path) -> Start:
    """Starts a service, waits until it is SERVING, stops it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        sys.executable,
        "-m",
        "interceptor.cli.main",
        "serve",
        "--policy",
        str(policy),
        "--cache",
        str(cache),
    ]
    addresses = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    environment = {"INTERCEPTOR_STATE": "none", **os.environ, "PYTHONPATH": str(ROOT)}
    begun = time.monotonic()
    process = subprocess.Popen([*command, *addresses], stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    entries, took = 0, float("nan")
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "policy in force":
            entries = event["lists"]["fraud"]
        if event["event"] == "serving":
            took = time.monotonic() - begun
            break
    process.send_signal(signal.SIGTERM)
    process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Start(took, cpu, entries)


def main() -> None:
    args = arguments(__doc__)
    count = LISTED // 10 if args.quick else LISTED
    report = Report("startup", args, listed=count)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        policy = directory / "policy.yaml"
        policy.write_text(POLICY)
        write_list(directory / "fraud.csv", count, args.seed)
        empty = directory / "empty" / "policy.yaml"
        empty.parent.mkdir()
        empty.write_text(POLICY)
        write_list(empty.parent / "fraud.csv", 1, args.seed)

        report.section("first start: the numbering plan is built")
        first = start(policy, directory / "cache")
        report.figure("entries", first.entries, "numbers")
        report.figure("processor time", first.cpu, "s")
        report.promise("ready", first.seconds, PROMISED, "s")

        report.section("later starts: the numbering plan is kept")
        times = interleaved(
            {
                "one": lambda: start(empty, directory / "cache").seconds,
                "all": lambda: start(policy, directory / "cache").seconds,
            },
            rounds=report.rounds(7, quick=2),
            seed=args.seed,
        )
        report.figure("ready, one number listed", times["one"], "s")
        ready_all = report.figure(f"ready, {count:,} numbers listed", times["all"], "s")
        report.figure("processor time of the last", start(policy, directory / "cache").cpu, "s")
        report.promise("ready, median", ready_all, PROMISED, "s")
        report.ratio("the list against none", times["all"], times["one"])
    report.close()


if __name__ == "__main__":
    main()
