"""Plots as SVG without any library: one file for light and dark pages, which browsers choose by `prefers-color-scheme`.

The same numbers give the same bytes. GitHub shows such files through an image element, in which style sheets inside the file count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 16, 34, 46
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.axis{stroke:#d1d9e0;stroke-width:1}"
    ".line{fill:none;stroke-width:1.5}.bar{stroke-width:1;opacity:.55}.change{stroke:#cf222e;stroke-dasharray:4 3}"
    ".s0{stroke:#0969da;fill:#0969da}.s1{stroke:#bc4c00;fill:#bc4c00}.s2{stroke:#1a7f37;fill:#1a7f37}.s3{stroke:#8250df;fill:#8250df}"
    ".s4{stroke:#bf3989;fill:#bf3989}.s5{stroke:#57606a;fill:#57606a}.line.s0,.line.s1,.line.s2,.line.s3,.line.s4,.line.s5{fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.axis{stroke:#3d444d}.change{stroke:#f85149}.s0{stroke:#4493f8;fill:#4493f8}"
    ".s1{stroke:#db6d28;fill:#db6d28}.s2{stroke:#3fb950;fill:#3fb950}.s3{stroke:#ab7df8;fill:#ab7df8}.s4{stroke:#db61a2;fill:#db61a2}"
    ".s5{stroke:#9198a1;fill:#9198a1}}"
)
_COLOURS = 6
_TICKS = 5


@dataclass(frozen=True)
class PlotPoint:
    """A point with its intervals; None where there is none."""

    x: float
    y: float
    y_range: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None
    label: str = ""


@dataclass(frozen=True)
class PlotLine:
    """Points of one colour. joined: a line goes through them."""

    name: str
    points: tuple[PlotPoint, ...]
    joined: bool = True


@dataclass(frozen=True)
class Plot:
    """What is drawn. x_names: labels of whole x from 0, in place of numbers; marks: x of vertical lines with their words."""

    title: str
    x_title: str
    y_title: str
    lines: tuple[PlotLine, ...]
    x_names: tuple[str, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def to_svg(plot: Plot) -> str:
    """Draw a plot; without points it says so. Raises: ValueError for a number that is not finite."""
    points = [point for line in plot.lines for point in line.points]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f"aria-label={quoteattr(plot.title)}>"
    )
    body = list(_drawn(plot, points)) if points else [_text(WIDTH / 2, HEIGHT / 2, "no results yet", "middle")]
    title = _text(_LEFT, 18, plot.title, "start", "title")
    return "\n".join([head, f"<style>{_STYLE}</style>", title, *body, "</svg>", ""])


def _drawn(plot: Plot, points: Sequence[PlotPoint]) -> Iterator[str]:
    ends = [end for point in points for end in (point.x, *(point.x_range or ()))]
    x = _Scale(*_room(ends, whole=bool(plot.x_names)), _LEFT, WIDTH - _RIGHT)
    heights = [end for point in points for end in (point.y, *(point.y_range or ()))]
    y = _Scale(*_room(heights), HEIGHT - _BOTTOM, _TOP)
    yield from _axes(plot, x, y)
    for place, words in plot.marks:
        yield f'<line class="change" x1="{x.at(place):.1f}" x2="{x.at(place):.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
        yield _text(x.at(place) + 3, _TOP + 10, words)
    for number, line in enumerate(plot.lines):
        yield from _line(line, f"s{number % _COLOURS}", x, y)
    if len(plot.lines) > 1:
        for number, line in enumerate(plot.lines[:12]):
            left, top = _LEFT + 8 + 340 * (number % 2), _TOP + 14 + 14 * (number // 2)
            yield f'<circle class="s{number % _COLOURS}" cx="{left}" cy="{top - 4}" r="4"/>'
            yield _text(left + 8, top, line.name)


def _line(line: PlotLine, colour: str, x: _Scale, y: _Scale) -> Iterator[str]:
    if line.joined and len(line.points) > 1:
        way = " ".join(f"{x.at(point.x):.1f},{y.at(point.y):.1f}" for point in line.points)
        yield f'<polyline class="line {colour}" points="{way}"/>'
    for point in line.points:
        left, top = x.at(point.x), y.at(point.y)
        if point.y_range:
            low, high = (y.at(end) for end in point.y_range)
            yield f'<line class="bar {colour}" x1="{left:.1f}" x2="{left:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        if point.x_range:
            low, high = (x.at(end) for end in point.x_range)
            yield f'<line class="bar {colour}" x1="{low:.1f}" x2="{high:.1f}" y1="{top:.1f}" y2="{top:.1f}"/>'
        yield f'<circle class="{colour}" cx="{left:.1f}" cy="{top:.1f}" r="2.5"><title>{escape(point.label)}</title></circle>'
        if not line.joined and point.label:
            yield _text(left + 5, top - 5, point.label)


def _axes(plot: Plot, x: _Scale, y: _Scale) -> Iterator[str]:
    for value in _ticks(y.low, y.high):
        yield f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y.at(value):.1f}" y2="{y.at(value):.1f}"/>'
        yield _text(_LEFT - 6, y.at(value) + 4, f"{value:.5g}", "end")
    named = range(0, len(plot.x_names), max(1, math.ceil(len(plot.x_names) / 8)))
    ticks = [(float(place), plot.x_names[place]) for place in named] or [
        (one, f"{one:.4g}") for one in _ticks(x.low, x.high)
    ]
    for value, words in ticks:
        yield _text(x.at(value), HEIGHT - _BOTTOM + 16, words, "middle")
    yield _text(WIDTH - _RIGHT, HEIGHT - 8, plot.x_title, "end")
    yield _text(_LEFT, HEIGHT - 8, plot.y_title)


def _room(values: Sequence[float], *, whole: bool = False) -> tuple[float, float]:
    """Return ends with room around the values. Raises: ValueError for a value that is not finite."""
    low, high = min(values), max(values)
    if not all(math.isfinite(value) for value in values):
        raise ValueError("a plot has a number that is not finite")
    if whole:
        return -0.5, max(high, 0.0) + 0.5
    room = (high - low) * 0.08 or abs(low) * 0.05 or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two ends."""
    raw = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= raw)
    first = math.ceil(low / step)
    return [round(number * step, 12) for number in range(first, math.floor(high / step) + 1)]


def _text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    class_ = f' class="{kind}"' if kind else ""
    return f'<text{class_} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
