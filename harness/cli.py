"""The command line: each command parses, calls one function, prints. Exit codes: 0 all ok, 1 some job failed, 2 invalid input, or nothing can run."""

from __future__ import annotations

import gc
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.commands.verbs import Verbs
from harness.core.errors import HarnessError
from harness.core.files import disk_trouble
from harness.core.spelling import RENAMED, unknown

if TYPE_CHECKING:
    from harness.commands.workspace import Workspace

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Quantize and measure language models as sweeps say, and print tables of the results.",
    epilog="Exit codes: 0 all ok, 1 some job failed, 2 invalid input, or nothing that this machine can run, "
    "130 interrupted by Ctrl-C (run the same command again to continue).",
)

INTERRUPTED = 130
GARBAGE = 100_000
"""New objects between two searches for garbage: nearly all that a command makes, it keeps to its end."""
RERUN = ("build", "quality", "reference")
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", help="Folder of database, run folders and artifacts; the workspace's own by default."),
]
ConfigsOption = Annotated[
    Path | None,
    typer.Option("--configs", help="Folder of catalogues and sweeps in place of the workspace's and the shipped ones."),
]
ExecutorOption = Annotated[
    str | None,
    typer.Option("--executor", help="What runs the jobs: local, or folder=DIR, whose workers `harness worker` starts."),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Open no network connection: what is not on this machine is not fetched.")
]
SweepArgument = Annotated[str, typer.Argument(help="Name below configs/sweeps, or a path.")]


def main() -> None:
    """Run the command line; print what a person can act on in one line, keep the traceback of a bug."""
    _utf8()
    gc.set_threshold(GARBAGE)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _unread()
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        code = 2
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except OSError as error:
        code = _disk(error)
    except Exception as error:
        code = _usage(error)
    if code == INTERRUPTED:
        sys.stderr.write("interrupted; run the same command again to continue\n")
    sys.exit(code or 0)


def _unread() -> int:
    """Say nothing more where whoever read our output has gone, as `head` does; what a sweep had finished is kept."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def _disk(error: OSError) -> int:
    """Show a full or closed disk in one line; any other trouble with a file is a bug and goes on."""
    trouble = disk_trouble(error)
    if trouble is None:
        raise error
    sys.stderr.write(f"{trouble}\n")
    return 2


def _usage(error: Exception) -> int:
    """Show a mistake in the words of the command line; anything else is a bug and goes on."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is None or code is None:
        raise error
    option = str(getattr(error, "option_name", ""))
    if option in RENAMED:
        sys.stderr.write(f"{option} is called {RENAMED[option]} now\n")
        return int(code)
    show()
    return int(code)


def _utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8")


@app.callback()
def workspace(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", help="Folder with a harness.yaml; found from where one stands upwards by default."),
    ] = None,
) -> None:
    """Quantize and measure language models as sweeps say, and print tables of the results."""
    context.obj = workspace


def _here(context: typer.Context, results: Path | None = None, configs: Path | None = None) -> Workspace:
    """Find the command's workspace. Raises: HarnessError where there is none."""
    from harness.commands.workspace import here, settle_in

    found = here(context.obj, results, configs)
    settle_in(found)
    return found


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

    make_environment(env, _here(context), quiet=quiet)


@app.command()
def bench(
    context: typer.Context,
    sweep: Annotated[str, typer.Option("--sweep", envvar="SWEEP", help="Sweep to run instead of the one chosen.")] = "",
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Run the sweep for this machine and print its tables."""
    _network(offline=offline)
    from harness.commands.bench import choose, run_sweep
    from harness.commands.report import after_bench

    begun = time.monotonic()
    console, where = Console(), _here(context, results, configs)
    choice = choose(sweep, where)
    console.print(f"running sweep {choice.sweep}: {choice.why}", highlight=False, soft_wrap=True)
    raise typer.Exit(run_sweep(choice.sweep, console, where, begun=begun, after=after_bench(console), make=True))


@app.command()
def run(
    context: typer.Context,
    sweep: SweepArgument,
    rerun: Annotated[
        list[str] | None, typer.Option("--rerun", help="Run known jobs of this kind anew: quality, build, reference.")
    ] = None,
    executor: ExecutorOption = None,
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Run a sweep and print its tables; known builds and quality are not run again, speed always is."""
    _network(offline=offline)
    from harness.commands.bench import run_sweep
    from harness.commands.report import after_bench

    begun, console = time.monotonic(), Console()
    kinds, where = _kinds(rerun or []), replace(_here(context, results, configs), executor=executor)
    raise typer.Exit(run_sweep(sweep, console, where, rerun=kinds, begun=begun, after=after_bench(console)))


def _network(*, offline: bool) -> None:
    """Do without the network from here on where that was asked for, by the option or by a command around this one."""
    from harness.core import privacy

    if offline or privacy.is_offline():
        privacy.go_offline()


def _kinds(rerun: list[str]) -> frozenset[str]:
    """Check what `--rerun` names. Raises: HarnessError with the nearest right name."""
    for kind in rerun:
        if kind == "speed":
            raise HarnessError(f"speed is always measured anew; --rerun takes {', '.join(RERUN)}")
        if kind not in RERUN:
            raise HarnessError(unknown("kind of job for --rerun", kind, RERUN))
    return frozenset(rerun)


@app.command()
def plan(
    context: typer.Context,
    sweep: SweepArgument,
    why: Annotated[bool, typer.Option("--why", help="Show for each job why it will or will not run.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    expand: Annotated[bool, typer.Option("--expand", help="Print every job with its full options.")] = False,
    executor: ExecutorOption = None,
    offline: OfflineOption = False,
    results: ResultsOption = None,
    configs: ConfigsOption = None,
) -> None:
    """Print a sweep's jobs, which are known, how long they took before and what disk they need."""
    _network(offline=offline)
    from harness.commands.plan import show_plan

    where = replace(_here(context, results, configs), executor=executor)
    show_plan(sweep, Console(), where, why=why, as_json=json, expand=expand)


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
    beside: Annotated[
        str | None,
        typer.Option("--against", help="`reported`: measured numbers of TABLES beside those that others published."),
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Print tables, rewrite the pages that hold them, check that they are current, or show what would change in them."""
    from harness.commands.pages import check_pages, diff_pages, guard_of, write_pages
    from harness.commands.report import conditions, print_against, print_tables

    console = Console(soft_wrap=True)
    if sum((write, check, diff)) > 1:
        raise HarnessError("use only one of --write, --check, --diff")
    limits = bool(accept or max_change or allow_missing or may_mix)
    _check_pages_options(write=write, limits=limits, diff=diff, base=base, strict=strict)
    if beside is not None and (beside != "reported" or not tables):
        raise HarnessError("--against needs a table and the word reported: harness report TABLE --against reported")
    if (where or beside) and (write or check or diff):
        raise HarnessError(
            "--where and --against change what is printed, not the pages; leave out --write, --check and --diff"
        )
    home, named = _here(context, results), [Path(page) for page in tables or []]
    if check:
        raise typer.Exit(check_pages(console, home, named))
    if write:
        guard = guard_of(allow_missing or [], max_change, accept=accept)
        ask = typer.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
        raise typer.Exit(write_pages(console, home, guard, named, may=may_mix or [], ask=ask))
    if diff:
        raise typer.Exit(diff_pages(console, base or "HEAD", home, named, strict=strict))
    narrowed = conditions(where or [])
    if beside is not None:
        raise typer.Exit(print_against(console, home, tables or [], narrowed))
    raise typer.Exit(print_tables(console, home, tables or [], narrowed))


def _check_pages_options(*, write: bool, limits: bool, diff: bool, base: str | None, strict: bool) -> None:
    """Refuse options of --write and --diff that stand alone. Raises: HarnessError."""
    if limits and not write:
        raise HarnessError("--max-change, --accept, --allow-missing and --may-mix need --write")
    if base is not None and not diff:
        raise HarnessError("--base needs --diff")
    if strict and not diff:
        raise HarnessError("--strict needs --diff")


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """Read TEXT=WHAT of an option that may be given again. Raises: HarnessError for one without both."""
    pairs = {text: what for one in given or [] for text, _, what in (one.rpartition("="),)}
    if not all(text and what for text, what in pairs.items()):
        raise HarnessError(f"{option} takes TEXT=WHAT, as {option} 'INT4 (ours)=int4_rtn'")
    return pairs


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

    wanted = WantedTables(table, name, _pairs("--column", column), _pairs("--called", called))
    for line in adopt_page(page, _here(context), wanted, dry=dry_run):
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
    from harness.commands.report import conditions

    typer.echo(explained(words, _here(context, results), results, as_json=json, where=conditions(where or [])))


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

    home = _here(context, results)
    if to is None and len(words) != 1:
        raise HarnessError("--to says which file; only where one sweep is named it has that name by itself")
    file = to or home.published / f"{words[0]}.yaml"
    count = publish_runs(words, home.results, file, unverified=unverified, place=home.database)
    typer.echo(f"{count} runs written to {shown_path(file)}")


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
    for line in make_bundle(sweeps, _here(context), wanted):
        typer.echo(line)


@app.command()
def fetch(context: typer.Context, sweep: SweepArgument) -> None:
    """Fetch what a sweep needs of a network, for machines without one; exit code 1 where something cannot be had."""
    from harness.bundling.fetching import fetch as fetch_all
    from harness.commands.machine import print_line

    raise typer.Exit(1 if fetch_all(sweep, _here(context), print_line) else 0)


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
    from harness.commands.publish import take_published
    from harness.store.against_files import altered
    from harness.store.database import Database

    home, brought_problems = _here(context, results), tuple[str, ...]()
    if brought is not None:
        from harness.bundling.back import bring_back

        found = bring_back(brought, home.results)
        brought_problems = found.problems
        typer.echo(f"{brought}: {len(found.new)} runs brought back, {found.here} were here already")
    with Database.open(home.database, home.results) as database:
        before = sorted(database.run_names())
        taken = database.ingest_folder(home.results)
        problems = [*brought_problems, *taken.problems, *altered(database, home.results, before)]
        if published is not None:
            typer.echo(take_published(database, published))
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    typer.echo(f"{taken}")
    raise typer.Exit(2 if problems else 0)


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

    home = _here(context, results)
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
    results: ResultsOption = None,
) -> None:
    """Write measurements as CSV, JSON lines or Parquet, one row each, every dimension a column."""
    from harness.commands.workspace import database_for_reading
    from harness.store.conditions import parse_where
    from harness.store.export import export as write_export

    with database_for_reading(_here(context, results)) as database:
        frame = database.frame(parse_where(where or []))
    typer.echo(f"{len(frame)} rows written to {write_export(frame, out)}")


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

    home = _here(context, results)
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
) -> None:
    """Remove older environments of those that follow a wheel."""
    from harness.commands.fresh import clean as removed

    for line in removed(_here(context), keep):
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
        python = queue_python(environment, _here(context))
    if python != Path(sys.executable):
        code = process.serve_queue(python, environment, queue, exit_when_idle=exit_when_idle)
        raise typer.Exit(code if code in {0, 1} else 2)
    served = serve_queue(queue, environment, exit_when_idle=exit_when_idle)
    typer.echo(served.said)
    raise typer.Exit(served.code)


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
