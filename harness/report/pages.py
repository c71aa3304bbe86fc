"""What the command line calls: render tables from a source, and write or check the pages that show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ConfigError, Problem, unknown
from harness.report.catalogue import Catalogue
from harness.report.columns import ATTRIBUTED
from harness.report.markdown import TEMPLATES, Rendered, blocks, check_tables, to_markdown, write_tables
from harness.report.sources import Source, frame_of
from harness.report.spec import TableSpec
from harness.report.specfile import SUFFIX, read_specs
from harness.report.table import build

PAGES = ("README.md", "reports/*.md")


@dataclass(frozen=True)
class Page:
    """A page and the names of its tables that are stale, or were rewritten."""

    path: Path
    tables: tuple[str, ...]


def specs_in(places: Iterable[Path], catalogue: Catalogue | None = None) -> list[TableSpec]:
    """Read all tables of spec files and of folders of them; with a catalogue, the names in them must be in it.

    Raises: ConfigError with every mistake of every file.
    """
    names = {dimension: catalogue.names(dimension) for dimension in ATTRIBUTED} if catalogue else {}
    files = [file for place in places for file in (sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place])]
    specs: list[TableSpec] = []
    problems: list[Problem] = []
    for file in files:
        try:
            specs += read_specs(file, names)
        except ConfigError as error:
            problems += error.problems
    for number, spec in enumerate(specs):
        first = next((other for other in specs[:number] if other.name == spec.name), None)
        if first:
            problems.append(
                Problem(f"table '{spec.name}' is also in {first.path}:{first.line}; rename one", spec.path, spec.line)
            )
    if problems:
        raise ConfigError(problems)
    return specs


def render(
    places: Iterable[Path],
    source: Source,
    catalogue: Catalogue | None = None,
    *,
    templates: Path = TEMPLATES,
    names: Sequence[str] | None = None,
) -> list[Rendered]:
    """Render tables, all or by name, in the order of their files.

    Raises: ConfigError with what is wrong in any of them, and for a name that no file has.
    """
    specs = specs_in(places, catalogue)
    for name in names or ():
        if name not in {spec.name for spec in specs}:
            raise ConfigError(unknown("table", name, [spec.name for spec in specs]))
    environments = source.environments()
    packages = {name: environment.packages for name, environment in environments.items()}
    rendered: list[Rendered] = []
    problems: list[Problem] = []
    for spec in specs:
        if names is None or spec.name in names:
            try:
                table = build(
                    spec, frame_of(spec, source), catalogue, source.reader(), lambda name: packages.get(name, {})
                )
                rendered.append(to_markdown(table, templates))
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)
    return rendered


def pages_in(root: Path, patterns: Sequence[str] = PAGES) -> list[Path]:
    """List the pages that show tables: those with markers."""
    found = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    return [path for path in found if blocks(path.read_bytes().decode("utf-8").replace("\r\n", "\n"), path)]


def shown_in(pages: Iterable[Path]) -> list[str]:
    """List the tables that pages show, each once."""
    texts = [(path.read_bytes().decode("utf-8").replace("\r\n", "\n"), path) for path in pages]
    return list(dict.fromkeys(block.name for text, path in texts for block in blocks(text, path)))


def write_pages(pages: Iterable[Path], rendered: Sequence[Rendered]) -> list[Page]:
    """Rewrite the tables of pages; return those that changed."""
    written = [Page(path, tuple(write_tables(path, rendered))) for path in pages]
    return [page for page in written if page.tables]


def check_pages(pages: Iterable[Path], rendered: Sequence[Rendered]) -> list[Page]:
    """Return the pages whose tables are stale; `harness report --write` brings them up to date."""
    checked = [Page(path, tuple(check_tables(path, rendered))) for path in pages]
    return [page for page in checked if page.tables]
