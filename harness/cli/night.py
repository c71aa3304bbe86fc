"""The verb of the night."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import ConfigsOption, OfflineOption, ResultsOption, SweepArgument, app, network, workspace_of
from harness.cli.choosing import OnlyOption, choice_of


@app.command()
def night(
    context: typer.Context,
    sweep: SweepArgument,
    baseline: Annotated[str, typer.Option("--baseline", help="Environment that is held against.", metavar="ENV")],
    candidate: Annotated[
        str, typer.Option("--candidate", help="Environment, or wheel, that may be worse.", metavar="ENV|WHEEL")
    ],
    budget: Annotated[str, typer.Option("--budget", help="Time for all rounds of speed, as 20m or 6h.")] = "6h",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draws the canaries and the order; the day by default.")
    ] = None,
    only: OnlyOption = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", help="COLUMN=VALUE of the speed that is judged, as metric=decode_tps; may be given again."
        ),
    ] = None,
    disturbed: Annotated[
        bool, typer.Option("--disturbed", help="Count rounds that other processes disturbed, too.")
    ] = False,
    issue: Annotated[
        Path | None,
        typer.Option("--issue", help="Write an issue's title, state and body to this file.", metavar="FILE"),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file.", metavar="FILE")] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", help="Append the report to this file, as $GITHUB_STEP_SUMMARY.", metavar="FILE"),
    ] = None,
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Compare two environments over a sweep in one sitting: exit code 1 where one is worse, 2 where nothing ran or a canary was missed, 3 where something is missing or a canary was skipped."""
    network(offline=offline)
    from rich.console import Console

    from harness.commands.live import budget_of
    from harness.commands.night import run_night
    from harness.commands.night_asked import NightAsked
    from harness.commands.night_reports import ReportFiles, write_or_say
    from harness.night.text import to_markdown

    chosen = choice_of(only, None, None, None, failed=False).only
    asked = NightAsked(sweep, baseline, candidate, budget_of(budget), seed, chosen, where or [], disturbed)
    files = ReportFiles(issue, junit, summary)
    files.check()
    workspace = workspace_of(context, results, configs)
    record = run_night(asked, Console(stderr=True), workspace, lambda record: write_or_say(record, files, typer.echo))
    typer.echo(to_markdown(record))
    raise typer.Exit(record.exit_code or 0)
