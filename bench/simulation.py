"""How fast days are simulated, and in how much memory: `interceptor simulate` without its command line.

- calls and rows a second, for networks of several sizes
- the most memory the process held, and bytes a row in the file

python bench/simulation.py                        up to 1 million subscribers, a day
python bench/simulation.py --subscribers 200000   one size
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from _report import Report, arguments

from interceptor.simulation import scenario
from interceptor.simulation.simulate import simulate

#: what is promised of a day of the largest network: minutes, GB
MINUTES, MEMORY_GB = 5, 3


def measure(report: Report, subscribers: int, hours: int) -> None:
    """Simulates a network once."""
    report.section(f"{subscribers:,} subscribers, {hours} hours")
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "calls.parquet"
        begun = time.monotonic()
        told = simulate(
            scenario.load("day"), out, subscribers=subscribers, hours=hours, seed=report.args.seed
        )
        took = time.monotonic() - begun
        rows = sum(told.events.values())
        report.figure("calls", told.events["call"], "")
        report.figure("calls a second", told.events["call"] / took, "/s")
        report.figure("rows a second, SMS and cards with them", rows / took, "/s")
        report.figure("bytes a row", out.stat().st_size / rows, "B")
    report.promise("minutes", took / 60, MINUTES, "min")
    # The sizes grow: the most that was held is this one's.
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    report.promise("most memory held", held, MEMORY_GB, "GB")


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=int, help="one size (default: 10,000, 100,000, 1 million)")
    parser.add_argument("--hours", type=int, default=24, help="of each (default: %(default)s)")


def main() -> None:
    args = arguments(__doc__, _options)
    sizes = [args.subscribers] if args.subscribers else [10_000, 100_000, 1_000_000]
    report = Report("simulation", args, hours=args.hours, scenario="day")
    for subscribers in sizes[:1] if args.quick else sizes:
        measure(report, subscribers, args.hours)
    report.close()


if __name__ == "__main__":
    main()
