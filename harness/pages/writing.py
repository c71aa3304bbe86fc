"""What the command line calls: render tables from a source, and write or check the pages that show them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core import limits
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.files import PARTIAL, regular_bytes, sync_folder, write_whole
from harness.core.spelling import unknown
from harness.markdown.markers import bodies, marked_places, replaced
from harness.pages.value_marks import marks
from harness.pages.values import with_values
from harness.published.sources import NumberSource, rows_for, rows_for_all
from harness.tables.catalogue import TableCatalogue
from harness.tables.columns import ATTRIBUTED
from harness.tables.markdown import TEMPLATES, Rendered, to_markdown
from harness.tables.options import OPTIONS
from harness.tables.spec import TableSpec
from harness.tables.specfile import SUFFIX, read_specs
from harness.tables.table import build

if TYPE_CHECKING:
    from harness.pages.guards import Guard


@dataclass(frozen=True)
class Page:
    """A page with the names of its tables, and the questions of its numbers in prose, that are stale or were rewritten."""

    path: Path
    tables: tuple[str, ...]
    values: tuple[str, ...] = ()
    old: str = ""
    new: str = ""
    """The whole text as it is, and as it should be."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What is stale, as people read it."""
        return (*self.tables, *(f"value '{value}'" for value in self.values))


def specs_in(places: Iterable[Path], catalogue: TableCatalogue | None = None) -> list[TableSpec]:
    """Read all tables of spec files and of folders of them; with a catalogue, the names in them must be in it.

    A table of a folder that comes later stands in the place of one of its name. Raises: ConfigError with every mistake of every
    file, also for a name that two tables of one folder have.
    """
    listed = [dimension for dimension in ATTRIBUTED if dimension not in OPTIONS] if catalogue else []
    # What quantized is called by an adapter's name, too, which no catalogue lists.
    names = {one: catalogue.names(one) for one in listed if one != "recipe"} if catalogue else {}
    names |= {f"{dimension}.": catalogue.attributes(dimension) for dimension in listed} if catalogue else {}
    files = [file for place in places for file in (sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place])]
    found: dict[str, TableSpec] = {}
    problems: list[Problem] = []
    for file in files:
        try:
            for spec in read_specs(file, names):
                first = found.get(spec.name)
                if first is not None and Path(first.path).parent == file.parent:
                    said = f"table '{spec.name}' is also in {first.path}:{first.line}; rename one"
                    problems.append(Problem(said, spec.path, spec.line))
                found[spec.name] = spec if first is None else replace(spec, replaces=first.path)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def render(
    places: Iterable[Path],
    source: NumberSource,
    catalogue: TableCatalogue | None = None,
    *,
    templates: Path = TEMPLATES,
    names: Sequence[str] | None = None,
) -> list[Rendered]:
    """Render tables, all or by name, in the order of their files.

    Raises: ConfigError with what is wrong in any of them, and for a name that no file has.
    """
    specs = specs_in(places, catalogue)
    shown = [spec for spec in specs if names is None or spec.name in names]
    return render_all(specs, renderer(source, catalogue, templates, shown), names)


def render_all(
    specs: Sequence[TableSpec], one: Callable[[TableSpec], Rendered], names: Sequence[str] | None = None
) -> list[Rendered]:
    """Render tables, all or by name. Raises: ConfigError with what is wrong in any of them, and for a name that there is not."""
    for name in names or ():
        if name not in {spec.name for spec in specs}:
            raise ConfigError(unknown("table", name, [spec.name for spec in specs]))
    rendered: list[Rendered] = []
    problems: list[Problem] = []
    for spec in specs:
        if names is None or spec.name in names:
            try:
                rendered.append(one(spec))
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)
    return rendered


def renderer(
    source: NumberSource,
    catalogue: TableCatalogue | None = None,
    templates: Path = TEMPLATES,
    specs: Iterable[TableSpec] = (),
) -> Callable[[TableSpec], Rendered]:
    """Return what renders one table after another from a source. specs: tables for which it is asked at once."""
    packages = {name: environment.packages for name, environment in source.environments().items()}
    asked = rows_for_all(specs, source)

    def one(spec: TableSpec) -> Rendered:
        rows = asked[spec.name] if spec.name in asked else rows_for(spec, source)
        table = build(spec, rows, catalogue, source.reader(), lambda name: packages.get(name, {}))
        return named_keys(to_markdown(table, templates), spec)

    return one


def named_keys(rendered: Rendered, spec: TableSpec) -> Rendered:
    """Say of a rendered table which of its columns name its rows."""
    named = tuple(key.name for key in spec.show if key.dimension not in spec.each or key.attribute)
    return replace(rendered, each=spec.each, keys=max(len(named), 1), named=named)


# ---------------------------------------------------------------- pages


def read_page(path: Path) -> str:
    """Read a page with its line ends, and its byte-order mark, as they are. Raises: ConfigError where it is no UTF-8 text."""
    try:
        return decoded(regular_bytes(path, limits.READ_BYTES), path)
    except FileNotFoundError:
        raise ConfigError([Problem("no such page", path)]) from None
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", path)]) from None


def decoded(content: bytes, path: Path) -> str:
    """Return a page's text. Raises: ConfigError where it is no UTF-8 text."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"is not UTF-8 text: {error}", path)]) from None


def with_markers(pages: Iterable[Path]) -> list[Path]:
    """Keep the pages that show tables, numbers of them or plots, each once."""
    texts = ((path, read_page(path)) for path in dict.fromkeys(pages))
    return [path for path, text in texts if _named(text, path) or plots_named(text, path)]


def plots_named(text: str, path: Path) -> list[tuple[str, int]]:
    """List the plots that a page names, with lines."""
    return [(place.name, place.begin + 1) for place in marked_places(text, path) if place.word == "plot"]


def shown_in(pages: Iterable[Path], known: Iterable[str] | None = None) -> list[str]:
    """List the tables that pages show or take numbers from, each once.

    Raises: ConfigError with every marker of a table that is not among those known, where they are given.
    """
    named = [(name, path, line) for path in pages for name, line in _named(read_page(path), path)]
    names = None if known is None else set(known)
    problems = [
        Problem(unknown("table", name, names), path, line)
        for name, path, line in named
        if names is not None and name not in names
    ]
    if problems:
        raise ConfigError(problems)
    return list(dict.fromkeys(name for name, _, _ in named))


def _named(text: str, path: Path) -> list[tuple[str, int]]:
    """List the tables that a page names, with lines."""
    shown = [(block.name, block.begin + 1) for block in marked_places(text, path) if block.word == "table"]
    return sorted([*shown, *((mark.asked.table, mark.line) for mark in marks(text, path))], key=lambda found: found[1])


def fresh(
    path: Path, rendered: Sequence[Rendered], text: str | None = None, plots: Mapping[str, str] | None = None
) -> Page:
    """Say of a page what it should be. plots: Markdown of each plot that the page shows, by name. Raises: ConfigError with every marker that cannot be filled."""
    old = read_page(path) if text is None else text
    tables = {item.name: item for item in rendered}
    counted, values = with_values(old, tables, path)
    new = replaced(counted, {name: item.markdown for name, item in tables.items()} | dict(plots or {}), path)
    before, after = (bodies(one, path, ("table", "plot")) for one in (old, new))
    return Page(path, tuple(name for name in before if before[name] != after[name]), tuple(values), old, new)


def with_tables(text: str, rendered: Mapping[str, Rendered], path: Path) -> str:
    """Fill a page with the tables that are given, and the numbers of prose that they answer; the others stay as they stand."""
    with suppress(HarnessError):
        text = with_values(text, rendered, path)[0]
    body = {name: item.strip("\r\n") for name, item in bodies(text, path).items()}
    return replaced(text, body | {name: item.markdown for name, item in rendered.items() if name in body}, path)


def write_pages(
    pages: Iterable[Path],
    rendered: Sequence[Rendered],
    guard: Guard | None = None,
    beside: Mapping[Path, str] | None = None,
    plots: Mapping[str, str] | None = None,
) -> list[Page]:
    """Rewrite the tables and numbers of pages; return those that changed. All pages are written, or none.

    beside: further files that are written with them. Raises: ConfigError with everything that a guard refuses.
    """
    made = [fresh(path, rendered, plots=plots) for path in pages]
    if guard is not None:
        from harness.pages.guards import refused

        problems = refused({page.path: page.old for page in made}, rendered, guard)
        if problems:
            raise ConfigError(problems)
    changed = [page for page in made if page.parts]
    further = {path: text.encode() for path, text in (beside or {}).items()}
    write_all({**further, **{page.path: page.new.encode() for page in changed}})
    return changed


def check_pages(
    pages: Iterable[Path], rendered: Sequence[Rendered], plots: Mapping[str, str] | None = None
) -> list[Page]:
    """Return the pages that are stale; `harness report --write` brings them up to date."""
    return [page for page in (fresh(path, rendered, plots=plots) for path in pages) if page.parts]


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write files whole; none takes its name before all are on the disk, and where one cannot, all are as before."""
    staged = {path: path.with_name(f"{path.name}{PARTIAL}") for path in files}
    before = {path: path.read_bytes() if path.is_file() else None for path in files}
    begun: list[Path] = []
    try:
        for path, beside in staged.items():
            with open(beside, "wb") as file:
                file.write(files[path])
                file.flush()
                os.fsync(file.fileno())
        for path, beside in staged.items():
            begun.append(path)
            os.replace(beside, path)
    except BaseException:
        for path in begun:
            with suppress(OSError):
                _put_back(path, before[path])
        for beside in staged.values():
            with suppress(OSError):
                beside.unlink()
        raise
    for folder in {path.parent for path in files}:
        sync_folder(folder)


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif path.read_bytes() != content:
        write_whole(path, content)
