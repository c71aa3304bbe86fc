"""Verbs that take results in and hand them out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import ResultsOption, app, workspace_of
from harness.cli.choosing import FailedOption, OnlyOption, ProbeOption, RoundOption, chosen_rows


@app.command()
def ingest(
    context: typer.Context,
    brought: Annotated[
        Path | None,
        typer.Argument(
            help="What a bundle came to: a stage's tar, or a folder with tars or run folders, to take in first."
        ),
    ] = None,
    results: ResultsOption = None,
    published: Annotated[
        Path | None,
        typer.Option("--published", help="A folder of published results, as results/published, to take in too."),
    ] = None,
) -> None:
    """Take every run folder's outcome into the database, rebuilding it where it is gone; say which it no longer agrees with."""
    from harness.commands.ingest import ingest as take_in

    home, problems = workspace_of(context, results), tuple[str, ...]()
    if brought is not None:
        from harness.bundling.back import bring_back

        found = bring_back(brought, home.results)
        problems = found.problems
        typer.echo(f"{brought}: {len(found.new)} runs brought back, {found.here} were here already")
    problems += take_in(home, published, typer.echo)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    raise typer.Exit(2 if problems else 0)


@app.command()
def mark(
    context: typer.Context,
    runs: Annotated[
        list[str], typer.Argument(help="Runs, or sessions for all runs that they made.", metavar="RUN|SESSION...")
    ],
    void: Annotated[
        str | None,
        typer.Option(
            "--void", help="Why they do not count: no table, view or summary has them any more.", metavar="REASON"
        ),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", help="Footnote of every number that they give.", metavar="TEXT")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Let `harness clean` leave their folders and the artifacts that they used.")
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was said of them.")] = False,
    results: ResultsOption = None,
) -> None:
    """Say that runs do not count, or what their readers must know; kept in the run folders."""
    from harness.commands.mark import MarkAsked, mark_runs

    mark_runs(runs, workspace_of(context, results), MarkAsked(void, note, clear, keep), typer.echo)


@app.command(name="import")
def import_(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Result files of other tools, or any table with --map.")],
    sweep: Annotated[str, typer.Option("--sweep", help="Name under which tables find them.")] = "imported",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="NAME=VALUE: model, method, ... of all files, or engine, environment, gpu."),
    ] = None,
    map_: Annotated[
        Path | None, typer.Option("--map", help="YAML that says what the columns are, of Markdown, CSV or JSON.")
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Take in what other tools measured: results of GenAI, optimum-benchmark, lm-eval, trtllm-bench, vLLM, llama-bench."""
    from harness.importing.import_files import import_files, lines, parse_labels
    from harness.tables.declared import declared_of

    home = workspace_of(context, results)
    declared = declared_of(home.own_published).metrics if map_ else {}
    imported = import_files(
        files,
        home.results,
        sweep=sweep,
        labels=parse_labels(label or []),
        map_=map_,
        declared=declared,
        place=home.database,
    )
    for line in lines(imported):
        typer.echo(line)
    for problem in imported.problems:
        sys.stderr.write(f"{problem}\n")
    raise typer.Exit(2 if imported.problems else 0)


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="File to write: .csv, .jsonl or .parquet.")],
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="COLUMN=VALUE, as batch=1,8; may be given again."),
    ] = None,
    only: OnlyOption = None,
    probe: ProbeOption = None,
    failed: FailedOption = False,
    round_: RoundOption = None,
    results: ResultsOption = None,
) -> None:
    """Write measurements as CSV, JSON lines or Parquet, one row each, every dimension a column."""
    from harness.commands.export import export as write_rows
    from harness.store.columns import COLUMNS
    from harness.store.where import parse_where

    chosen = chosen_rows(only, probe, round_, COLUMNS, failed=failed)
    typer.echo(write_rows(workspace_of(context, results), out, parse_where(where or []), chosen))
