"""What every benchmark shows around its figures: the machine, the settings, how noisy it was, and the JSON file.

    args = arguments(__doc__)
    report = Report("lists", args, listed=10_000_000)
    times = interleaved({"one": one, "many": many}, rounds=report.rounds(7, quick=3))
    report.figure("lookup, one by one", times["one"], "ns")
    report.ratio("batch against one by one", times["many"], times["one"])
    report.close()

A script exits 0 whatever the figures are: a ratio says what was promised and whether it was kept.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from interceptor.loadtest import idle, report

ROOT = Path(__file__).resolve().parent.parent

#: what a sample is: a number, or several of which the median counts
Samples = float | Sequence[float]


def arguments(
    description: str | None, extra: Callable[[argparse.ArgumentParser], None] | None = None
) -> argparse.Namespace:
    """Reads the command line: ``--json``, ``--quick``, ``--seed``, and what `extra` adds."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there as well")
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes and fewer rounds, for a first look"
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default: %(default)s)")
    if extra is not None:
        extra(parser)
    return parser.parse_args()


@dataclass(frozen=True)
class Figure:
    name: str
    value: float  #: the median of the samples
    unit: str
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Ratio:
    name: str
    value: float
    limit: float | None  #: what was promised: at most this
    at_least: bool = False  #: or at least this

    @property
    def kept(self) -> bool | None:
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


class Report:
    """Prints figures as they come and keeps them for the JSON file."""

    def __init__(self, name: str, args: argparse.Namespace, **settings: object) -> None:
        self.name, self.args = name, args
        self.settings: dict[str, object] = {"seed": args.seed, "quick": args.quick, **settings}
        self.figures: list[Figure] = []
        self.ratios: list[Ratio] = []
        self.notes: list[str] = []
        self.machine = machine()
        self.noise = {"before": idle_gaps(0.3 if args.quick else 1.0)}
        self.begun = time.monotonic()
        print(f"# {name}\n")
        _table("machine", self.machine)
        _table("settings", self.settings)
        _print_noise("before", self.noise["before"])

    def rounds(self, full: int, *, quick: int) -> int:
        """How often to measure each variant."""
        return quick if self.args.quick else full

    def section(self, title: str) -> None:
        print(f"\n## {title}\n", flush=True)

    def note(self, text: str) -> None:
        """Says something the figures need to be understood."""
        self.notes.append(text)
        print(f"  {text}", flush=True)

    def figure(self, name: str, samples: Samples, unit: str) -> float:
        """Prints the median of the samples and how far they spread; returns the median."""
        values = (
            tuple(float(value) for value in samples) if isinstance(samples, Iterable) else (float(samples),)
        )
        figure = Figure(name, median(values), unit, values if len(values) > 1 else ())
        self.figures.append(figure)
        spread = f"   ({number(min(values))} .. {number(max(values))})" if figure.samples else ""
        print(f"  {name:<58} {number(figure.value):>12} {unit}{spread}", flush=True)
        return figure.value

    def ratio(
        self,
        name: str,
        a: Samples,
        b: Samples,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> float:
        """Prints a / b of medians measured in this run, and whether it is what was promised."""
        value = _median(a) / _median(b)
        ratio = Ratio(name, value, at_most if at_least is None else at_least, at_least is not None)
        self.ratios.append(ratio)
        print(f"  {name:<58} {value:>12.2f} x{_verdict(ratio)}", flush=True)
        return value

    def promise(self, name: str, value: float, limit: float, unit: str) -> bool:
        """Prints a figure against what was promised: at most `limit`."""
        ratio = Ratio(name, value, limit)
        self.figures.append(Figure(name, value, unit))
        self.ratios.append(ratio)
        print(f"  {name:<58} {number(value):>12} {unit}{_verdict(ratio)}", flush=True)
        return value <= limit

    def rate(self, name: str, value: float, limit: float, unit: str) -> bool:
        """The same of a figure that is to be at least `limit`."""
        ratio = Ratio(name, value, limit, at_least=True)
        self.figures.append(Figure(name, value, unit))
        self.ratios.append(ratio)
        print(f"  {name:<58} {number(value):>12} {unit}{_verdict(ratio)}", flush=True)
        return value >= limit

    def close(self) -> None:
        """Measures the noise once more and writes the JSON file."""
        self.noise["after"] = idle_gaps(0.3 if self.args.quick else 1.0)
        print()
        _print_noise("after", self.noise["after"])
        print(f"took {time.monotonic() - self.begun:.0f} s")
        if self.args.json is None:
            return
        document = {
            "benchmark": self.name,
            "machine": self.machine,
            "settings": self.settings,
            "idle_gaps": self.noise,
            "figures": [asdict(figure) for figure in self.figures],
            "ratios": [asdict(ratio) | {"kept": ratio.kept} for ratio in self.ratios],
            "notes": self.notes,
        }
        self.args.json.write_text(json.dumps(document, indent=1, default=str) + "\n")
        print(f"written to {self.args.json}")


def interleaved(
    variants: Mapping[str, Callable[[], float]], *, rounds: int, seed: int = 1
) -> dict[str, list[float]]:
    """Runs every variant once a round, in an order shuffled anew, so that no variant owns the machine's good minutes.

    A variant returns its own figure, such as nanoseconds a call; set-up inside it is its own affair.
    """
    rng = random.Random(seed)
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name in rng.sample(list(variants), len(variants)):
            samples[name].append(variants[name]())
    return samples


def seconds_of(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long `work` takes, in seconds, the garbage collector off.

    `clock` may be `time.thread_time`: the time of this thread on a core, which leaves out what a shared machine gave
    to others (a miss of the cache counts in it, waiting for a lock or a socket does not).
    """
    gc_was_on = gc.isenabled()
    gc.disable()
    try:
        begun = clock()
        work()
        return clock() - begun
    finally:
        if gc_was_on:
            gc.enable()


def resident_bytes() -> int:
    """Memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def machine() -> dict[str, object]:
    """CPU, cores, memory, kernel, Python and the commit that is measured."""
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        **report.machine(),
        "huge pages": huge.read_text().strip() if huge.exists() else "unknown",
        "load": f"{os.getloadavg()[0]:.2f}",
        "commit": commit(),
    }


def commit() -> str:
    """The commit of the working tree, with a `+` when files differ from it; `unknown` outside a repository."""
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return asked.stdout.strip()


def idle_gaps(seconds: float) -> dict[str, float]:
    """The control: what a loop that does nothing but read the clock, on one core, is kept from.

    A gap is a pause of more than 20 us between two readings: an interrupt, another process, the hypervisor. `p99_ms`
    and `p999_ms` say how long such gaps keep something waiting that comes at a random moment.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        gaps = idle.idle_gaps(seconds, 20_000)
    finally:
        os.sched_setaffinity(0, allowed)
    return {
        "seconds": seconds,
        "gaps": gaps.total,
        "longest_ms": round(gaps.max_ns / 1e6, 3),
        "lost_percent": round(100 * gaps.sum_ns / (seconds * 1e9), 2),
        "p99_ms": round(idle.idle_delay_ns(gaps, seconds, 99) / 1e6, 3),
        "p999_ms": round(idle.idle_delay_ns(gaps, seconds, 99.9) / 1e6, 3),
    }


def number(value: float) -> str:
    """A figure as a reader takes it in: 12,345 or 12.3 or 0.0123."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _median(samples: Samples) -> float:
    return float(median(samples)) if isinstance(samples, Sequence) else float(samples)


def _verdict(ratio: Ratio) -> str:
    if ratio.limit is None:
        return ""
    bound = "least" if ratio.at_least else "most"
    return f"   promised at {bound} {number(ratio.limit)}: {'kept' if ratio.kept else 'NOT KEPT'}"


def _table(title: str, rows: Mapping[str, object]) -> None:
    print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in rows.items()))


def _print_noise(when: str, gaps: Mapping[str, float]) -> None:
    print(
        f"idle loop {when}: {gaps['gaps']} gaps over 20 us in {gaps['seconds']} s, longest {gaps['longest_ms']} ms,"
        f" {gaps['lost_percent']} % of the time lost, a random moment waits {gaps['p99_ms']} ms at p99 and"
        f" {gaps['p999_ms']} ms at p99.9",
        flush=True,
    )


if __name__ == "__main__":
    print(__doc__, file=sys.stderr)
