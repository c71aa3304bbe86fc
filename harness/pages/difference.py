"""What new results change in committed pages, as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from harness.core.errors import HarnessError
from harness.markdown.marked import bodies
from harness.markdown.rows import Align, literal, table_lines
from harness.pages.changes import Change, TableComparison, compare_tables, shared_keys
from harness.pages.guards import percent
from harness.pages.history import Histories
from harness.pages.noise import (
    SAME,
    ChangeVerdict,
    Evidence,
    Noise,
    between_sessions,
    causes,
    evidence,
    interval,
    noise,
    shows,
    way,
)
from harness.pages.pages import Page, renderer
from harness.pages.paired import between_items
from harness.pages.readback import RowName, grids
from harness.pages.value_marks import marks
from harness.published.sources import NumberSource
from harness.tables.catalogue import TableCatalogue
from harness.tables.markdown import Rendered
from harness.tables.result import Cell
from harness.tables.spec import TableSpec

LEGEND = (
    "Verdicts: speed and memory are judged by the spread between the sessions of the same job on the same machine, at 5 sessions or more; "
    "numbers of the same documents or questions by the paired difference over these; others by their intervals (*noise*: within the root of "
    "the sum of squares of both half widths)."
)


@dataclass(frozen=True)
class Old:
    """The committed state that is compared with."""

    name: str
    """Git reference or folder."""
    pages: Mapping[Path, str]
    """Texts of the pages then; a page that was not there is left out."""
    source: NumberSource | None = None
    """Results then; None where they cannot be read."""
    trouble: str = ""
    """Why not."""


@dataclass(frozen=True)
class New:
    """What is to be committed."""

    pages: Sequence[Page]
    rendered: Mapping[str, Rendered]
    specs: Mapping[str, TableSpec]
    source: NumberSource
    catalogue: TableCatalogue
    root: Path


@dataclass(frozen=True)
class Told:
    """What changes, as Markdown, with the verdict on each changed cell."""

    text: str
    verdicts: tuple[ChangeVerdict, ...] = ()


def difference(old: Old, new: New, more: Sequence[NumberSource] = ()) -> Told:
    """Write what changes in the cells of all pages, in the rows and in the numbers of prose. more: sources of earlier sessions."""
    verdicts: list[ChangeVerdict] = []
    sources = [source for source in (*more, old.source, new.source) if source is not None]
    judge = _Judge(old.source, new.source, Histories(sources), verdicts)
    parts = [part for page in new.pages for part in _page(old, new, page, judge)]
    if not parts:
        return Told(f"No table and no number changes compared with {literal(old.name)}.")
    head = ["## What changes in the tables", f"Old: {literal(old.name)}. {LEGEND}"]
    trouble = (
        [f"The old results cannot be read, so that noise and causes are unknown: {literal(old.trouble)}"]
        if old.trouble
        else []
    )
    return Told("\n\n".join([*head, *trouble, *parts]), tuple(verdicts))


def _page(old: Old, new: New, page: Page, judge: _Judge) -> list[str]:
    title = page.path.relative_to(new.root).as_posix()
    text = old.pages.get(page.path)
    if text is None:
        return [f"### {literal(title)}", "A new page."]
    then = Path(f"{old.name}:{title}")
    before, after = bodies(text, then), bodies(page.new, page.path)
    parts = [part for name in after for part in _table(old, new, name, before.get(name), after[name], judge)]
    parts += [f"Table `{name}` is no longer on this page." for name in before if name not in after]
    parts += _values(text, then, page)
    return [f"### {literal(title)}", *parts] if parts else []


def _table(old: Old, new: New, name: str, before: str | None, after: str, judge: _Judge) -> list[str]:
    rendered, title = new.rendered[name], f"#### {literal(name)}"
    if before is None:
        return [title, f"A new table, with {sum(len(grid.rows) for grid in grids(after))} rows."]
    compared = compare_tables(before, rendered)
    if not (compared.changes or compared.gone or compared.came):
        same = before.replace("\r", "").strip() == after.replace("\r", "").strip()
        return [] if same else [title, "No cell changed; only headings, notes, captions or links."]
    keys = shared_keys(grids(before), grids(rendered.markdown), rendered.keys)
    return [title, _summary(compared), *_cells(old, new, rendered, compared, keys, judge), *_rows(compared)]


def _summary(compared: TableComparison) -> str:
    return f"{len(compared.changes)} of {compared.cells} cells changed, {_many(len(compared.came), 'row')} added, {_went(compared)} removed."


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _went(compared: TableComparison) -> str:
    if any(gone.what == "table" for gone in compared.gone):
        return "all rows"
    columns = sum(gone.what == "column" for gone in compared.gone)
    rows = str(len(compared.gone) - columns) if not columns else _many(len(compared.gone) - columns, "row")
    return f"{rows} and {_many(columns, 'column')}" if columns else rows


def _rows(compared: TableComparison) -> list[str]:
    lines = [f"- added: row {_row(name)}" for name in compared.came]
    lines += [f"- removed: {gone.what} {literal(gone.label)}".rstrip() for gone in compared.gone]
    return ["\n".join(lines)] if lines else []


def _row(name: RowName) -> str:
    """Write a row's name, whose parts are Markdown."""
    number = f" #{name.nth + 1}" if name.nth else ""
    return " / ".join(part for part in (*name.headings, *name.keys) if part) + number


# ---------------------------------------------------------------- cells


def _cells(old: Old, new: New, rendered: Rendered, compared: TableComparison, keys: int, judge: _Judge) -> list[str]:
    """Write the changed cells; what they all have in common is said once."""
    if not compared.changes:
        return []
    was, trouble = _known(rendered, new, old.source, keys)
    now, more = _known(rendered, new, new.source, keys)
    told = [judge.judged(change, was, now) for change in compared.changes]
    reasons = {reason for _, reason in told}
    common = len(told) > 1 and len(reasons) == 1
    head = ["Row", "Column", "Old", "New", "Change", "Verdict", *([] if common else ["What changed"])]
    aligns: list[Align] = ["left", "left", "right", "right", "right", "left", "left"]
    lines = []
    for change, (verdict, reason) in zip(compared.changes, told, strict=True):
        line = [_row(change.row), literal(change.heading), change.old, change.new, moved(change), str(verdict)]
        lines.append([*line, *([] if common else [reason])])
    table = "\n".join(table_lines(head, aligns[: len(head)], lines))
    notes = [literal(text) for text in (trouble, more) if text]
    return [table, *([f"What changed for all of them: {reasons.pop()}."] if common else []), *notes]


def _known(rendered: Rendered, new: New, source: NumberSource | None, keys: int) -> tuple[Evidence, str]:
    """Gather what stands behind a table in a source; says why where the table cannot be made from it."""
    if source is None:
        return Evidence(), ""
    spec, render = new.specs[rendered.name], renderer(source, new.catalogue)
    try:
        return evidence(render(spec), source, keys), ""
    except HarnessError as error:
        return (
            Evidence(),
            f"What stood behind these cells is unknown: today's spec cannot be filled from the results: {error}",
        )


@dataclass(frozen=True)
class _Judge:
    """Judges changed cells, and keeps the verdicts."""

    old: NumberSource | None
    new: NumberSource
    histories: Histories
    verdicts: list[ChangeVerdict]

    def judged(self, change: Change, was: Evidence, now: Evidence) -> tuple[ChangeVerdict, str]:
        """Say whether a change is noise, and what changed with it."""
        verdict, reason = self._judged(change, was, now)
        self.verdicts.append(verdict)
        return verdict, reason

    def _judged(self, change: Change, was: Evidence, now: Evidence) -> tuple[ChangeVerdict, str]:
        before, after = was.behind(change), now.behind(change)
        went = way(change, after)
        if change.is_lost:
            reasons = causes(was, now, before.runs, after.runs) if before and after else ["unknown"]
            return ChangeVerdict("outside", "worse"), "; ".join(literal(reason) for reason in reasons)
        if before is None or after is None or not shows(after, change.new):
            return ChangeVerdict("unknown", went), "unknown"
        reasons = causes(was, now, before.runs, after.runs)
        if not shows(before, change.old):  # the old page shows what the old results do not give by today's spec
            return ChangeVerdict("unknown", went), literal(SAME) if reasons == [SAME] else "unknown"
        found = self._noise(before, after) if reasons != [SAME] else ("unknown", "the same runs")
        return ChangeVerdict(found[0], went, found[1]), "; ".join(literal(reason) for reason in reasons)

    def _noise(self, before: Cell, after: Cell) -> tuple[Noise, str]:
        found = self.histories.of(before, self.old, after, self.new) if self.old is not None else None
        if found is not None:
            return between_sessions(before, after, found)
        same = between_items(before, self.old, after, self.new) if self.old is not None else None
        if same is not None:
            return same
        verdict = noise(interval(before), interval(after))
        return verdict, "no interval" if verdict == "unknown" else ""


def moved(change: Change) -> str:
    """Write by how much a number changed: absolutely and as a share of the old one."""
    if change.by is None:
        return "-"
    points = " points" if "%" in change.old else ""
    return f"{_signed(change.by)}{points} ({percent(change.share)})"


def _signed(by: Decimal) -> str:
    return f"{by:+,f}" if by else "0"


# ---------------------------------------------------------------- prose


def _values(text: str, then: Path, page: Page) -> list[str]:
    """List the numbers in prose that change."""
    before = {mark.said: text[mark.begin : mark.end] for mark in marks(text, then)}
    after = {mark.said: page.new[mark.begin : mark.end] for mark in marks(page.new, page.path)}
    lines = [
        f"- `{said.replace('`', chr(39))}`: {_flat(before[said])} became {_flat(new)}"
        for said, new in after.items()
        if said in before and before[said] != new
    ]
    return ["\n".join(["Numbers in prose:", "", *lines])] if lines else []


def _flat(text: str) -> str:
    return " ".join(text.split()) or "nothing"
