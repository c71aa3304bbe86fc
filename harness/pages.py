"""Tables on the terminal, in the results folder, and between the markers of committed pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from harness.box import CONFIGS, DATABASE, TABLES, Planned, database_for_reading, shown_path
from harness.core.errors import ConfigError, HarnessError, unknown
from harness.core.files import write_whole
from harness.environments import ROOT
from harness.report import pages
from harness.report.catalogue import catalogue_of
from harness.report.columns import COLUMNS
from harness.report.markdown import EMPTY, Rendered, to_markdown
from harness.report.plain import MOST, plain_tables
from harness.report.published import promote
from harness.report.sources import Source, from_published
from harness.report.specfile import SUFFIX
from harness.report.table import build
from harness.store import files
from harness.store.database import Database
from harness.store.frame import COLUMNS as STORED
from harness.store.session import SessionRecord

PUBLISHED = ROOT / "results" / "published"


def after_bench(console: Console, results: Path) -> Callable[[Planned, ExitStack], None]:
    """Make what follows a sweep that has run: print its tables, plain ones where it names none, and keep them in a file."""

    def after(planned: Planned, _stack: ExitStack) -> None:
        name, configs = planned.sweep.name, planned.catalogue.folder
        with Database.open(results / DATABASE) as database:
            if planned.sweep.tables:
                places = [TABLES / f"{table}{SUFFIX}" for table in planned.sweep.tables]
                texts = [table.markdown for table in pages.render(places, Source(database), catalogue_of(configs))]
            else:
                texts = plain(name, Source(database), results, configs)
        if not texts:
            return
        text = "\n".join(f"{table}\n" for table in texts)
        page = results / "tables" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, text)
        _print(console, text)
        _print(console, f"tables written to {shown_path(page)}")

    return after


def plain(sweep: str, source: Source, results: Path, configs: Path = CONFIGS) -> list[str]:
    """Write generated tables of what answered a sweep's last session; of all its runs where none was finished."""
    frame = source.frame({"sweep": [sweep]}, [name for name in COLUMNS if name in STORED])
    session = _last_session(sweep, results)
    if session is not None:
        frame = frame[frame["run"].isin([job.run for job in session.jobs if job.run])]
    catalogue = catalogue_of(configs)
    versions = {name: environment.packages for name, environment in source.environments().items()}
    texts = []
    for table in plain_tables(sweep, frame):
        try:
            built = build(table.spec, table.frame, catalogue, source.reader(), lambda name: versions.get(name, {}))
        except ConfigError as error:
            texts.append(f"{table.spec.title}: no table, since {error}")
            continue
        more = f"\n\n{table.rows} rows, {MOST} shown; `harness export FILE --where sweep={sweep}` writes all."
        texts.append(to_markdown(built).markdown + (more if table.rows > MOST else ""))
    return texts


def print_tables(console: Console, results: Path, names: Sequence[str], configs: Path = CONFIGS) -> None:
    """Print tables from the results database: by name, of a sweep by its name, or all that have results.

    Raises: HarnessError for a name that is neither a table nor a sweep with results.
    """
    catalogue = catalogue_of(configs)
    files = {path.name.removesuffix(SUFFIX): path for path in sorted(TABLES.glob(f"*{SUFFIX}"))}
    known = {spec.name: file for file, path in files.items() for spec in pages.specs_in([path], catalogue)}
    with database_for_reading(results) as database:
        source = Source(database)
        sweeps = set(database.frame({}, ["sweep"])["sweep"].dropna()) - {""}
        for name in names:
            if name not in known and name not in files and name not in sweeps:
                raise HarnessError(unknown("table or sweep", name, {*known, *files, *sweeps}))
        asked = list(dict.fromkeys(table for name in names for table in _tables(name, known))) if names else list(known)
        rendered = pages.render([TABLES], source, catalogue, names=asked) if asked else []
        texts = [table.markdown for table in rendered if table.markdown != EMPTY]
        empty = [table.name for table in rendered if table.markdown == EMPTY]
        ours = [name for name in names if name in sweeps and not set(_tables(name, known)) - set(empty)]
        if not names:
            ours = sorted(sweeps - set(files))
        texts += [text for sweep in ours for text in plain(sweep, source, results, configs)]
    for text in texts:
        _print(console, f"{text}\n")
    if empty:
        _print(console, f"no results for {', '.join(empty)}")


def _tables(name: str, known: Mapping[str, str]) -> list[str]:
    """Name a table, or the tables of a file, which is called as its sweep."""
    return [name] if name in known else [table for table, file in known.items() if file == name]


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


def _last_session(sweep: str, results: Path) -> SessionRecord | None:
    """Find a sweep's last finished session."""
    for path in sorted((results / files.SESSIONS).glob("*.json"), reverse=True):
        session = files.read_session(path)
        if session.sweep == sweep and session.finished is not None:
            return session
    return None
