"""What a word of `compare` names: a published file, a session, a run, a method or an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.core.errors import HarnessError
from harness.core.spelling import unknown
from harness.numbers import rounds
from harness.published.reading import read_published
from harness.published.sources import NumberSource, filled
from harness.store.columns import COLUMNS as STORED
from harness.tables.columns import COLUMNS
from harness.tables.rows import TableRow, rows_of

SideKind = Literal["session", "run", "method", "environment", "published"]
KINDS: tuple[SideKind, ...] = ("session", "run", "method", "environment")
"""In this order a bare name is looked up; KIND=NAME says which is meant."""
_MEASURED = ["measured", "imported"]
"""What of a database is compared: what others printed has nothing behind it."""
_WANTED = [name for name in COLUMNS if name in STORED]


@dataclass(frozen=True)
class ComparedSide:
    """One side of a comparison: its measurements, from oldest to newest."""

    name: str
    kind: SideKind
    source: NumberSource
    rows: tuple[TableRow, ...]
    failed: tuple[TableRow, ...] = ()

    @property
    def called(self) -> str:
        """Name it with what it is."""
        return f"{self.kind} {self.name}"


def published_file(word: str, *folders: Path) -> Path | None:
    """Find the published file that a word names, by path or by name in folders of published files."""
    given = Path(word)
    is_path = given.suffix in {".yaml", ".yml"}
    places = (
        [given, *(folder / given.name for folder in folders)]
        if is_path
        else [folder / f"{word}.yaml" for folder in folders]
    )
    found = next((path for path in places if path.is_file()), None)
    if found is None and is_path:
        raise HarnessError(
            f"there is no file {word}; `harness publish NAME --to {folders[0].name}/{given.name}` writes one"
        )
    return found


def source_of(path: Path) -> NumberSource:
    """Open one published file. Raises: ConfigError for one that is not what `publish` writes."""
    published = read_published(path.parent, [path])
    if not published.outcomes:
        raise HarnessError(f"{path} holds no runs; publish some")
    return NumberSource(filled(published.sessions, published), published)


def side_of_file(path: Path, source: NumberSource, where: Mapping[str, object]) -> ComparedSide:
    """Take all of a published file as a side."""
    return _side(path.name, "published", source, {}, where)


def side_where(name: str, source: NumberSource, where: Mapping[str, object]) -> ComparedSide:
    """Take what an environment measured as a side, where that is said exactly, as by runs; it may have no numbers."""
    return _side(name, "environment", source, {}, where)


def side_of(word: str, source: NumberSource, where: Mapping[str, object]) -> ComparedSide:
    """Find what a word names in a database. Raises: HarnessError for a name of nothing, or of a run that failed."""
    kind, name = _kind_of(word, source)
    side = _side(name, kind, source, {kind: name}, where)
    if not side.rows and side.failed:
        first = side.failed[-1]
        reason = first.text("reason") or "no reason was given"
        raise HarnessError(
            f"{side.called} has no numbers: its run {first.run} is {first.text('status')} ({reason}); run it again"
        )
    if not side.rows:
        raise HarnessError(f"{side.called} has no numbers{' where ' + _said(where) if where else ''}")
    return side


def is_known(word: str, source: NumberSource) -> bool:
    """Say whether a word names something in a source that is compared."""
    head, sign, name = word.partition("=")
    named = [(kind, name) for kind in KINDS if sign and head == kind] or [(kind, word) for kind in KINDS]
    return any(source.select({kind: one, "origin": _MEASURED}, ["run"]).rows for kind, one in named)


def _kind_of(word: str, source: NumberSource) -> tuple[SideKind, str]:
    head, sign, name = word.partition("=")
    if sign and head in KINDS:
        kind: SideKind = next(one for one in KINDS if one == head)
        _known(kind, name, source)
        return kind, name
    fitting = [kind for kind in KINDS if source.select({kind: word, "origin": _MEASURED}, ["run"]).rows]
    if len(fitting) > 1:
        raise HarnessError(f"'{word}' is a {' and a '.join(fitting)}; say which, as {fitting[0]}={word}")
    if not fitting:
        known = {name for kind in KINDS[2:] for name in _names(kind, source)}
        said = unknown("method, session, run, environment or published file", word, known)
        raise HarnessError(
            f"{said} (sessions and runs are called as in results/)"
            if known
            else f"{said}; measure first, as with `harness bench`"
        )
    return fitting[0], word


def _known(kind: SideKind, name: str, source: NumberSource) -> None:
    if not source.select({kind: name, "origin": _MEASURED}, ["run"]).rows:
        raise HarnessError(unknown(kind, name, _names(kind, source)))


def _names(kind: SideKind, source: NumberSource) -> set[str]:
    return {str(value) for (value,) in source.select({"origin": _MEASURED}, [kind]).rows if value}


def _side(
    name: str, kind: SideKind, source: NumberSource, own: Mapping[str, object], where: Mapping[str, object]
) -> ComparedSide:
    here = {} if kind == "published" else {"origin": _MEASURED}
    rows = rows_of(source.select({**here, **where, **own}, _WANTED))
    good = tuple(row for row in rows if row.ok and row.metric is not None and row.text("comparison") is None)
    return ComparedSide(name, kind, source, good, tuple(row for row in rows if not row.ok))


def _said(where: Mapping[str, object]) -> str:
    listed = {name: values if isinstance(values, list) else [values] for name, values in where.items()}
    return ", ".join(f"{name}={','.join(map(str, values))}" for name, values in listed.items())


def is_single(side: ComparedSide, metric: str) -> bool:
    """Say whether a side is one process of what is drawn by the process."""
    return side.kind == "run" and rounds.is_over_rounds(metric)
