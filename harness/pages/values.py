"""Numbers in prose, taken from tables: what the markers of a page ask for, answered and written; see `value_marks.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.spelling import unknown
from harness.markdown.rows import literal, markup
from harness.pages.readback import number, number_text
from harness.pages.value_marks import ValueQuestion, marks
from harness.tables.columns import DIMENSIONS
from harness.tables.locate import MARK, bare, column_names
from harness.tables.markdown import Rendered
from harness.tables.result import Cell, Section


def with_values(text: str, rendered: Mapping[str, Rendered], path: Path) -> tuple[str, list[str]]:
    """Write the numbers of a page's prose; returns its text and the questions whose answers are new.

    Raises: ConfigError with every marker that tables cannot answer.
    """
    problems: list[Problem] = []
    stale: list[str] = []
    for mark in reversed(marks(text, path)):
        try:
            fresh = answer(mark.asked, rendered)
        except HarnessError as error:
            problems.append(Problem(f"value '{mark.said}': {error}", path, mark.line))
            continue
        if fresh != text[mark.begin : mark.end]:
            stale.append(mark.said)
            text = text[: mark.begin] + fresh + text[mark.end :]
    if problems:
        raise ConfigError(reversed(problems))
    return text, stale[::-1]


def answer(asked: ValueQuestion, rendered: Mapping[str, Rendered]) -> str:
    """Return the text that a question asks for.

    Raises: HarnessError for a table, column or row that is not there, and where there is no number or no single row.
    """
    cell = answering(asked, rendered)
    if not asked.whole:
        return number_text(cell.text)
    return literal(cell.text) if cell.literal else markup(cell.text)


def answering(asked: ValueQuestion, rendered: Mapping[str, Rendered]) -> Cell:
    """Return the cell that answers a question. Raises: HarnessError as `answer` does."""
    if asked.table not in rendered:
        raise HarnessError(unknown("table", asked.table, rendered))
    found = _selected(asked, rendered[asked.table])
    if asked.function == "cell" and len(found) > 1:
        raise HarnessError(f"{len(found)} rows fit, and `cell` takes one; add conditions with where")
    numbers = [(value, cell) for cell in found if (value := number(cell.text)) is not None]
    if not numbers:
        texts = ", ".join(f"'{cell.text}'" for cell in found[:3])
        raise HarnessError(f"there is no number there; the column shows {texts}")
    return _least_or_greatest(numbers, asked.function)


def _least_or_greatest(numbers: list[tuple[Decimal, Cell]], function: str) -> Cell:
    return (min if function == "min" else max)(numbers, key=lambda found: found[0])[1]


def _selected(asked: ValueQuestion, rendered: Rendered) -> list[Cell]:
    """Return the cells of the column in the rows that meet the conditions."""
    sections = [section for section in rendered.table.sections if section.rows]
    if not sections:
        raise HarnessError(f"table '{asked.table}' has no results yet")
    places = [
        (section, place) for section in sections if (place := _column(section, rendered.keys, asked.column)) is not None
    ]
    if not places:
        raise HarnessError(
            unknown(
                "column", asked.column, {name for one in sections for name in _headings(one, rendered.keys) if name}
            )
        )
    seen: dict[str, set[str]] = {name: set() for name, _ in asked.where}
    cells = [cell for section, place in places for cell in _cells(asked, rendered, section, place, seen)]
    if not cells:
        raise HarnessError(_no_row(asked, seen))
    return cells


def _no_row(asked: ValueQuestion, seen: Mapping[str, set[str]]) -> str:
    for name, text in asked.where:
        if text not in seen[name]:
            return unknown(name, text, seen[name])
    return f"no row has {' and '.join(f'{name}={text}' for name, text in asked.where)}"


def _cells(
    asked: ValueQuestion, rendered: Rendered, section: Section, place: int, seen: dict[str, set[str]]
) -> Iterator[Cell]:
    keys = [_key(name, rendered, section) for name, _ in asked.where]
    above: list[str] = []
    for row in section.rows[section.head_rows :]:
        texts = [cell.text for cell in row]
        for index in range(min(rendered.keys, len(texts), len(above))):
            if texts[index] or texts[:index] != above[:index]:
                break
            texts[index] = above[index]  # a blank key repeats the one above
        above = texts
        told = [key if isinstance(key, str) else texts[key] for key in keys]
        for (name, _), text in zip(asked.where, told, strict=True):
            seen[name].add(text)
        if all(text == wanted for text, (_, wanted) in zip(told, asked.where, strict=True)):
            yield row[place]


def _key(name: str, rendered: Rendered, section: Section) -> int | str:
    """Return the place of the column that a condition names, or the section's own value of that dimension."""
    place = _column(section, rendered.keys, name)
    if place is None:
        folded = [dimension.casefold() for dimension in rendered.named]
        place = folded.index(name.casefold()) if name.casefold() in folded else None
    if place is not None:
        return place
    for dimension, value in zip(rendered.each, section.headings, strict=False):
        if name.casefold() in {dimension.casefold(), DIMENSIONS.get(dimension, dimension).casefold()}:
            return value
    known = {*rendered.each, *rendered.named, *(heading for heading in _headings(section, rendered.keys) if heading)}
    raise HarnessError(unknown("column", name, known))


def _column(section: Section, keys: int, name: str) -> int | None:
    """Return the place of a column by its headings, or by the last of them alone. Raises: HarnessError where several have it."""
    names = column_names(section, keys)
    whole = [place for place, parts in enumerate(names) if bare(name) in {MARK.join(parts), " ".join(parts)}]
    found = whole or [place for place, parts in enumerate(names) if parts[-1:] == (bare(name),)]
    if len(found) > 1:
        listed = ", ".join(f"'{text}'" for text in dict.fromkeys(MARK.join(names[place]) for place in found))
        raise HarnessError(f"{len(found)} columns are called '{name}': {listed}")
    return found[0] if found else None


def _headings(section: Section, keys: int) -> list[str]:
    return [MARK.join(parts) for parts in column_names(section, keys)]
