"""Verbs that plan and run sweeps."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated

import typer

from harness.cli.app import (
    ConfigsOption,
    ExecutorOption,
    OfflineOption,
    ResultsOption,
    SweepArgument,
    app,
    network,
    workspace_of,
)
from harness.cli.choosing import FailedOption, OnlyOption, ProbeOption, RerunOption, RoundOption, choice_of


@app.command()
def bench(
    context: typer.Context,
    sweep: Annotated[str, typer.Option("--sweep", envvar="SWEEP", help="Sweep to run instead of the one chosen.")] = "",
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Run the sweep for this machine and print its tables."""
    network(offline=offline)
    from rich.console import Console

    from harness.commands.bench import choose, run_sweep
    from harness.commands.report import after_bench

    begun = time.monotonic()
    console, where = Console(), workspace_of(context, results, configs)
    choice = choose(sweep, where)
    console.print(f"running sweep {choice.sweep}: {choice.why}", highlight=False, soft_wrap=True)
    after = after_bench(console)
    raise typer.Exit(
        run_sweep(choice.sweep, console, where, begun=begun, after=after, make=True, checked=choice.checked)
    )


@app.command()
def run(
    context: typer.Context,
    sweep: SweepArgument,
    only: OnlyOption = None,
    probe: ProbeOption = None,
    failed: FailedOption = False,
    round_: RoundOption = None,
    rerun: RerunOption = None,
    executor: ExecutorOption = None,
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Run a sweep and print its tables; known builds and quality are not run again, speed always is."""
    network(offline=offline)
    from rich.console import Console

    from harness.commands.bench import run_sweep
    from harness.commands.report import after_bench

    begun, console = time.monotonic(), Console()
    choice = choice_of(only, probe, round_, rerun, failed=failed)
    where = replace(workspace_of(context, results, configs), executor=executor)
    raise typer.Exit(run_sweep(sweep, console, where, choice, begun=begun, after=after_bench(console)))


@app.command()
def plan(
    context: typer.Context,
    sweep: SweepArgument,
    why: Annotated[bool, typer.Option("--why", help="Show for each job why it will or will not run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    expand: Annotated[bool, typer.Option("--expand", help="Print every job with its full options.")] = False,
    only: OnlyOption = None,
    probe: ProbeOption = None,
    failed: FailedOption = False,
    round_: RoundOption = None,
    rerun: RerunOption = None,
    executor: ExecutorOption = None,
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Print a sweep's jobs, which are known, how long they took before and what disk they need."""
    network(offline=offline)
    from rich.console import Console

    from harness.commands.plan import show_plan

    choice = choice_of(only, probe, round_, rerun, failed=failed)
    where = replace(workspace_of(context, results, configs), executor=executor)
    show_plan(sweep, Console(), where, choice, why=why, as_json=json, expand=expand)
