"""Figures as inline SVG: lines over two axes, and bars. Colours are classes of analysis.css, for light and dark pages.

A figure is one image for a screen reader, which has a name and a description; the numbers stand in a table beside it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lolhl.report.element import Html, el

_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 16.0, 14.0, 46.0  # margins of a plot, in its own units
_WIDTH, _BAR, _NAMES, _VALUES = 640.0, 26.0, 190.0, 120.0  # of bars, height of one, room for its name and its value

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes:
        name: of what is shown, with its unit.
        low, high: the values at its ends.
        ticks: values and what is written at them.
    """

    name: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        width = self.high - self.low
        return min(1.0, max(0.0, (value - self.low) / width)) if width > 0 else 0.5


@dataclass(frozen=True)
class Line:
    """Points that are joined. It breaks off at a value that is NaN.

    Attributes:
        name: for the legend; empty for a line that needs none.
        kind: the class that gives its colour and its dashes.
    """

    name: str
    kind: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Mark:
    """A single point, with what is written at it."""

    name: str
    at: Point


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Lines over two axes.

    Attributes:
        title, description: what is shown, and what it says in a sentence: read out by screen readers.
        bands: stretches of the x axis that are shaded.
        width, height: in units of which a letter is 12 high.
    """

    title: str
    description: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    bands: Sequence[tuple[float, float]] = ()
    width: float = 640.0
    height: float = 320.0


def unit_axis(name: str) -> Axis:
    """From 0 to 1."""
    return Axis(name, 0.0, 1.0, [(tenth / 5, f"{tenth / 5:g}") for tenth in range(6)])


def spread_axis(name: str, values: Sequence[float]) -> Axis:
    """Round numbers around all values that are finite, and 0."""
    finite = [0.0, *(value for value in values if math.isfinite(value))]
    low, high = min(finite), max(finite)
    step = _round_step((high - low) or 1.0)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return Axis(name, first * step, last * step, [(n * step, f"{n * step:g}") for n in range(first, last + 1)])


def _round_step(width: float) -> float:
    """1, 2 or 5 times a power of ten, so that about five of them make the width."""
    power: float = 10.0 ** math.floor(math.log10(width / 5))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= width / 5)


def plot(figure: Plot) -> Html:
    """The figure, and below it the legend of its lines."""
    inner = figure.width - _LEFT - _RIGHT, figure.height - _TOP - _BOTTOM

    def x(value: float) -> float:
        return _LEFT + figure.x.share(value) * inner[0]

    def y(value: float) -> float:
        return _TOP + (1 - figure.y.share(value)) * inner[1]

    bottom = _TOP + inner[1]
    parts = [
        el("rect", class_="band", x=x(first), y=_TOP, width=max(1.0, x(last) - x(first)), height=inner[1])
        for first, last in figure.bands
    ]
    for value, text in figure.y.ticks:
        parts.append(el("line", class_="grid", x1=_LEFT, x2=figure.width - _RIGHT, y1=y(value), y2=y(value)))
        parts.append(el("text", text, class_="tick", x=_LEFT - 8, y=y(value) + 4, text_anchor="end"))
    for value, text in figure.x.ticks:
        parts.append(el("line", class_="grid", x1=x(value), x2=x(value), y1=bottom, y2=bottom + 5))
        parts.append(el("text", text, class_="tick", x=x(value), y=bottom + 19, text_anchor="middle"))
    parts.append(
        el("text", figure.x.name, class_="axis", x=_LEFT + inner[0] / 2, y=figure.height - 6, text_anchor="middle")
    )
    parts.append(
        el(
            "text", figure.y.name, class_="axis", text_anchor="middle",
            transform=f"translate(14 {_TOP + inner[1] / 2:g}) rotate(-90)",
        )
    )  # fmt: skip
    for line in figure.lines:
        drawn = [(x(a), y(b)) if math.isfinite(a) and math.isfinite(b) else None for a, b in line.points]
        parts.append(el("path", class_=f"line {line.kind}", d=_path(drawn)))
    for mark in figure.marks:
        px, py = x(mark.at[0]), y(mark.at[1])
        right = px < figure.width * 0.6
        parts.append(el("circle", class_="mark", cx=px, cy=py, r=6))
        if mark.name:
            place = {"x": px + (12 if right else -12), "y": py - 8}
            parts.append(el("text", mark.name, class_="note", text_anchor="start" if right else "end", **place))
    image = _image(figure.title, figure.description, (figure.width, figure.height), parts)
    named = [line for line in figure.lines if line.name]
    legend = el("ul", *(_legend(line) for line in named), class_="legend") if len(named) > 1 else None
    return el("figure", image, legend, class_="plot")


def bars(title: str, description: str, rows: Sequence[tuple[str, float | None, str]], strong: int = 0) -> Html:
    """Bars one below the other.

    Args:
        title, description: as of `Plot`.
        rows: name, value (None where there is none) and what is written behind the bar.
        strong: the place of the row that the figure is about.
    """
    longest = max([value for _, value, _ in rows if value is not None and math.isfinite(value)], default=0.0) or 1.0
    room = _WIDTH - _NAMES - _VALUES
    parts = []
    for place, (name, value, text) in enumerate(rows):
        top = place * _BAR
        width = room * max(0.0, value) / longest if value is not None else 0.0
        parts.append(el("text", name[:28], class_="tick name", x=_NAMES - 10, y=top + 18, text_anchor="end"))
        parts.append(
            el(
                "rect",
                class_="bar strong" if place == strong else "bar",
                x=_NAMES,
                y=top + 5,
                width=width,
                height=_BAR - 10,
            )
        )
        parts.append(el("text", text, class_="tick", x=_NAMES + width + 8, y=top + 18))
    return el("figure", _image(title, description, (_WIDTH, len(rows) * _BAR), parts), class_="plot")


def _image(title: str, description: str, size: tuple[float, float], parts: Sequence[Html]) -> Html:
    label = f"{title}. {description}"
    return el("svg", *parts, view_box=f"0 0 {size[0]:g} {size[1]:g}", role="img", aria_label=label)


def _path(points: Sequence[Point | None]) -> str:
    return "".join(_steps(points))


def _steps(points: Sequence[Point | None]) -> Iterator[str]:
    joined = False
    for point in points:
        if point is not None:
            yield f"{'L' if joined else 'M'}{point[0]:.1f} {point[1]:.1f}"
        joined = point is not None


def _legend(line: Line) -> Html:
    swatch = el(
        "svg", el("path", class_=f"line {line.kind}", d="M0 5L28 5"), view_box="0 0 28 10", aria_hidden="true",
        class_="swatch",
    )  # fmt: skip
    return el("li", swatch, line.name)
