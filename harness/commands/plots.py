"""Plots of pages: drawn beside the page that shows them, and the image that stands between its markers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness.commands.workspace import Workspace, database_for_reading
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.spelling import unknown
from harness.pages.writing import plots_named, read_page
from harness.plots.drawing import history_plot
from harness.plots.series import history_of, void_runs
from harness.plots.specfile import PlotSpec, PlotValue, plots_in
from harness.plots.svg import Plot, to_svg
from harness.plots.tradeoff import tradeoff_plot
from harness.published.sources import NumberSource


@dataclass(frozen=True)
class DrawnPlots:
    """images: Markdown by plot; stale: files that are not as they should be, and what they should be; told: what a reader must know of their numbers."""

    images: Mapping[str, str]
    stale: Mapping[Path, str]
    told: tuple[str, ...] = ()


def drawn_for(pages: Sequence[Path], workspace: Workspace, source: NumberSource) -> DrawnPlots:
    """Draw the plots that pages show, from published results. Raises: ConfigError for a marker that names no plot."""
    shown = [(page, name, line) for page in pages for name, line in plots_named(read_page(page), page)]
    if not shown:
        return DrawnPlots({}, {})
    specs = plots_in(workspace.tables)
    problems = [Problem(unknown("plot", name, specs), page, line) for page, name, line in shown if name not in specs]
    if problems:
        raise ConfigError(problems)
    named = list(dict.fromkeys(name for _, name, _ in shown))
    plots = {name: _drawn(specs[name], source) for name in named}
    texts = {name: to_svg(plot) for name, plot in plots.items()}
    files = {page.parent / f"{name}.svg": texts[name] for page, name, _ in shown}
    for path in files:
        _refuse_another(path)
    images = {name: f"![{_alt(plot.title)}]({name}.svg)" for name, plot in plots.items()}
    stale = {path: text for path, text in files.items() if not path.is_file() or path.read_bytes() != text.encode()}
    return DrawnPlots(images, stale, tuple(_void_since([specs[name] for name in named], source, workspace)))


def _void_since(specs: Sequence[PlotSpec], source: NumberSource, workspace: Workspace) -> Iterator[str]:
    """Say which runs of a drawn history somebody declared void after they were published: a page is of what is published, here as everywhere."""
    asked = {spec.name: _asked(spec) for spec in specs if spec.entry.history is not None}
    void: dict[str, str] = {}
    if asked:
        try:
            with closing(database_for_reading(workspace)) as database:
                void = void_runs([database])
        except HarnessError as error:
            yield f"whether runs behind plots are void could not be looked up: {error}"
    for name, where in asked.items() if void else ():
        rows = source.select({**where, "origin": "measured", "status": "ok"}, ["run"]).rows
        for run in sorted({str(run) for (run,) in rows} & void.keys()):
            yield f"plot {name}: run {run} was declared void since ({void[run]}), and still counts here; publish it anew"


def _asked(spec: PlotSpec) -> dict[str, list[PlotValue]]:
    """Say which numbers a history is of."""
    where = {name: value if isinstance(value, list) else [value] for name, value in spec.entry.where.items()}
    return {**where, "metric": [spec.entry.history or ""]}


def _drawn(spec: PlotSpec, source: NumberSource) -> Plot:
    metric = spec.entry.history
    if metric is None:
        return tradeoff_plot(spec, source.database)
    return history_plot(metric, history_of(metric, _asked(spec), [source.database]), spec.entry.title)


def _refuse_another(path: Path) -> None:
    """Refuse to write over a file that is no drawing of ours. Raises: ConfigError."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ConfigError([Problem("is a link or a folder, and a plot would be written there; move it away", path)])
    if path.is_file() and b"prefers-color-scheme" not in path.read_bytes()[:4000]:
        raise ConfigError([Problem("is there and no plot of ours; rename the plot or move the file away", path)])


def _alt(title: str) -> str:
    return title.replace("[", "(").replace("]", ")").replace("\n", " ")
