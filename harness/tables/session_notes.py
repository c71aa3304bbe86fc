"""What marks the numbers of a session, told once at its end. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.core.marks import MARKS, merged
from harness.tables import no_effect
from harness.tables.formats import without_paths
from harness.tables.rows import TableRow
from harness.tables.sitting import marks_of

_TOLD = 3
"""Jobs that are named for each mark."""
_NAMED = ("model", "method", "probe", "engine", "environment")
_TOLD_APART = (("batch", "batch {}"), ("prompt", "prompt {}"), ("output", "output {}"), ("task", "task {}"))
COLUMNS = ("run", "session", "kind", "status", "sitting", "metric", "slice", "source", "rounds", "marks", "notes", *_NAMED,
           *(name for name, _ in _TOLD_APART), *no_effect.COLUMNS)  # fmt: skip


def marked(rows: Sequence[TableRow], samples: Callable[[str], Any] = lambda _: None) -> list[str]:
    """Write one line for each mark: how many jobs bear it, and of the first few which they are and why.

    samples: array of a measurement by its id, None where it is not at hand.
    """
    jobs: dict[str, dict[tuple[str, str], None]] = {}
    for row in no_effect.marked(rows, samples):
        for note in marks_of(row) if row.ok else ():
            jobs.setdefault(note.code, {}).setdefault((_called(row), note.text))
    known = list(MARKS)
    return [_line(code, list(jobs[code])) for code in sorted(jobs, key=known.index)]


def _line(code: str, found: Sequence[tuple[str, str]]) -> str:
    names = list(dict.fromkeys(name for name, _ in found))
    told = ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")
    texts = merged(without_paths(text) for _, text in found)
    why = "; ".join(texts[:_TOLD]) + (f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else "")
    return f"{MARKS[code]} ({len(names)} {'job' if len(names) == 1 else 'jobs'}: {told}): {why}"


def _called(row: TableRow) -> str:
    parts = [row.text(name) or "" for name in _NAMED]
    parts += [said.format(value) for name, said in _TOLD_APART if (value := row.text(name)) is not None]
    return " ".join(part for part in parts if part)
