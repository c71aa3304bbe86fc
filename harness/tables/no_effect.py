"""Recipes without effect: different ones whose results are the same for every item, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

from harness.core.metric import METRICS
from harness.core.spec import Note
from harness.numbers.pairing import Items
from harness.tables.coverage import quantized_parts
from harness.tables.rows import TableRow

CODE = "no-effect"
COLUMNS = ("origin", "recipe", "engine_options", "metric_version", "items", "value", "scheme", "artifact_content",
           "measurement_id")  # fmt: skip
"""What is asked of the frame beside the names of a row."""
_SAME = ("model", "engine", "engine_options", "metric", "metric_version", "slice", "items", "value")
_RECIPE = ("method", "recipe")


def no_effect(rows: Iterable[TableRow], samples: Callable[[str], Any]) -> dict[str, Note]:
    """Find the runs whose per-item results are bit for bit those of another method or recipe; run -> note.

    samples: array of a measurement by its id, None where it is not at hand. Results that hold nothing but 0 and 1 tell
    nothing: many models answer all questions alike. Floats of one content are one artifact under two names, no recipe.
    """
    found: dict[str, Note] = {}
    for group in _groups(rows):
        for one, other in combinations(group, 2):
            if _differ(one, other) and _identical(one, other, samples):
                for row, twin in ((one, other), (other, one)):
                    found.setdefault(row.run, Note(code=CODE, text=f"same results, item by item, as {_called(twin)}"))
    return found


def marked(rows: Iterable[TableRow], samples: Callable[[str], Any]) -> list[TableRow]:
    """Add the note to the rows of runs whose recipe has no effect, so that their cells are marked."""
    listed = list(rows)
    notes = no_effect(listed, samples)
    return [_noted(row, notes[row.run]) if row.run in notes else row for row in listed]


def _noted(row: TableRow, note: Note) -> TableRow:
    known = json.loads(row.get("notes") or "[]")
    return TableRow({**row.fields, "notes": json.dumps([*known, note.model_dump()])})


def _groups(rows: Iterable[TableRow]) -> Iterable[Sequence[TableRow]]:
    """Gather measurements of one question with one answer: only these can hold the same samples."""
    groups: dict[tuple[Any, ...], list[TableRow]] = {}
    for row in rows:
        if row.ok and row.text("origin") == "measured" and _per_item(row):
            groups.setdefault(tuple(row.get(name) for name in _SAME), []).append(row)
    return [list({row.run: row for row in group}.values()) for group in groups.values() if len(group) > 1]


def _per_item(row: TableRow) -> bool:
    known = METRICS.get(row.metric or "")
    return row.get("items") is not None and known is not None and known.kind == "quality"


def _differ(one: TableRow, other: TableRow) -> bool:
    if all(one.text(name) == other.text(name) for name in _RECIPE):
        return False
    floats = not any(quantized_parts(row.text("scheme") or "") for row in (one, other))
    return not (floats and one.text("artifact_content") == other.text("artifact_content"))


def _identical(one: TableRow, other: TableRow, samples: Callable[[str], Any]) -> bool:
    import numpy as np

    first, second = (samples(row.text("measurement_id") or "") for row in (one, other))
    if first is None or second is None:
        return False
    first, second = np.asarray(first), np.asarray(second)
    return first.shape == second.shape and first.tobytes() == second.tobytes() and not np.isin(first, (0, 1)).all()


def _called(row: TableRow) -> str:
    return " of ".join(text for name in _RECIPE if (text := row.text(name)))


def kept(samples: Callable[[str], Any], items: Callable[[str], Items]) -> Callable[[str], Any]:
    """Read samples, or where they are not kept the sums of their documents."""

    def read(measurement: str) -> Any:
        found = samples(measurement)
        return items(measurement).documents if found is None else found

    return read
