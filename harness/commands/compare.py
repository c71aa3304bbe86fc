"""Two methods, runs, sessions, environments, published files or result files held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from harness.commands.workspace import Workspace, database_for_reading
from harness.comparing.answers import SUFFIXES
from harness.comparing.comparison import JudgedSides, judged_together
from harness.comparing.gate import read_gate
from harness.comparing.groups import compared_files
from harness.comparing.measured import compared_sides
from harness.comparing.sides import ComparedSide, is_known, published_file, side_of, side_of_file, source_of
from harness.core.errors import HarnessError
from harness.environments import SHIPPED
from harness.published.reading import read_published
from harness.published.records import Published
from harness.published.sources import NumberSource, filled
from harness.store.database import Database
from harness.store.where import parse_where


def are_files(one: str, other: str) -> bool:
    """Say whether both are result files, which need no workspace. Raises: HarnessError where only one of them is."""
    found = [Path(word).suffix in SUFFIXES for word in (one, other)]
    if any(found) and not all(found):
        raise HarnessError(f"{one} and {other}: a result file is compared with another result file; give two of them")
    return all(found)


def compare_files(one: Path, other: Path, workspace: Workspace | None) -> JudgedSides:
    """Compare two files of lm-eval's answers. Raises: ConfigError for files that do not belong together."""
    gate = read_gate(workspace.named if workspace else (SHIPPED / "configs",))
    found, notes = compared_files(one, other)
    return judged_together((str(one), str(other)), found, gate, notes)


def compare_named(
    one: str, other: str, where: Sequence[str], workspace: Workspace, *, disturbed: bool = False
) -> JudgedSides:
    """Compare what two words name in the results. Raises: HarnessError for a word that names nothing, or the same twice."""
    if one == other:
        raise HarnessError(f"both sides are {one}; name two")
    conditions = parse_where(where)
    with ExitStack() as stack:
        find = _Finder(workspace, stack)
        sides = [find.side(word, conditions) for word in (one, other)]
        found, notes = compared_sides(*sides, disturbed=disturbed)
        notes += [line for side in sides for line in _void_since(side, find.sources[0].database)]
    return judged_together((sides[0].called, sides[1].called), found, read_gate(workspace.named), notes)


def _void_since(side: ComparedSide, database: Database) -> Iterator[str]:
    """Say which runs of a published file somebody declared void after it was published."""
    marks = database.marked.all() if side.kind == "published" else {}
    runs = dict.fromkeys(row.run for row in side.rows)
    void = {run: marks[run].void for run in runs if run in marks and marks[run].void}
    for run, why in list(void.items())[:1]:
        more = f", and {len(void) - 1} more" if len(void) > 1 else ""
        yield f"{side.called}: run {run}{more} was declared void since ({why}), and still counts here; publish it anew"


class _Finder:
    """Sources of a command, each opened once."""

    def __init__(self, workspace: Workspace, stack: ExitStack) -> None:
        self.folders = tuple(dict.fromkeys((workspace.published, workspace.own_published)))
        self.stack = stack
        folder = workspace.own_published
        self.published = read_published(folder) if folder.is_dir() else Published()
        database = stack.enter_context(closing(database_for_reading(workspace)))
        self.sources = [NumberSource(database, self.published)]

    def side(self, word: str, where: Mapping[str, object]) -> ComparedSide:
        """Find a side: a published file before names in the database, and these before names in published files."""
        path = published_file(word, *self.folders)
        if path is not None:
            source = source_of(path)
            self.stack.callback(source.database.close)
            return side_of_file(path, source, where)
        if not is_known(word, self.sources[0]):
            return side_of(word, self._all_published(), where)
        return side_of(word, self.sources[0], where)

    def _all_published(self) -> NumberSource:
        if len(self.sources) == 1:
            database = self.stack.enter_context(closing(filled(self.published.sessions, self.published)))
            self.sources.append(NumberSource(database, self.published))
        return self.sources[1]
