"""A number over the sessions of a workspace: database and published files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from harness.commands.answers import refuse_nothing
from harness.commands.workspace import Workspace, database_for_reading
from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.spelling import unknown
from harness.plots.drawing import history_plot
from harness.plots.series import HistorySeries, history_of, void_runs
from harness.plots.svg import to_svg
from harness.published.reading import read_published
from harness.published.sources import filled
from harness.store.database import Database
from harness.store.where import ConditionValue


def read_history(
    metric: str, chosen: Mapping[str, Sequence[ConditionValue]], workspace: Workspace
) -> list[HistorySeries]:
    """Read the history of a metric. Raises: HarnessError where nothing fits, saying what there is."""
    with ExitStack() as stack:
        sources = [stack.enter_context(closing(database_for_reading(workspace)))]
        if workspace.published.is_dir():
            published = read_published(workspace.published)
            sources.append(stack.enter_context(closing(filled(published.sessions, published))))
        found = history_of(metric, chosen, sources)
        if not found:
            _refuse(metric, chosen, sources)
    return found


def _refuse(metric: str, chosen: Mapping[str, Sequence[ConditionValue]], sources: Sequence[Database]) -> None:
    counts = {"origin": ["measured"], "status": ["ok"]}
    known = {str(value) for one in sources for (value,) in one.select(counts, ["metric"]).rows if value}
    if not known:
        raise HarnessError("there is no history yet; measure first, as with `harness bench`")
    if metric not in known:
        raise HarnessError(unknown("metric", metric, known, "the results"))
    mine = {**counts, "metric": [metric]}
    void = void_runs(sources)
    fitting = sorted({str(run) for one in sources for (run,) in one.select({**chosen, **mine}, ["run"]).rows})
    if fitting:
        raise HarnessError(
            f"all {len(fitting)} runs that fit are void, as {fitting[0]}: {void[fitting[0]]}; `harness mark {fitting[0]} --clear` lets it count again"
        )
    refuse_nothing(sources, chosen, mine, f"results of {metric}")


def write_svg(metric: str, found: Sequence[HistorySeries], path: Path) -> None:
    """Write a history as SVG, whole. Raises: HarnessError for a file that is called otherwise."""
    if path.suffix.lower() != ".svg":
        raise HarnessError(f"--svg {path}: a plot is written as SVG; call the file NAME.svg")
    if not path.parent.is_dir():
        raise HarnessError(f"--svg {path}: there is no folder {path.parent}; make it first")
    write_whole(path, to_svg(history_plot(metric, found)))
