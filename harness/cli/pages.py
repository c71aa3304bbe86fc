"""Verbs about tables and the pages that hold them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import ResultsOption, app, pairs, workspace_of
from harness.cli.choosing import FailedOption, OnlyOption, ProbeOption, RoundOption, chosen_rows
from harness.core.errors import HarnessError


@app.command()
def report(
    context: typer.Context,
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of tables or sweeps, by default all tables with results; with --write, --check and --diff pages, by "
            "default all of the workspace.",
            metavar="[TABLES or PAGES]...",
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="Rewrite the tables and numbers between the markers of pages."),
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail when a committed page is stale.")] = False,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff", help="Print what the results would change in the pages, as Markdown for a pull request."
        ),
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="With --diff: a git reference, HEAD by default, or a folder of older published files."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --diff: exit code 2 where it is not known whether a change is noise.")
    ] = False,
    max_change: Annotated[
        str | None, typer.Option("--max-change", help="With --write: refuse changes larger than this, e.g. 5%.")
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="With --max-change: write larger changes anyway.")] = False,
    allow_missing: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-missing",
            help="With --write: TABLE, TABLE:ROW, TABLE:COLUMN or TABLE:ROW:COLUMN that may vanish; may be given again.",
        ),
    ] = None,
    may_mix: Annotated[
        list[str] | None,
        typer.Option(
            "--may-mix",
            help="With --write: FIELD or TABLE:FIELD that tables may mix from now on, written into their specs; may be given again.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            help="COLUMN=VALUE, as origin=measured or batch=1,8: replaces a table's own condition; may be given again.",
        ),
    ] = None,
    only: OnlyOption = None,
    probe: ProbeOption = None,
    failed: FailedOption = False,
    round_: RoundOption = None,
    beside: Annotated[
        str | None,
        typer.Option("--against", help="`reported`: measured numbers of TABLES beside those that others published."),
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Print tables, rewrite the pages that hold them, check that they are current, or show what would change in them."""
    from rich.console import Console

    from harness.commands.reporting import ReportAsked, report_asked
    from harness.tables.columns import DIMENSIONS

    chosen = chosen_rows(only, probe, round_, DIMENSIONS, failed=failed)
    may_vanish, mixing, conditions = allow_missing or [], may_mix or [], where or []
    asked = ReportAsked(
        tables or [],
        write,
        check,
        diff,
        base,
        strict,
        max_change,
        accept,
        may_vanish,
        mixing,
        conditions,
        chosen,
        beside,
    )
    ask = typer.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    raise typer.Exit(report_asked(asked, Console(soft_wrap=True), lambda: workspace_of(context, results), ask))


@app.command()
def adopt(
    context: typer.Context,
    page: Annotated[Path, typer.Argument(help="Markdown page of the workspace.")],
    table: Annotated[
        int | None, typer.Option("--table", help="Number of one table, from 1; all that can be by default.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            help="HEADING=WHAT: a dimension (model, method, batch ...), a metric, own.NAME, text, or a comparison as "
            "'ratio of decode_tps to fp16'; may be given again.",
        ),
    ] = None,
    called: Annotated[
        list[str] | None,
        typer.Option(
            "--called",
            help="TEXT=NAME: the name here of what the page calls so, as a model or a method; may be given again.",
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the tables and files; the page's by default.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
) -> None:
    """Make data of the tables in a page: numbers as printed, and a spec that writes the very same table."""
    from harness.adopting.adopt import WantedTables
    from harness.commands.adopt import adopt_page

    wanted = WantedTables(table, name, pairs("--column", column), pairs("--called", called))
    for line in adopt_page(page, workspace_of(context), wanted, dry=dry_run):
        typer.echo(line)


@app.command()
def explain(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(help="PAGE:LINE:COLUMN, or TABLE ROW COLUMN by number or name.", metavar="CELL")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object with everything in full.")] = False,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results", help="Folder with a database to take a table from; the published results by default."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            help="COLUMN=VALUE, as batch=1,8: replaces a condition of the table; may be given again.",
            metavar="CONDITION",
        ),
    ] = None,
) -> None:
    """Explain one table cell: arithmetic, runs, samples, recipe, artifact, command, environment, dates."""
    from harness.commands.explain import explained
    from harness.commands.plain import conditions

    typer.echo(explained(words, workspace_of(context, results), results, as_json=json, where=conditions(where or [])))


@app.command()
def publish(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(help="Runs, or a sweep for all runs of its last finished session.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="File below results/published; SWEEP.yaml there where one sweep is named."),
    ] = None,
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Also runs whose float baseline was not held against its model."),
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Write measured runs as text that is kept in git, from which pages are rendered anywhere."""
    from harness.commands.publish import publish_runs
    from harness.commands.workspace import shown_path

    home = workspace_of(context, results)
    if to is None and len(words) != 1:
        raise HarnessError("--to says which file; only where one sweep is named it has that name by itself")
    file = to or home.published / f"{words[0]}.yaml"
    count = publish_runs(words, home.results, file, unverified=unverified, place=home.database)
    typer.echo(f"{count} runs written to {shown_path(file)}")


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(help="Markdown files, ours or others'.")],
    rule: Annotated[
        list[str] | None, typer.Option("--rule", help="Check this rule only; may be given more than once.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print findings and counts as JSON.")] = False,
) -> None:
    """Find what contradicts itself in benchmark tables; exit code 1 where there is something, 2 where a file cannot be read."""
    from harness.lint.linter import print_lint

    raise typer.Exit(print_lint(files, rule or [], typer.echo, lambda line: typer.echo(line, err=True), as_json=json))
