"""Plots as SVG that stands in a page: axes, bars, curves. Colours are the page's, by class."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 920.0, 64.0, 16.0, 12.0, 34.0
NAMES = 210.0  #: where plots begin whose rows have names


@dataclass(frozen=True)
class Axis:
    """Values along a side of a plot, and where they stand."""

    low: float
    high: float
    begin: float  #: place of `low`, in pixels
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a value; one beyond the axis stands at its end."""
        low, high, value = (
            (math.log10(self.low), math.log10(self.high), math.log10(max(value, self.low)))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        part = (value - low) / (high - low) if high > low else 0.0
        return self.begin + min(max(part, 0.0), 1.0) * (self.end - self.begin)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values, some `about` of them; of a logarithmic axis 1, 2 and 5 of each decade."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [m * 10.0**d for d in decades for m in (1, 2, 5)]
            return [value for value in found if self.low <= value <= self.high]
        if self.high <= self.low:
            return [self.low]
        rough = (self.high - self.low) / about
        step = 10 ** math.floor(math.log10(rough))
        step *= next(m for m in (1, 2, 5, 10) if step * m >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [step * i for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Curve:
    """Points that are joined."""

    name: str
    points: Sequence[tuple[float, float]]
    look: str  #: a class of the page
    notes: Sequence[str] = ()  #: of each point, shown when it is pointed at; none: no points are drawn
    stepped: bool = False  #: a value holds until the next point


def short(value: float) -> str:
    """A number as an axis has it: ``1.2k``, ``0.05``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def svg(height: float, parts: Iterable[str], title: str) -> str:
    """A picture of the page's width."""
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, said: str, look: str = "", anchor: str = "start") -> str:
    kind = f' class="{look}"' if look else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(said)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{look}"/>'


def box(place: tuple[float, float, float, float], look: str, note: str = "", strength: float = 1) -> str:
    """A filled rectangle at x, y, so wide and high; `note` is shown when it is pointed at."""
    x, y, width, height = place
    faint = f' fill-opacity="{strength:.2f}"' if strength < 1 else ""
    title = f"<title>{escape(note)}</title>" if note else ""
    where = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
    return f'<rect {where} class="{look}"{faint}>{title}</rect>'


def up(axis: Axis, unit: str = "", about: int = 4) -> list[str]:
    """The vertical axis: its values, and a line across the plot at each."""
    parts = []
    for value in axis.ticks(about):
        y = axis.at(value)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(text(LEFT - 8, y + 4, short(value) + unit, "tick", "end"))
    return parts


def along(axis: Axis, y: float, label: str, unit: str = "") -> list[str]:
    """The horizontal axis at `y`: its values and what they are."""
    parts = [line(LEFT, y, WIDTH - RIGHT, y, "axis")]
    for value in axis.ticks(8):
        x = axis.at(value)
        parts.append(line(x, y, x, y + 4, "axis"))
        parts.append(text(x, y + 17, short(value) + unit, "tick", "middle"))
    return [*parts, text(WIDTH - RIGHT, y + 32, label, "tick", "end")]


def hour_bars(
    hours: Sequence[tuple[str, Sequence[float]]],
    looks: Sequence[str],
    height: float,
    title: str,
    unit: str = "",
) -> str:
    """A bar an hour, of several parts one above the other. hours: what it is called, and its parts."""
    most = max((sum(parts) for _, parts in hours), default=0) or 1
    axis = Axis(0, most, height - BOTTOM, TOP)
    wide = (WIDTH - LEFT - RIGHT) / max(len(hours), 1)
    made = up(axis, unit)
    for i, (name, parts) in enumerate(hours):
        x, below = LEFT + i * wide, 0.0
        for value, look in zip(parts, looks, strict=True):
            y = axis.at(below + value)
            shown = f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
            place = (x + wide * 0.08, y, wide * 0.84, axis.at(below) - y)
            made.append(box(place, look, f"{name}: {shown}{unit} {look}"))
            below += value
    made += below_hours([name for name, _ in hours], LEFT, wide, height - BOTTOM + 17)
    return svg(height, [*made, line(LEFT, height - BOTTOM, WIDTH - RIGHT, height - BOTTOM, "axis")], title)


def below_hours(names: Sequence[str], left: float, wide: float, y: float) -> list[str]:
    """Names of hours below columns so wide, as many as there is room for."""
    each = max(round(len(names) / 12), 1)
    return [text(left + (i + 0.5) * wide, y, names[i], "tick", "middle") for i in range(0, len(names), each)]


def strips(rows: Sequence[tuple[str, str, Sequence[float]]], names: Sequence[str], title: str) -> str:
    """A row of cells for each rule, the darker the more. rows: its name, its look, and a value an hour."""
    high = 20.0
    wide = (WIDTH - NAMES - 80) / max(len(names), 1)
    made = []
    for i, (name, look, values) in enumerate(rows):
        y, most = TOP + i * high, max(values, default=0) or 1
        made.append(text(NAMES - 8, y + 14, name, "label", "end"))
        for k, value in enumerate(values):
            place = (NAMES + k * wide, y + 1, wide - 1, high - 2)
            note = f"{name}, {names[k]}: {value:,.0f}"
            made.append(
                box(place, look, note, 0.15 + 0.85 * value / most) if value else box(place, "empty", note)
            )
        made.append(text(WIDTH - 74, y + 14, f"{sum(values):,.0f}", "tick"))
    end = TOP + len(rows) * high
    return svg(end + 24, [*made, *below_hours(names, NAMES, wide, end + 16)], title)


def curves(found: Sequence[Curve], x: Axis, y: Axis, labels: tuple[str, str, str], title: str) -> str:
    """Curves over two axes, y upwards from the plot's bottom. labels: what is along; units along and up."""
    made = [*up(y, labels[2]), *along(x, y.begin, labels[0], labels[1])]
    for curve in found:
        places = [(x.at(a), y.at(b)) for a, b in curve.points]
        if not places:
            continue
        way = f"M{places[0][0]:.1f},{places[0][1]:.1f}"
        for (_, before), (a, b) in itertools.pairwise(places):
            way += f"L{a:.1f},{before:.1f}L{a:.1f},{b:.1f}" if curve.stepped else f"L{a:.1f},{b:.1f}"
        made.append(f'<path d="{way}" class="curve {curve.look}"><title>{escape(curve.name)}</title></path>')
        for (a, b), note in zip(places, curve.notes, strict=False):
            dot = f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" class="{curve.look}">'
            made.append(f"{dot}<title>{escape(note)}</title></circle>")
    return svg(y.begin + BOTTOM, made, title)


def shares(rows: Sequence[tuple[str, Sequence[float], str]], looks: Sequence[str], title: str) -> str:
    """A bar across for each row, of parts that make up one. rows: its name, its parts, and what stands behind it."""
    high = 24.0
    wide = WIDTH - NAMES - 130
    made = []
    for i, (name, parts, behind) in enumerate(rows):
        y, x, whole = i * high + 2, NAMES, sum(parts) or 1
        made.append(text(NAMES - 8, y + 15, name, "label", "end"))
        for value, look in zip(parts, looks, strict=True):
            part = wide * value / whole
            made.append(
                box((x, y + 2, part, high - 6), look, f"{name}: {value:,.0f} {look}, {value / whole:.2%}")
            )
            x += part
        made.append(text(NAMES + wide + 8, y + 15, behind, "tick"))
    return svg(len(rows) * high + 4, made, title)
