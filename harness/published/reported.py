"""Numbers that others published, as tables of YAML: each row becomes an outcome that is `reported` for ever.

A value is kept with its digits: what it can be is an interval of half a unit in the last one (`interval: rounding`).
Nothing is computed: a ratio that stands on a page without its inputs stays a ratio, and numbers that contradict one
another stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.core.outcome import Citation, Outcome
from harness.plan.yamlfile import Mistakes, Node, collecting, mapping, read, word
from harness.published.reported_rows import ReportedColumns, ReportedFile, row_outcome
from harness.tables.declared import KEY, KINDS, Declared, declared_in
from harness.tables.metric_variant import (
    DIMENSIONS,
    NOT_AVAILABLE,
    MetricVariant,
    names_checked,
    plain_variant,
    variants_of,
)

_FILE = (KEY, "metrics", *KINDS, "environments", "blocks")
_CITATION = ("title", "url", "version", "date", "sweep")
_ENVIRONMENT = ("system", "python", "cpu", "driver", "cuda", "packages")


def read_reported(path: Path) -> list[Outcome]:
    """Read one file. Raises: ConfigError with every mistake of it, each with its line."""
    return list(read_file(path)[0])


def read_file(path: Path) -> tuple[tuple[Outcome, ...], Declared]:
    """Read one file with what it declares. Raises: ConfigError with every mistake of it, each with its line."""
    with collecting() as mistakes:
        fields = mapping(read(path, mistakes), "a file of reported numbers", mistakes, _FILE)
        declared = declared_in(fields, mistakes)
        file = _file(path, fields, declared, mistakes)
        blocks = fields.get("blocks")
        read_ = [outcome for block in (blocks.items if blocks else ()) for outcome in _block(block, file, mistakes)]
        found = [_placed(outcome, place) for place, outcome in enumerate(read_, start=1)]
        _once(found, fields.get("blocks"), mistakes)
    return tuple(found), declared


def _placed(outcome: Outcome, place: int) -> Outcome:
    """Keep the order of the file: a table may show its rows in it."""
    return outcome.model_copy(update={"job": outcome.job.model_copy(update={"order": place})})


def _file(path: Path, fields: Mapping[str, Node], declared: Declared, mistakes: Mistakes) -> ReportedFile:
    citation, date = _citation(fields.get(KEY), mistakes)
    sweep = fields[KEY].fields["sweep"].raw if KEY in fields and "sweep" in fields[KEY].fields else path.stem
    named = fields.get("environments")
    environments = mapping(named, "environments", mistakes) if named else {}
    for part in environments.values():
        if part.value is not None:
            said = mapping(part, "an environment", mistakes, _ENVIRONMENT)
            if "packages" in said:
                mapping(said["packages"], "packages", mistakes)
    known = {name: _raw(part) if part.fields else {} for name, part in environments.items()}
    for facts in known.values():
        facts["packages"] = facts["packages"] if isinstance(facts.get("packages"), dict) else {}
    return ReportedFile(path.stem, sweep, citation, date, known, declared)


def _citation(node: Node | None, mistakes: Mistakes) -> tuple[Citation, datetime]:
    said = mapping(node, KEY, mistakes, _CITATION) if node else {}
    texts = {name: part.raw for name, part in said.items()}
    for name in ("title", "date"):
        if not texts.get(name):
            mistakes.add(f"'{KEY}' needs '{name}': readers are told where and when a number was published", node)
    citation = Citation(title=texts.get("title", ""), url=texts.get("url"), version=texts.get("version"))
    return citation, _date(said.get("date"), mistakes)


def _raw(node: Node) -> Any:
    """Give a part's texts as they are written: a version 0.10 is not 0.1."""
    return {name: _raw(part) for name, part in node.fields.items()} if isinstance(node.value, dict) else node.raw


def _date(node: Node | None, mistakes: Mistakes) -> datetime:
    try:
        return datetime.fromisoformat(node.raw if node else "1970-01-01").replace(tzinfo=UTC)
    except ValueError:
        mistakes.add(f"date '{node.raw if node else ''}' is not a day; write it as 2025-12-31", node)
        return datetime(1970, 1, 1, tzinfo=UTC)


def _block(node: Node, file: ReportedFile, mistakes: Mistakes) -> Iterator[Outcome]:
    if KEY in node.fields:
        citation, date = _citation(node.fields[KEY], mistakes)
        file = replace(file, citation=citation, date=date)
    known = (KEY, "block", "configuration", "unavailable", "metrics", "columns", "texts", "words", "rows", *DIMENSIONS)
    fields = mapping(node, "a block", mistakes, known)
    columns = _columns(fields, file, mistakes)
    shared = {name: part.raw for name, part in fields.items() if name in DIMENSIONS}
    names_checked(fields, file.declared, mistakes)
    for row in fields["rows"].items if "rows" in fields else ():
        if len(row.items) != len(columns.names):
            mistakes.add(f"this row has {len(row.items)} values and there are {len(columns.names)} columns", row)
            continue
        cells = dict(zip(columns.names, row.items, strict=True))
        names_checked(cells, file.declared, mistakes)
        for part in _parts(cells, columns):
            outcome = row_outcome(fields, {**shared, **_said(cells)}, part, columns, file, row, mistakes)
            if outcome is not None:
                yield outcome


def _columns(fields: Mapping[str, Node], file: ReportedFile, mistakes: Mistakes) -> ReportedColumns:
    variants = variants_of(fields.get("metrics"), file.declared, mistakes)
    texts = frozenset(item.raw for item in fields["texts"].items) if "texts" in fields else frozenset()
    words = frozenset(item.raw for item in fields["words"].items) if "words" in fields else frozenset()
    items = fields["columns"].items if "columns" in fields else []
    names = tuple(word(item, "a column", mistakes) or "" for item in items)
    for name, item in zip(names, items, strict=True):
        if name not in DIMENSIONS and name not in variants and name not in texts:
            variants |= plain_variant(name, item, file.declared, mistakes)
    return ReportedColumns(names, variants, texts, words)


def _parts(cells: Mapping[str, Node], columns: ReportedColumns) -> tuple[Mapping[str, Node], ...]:
    """Part what a row says to be not available from its numbers, unless such a word is kept as it was printed."""
    variants = columns.variants
    absent = {
        name: cell
        for name, cell in cells.items()
        if cell.raw == NOT_AVAILABLE and name in variants and cell.raw not in columns.words
    }
    given = {name: cell for name, cell in cells.items() if name not in absent}
    return (given, absent) if absent and any(_is_number(given, variants)) else (cells,)


def _is_number(cells: Mapping[str, Node], variants: Mapping[str, MetricVariant]) -> Iterator[bool]:
    return (cells[name].value is not None for name in variants if name in cells)


def _said(cells: Mapping[str, Node]) -> dict[str, str]:
    return {name: cell.raw for name, cell in cells.items() if name in DIMENSIONS and cell.value is not None}


def _once(outcomes: list[Outcome], node: Node | None, mistakes: Mistakes) -> None:
    """Find two rows that answer one question: somebody has edited one and left the other."""
    seen: dict[tuple[str, str, str], Outcome] = {}
    for outcome in outcomes:
        gpu = outcome.environment.gpus[0].name if outcome.environment.gpus else ""
        asked = [f"{item.metric} {item.slice} {item.comparison}" for item in outcome.measurements] or ["nothing"]
        for what in asked:
            place = (outcome.job.key, f"{outcome.environment.name} {gpu} {outcome.job.labels.reference}", what)
            if place in seen:
                labels = ", ".join(value for value in outcome.job.labels.model_dump().values() if value)
                mistakes.add(f"{what.split()[0]} of {labels} is given twice; keep one, or tell them apart", node)
            seen[place] = outcome
