"""From histories to plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.plots.series import HistoryPoint, HistorySeries
from harness.plots.svg import Plot, PlotLine, PlotPoint


def history_plot(metric: str, found: Sequence[HistorySeries], title: str = "") -> Plot:
    """Draw histories over the sessions that any of them has, in the order in which they count."""
    moments = {point.session: point.moment for one in found for point in one.points}
    order = sorted(moments, key=lambda session: (moments[session], session))
    place = {session: number for number, session in enumerate(order)}
    lines = tuple(PlotLine(one.name, tuple(_point(point, place) for point in one.points)) for one in found)
    marks = tuple(
        (place[change.session] - 0.5, "" if change.point.change is None else f"{change.point.change:+.1%}")
        for one in found
        for change in one.changes
    )
    unit = next((one.unit for one in found), "")
    title = title or (f"{metric}: {found[0].name}" if len(found) == 1 else metric)
    return Plot(title, "session", unit, lines, tuple(moments[session][:10] for session in order), marks)


def _point(point: HistoryPoint, place: Mapping[str, int]) -> PlotPoint:
    span = None if point.low is None or point.high is None else (point.low, point.high)
    return PlotPoint(float(place[point.session]), point.value, span, None, f"{point.session}: {point.value:.5g}")
