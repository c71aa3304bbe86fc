"""`harness adopt PAGE.md`: the tables of a page become data and specs, and the page writes itself from then on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from harness.adopting.adopt import AdoptContext, Adoption, TableRefused, WantedTables, adopt
from harness.adopting.proof import REPORTED
from harness.adopting.published_text import Adopted
from harness.commands.workspace import Workspace, pages_of, spec_files
from harness.core import limits
from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, regular_bytes, write_whole
from harness.core.identity import file_sha256
from harness.pages.pages import read_page, specs_in, write_all
from harness.tables.catalogue import catalogue_of
from harness.tables.specfile import SUFFIX


def adopt_page(page: Path, workspace: Workspace, wanted: WantedTables, *, dry: bool = False) -> Iterator[str]:
    """Take over a page's tables; says what became of each table, and which files were written. All are written, or none.

    What an `adopt` of this page left that was killed while it wrote is taken back first. dry: write nothing. Raises: HarnessError for a page that is not there or outside of the workspace, for a table that is not
    there, and where none of those asked for can be taken over; then nothing is written.
    """
    (path,) = pages_of(workspace, [page])
    text, called = read_page(path), workspace.called(path)
    left = _left_of_killed(path, workspace)
    whole = left is not None and file_sha256(path) == left.get(path)
    if left is not None and not dry:
        with _alone(workspace):
            yield from _taken_back(left, path, workspace)
        left = None
    around = _around(workspace, frozenset(left or ()))
    done = adopt(text, path, called, wanted, around, datetime.now(UTC).date())
    yield from _listed(done, called, asked=wanted.table)
    if done.made is None and whole:
        yield f"an `adopt` of {called} that was killed had written all of it"
        return
    if done.made is None:
        raise HarnessError(_nothing(done, called))
    files = {
        workspace.own_published / f"{done.made.stem}{REPORTED}": done.made.published.encode(),
        workspace.tables[-1] / f"{done.made.stem}{SUFFIX}": done.made.spec.encode(),
        path: done.text.encode(),
    }
    if not dry:
        with _alone(workspace):
            _write(files, path, text, workspace)
    what = ("the numbers, as they were printed", "how the tables are made of them", "markers around the tables")
    for file, said in zip(files, what, strict=True):
        yield f"{'would write' if dry else 'wrote'} {workspace.called(file)}: {said}"
    if dry:
        yield "--column 'HEADING=METRIC' says what a column is, --called 'TEXT=NAME' what a model or a method is called here"
    yield from _next(done, called, path, workspace)


def _write(files: Mapping[Path, bytes], page: Path, text: str, workspace: Workspace) -> None:
    """Write the files, with a note beside the page of what they are, which goes when all are there."""
    if read_page(page) != text or any(file.exists() for file in files if file != page):
        raise HarnessError(f"{workspace.called(page)} or its files were written meanwhile; run the same command again")
    note = _note(page)
    hashes = {workspace.called(file): hashlib.sha256(content).hexdigest() for file, content in files.items()}
    try:
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(note, json.dumps(hashes))
        write_all(files)
    except PermissionError as error:
        where = workspace.called(Path(error.filename or ""))
        raise HarnessError(f"{where} cannot be written ({error.strerror}); nothing was changed") from None
    finally:
        note.unlink(missing_ok=True)


def _note(page: Path) -> Path:
    return page.with_name(f"{page.name}.adopt{PARTIAL}")


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Let one `adopt` write at a time. Raises: HarnessError where another does."""
    workspace.results.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(workspace.results / "adopt.lock", timeout=0):
            yield
    except Timeout:
        raise HarnessError("another `harness adopt` is writing here; wait until it has ended") from None


def _left_of_killed(page: Path, workspace: Workspace) -> dict[Path, str] | None:
    """Read what an `adopt` of this page was writing when it was killed, file to hash; None where none was."""
    try:
        said = json.loads(regular_bytes(_note(page), limits.YAML_BYTES))
        left = {workspace.root / name: str(sha) for name, sha in said.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError):
        left = {}
    if not left or not all(_is_of_adoption(file, page, workspace) for file in left):
        raise HarnessError(f"{workspace.called(_note(page))} is no note of `harness adopt`; remove it")
    return left


def _is_of_adoption(file: Path, page: Path, workspace: Workspace) -> bool:
    """Tell the files that an adoption writes from any others: what is taken back is removed."""
    data = file.parent == workspace.own_published and file.name.endswith(REPORTED)
    return data or file == page or (file.parent == workspace.tables[-1] and file.name.endswith(SUFFIX))


def _taken_back(left: Mapping[Path, str], page: Path, workspace: Workspace) -> Iterator[str]:
    """Remove what a killed `adopt` wrote, byte by byte what it was to be, unless its last step, the page, was done, too."""
    done = file_sha256(page) == left.get(page)
    for file in left:
        file.with_name(f"{file.name}{PARTIAL}").unlink(missing_ok=True)
        if not done and file != page and file.is_file() and file_sha256(file) == left[file]:
            file.unlink()
            yield f"removed {workspace.called(file)}, which an `adopt` of this page had written when it was killed"
    _note(page).unlink()


def _around(workspace: Workspace, left: Collection[Path]) -> AdoptContext:
    """Find what there is already; `left` will be removed and takes no names."""
    catalogue = catalogue_of(workspace.configs, workspace.own_published)
    specs = [path for path in spec_files(workspace) if path not in left]
    here = [path for path in workspace.own_published.glob("*.yaml") if path not in left]
    taken = {spec.name for spec in specs_in(specs, catalogue)}
    # A file of a shipped name, as readme.tables.yaml, may stand beside the shipped one; only tables' own names are shared by all.
    taken |= {path.name.removesuffix(SUFFIX) for path in specs if workspace.tables[-1] in path.parents}
    taken |= {path.name.removesuffix(REPORTED).removesuffix(".yaml") for path in here}
    # Tables show the sweep of their file's name, whose runs would stand among the page's.
    taken |= {path.stem for folder in workspace.configs for path in (folder / "sweeps").glob("*.yaml")}
    return AdoptContext(catalogue, workspace.own_published, taken)


def _listed(done: Adoption, called: str, *, asked: int | None) -> Iterator[str]:
    """Say of each table what it is and what becomes of it."""
    adopted = {one.understood.table.number: one for one in done.tables}
    why = {one.table.number: one.why for one in done.refused}
    yield f"{called}: {len(done.page.tables)} Markdown table{'s' if len(done.page.tables) > 1 else ''}"
    for table in done.page.tables:
        if table.number in adopted or table.number in why:
            size = f"{len(table.rows)} rows, {len(table.heads[0])} columns"
            under = f", under '{table.heading}'" if table.heading else ""
            one = adopted.get(table.number)
            fate = f"adopted as '{one.name}'" if one else f"not adopted: {why[table.number]}"
            yield f"table {table.number}, line {table.begin + 1}{under}, {size}: {fate}"
            if one is not None:
                yield from (f"  {text}" for text in _columns(one))
    for line, merged in done.page.html if asked is None else ():
        cells = "; its merged cells are no Markdown" if merged else ""
        yield f"line {line}: a table in HTML stays as it is{cells}"


def _columns(table: Adopted) -> Iterator[str]:
    if table.understood.turned:
        axis = table.understood.keys[-1]
        yield (
            f"'{axis.title}': its rows are metrics, and the headings beside it are values of {axis.dimension}; a new one is "
            "another value of the spec's pivot"
        )
    for column in table.understood.columns:
        if column.role == "number":
            unit = f", {column.unit}" if column.unit else ""
            better = f", {column.better} is better" if column.better != "none" else ""
            method = "".join(f" of {one} {table.names.name(one, value)}" for one, value in column.under)
            what = (
                f"{column.comparison} of {column.metric} to {column.baseline}" if column.comparison else column.metric
            )
            yield f"'{column.title}': {what}{method}{unit}{better}"
        elif column.role == "key" and not (table.understood.turned and column == table.understood.keys[-1]):
            yield f"'{column.title}': {column.dimension}"
        elif column.role == "text":
            yield f"'{column.title}': words"

    above = dict.fromkeys(name for column in table.understood.columns for name, _ in column.under)
    if above:
        yield f"values of {' and '.join(above)} stand in its headings: a new one is another cell of the spec"


def _nothing(done: Adoption, called: str) -> str:
    one: Sequence[TableRefused] = done.refused
    if len(one) == 1:
        return f"{called}: table {one[0].table.number} cannot be adopted: {one[0].why}; nothing was changed"
    return f"{called}: none of its {len(one)} tables can be adopted; nothing was changed"


def _next(done: Adoption, called: str, path: Path, workspace: Workspace) -> Iterator[str]:
    assert done.made is not None
    if path not in pages_of(workspace):
        yield f"{called} is not among the pages of harness.yaml: add it there, or name it, as in `harness report --check {called}`"
    stem, several = done.made.stem, len(done.tables) > 1
    block = f" with a block '{done.tables[0].name}' for the first table" if several else ""
    yield (
        f"a new row: measure it with a sweep called '{stem}'{block}, `harness publish {stem}`, `harness report --write {called}`"
    )
