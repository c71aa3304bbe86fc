"""Tables on the terminal, in the results folder, and between the markers of committed pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from harness.box import CONFIGS, Planned
from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.environments import ROOT
from harness.report import pages
from harness.report.catalogue import catalogue_of
from harness.report.markdown import Rendered
from harness.report.published import promote
from harness.report.sources import Source, from_published
from harness.store import files
from harness.store.database import Database

TABLES = ROOT / "reports" / "tables"
PUBLISHED = ROOT / "results" / "published"


def render_database(database: Database, specs: Sequence[str], configs: Path = CONFIGS) -> list[Rendered]:
    """Render the tables of spec files, named without suffix, from a database."""
    places = [TABLES / f"{name}.tables.yaml" for name in specs]
    return pages.render(places, Source(database), catalogue_of(configs))


def after_bench(console: Console, results: Path) -> Callable[[Planned, ExitStack], None]:
    """Make what `bench` does when a sweep has run: print its tables and write them into the results folder."""

    def after(planned: Planned, _stack: ExitStack) -> None:
        if not planned.sweep.tables:
            return
        with Database.open(results / "bench.db") as database:
            rendered = render_database(database, planned.sweep.tables)
        text = "\n".join(f"{table.markdown}\n" for table in rendered)
        page = results / "tables" / f"{planned.sweep.name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, text)
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        console.print(f"tables written to {page}", highlight=False, soft_wrap=True)

    return after


def print_tables(console: Console, results: Path, names: Sequence[str]) -> None:
    """Print tables from the results database, all or by name."""
    with Database.open(results / "bench.db") as database:
        for table in pages.render([TABLES], Source(database), catalogue_of(CONFIGS), names=names or None):
            console.print(table.markdown, highlight=False, markup=False, soft_wrap=True)


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
    for path in sorted((results / files.SESSIONS).glob("*.json"), reverse=True):
        session = files.read_session(path)
        if session.sweep == word and session.finished is not None:
            return [job.run for job in session.jobs if job.run]
    raise HarnessError(f"'{word}' is no run below {results / files.RUNS}, and no sweep with a finished session")
