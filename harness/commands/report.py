"""Tables of the results database on the terminal and in the results folder, and beside what others reported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.console import Console

from harness.commands.answers import refuse_nothing
from harness.commands.plain import NO_TABLE, Filters, narrowed, plain
from harness.commands.workspace import Workspace, database_for_reading, shown_path, spec_files, sweep_path
from harness.core.errors import ConfigError, HarnessError
from harness.core.files import write_whole
from harness.core.spelling import meant_by, unknown
from harness.markdown.rows import literal
from harness.pages import writing
from harness.pages.against import against
from harness.pages.history import Histories
from harness.plan.catalogue import load_catalogue
from harness.plan.reading import read_sweep
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.store.where import ConditionValue
from harness.tables.catalogue import TableCatalogue, catalogue_of
from harness.tables.markdown import EMPTY, Rendered, to_markdown
from harness.tables.result import Table
from harness.tables.spec import TableSpec
from harness.tables.specfile import SUFFIX, names_in

if TYPE_CHECKING:
    from harness.commands.machine import Planned


def after_bench(console: Console) -> Callable[[Planned], None]:
    """Make what follows a sweep that has run: print its tables, plain ones where it names none, and keep them in a file."""

    def after(planned: Planned) -> None:
        name, workspace = planned.sweep.name, planned.workspace
        with Database.open(workspace.database, workspace.results) as database:
            source = NumberSource(database)
            if planned.sweep.tables:
                catalogue = catalogue_of(workspace.named, workspace.own_published)
                specs = specs_of(planned.sweep.tables, workspace, catalogue)
                render = writing.renderer(source, catalogue, specs=specs)
                found = [rendered_or_told(spec, render) for spec in specs]
                texts = [*_heading(planned.sweep.title), *(text for text, _ in found)]
            else:
                texts = plain(name, source, workspace, planned.sweep.title)
        if not texts:
            return
        text = "\n".join(f"{table}\n" for table in texts)
        page = workspace.results / "tables" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, text)
        printed(console, text)
        printed(console, f"tables written to {shown_path(page)}")

    return after


def specs_of(files: Collection[str], workspace: Workspace, catalogue: TableCatalogue) -> list[TableSpec]:
    """Read the tables of files by name, and what stands in their place in other files of the workspace."""
    named = {f"{name}{SUFFIX}" for name in files}
    wanted = {name for path in spec_files(workspace) if path.name in named for name in names_in(path)}
    places = [path for path in spec_files(workspace) if path.name in named or wanted & names_in(path)]
    return [spec for spec in writing.specs_in(places, catalogue) if spec.name in wanted]


def _heading(title: str) -> list[str]:
    return [f"# {literal(title)}"] if title else []


def _title(sweep: str, workspace: Workspace) -> str:
    """Read the title that a sweep's file gives it; none where the file is not there or is no longer right."""
    try:
        return read_sweep(sweep_path(sweep, workspace), load_catalogue(workspace.configs)).title
    except HarnessError:
        return ""


def rendered_or_told(spec: TableSpec, render: Callable[[TableSpec], Rendered]) -> tuple[str, bool]:
    """Render one table, or say why there is none; tells whether it has results."""
    try:
        rendered = render(spec)
    except ConfigError as error:
        return f"{NO_TABLE}: {literal(str(error))}", True
    return rendered.markdown, rendered.markdown != EMPTY


def print_against(console: Console, workspace: Workspace, names: Sequence[str], where: Filters) -> int:
    """Print measured numbers of the results database beside those that others reported.

    Raises: HarnessError for a name that is no table.
    """
    catalogue = catalogue_of(workspace.named, workspace.own_published)
    results, folder = workspace.results, workspace.own_published
    specs = writing.specs_in(spec_files(workspace), catalogue)
    for name in names:
        if not any(name in {spec.name, *_files(spec)} for spec in specs):
            known = [known for spec in specs for known in (spec.name, *_files(spec))]
            raise HarnessError(_unknown("table", name, known, workspace))
    with database_for_reading(workspace) as database, from_published(folder) as published:
        here = NumberSource(database)
        beside = partial(Histories([here]).beside, source=here)
        for spec in [spec for spec in specs if {spec.name, *_files(spec)} & set(names)]:
            ours, theirs = (
                writing.renderer(source, catalogue)(narrowed(spec, {**where, "origin": (origin,)})).table
                for source, origin in ((here, "measured"), (published, "reported"))
            )
            if not _filled(ours):
                text = f"**{spec.name}**: nothing of it was measured in {shown_path(results)}"
            elif not _filled(theirs):
                place = f"{shown_path(folder)}/NAME.yaml with `reported: {{sweep: {next(iter(spec.where.get('sweep', ())), 'NAME')}, ...}}`"
                text = f"**{spec.name}**: nothing of it was reported; {place} can hold it, and tables of measured numbers alone then say `where: {{origin: measured}}`"
            else:
                text = f"**{spec.name}**, measured against reported\n\n{to_markdown(against(ours, theirs, beside)).markdown}"
            printed(console, f"{text}\n")
    return 0


def _filled(table: Table) -> bool:
    return any(cell.runs for section in table.sections for row in section.rows for cell in row)


def print_tables(
    console: Console,
    workspace: Workspace,
    names: Sequence[str],
    where: Filters,
    chosen: Mapping[str, Sequence[ConditionValue]] = MappingProxyType({}),
) -> int:
    """Print tables from the results database: by name, of a sweep by its name, or all that have results.

    where: conditions that replace those of the tables. chosen: those of them that must fit something.
    Returns the exit code: 2 where a table was refused and a person must mend its spec. A sweep without tables of its own gets generated ones. Raises: HarnessError for a name that is neither.
    """
    catalogue = catalogue_of(workspace.named, workspace.own_published)
    specs = [narrowed(spec, where) for spec in writing.specs_in(spec_files(workspace), catalogue)]
    with database_for_reading(workspace) as database:
        source = NumberSource(database)
        sweeps = database.sweeps()
        texts, empty = [], []
        asked = {name: [spec for spec in specs if name in {spec.name, *_files(spec)}] for name in names}
        for name in [name for name, found in asked.items() if not found and name not in sweeps]:
            known = {*sweeps, *(spec.name for spec in specs), *(file for spec in specs for file in _files(spec))}
            raise HarnessError(_unknown("table or sweep", name, known, workspace))
        listed = [spec for found in asked.values() for spec in found] if names else specs
        wanted: dict[str, TableSpec] = {}
        for spec in listed:
            wanted.setdefault(spec.name, spec)
        render = writing.renderer(source, catalogue, specs=wanted.values())
        for name, spec in wanted.items():
            text, there = rendered_or_told(spec, render)
            if there:
                texts.append(text)
            else:
                empty.append(name)
        covered = {sweep for spec in specs for sweep in spec.where.get("sweep", ())}
        for sweep in [name for name in asked if not asked[name]] if names else [s for s in sweeps if s not in covered]:
            texts += plain(sweep, source, workspace, _title(sweep, workspace), where)
        if chosen and not texts:
            own = [name for name in names if name in sweeps]
            refuse_nothing([database], chosen, {"sweep": own} if own else {})
    for text in texts:
        printed(console, f"{text}\n")
    if empty:
        printed(
            console, f"no results for {', '.join(empty)}{_of_sweeps(empty, wanted.values(), sweeps) if names else ''}"
        )
    if empty and not texts:
        printed(
            console,
            f"`harness run SWEEP` measures; `harness ingest --published {shown_path(workspace.own_published)}` takes in what is committed",
        )
    return 2 if any(NO_TABLE in text for text in texts) else 0


def _of_sweeps(empty: Collection[str], specs: Iterable[TableSpec], there: Collection[str]) -> str:
    """Name the sweeps that empty tables show and of which there is nothing, since a file's name may have chosen them."""
    asked = {sweep for spec in specs if spec.name in empty for sweep in spec.where.get("sweep", ())}
    lacking = ", ".join(sorted(asked - set(there)))
    return (
        f": nothing of sweep {lacking} was measured; a table shows the sweep that its file is called by, or that `where: {{sweep: NAME}}` in it says"
        if lacking
        else ""
    )


def _unknown(what: str, name: str, known: Collection[str], workspace: Workspace) -> str:
    """Say that nothing is called so, and by what a table is called where that may be the reason."""
    said = unknown(what, name, known)
    if name.endswith(".md"):
        return f"{said}; a page is rewritten by `harness report --write {name}`, and checked by --check"
    own = workspace.tables[-1]
    unread = next(
        (path for path in sorted(own.glob("*.y*ml")) if not path.name.endswith(SUFFIX) and _holds(path, name)), None
    )
    if unread is not None:
        return f"{said}; {workspace.called(unread)} is not read: a file of tables must be called NAME{SUFFIX}"
    if meant_by(name, known):
        return said
    return f"{said}; a table is called by its key in {workspace.called(own)}/NAME{SUFFIX}, and all tables of that file by NAME"


def _holds(path: Path, name: str) -> bool:
    """Say whether a file is called so, or has a table that is."""
    return name in {path.name, path.stem, path.name.partition(".")[0]} or name in names_in(path)


def _files(spec: TableSpec) -> list[str]:
    """Name the file of a table, which is called as its sweep, and that of the one in whose place it stands."""
    return [Path(path).name.removesuffix(SUFFIX) for path in (spec.path, spec.replaces) if path]


def printed(console: Console, text: str) -> None:
    """Print a text as it is: no markup, no colours, no wrapping."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
