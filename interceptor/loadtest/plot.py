"""A load test's report as a picture: latency by percentile, and what happened second by second."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interceptor.loadtest.report import Document

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Marks of the percentile axis: each nine takes as much room as the one before it.
MARKS = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999)
DRAWN = 0.9  # series of calls sent and answered are drawn so opaque


class PlotError(Exception):
    """A plot that cannot be made; the message says what to do."""


def check() -> None:
    """Raises PlotError when there is nothing to draw with."""
    if find_spec("matplotlib") is None:
        raise PlotError(
            "plots need matplotlib, which is not installed: pip install 'call-interceptor[plots]'"
        )


def plot(document: Document, path: Path) -> None:
    """Draws the report as `path` (PNG, or what else its ending says).

    Raises
    ------
    PlotError
        When matplotlib is missing, or cannot write such a file.
    """
    check()
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an optional extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(11, 12), layout="constrained")
    FigureCanvasAgg(figure)
    by_percentile, rates, longest = figure.subplots(3, 1, height_ratios=(2, 1, 1))
    figure.suptitle(title(document))
    draw_percentiles(by_percentile, document)
    series = happened(document["series"])
    draw_rates(rates, series)
    draw_longest(longest, series)
    longest.sharex(rates)
    try:
        figure.savefig(path, dpi=110)
    except ValueError as error:  # an ending it has no format for
        raise PlotError(f"{path}: {error}") from None


def happened(series: dict[str, list[float]]) -> dict[str, list[float]]:
    """The series without what lies behind the last call: answers are waited for longer than they take."""
    busy = np.any([series[name] for name in ("sent", "ok", "late", "failed", "unsent")], axis=0)
    end = int(np.flatnonzero(busy).max(initial=0)) + 1
    return {name: column[:end] for name, column in series.items()}


def title(document: Document) -> str:
    settings, latency = document["settings"], document["latency"]
    how = f"{settings['rate']:,.0f} calls/s" if settings.get("rate") else "closed loop"
    return (
        f"{settings.get('scenario', '')}, {how}, {document['rates']['ok']:,.0f} answered OK a second\n"
        f"p50 {latency['p50']:,.0f} µs, p99 {latency['p99']:,.0f} µs, p99.9 {latency['p99.9']:,.0f} µs, "
        f"longest {latency['max']:,.0f} µs"
    )


def nines(percent: "np.typing.ArrayLike") -> "np.typing.NDArray[np.float64]":
    """Where a percentile below 100 stands on the axis: 0 for 0, 1 for 90, 2 for 99, 3 for 99.9."""
    return -np.log10(1 - np.asarray(percent) / 100)


def draw_percentiles(axes: "Axes", document: Document) -> None:
    held = document["histogram"]
    if held:
        bounds, counts = np.array(held, dtype=float).T
        below = np.concatenate([[0], np.cumsum(counts)[:-1]]) / counts.sum() * 100
        axes.step(nines(below), np.minimum(bounds, document["latency"]["max"]), where="post", label="latency")
    marks = [percent for percent in MARKS if not held or nines(percent) <= np.log10(counts.sum()) + 1]
    idle: dict[str, Any] | None = document["idle"]
    if idle is not None:
        axes.axhline(idle["max"], ls=":", color="grey", label="longest gap of an idle loop on this machine")
    axes.set_xticks(nines(marks), [f"{percent:g} %" for percent in marks])
    axes.set(yscale="log", xlabel="calls answered within", ylabel="µs from the intended start")
    axes.grid(visible=True, which="both", alpha=0.3)
    if held or idle is not None:
        axes.legend(loc="lower right")


def draw_rates(axes: "Axes", series: dict[str, list[float]]) -> None:
    seconds = np.array(series["seconds"])
    step = seconds[1] - seconds[0] if len(seconds) > 1 else 1.0
    for name in ("sent", "ok", "late", "failed", "unsent"):
        values = np.array(series[name], dtype=float) / step
        if name in ("sent", "ok") or values.any():
            axes.plot(seconds, values, label=name, alpha=DRAWN)
    axes.set(xlabel="s", ylabel="calls/s", ylim=(0, None))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right", ncols=5)


def draw_longest(axes: "Axes", series: dict[str, list[float]]) -> None:
    longest = np.array(series["max_ns"], dtype=float) / 1000
    longest[longest == 0] = np.nan  # nothing was answered then
    axes.plot(series["seconds"], longest, ".", ms=3)
    axes.set(xlabel="s", ylabel="longest latency, µs", yscale="log")
    axes.grid(visible=True, which="both", alpha=0.3)
