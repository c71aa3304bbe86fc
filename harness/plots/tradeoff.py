"""Size or speed against quality: a point per method, with the intervals of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.core.metric import metric as metric_named
from harness.plots.specfile import PlotSpec
from harness.plots.svg import Plot, PlotLine, PlotPoint
from harness.store.database import Database
from harness.tables.rows import TableRow, rows_of

_TOLD = ("engine", "environment", "gpu", "machine", "prompt", "output", "depth", "batch", "text", "task", "slice", "source", "metric_version", "reference", "recipe")  # fmt: skip
"""What must be one thing among the numbers of a method: a plot that mixes them is refused."""
_WANTED = ("run", "status", "session", "started", "counts_from", "model", "method", "metric", "value", "low", "high", "summary_value",
           "summary_low", "summary_high", "rounds", "unit", *_TOLD)  # fmt: skip
_Subject = tuple[str, str]


def tradeoff_plot(spec: PlotSpec, database: Database) -> Plot:
    """Draw one metric against another, a colour per model. Raises: ConfigError where a method has several numbers of one metric."""
    quality, against = spec.entry.quality or "", spec.entry.against or ""
    sides = [_newest(spec, metric, database) for metric in (against, quality)]
    models = dict.fromkeys(model for model, method in sides[0] if (model, method) in sides[1])
    lines = tuple(PlotLine(model, tuple(_points(model, sides)), joined=False) for model in models)
    titles = [_axis(metric, side) for metric, side in zip((against, quality), sides, strict=True)]
    return Plot(spec.entry.title or f"{quality} and {against}", titles[0], titles[1], lines)


def _axis(metric: str, side: Mapping[_Subject, TableRow]) -> str:
    unit = next((row.text("unit") or "" for row in side.values()), "")
    way = metric_named(metric).better
    return f"{metric}{f' ({unit})' if unit else ''}{'' if way == 'none' else f', {way} is better'}"


def _points(model: str, sides: Sequence[Mapping[_Subject, TableRow]]) -> Iterator[PlotPoint]:
    for subject in sides[0]:
        if subject[0] == model and subject in sides[1]:
            (x, x_range), (y, y_range) = (_number(side[subject]) for side in sides)
            yield PlotPoint(x, y, y_range, x_range, subject[1])


def _number(row: TableRow) -> tuple[float, tuple[float, float] | None]:
    names = ("value", "low", "high") if row.get("rounds") is None else ("summary_value", "summary_low", "summary_high")
    value, low, high = (row.get(name) for name in names)
    return float(value), None if low is None or high is None else (float(low), float(high))


def _newest(spec: PlotSpec, metric: str, database: Database) -> dict[_Subject, TableRow]:
    """Return the newest number of each model and method. Raises: ConfigError where several fit, saying in what they differ."""
    where = {"slice": "", **spec.entry.where, "metric": [metric], "status": "ok", "origin": "measured"}
    grouped: dict[_Subject, list[TableRow]] = {}
    for row in sorted(rows_of(database.select(where, _WANTED)), key=lambda row: row.age):
        grouped.setdefault((row.text("model") or "", row.text("method") or ""), []).append(row)
    found = {}
    for (model, method), rows in grouped.items():
        differ = {name: sorted({row.text(name) or "none" for row in rows}) for name in _TOLD}
        odd = next((name for name, values in differ.items() if len(values) > 1), None)
        if odd is not None:
            raise spec.wrong(
                f"{method} of {model} has several numbers of {metric}, of {odd} {', '.join(differ[odd][:5])}; choose one, as in "
                f"where: {{{odd}: {differ[odd][0]}}}"
            )
        found[model, method] = rows[-1]
    return found
