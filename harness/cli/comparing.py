"""The verb that holds two sides against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import ConfigsOption, ResultsOption, app, workspace_of
from harness.cli.choosing import OnlyOption, choice_of
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.commands.workspace import Workspace


@app.command()
def compare(
    context: typer.Context,
    one: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="What B is held against: a method, session, run, environment, published file or results of lm-eval.",
        ),
    ],
    other: Annotated[
        str, typer.Argument(metavar="B", help="What may be worse; where a name means several things, KIND=NAME.")
    ],
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="COLUMN=VALUE of both sides, as model=reference; may be given again."),
    ] = None,
    flips: Annotated[
        int, typer.Option("--flips", min=0, help="Questions shown that only one side answered rightly.")
    ] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everything in full.")] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Measure the speed of two methods or environments of a sweep side by side now, until it is decided.",
        ),
    ] = False,
    sweep: Annotated[
        str, typer.Option("--sweep", help="Of --live: name below configs/sweeps, or a path.", metavar="SWEEP")
    ] = "quickstart",
    budget: Annotated[str, typer.Option("--budget", help="Of --live: time for its rounds, as 90s, 20m or 1h.")] = "20m",
    only: OnlyOption = None,
    disturbed: Annotated[
        bool,
        typer.Option("--disturbed", help="Count rounds of a live comparison that other processes disturbed, too."),
    ] = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Say whether B is worse than A: exit code 1 where it is, 2 for invalid input, 3 where something is missing, else 0."""
    from harness.commands.compare import are_files, compare_files, compare_named
    from harness.comparing.record import to_record
    from harness.comparing.text import to_text
    from harness.core.identity import canonical

    if live:
        from rich.console import Console

        from harness.commands.live import LiveAsked, budget_of, compare_live

        chosen = choice_of(only, None, None, None, failed=False).only
        asked = LiveAsked(sweep, budget_of(budget), chosen, where or [], disturbed)
        result = compare_live((one, other), asked, Console(stderr=True), workspace_of(context, results, configs))
    elif only:
        raise HarnessError("--only chooses what --live measures; narrow what was measured with --where")
    elif are_files(one, other):
        if where:
            raise HarnessError("--where narrows names in the results; two files are compared as a whole")
        result = compare_files(Path(one), Path(other), _workspace(context))
    else:
        result = compare_named(one, other, where or [], workspace_of(context, results, configs), disturbed=disturbed)
    typer.echo(canonical(to_record(result)) if json else to_text(result, flips))
    raise typer.Exit(result.exit_code)


def _workspace(context: typer.Context) -> Workspace | None:
    """Find a workspace whose margins count; two files need none."""
    if context.obj is not None:
        return workspace_of(context)
    try:
        return workspace_of(context)
    except HarnessError:
        return None
