"""A history as Markdown: changes first, then each session's number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.markdown.rows import Align, literal, table_lines
from harness.numbers.change_points import LEVEL
from harness.plots.series import HistoryChange, HistoryPoint, HistorySeries

SHOWN = 30
"""Sessions that are listed, the newest ones."""
_ALIGNS: tuple[Align, ...] = ("left", "left", "right", "right", "left")
_NAMED = 8
"""Changed packages that are named; the others are counted."""


def to_text(found: Sequence[HistorySeries]) -> str:
    """Write histories, each with its changes and its newest sessions."""
    return "\n\n".join(part for one in found for part in _parts(one))


def _parts(one: HistorySeries) -> Iterator[str]:
    way = "" if one.better == "none" else f", {one.better} is better"
    yield f"**{literal(f'{one.metric}, {one.name}')}** ({literal(one.unit)}{way}): {len(one.points)} sessions"
    lines = [*(change_text(change, one) for change in one.changes), *one.told]
    if lines:
        yield "\n".join(f"- {literal(line)}" for line in lines)
    if len(one.points) >= 2 and not one.changes and not one.told:
        yield "- no change point"
    if one.points:
        yield "\n".join(
            table_lines(("Session", "When", "Value", "95 %", ""), _ALIGNS, [_row(p, one) for p in one.points[-SHOWN:]])
        )
    if len(one.points) > SHOWN:
        yield f"{len(one.points) - SHOWN} earlier sessions are not listed."


def change_text(change: HistoryChange, series: HistorySeries) -> str:
    """Say a change in one line: where, from what to what, and what else changed there."""
    point = change.point
    share = "" if point.change is None else f" ({point.change:+.1%})"
    way = f", {change.way}" if change.way else ""
    named = change.changed[:_NAMED]
    more = f" and {len(change.changed) - _NAMED} more" if len(change.changed) > _NAMED else ""
    with_ = f"; changed there: {', '.join(named)}{more}" if named else "; nothing else on record changed there"
    head = (
        f"from {change.moment[:10]} on ({change.session}): median {point.before:.5g} to {point.after:.5g} {series.unit}"
    )
    return f"{head}{share}{way}, p {point.p:.3g} of {LEVEL:g}{with_}"


def _row(point: HistoryPoint, series: HistorySeries) -> tuple[str, ...]:
    interval = "" if point.low is None or point.high is None else f"{point.low:.5g} to {point.high:.5g}"
    mark = next(
        (f"changed{f': {one.way}' if one.way else ''}" for one in series.changes if one.session == point.session), ""
    )
    return literal(point.session), point.moment[:16].replace("T", " "), f"{point.value:.5g}", interval, mark
