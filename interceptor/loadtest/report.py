"""What a load test found, as one JSON document: settings, rates, percentiles, verdicts, statuses, and what is wrong.

All durations are in microseconds. A latency counts from a call's intended start, so that a server that stands still
cannot hide behind the calls that were not sent meanwhile.
"""

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interceptor.loadtest.generator import Generator
from interceptor.loadtest.histogram import Histogram, bounds_ns
from interceptor.loadtest.outcome import Outcome

Document = dict[str, Any]

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99)
#: Status codes of gRPC, in their order.
STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
CALLS = ("due", "sent", "unsent", "answered", "ok", "late", "reset", "lost", "missing", "unexpected")
#: Verdicts of the contract, by value.
VERDICTS = ("unspecified", "pass", "warn", "block")
MICRO = 1e-3


def machine() -> Document:
    """What the generator ran on."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def report(run: Generator, settings: Mapping[str, Any], idle: Histogram | None = None) -> Document:
    """The report of a run that is over.

    Parameters
    ----------
    run
        The generator.
    settings
        What it was asked for; `duration` among them, and `deadline` (ms) when there is one.
    idle
        Gaps an idle loop saw on the generator's core: how noisy the machine is.
    """
    outcome = run.outcome
    seconds = float(settings["duration"])
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "settings": dict(settings),
        "idle": None if idle is None else percentiles(idle),
        "problems": problems(outcome, float(settings.get("deadline") or 0)),
        "rates": {
            "due": outcome.due / seconds,
            "sent": outcome.sent / seconds,
            "answered": outcome.answered / seconds,
            "ok": outcome.ok / seconds,
            "bytes_in": outcome.bytes_in / max(run.elapsed, 1e-9),
            "bytes_out": outcome.bytes_out / max(run.elapsed, 1e-9),
        },
        "latency": percentiles(run.latency),
        "lag": percentiles(run.lag),
        "verdicts": dict(zip(VERDICTS, outcome.verdicts, strict=True)),
        "mismatched": outcome.mismatched,
        "mismatches": [
            {"request": index, "verdict": VERDICTS[verdict] if verdict < len(VERDICTS) else verdict}
            for index, verdict in run.mismatches
        ],
        "statuses": {STATUSES[code]: count for code, count in enumerate(outcome.statuses) if count},
        "first_error": run.first_error,
        "calls": {name: getattr(outcome, name) for name in CALLS},
        "connections": {"opened": outcome.opened, "failed": outcome.failed},
        "series": {name: np.asarray(column).tolist() for name, column in run.series.items()},
        "histogram": cells(run.latency),
    }


def percentiles(histogram: Histogram) -> Document:
    """How many durations, their percentiles, mean and maximum."""
    found = {f"p{percent:g}": histogram.percentile(percent) * MICRO for percent in PERCENTILES}
    return {
        "count": histogram.total,
        "mean": histogram.mean_ns * MICRO,
        "min": histogram.min_ns * MICRO,
        **found,
        "max": histogram.max_ns * MICRO,
    }


def cells(histogram: Histogram) -> list[tuple[float, int]]:
    """The cells that hold something: (longest duration, count), ascending."""
    counts = histogram.counts
    held = np.flatnonzero(counts)
    return list(zip((bounds_ns()[held] * MICRO).tolist(), counts[held].tolist(), strict=True))


def problems(outcome: Outcome, deadline_ms: float = 0) -> list[str]:
    """What must not be, in words; nothing when all is well.

    Calls that were given up or refused because their deadline had passed are no problem: they were asked for so.
    """
    refused = {
        STATUSES[code]: count
        for code, count in enumerate(outcome.statuses)
        if code and count and not (deadline_ms and STATUSES[code] == "DEADLINE_EXCEEDED")
    }
    found = [(f"answered {name}", count) for name, count in refused.items()]
    found += [
        ("verdicts other than the scenario's", outcome.mismatched),
        ("calls without a reply", outcome.missing),
        ("calls lost with their connection", outcome.lost),
        ("calls whose stream was reset", outcome.reset),
        ("answers to no call of ours", outcome.unexpected),
        ("calls never sent", 0 if deadline_ms else outcome.unsent),
    ]
    said = [f"{count:,} {what}" for what, count in found if count]
    if not outcome.statuses[0]:
        said.append("no call was answered OK")
    return said
