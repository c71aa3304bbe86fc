"""Rows for tests of tables: rows with everything that a real one says."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any

from harness.core.metric import metric
from harness.numbers.intervals import student_t
from harness.numbers.rounds import is_over_rounds
from harness.store.result import ResultSet
from harness.tables.catalogue import TableCatalogue, metric_titles
from harness.tables.columns import COLUMNS
from harness.tables.rows import TableRow, rows_of

COMMON: dict[str, Any] = {
    "sweep": "demo",
    "block": "",
    "model": "m",
    "method": "fp32",
    "recipe": "ort-genai",
    "reference": "",
    "kind": "speed",
    "status": "ok",
    "origin": "measured",
    "started": datetime(2026, 1, 31, 12, tzinfo=UTC),
    "session": "s1",
    "environment": "cpu",
    "environment_id": "e1",
    "box": "b1",
    "cpu": "Example CPU",
    "cores": 2.0,
    "system": "Linux",
    "python": "3.11.9",
    "engine": "ort-genai",
    "engine_options": "{}",
    "provider": "cpu",
    "dtype": "float32",
    "probe": "generation",
    "protocol": "e2e",
    "protocol_version": 1.0,
    "batch": 1.0,
    "prompt": 128.0,
    "output": 64.0,
    "slice": "",
    "n": 5.0,
    "warmups": 1.0,
    "repetitions": 5.0,
}
CATALOGUE = TableCatalogue(
    {
        "method": {
            "fp32": {"title": "FP32", "granularity": ""},
            "int8": {"title": "INT8", "granularity": "per-channel"},
            "int4": {"title": "INT4 RTN", "granularity": "blockwise 32", "link": "https://example.org/int4"},
        },
        "engine": {"ort-genai": {"title": "ONNX Runtime GenAI"}},
        "metric": metric_titles(),
    }
)
QUALITY = {"kind": "quality", "batch": None, "prompt": None, "output": None, "warmups": None, "repetitions": None}
BUILD = {**QUALITY, "kind": "build", "engine": None, "engine_options": None, "probe": None, "protocol": None,
         "protocol_version": None, "provider": None, "dtype": None}  # fmt: skip


def row(name: str | None, value: float | None, **given: Any) -> dict[str, Any]:
    """Make one row; a run name follows from what is said, so that different rows are different runs."""
    found = {**COMMON, "metric": name, "value": value, **given}
    if name is not None:
        found |= {"metric_version": 1.0, "unit": metric(name).unit} | given
    told = hashlib.sha256(repr(sorted((key, str(part)) for key, part in found.items())).encode()).hexdigest()[:8]
    found.setdefault("run", f"run-{told}")
    found.setdefault("measurement_id", f"{found['run']}#0" if name else None)
    if name is not None and is_over_rounds(name) and found["origin"] == "measured" and "rounds" not in given:
        found |= sitting(found)
    return found


def sitting(found: dict[str, Any], count: int = 5) -> dict[str, Any]:
    """Make a row's summary: over five processes whose spread gives the row's low and high, over one where it has none."""
    value, low, high = found["value"], found.pop("low", None), found.pop("high", None)
    values = [value]
    if high is not None:
        step = math.log(high / value) / student_t(count - 1) * math.sqrt(count) / math.sqrt(0.625)
        values = [value * math.exp(step * place) for place in (-1, -0.5, 0, 0.5, 1)]
    first = int(hashlib.sha256(found["run"].encode()).hexdigest()[:4], 16) * 100  # one sitting after the other
    listed = [[turn, first + turn, one] for turn, one in enumerate(values)]
    return {
        "sitting": found["run"], "summary_value": value, "summary_low": low, "summary_high": high,
        "rounds": float(len(values)), "round_values": json.dumps(listed), "round": 0.0, "interval": None,
    }  # fmt: skip


def failed(status: str, reason: str, **given: Any) -> dict[str, Any]:
    """Make the row of a run that is not ok."""
    return row(
        None, None, status=status, reason=reason, slice=None, n=None, protocol=None, protocol_version=None, **given
    )


def size(value: float, **given: Any) -> dict[str, Any]:
    """Make the row of a build's size."""
    return row("artifact_bytes", value, **{**BUILD, **given})


def frame(*rows: dict[str, Any]) -> list[TableRow]:
    """Make rows with all columns, as the database answers them."""
    return rows_of(ResultSet(tuple(COLUMNS), [tuple(one.get(name) for name in COLUMNS) for one in rows]))
