"""Verbs about this machine and its workspace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import ResultsOption, SweepArgument, app, workspace_of
from harness.core.errors import HarnessError


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder to make a workspace of; that of --workspace, else this one by default."),
    ] = None,
) -> None:
    """Make a workspace of a folder: writes a few short files, none over one that is there."""
    from harness.commands.init import make_workspace

    if folder is not None and context.obj is not None:
        raise HarnessError(
            f"--workspace {context.obj} and {folder} both name the folder to make a workspace of; give one of them"
        )
    for line in make_workspace(folder or context.obj or Path()):
        typer.echo(line)


@app.command()
def setup(
    context: typer.Context,
    env: Annotated[str | None, typer.Option("--env", help="Environment of configs/environments.yaml.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing if there is nothing to do.")] = False,
) -> None:
    """Make an environment from its lock file: `cpu` without a name."""
    from harness.commands.machine import make_environment

    make_environment(env, workspace_of(context), quiet=quiet)


@app.command()
def bundle(
    context: typer.Context,
    sweeps: Annotated[list[str], typer.Argument(help="Names below configs/sweeps, or paths; each is a stage.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to make, which is then brought to the machine.")],
    pieces: Annotated[
        str | None,
        typer.Option("--pieces", help="Size that every file stays below, as 60MB; one large file by default."),
    ] = None,
    python: Annotated[
        str, typer.Option("--python", help="Version of the machine's Python; that of this one by default.")
    ] = f"{sys.version_info.major}.{sys.version_info.minor}",
    platform: Annotated[
        str, typer.Option("--platform", help="Newest platform tag that it takes.")
    ] = "manylinux_2_28_x86_64",
    has: Annotated[
        list[str] | None,
        typer.Option("--has", help="Package that the machine has itself, as torch, or `all`; may be given again."),
    ] = None,
    by_block: Annotated[bool, typer.Option("--by-block", help="Each block of a sweep is a stage of its own.")] = False,
) -> None:
    """Pack all that a machine without a network needs to run sweeps: harness, models, texts, wheels, and a script."""
    from harness.bundling.making import asked, make_bundle

    wanted = asked(to, pieces, python, platform, has or [], by_block=by_block)
    for line in make_bundle(sweeps, workspace_of(context), wanted):
        typer.echo(line)


@app.command()
def fetch(context: typer.Context, sweep: SweepArgument) -> None:
    """Fetch what a sweep needs of a network, for machines without one; exit code 1 where something cannot be had."""
    from harness.bundling.fetching import fetch as fetch_all
    from harness.commands.machine import print_line

    raise typer.Exit(1 if fetch_all(sweep, workspace_of(context), print_line) else 0)


@app.command()
def doctor(
    context: typer.Context,
    files: Annotated[
        bool, typer.Option("--files", help="Hold the results folder against its database instead, byte by byte.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Tell what this machine can run and what to install for the rest, or whether files and database agree."""
    from harness.commands.doctor import examine, held_files

    home = workspace_of(context, results)
    lines = held_files(home) if files else examine(home)
    for line in lines:
        typer.echo(f"{line.mark:>8}  {line.text}")
    raise typer.Exit(any(line.mark == "wrong" for line in lines))


@app.command()
def clean(
    context: typer.Context,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="Environments of one name that stay, the one in use too.")
    ] = 3,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            help="Size, as 200GB, into which artifacts and runs shall fit: those used longest ago go, never what is in use, published or marked with `harness mark --keep`.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --budget: say what would go, and remove nothing.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Remove older environments of those that follow a wheel, or artifacts and old runs beyond a budget."""
    from harness.commands.clean import clean_results
    from harness.commands.fresh import clean as removed

    if budget is not None:
        raise typer.Exit(clean_results(workspace_of(context, results), budget, typer.echo, dry=dry_run))
    if dry_run or results:
        raise HarnessError("--dry-run and --results need --budget, as in harness clean --budget 200GB --dry-run")
    for line in removed(workspace_of(context), keep):
        typer.echo(line)


@app.command()
def worker(
    context: typer.Context,
    environment: Annotated[str, typer.Argument(help="Environment whose Python runs the batches.")],
    queue: Annotated[Path, typer.Option("--queue", help="Folder of batches, on a disk that all workers share.")],
    exit_when_idle: Annotated[
        bool, typer.Option("--exit-when-idle", help="End where no batch is left, instead of waiting for more.")
    ] = False,
) -> None:
    """Serve the batches of a queue folder, for a scheduler or another machine. Exit code 1: a batch or a job of it failed."""
    from harness.commands.machine import queue_python
    from harness.core.paths import workspace_around
    from harness.executors import process
    from harness.worker.queue_folder import serve_queue

    python = Path(sys.executable)
    if context.obj is not None or workspace_around():
        python = queue_python(environment, workspace_of(context))
    if python != Path(sys.executable):
        code = process.serve_queue(python, environment, queue, exit_when_idle=exit_when_idle)
        raise typer.Exit(code if code in {0, 1} else 2)
    served = serve_queue(queue, environment, exit_when_idle=exit_when_idle)
    typer.echo(served.said)
    raise typer.Exit(served.code)
