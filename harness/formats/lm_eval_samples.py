"""The answers question by question that lm-eval writes beside its results with `--log_samples`."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.identity import file_sha256
from harness.formats.source import FileSource, read_source

_SAME = 1e-9


@dataclass(frozen=True)
class SampledAnswers:
    """The rows of one or several tasks, in order."""

    rows: tuple[dict[str, Any], ...] = ()
    files: tuple[str, ...] = ()
    """Names and hashes of what was read."""

    def of(self, metric: str, chosen: str, value: float) -> tuple[tuple[float, ...], str | None]:
        """Give a metric's value per question, and the hash of the questions, where their mean is the result."""
        rows = [row for row in self.rows if row.get("filter", "none") == chosen]
        found = [row.get(metric) for row in rows]
        numbers = [float(item) for item in found if isinstance(item, int | float) and math.isfinite(item)]
        if not rows or len(numbers) != len(found) or abs(sum(numbers) / len(numbers) - value) > _SAME:
            return (), None
        return tuple(numbers), _items(rows)


def answers(source: FileSource, tasks: list[str]) -> SampledAnswers:
    """Read `samples_TASK_DATE.jsonl` of each task beside `results_DATE.json`; nothing where one is not there.

    Raises: ConfigError for a file that is there and not whole.
    """
    head, _, stamp = source.path.stem.partition("_")
    paths = [source.path.with_name(f"samples_{task}_{stamp}.jsonl") for task in tasks]
    if head != "results" or not stamp or not all(path.is_file() for path in paths):
        return SampledAnswers()
    rows = [row for path in paths for row in _rows(path)]
    return SampledAnswers(tuple(rows), tuple(f"{path.name} {file_sha256(path)}" for path in paths))


def _rows(path: Path) -> list[dict[str, Any]]:
    source = read_source(path)
    return sorted(source.records, key=lambda row: int(row.get("doc_id", 0)))


def _items(rows: list[dict[str, Any]]) -> str | None:
    """Hash the questions with their answers, in order, as our own measurements do; None where they have no hash."""
    pairs = [[row.get("doc_hash"), row.get("target_hash")] for row in rows]
    return None if any(None in pair for pair in pairs) else hashlib.sha256(json.dumps(pairs).encode()).hexdigest()
