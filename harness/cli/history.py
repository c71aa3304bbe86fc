"""The verb that shows a number over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import ResultsOption, app, workspace_of
from harness.cli.choosing import OnlyOption, ProbeOption, chosen_rows


@app.command()
def history(
    context: typer.Context,
    metric: Annotated[str, typer.Argument(help="Metric, as decode_tps.")],
    only: OnlyOption = None,
    probe: ProbeOption = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Also draw it into this file.")] = None,
    results: ResultsOption = None,
) -> None:
    """Show a number over sessions, where it changed, and which packages changed there."""
    from harness.commands.history import read_history, write_svg
    from harness.plots.text import to_text
    from harness.store.columns import COLUMNS

    found = read_history(metric, chosen_rows(only, probe, None, COLUMNS, failed=False), workspace_of(context, results))
    typer.echo(to_text(found))
    if svg is not None:
        write_svg(metric, found, svg)
        typer.echo(f"written to {svg}")
