"""Tables on the terminal, in the results folder, and between the markers of committed pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from harness.box import CONFIGS, DATABASE, TABLES, Planned, database_for_reading, shown_path, sweep_path
from harness.core.errors import ConfigError, HarnessError, unknown
from harness.core.files import write_whole
from harness.environments import ROOT
from harness.plan.catalogue import load_catalogue
from harness.plan.reading import read_sweep
from harness.report import pages
from harness.report.catalogue import Catalogue, catalogue_of
from harness.report.columns import COLUMNS
from harness.report.markdown import EMPTY, Rendered, literal, to_markdown
from harness.report.plain import MOST, plain_tables
from harness.report.published import promote
from harness.report.sources import Source, from_published
from harness.report.spec import TableSpec
from harness.report.specfile import SUFFIX
from harness.report.table import build
from harness.store import files
from harness.store.database import Database
from harness.store.frame import COLUMNS as STORED
from harness.store.session import SessionRecord

NO_TABLE = "no table"
"""What stands in place of a table that was refused, with the reason behind it."""
PUBLISHED = ROOT / "results" / "published"


def after_bench(console: Console, results: Path) -> Callable[[Planned, ExitStack], None]:
    """Make what follows a sweep that has run: print its tables, plain ones where it names none, and keep them in a file."""

    def after(planned: Planned, _stack: ExitStack) -> None:
        name = planned.sweep.name
        with Database.open(results / DATABASE) as database:
            source = Source(database)
            if planned.sweep.tables:
                catalogue = catalogue_of(CONFIGS)
                files = [TABLES / f"{table}{SUFFIX}" for table in planned.sweep.tables]
                found = [_rendered_or_told(spec, source, catalogue) for spec in pages.specs_in(files, catalogue)]
                texts = [*_heading(planned.sweep.title), *(text for text, _ in found)]
            else:
                texts = plain(name, source, results, planned.catalogue.folder, planned.sweep.title)
        if not texts:
            return
        text = "\n".join(f"{table}\n" for table in texts)
        page = results / "tables" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, text)
        _print(console, text)
        _print(console, f"tables written to {shown_path(page)}")

    return after


def _heading(title: str) -> list[str]:
    return [f"# {literal(title)}"] if title else []


def _title(sweep: str, configs: Path) -> str:
    """Read the title that a sweep's file gives it; none where the file is not there or is no longer right."""
    try:
        return read_sweep(sweep_path(sweep, configs), load_catalogue(configs)).title
    except HarnessError:
        return ""


def _rendered_or_told(spec: TableSpec, source: Source, catalogue: Catalogue) -> tuple[str, bool]:
    """Render one table, or say why there is none; tells whether it has results."""
    try:
        (rendered,) = pages.render([Path(spec.path)], source, catalogue, names=[spec.name])
    except ConfigError as error:
        return f"{NO_TABLE}: {error}", True
    return rendered.markdown, rendered.markdown != EMPTY


def plain(sweep: str, source: Source, results: Path, configs: Path = CONFIGS, title: str = "") -> list[str]:
    """Write generated tables of what answered a sweep's last session; of all its runs where none was finished."""
    frame = source.frame({"sweep": [sweep]}, [name for name in COLUMNS if name in STORED])
    session = _last_session(sweep, results)
    if session is not None:
        frame = frame[frame["run"].isin([job.run for job in session.jobs if job.run])]
    catalogue = catalogue_of(configs)
    versions = {name: environment.packages for name, environment in source.environments().items()}
    texts = []
    for table in plain_tables(sweep, frame, literal(title)):
        try:
            built = build(table.spec, table.frame, catalogue, source.reader(), lambda name: versions.get(name, {}))
        except ConfigError as error:
            texts.append(f"{table.spec.title}: {NO_TABLE}, since {error}")
            continue
        more = f"\n\n{table.rows} rows, {MOST} shown; `harness export FILE --where sweep={sweep}` writes all."
        texts.append(to_markdown(built).markdown + (more if table.rows > MOST else ""))
    return texts


def print_tables(console: Console, results: Path, names: Sequence[str]) -> int:
    """Print tables from the results database: by name, of a sweep by its name, or all that have results.

    Returns the exit code: 2 where a table was refused and a person must mend its spec. A sweep without tables of its own gets generated ones. Raises: HarnessError for a name that is neither.
    """
    catalogue = catalogue_of(CONFIGS)
    specs = pages.specs_in([TABLES], catalogue)
    with database_for_reading(results) as database:
        source = Source(database)
        sweeps = sorted(set(database.frame({}, ["sweep"])["sweep"].dropna()) - {""})
        texts, empty = [], []
        asked = {name: [spec for spec in specs if name in {spec.name, _file(spec)}] for name in names}
        for name, found in asked.items():
            if not found and name not in sweeps:
                known = {*sweeps, *(spec.name for spec in specs), *(_file(spec) for spec in specs)}
                raise HarnessError(unknown("table or sweep", name, known))
        wanted = [spec for found in asked.values() for spec in found] if names else specs
        for spec in dict.fromkeys(spec.name for spec in wanted):
            text, there = _rendered_or_told(next(one for one in wanted if one.name == spec), source, catalogue)
            if there:
                texts.append(text)
            else:
                empty.append(spec)
        covered = {sweep for spec in specs for sweep in spec.where.get("sweep", ())}
        for sweep in [name for name in asked if not asked[name]] if names else [s for s in sweeps if s not in covered]:
            texts += plain(sweep, source, results, title=_title(sweep, CONFIGS))
    for text in texts:
        _print(console, f"{text}\n")
    if empty:
        _print(console, f"no results for {', '.join(empty)}")
    return 2 if any(NO_TABLE in text for text in texts) else 0


def _file(spec: TableSpec) -> str:
    """Name the file of a table, which is called as its sweep."""
    return Path(spec.path).name.removesuffix(SUFFIX)


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def write_pages(console: Console) -> int:
    """Rewrite the tables of README.md and reports/*.md from the committed results. Returns the exit code."""
    with from_published(PUBLISHED) as source:
        shown = pages.pages_in(ROOT)
        changed = pages.write_pages(shown, _rendered(source, shown))
    for page in changed:
        console.print(f"{page.path.relative_to(ROOT)}: {', '.join(page.tables)} rewritten", highlight=False)
    console.print(f"{len(shown)} pages, {len(changed)} changed", highlight=False)
    return 0


def check_pages(console: Console) -> int:
    """Compare the tables of README.md and reports/*.md with the committed results. Returns 1 where one is stale."""
    with from_published(PUBLISHED) as source:
        shown = pages.pages_in(ROOT)
        stale = pages.check_pages(shown, _rendered(source, shown))
    for page in stale:
        console.print(f"{page.path.relative_to(ROOT)}: {', '.join(page.tables)} stale; make readme", highlight=False)
    console.print(f"{len(shown)} pages checked, {len(stale)} stale", highlight=False)
    return 1 if stale else 0


def _rendered(source: Source, shown: Sequence[Path]) -> list[Rendered]:
    return pages.render([TABLES], source, catalogue_of(CONFIGS), names=pages.shown_in(shown))


def promote_runs(words: Sequence[str], results: Path, to: Path) -> int:
    """Write runs as committed text; a sweep's name stands for all runs that answered its last finished session.

    Returns the number of runs. Raises: HarnessError for a name that is neither a run nor a sweep with a finished session.
    """
    with Database.open(results / "bench.db") as database:
        runs = [run for word in words for run in _runs_of(word, results)]
        runs += _builds_of(runs, database)
        text = promote(database, list(dict.fromkeys(runs)))
    to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(to, text)
    return len(set(runs))


def _runs_of(word: str, results: Path) -> list[str]:
    if (results / files.RUNS / word).is_dir():
        return [word]
    session = _last_session(word, results)
    if session is None:
        raise HarnessError(f"'{word}' is no run below {results / files.RUNS}, and no sweep with a finished session")
    return [job.run for job in session.jobs if job.run]


def _builds_of(runs: Sequence[str], database: Database) -> list[str]:
    """Name the runs that sealed what these runs measured: sizes and build times belong to the numbers."""
    makers = database.artifact_runs()
    read = [item.id for run in runs for item in database.outcome(run).inputs if item.role != "model"]
    return [makers[identity] for identity in read if identity in makers]


def _last_session(sweep: str, results: Path) -> SessionRecord | None:
    """Find a sweep's last finished session."""
    for path in sorted((results / files.SESSIONS).glob("*.json"), reverse=True):
        session = files.read_session(path)
        if session.sweep == sweep and session.finished is not None:
            return session
    return None
