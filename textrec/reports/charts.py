"""Charts as inline SVG, in the colours of the page around them."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from markupsafe import Markup

from textrec.reports.html_page import round_up

# Pixels at which it is drawn; it scales with the page.
WIDTH, HEIGHT = 420, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 22, 12, 52  # margins, for the axes' labels


class Series(NamedTuple):
    """Points (x, y) in shares of 1, shown by `kind`: a "line" joins them, a "circle" or a "square" stands at each."""

    name: str
    kind: Literal["line", "circle", "square"]
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    """A label, the range that is shown, and where the ticks are; in shares of 1."""

    label: str
    low: float
    high: float
    ticks: list[float]

    def place(self, value: float, start: float, end: float) -> float:
        """Pixels of `value` between those of `low` and `high`."""
        return round(start + (value - self.low) / (self.high - self.low) * (end - start), 1)


def axis(label: str, values: Sequence[float]) -> Axis:
    """An axis that shows all values, from tick to tick: seven or so at most, 1, 2 or 5 of a decimal place apart."""
    low, high = min(values), max(values)
    step = round_up(max(high - low, 0.01) / 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(index * step, 6) for index in range(first, max(last, first + 1) + 1)]
    return Axis(label, ticks[0], ticks[-1], ticks)


def chart(title: str, x: Axis, y: Axis, series: Sequence[Series], *, diagonal: str = "") -> Markup:
    """Series over their axes, in percent; with the line x = y, named `diagonal`, where that is given.

    `title` is what a screen reader says instead of the chart.
    """
    parts = [_grid(x, y)]
    names = [(one.name, _mark(one.kind, LEFT + 12, 0)) for one in series]
    if diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        parts.append(_line([_place(x, y, low, low), _place(x, y, high, high)], "diagonal"))
        names.append((diagonal, Markup('<path class="diagonal" d="M{} 0h16"/>').format(LEFT + 4)))
    for one in series:
        points = [_place(x, y, *point) for point in one.points]
        parts += [_line(points, "line")] if one.kind == "line" else [_mark(one.kind, *point) for point in points]
    parts += [
        Markup('<g transform="translate(0 {})">{}<text x="{}" dy=".32em">{}</text></g>').format(
            TOP + 12 + 18 * row, mark, LEFT + 26, name
        )
        for row, (name, mark) in enumerate(names)
    ]
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(parts)
    )


def _place(x: Axis, y: Axis, across: float, up: float) -> tuple[float, float]:
    return x.place(across, LEFT, WIDTH - RIGHT), y.place(up, HEIGHT - BOTTOM, TOP)


def _grid(x: Axis, y: Axis) -> Markup:
    parts = []
    for value in x.ticks:
        at = x.place(value, LEFT, WIDTH - RIGHT)
        line = Markup('<path class="grid" d="M{} {}V{}"/><text x="{}" y="{}" text-anchor="middle">{}</text>')
        parts.append(line.format(at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 18, f"{100 * value:.4g}%"))
    for value in y.ticks:
        at = y.place(value, HEIGHT - BOTTOM, TOP)
        line = Markup('<path class="grid" d="M{} {}H{}"/><text x="{}" y="{}" dy=".32em" text-anchor="end">{}</text>')
        parts.append(line.format(LEFT, at, WIDTH - RIGHT, LEFT - 6, at, f"{100 * value:.4g}%"))
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    label = Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle_x, HEIGHT - 10, x.label)
    turned = Markup('<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">{}</text>')
    return Markup("").join([*parts, label, turned.format(middle_y, y.label)])


def _line(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    return Markup('<polyline class="{}" points="{}"/>').format(kind, " ".join(f"{x},{y}" for x, y in points))


def _mark(kind: str, x: float, y: float) -> Markup:
    if kind == "line":
        return Markup('<path class="line" d="M{} {}h16"/>').format(x - 8, y)
    if kind == "square":
        return Markup('<rect class="square" x="{}" y="{}" width="8" height="8"/>').format(x - 4, y - 4)
    return Markup('<circle class="circle" cx="{}" cy="{}" r="4.5"/>').format(x, y)
