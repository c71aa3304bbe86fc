"""Figures of change points found in real series: records/change_points_*.svg.

    python -m tests.benchmarks.change_point_figures

Series are read from HARNESS_TEST_DATA; a long one is drawn as medians of neighbours, and judged whole.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from harness.numbers.change_points import change_points
from harness.plots.svg import Plot, PlotLine, PlotPoint, to_svg
from tests.conftest import extra
from tests.unit.numbers.test_change_points import MARKS, real

RECORDS = Path(__file__).parent / "records"
FIGURES = {
    "mongodb_long_series": "change_points_long.svg",
    "mongodb_real_series": "change_points_real.svg",
    "C++ Benchmark: fib_20": "change_points_cpp.svg",
    "Catch2 Benchmark: Fibonacci 20": "change_points_catch2.svg",
}
"""Marked series to file."""
DRAWN = 250
"""Points of a figure, about."""


def figure(name: str, values: Sequence[float], sure: Sequence[int], maybe: Sequence[int]) -> str:
    """Draw a series, the places found (lines with their numbers) and those marked before (in the title)."""
    found = [one.place for one in change_points(values)]
    size = max(1, round(len(values) / DRAWN))
    points = tuple(
        PlotPoint(start + (size - 1) / 2, statistics.median(values[start : start + size]))
        for start in range(0, len(values), size)
    )
    marked = f"marked {_listed(sure)}" + (f", perhaps {_listed(maybe)}" if maybe else "")
    drawn = f"night (medians of {size})" if size > 1 else "night"
    return to_svg(
        Plot(
            f"{name}: {marked}; found {_listed(found)}",
            drawn,
            "",
            (PlotLine(name, points),),
            (),
            tuple((place - 0.5, str(place)) for place in found),
        )
    )


def _listed(places: Sequence[int]) -> str:
    return " ".join(map(str, places)) or "none"


def figures(folder: Path) -> dict[str, str]:
    """Draw all figures from the series below a folder, by the name of their file."""
    return {
        file: figure(name, real(folder)[name], MARKS["series"][name]["sure"], MARKS["series"][name]["maybe"])
        for name, file in FIGURES.items()
    }


def main() -> None:
    """Write the figures."""
    for file, text in figures(extra()).items():
        (RECORDS / file).write_text(text, encoding="utf-8", newline="\n")
        print(f"records/{file}")


if __name__ == "__main__":
    main()
