"""The examples of reports/README.md, rendered from a small made-up sweep."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.tables.markdown import pipe_table
from harness.tables.question import CellReader
from harness.tables.specfile import read_specs
from harness.tables.table import build
from tests.unit.tables.frames import CATALOGUE, QUALITY, failed, frame, row, size

PAGE = Path(__file__).resolve().parents[3] / "reports" / "README.md"
EXAMPLE = re.compile(r"```yaml\n(?P<spec>.*?)```\n\n```text\n(?P<table>.*?)```", re.DOTALL)


FLOAT, BLOCKS = "head float32; embedding float32", "int4 b32 sym"
SCHEMES: dict[str, dict[str, Any]] = {
    "fp32": {"scheme": f"float32 x20; {FLOAT}", "bits_per_weight": 32.0},
    "int8": {"scheme": f"int8 channel sym x20; {FLOAT}", "bits_per_weight": 11.094},
    "int4": {"scheme": f"{BLOCKS} x20; head {BLOCKS}; embedding {BLOCKS}", "bits_per_weight": 5.0},
}


def sweep() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Make the rows of the sweep and the samples behind them."""
    rng = np.random.default_rng(7)
    right = rng.random(400) < 0.82
    answers = {"fp32": right, "int4": right ^ (rng.random(400) < 0.06)}
    rows: list[dict[str, Any]] = []
    samples: dict[str, Any] = {}
    for method, tps, half, ppl in (("fp32", 51.24, 0.6, 25.5), ("int8", 98.1, 1.2, 25.61), ("int4", 137.3, 1.9, 26.94)):
        speed = {"method": method, "run": f"speed-{method}", **SCHEMES[method]}
        rows.append(row("decode_tps", tps, low=tps - half, high=tps + half, measurement_id=f"{method}-tps", **speed))
        rows.append(size({"fp32": 16.9e6, "int8": 9.44e6, "int4": 6.12e6}[method], method=method))
        if method != "int8":
            rows.append(row("ttft", 2.5 / tps, measurement_id=f"{method}-ttft", **speed))
            rows.append(row("per_token_latency", 1 / tps, measurement_id=f"{method}-steps", **speed))
            samples[f"{method}-steps"] = rng.normal(1 / tps, 0.05 / tps, (5, 63))
            rows.append(row("perplexity", ppl, method=method, **QUALITY))
            rows += quality(method, answers[method])
            samples[f"{method}-acc"] = answers[method]
    rows.append(failed("oom", "killed for memory while loading", method="int8", batch=1.0))
    return rows, samples


def quality(method: str, correct: Any) -> list[dict[str, Any]]:
    share = float(correct.mean())
    facts = {**QUALITY, "method": method, "run": f"quality-{method}", "items": "h"}
    whole = row("mmlu_acc", share, low=share - 0.037, high=share + 0.037, measurement_id=f"{method}-acc", **facts)
    parts = {"stratum:seen": correct[:200], "stratum:new": correct[200:]}
    return [whole, *(row("mmlu_acc", float(part.mean()), slice=name, **facts) for name, part in parts.items())]


def rendered(spec: str, folder: Path) -> str:
    path = folder / "demo.tables.yaml"
    path.write_text(spec, encoding="utf-8")
    rows, samples = sweep()
    if "ttft" not in spec:
        rows = [one for one in rows if one["status"] == "ok"]
    table = build(read_specs(path)[0], frame(*rows), CATALOGUE, CellReader(samples=samples.get))
    notes = [f"{place} {note}" for place, note in enumerate(table.notes, start=1)]
    return "\n".join([*pipe_table(table.sections[0]), *notes]) + "\n"


@pytest.mark.parametrize(
    "example", list(EXAMPLE.finditer(PAGE.read_text(encoding="utf-8"))), ids=lambda found: found["spec"].split(":")[0]
)
def test_an_example_of_the_page_renders_as_it_says(example: re.Match[str], tmp_path: Path) -> None:
    assert rendered(example["spec"], tmp_path) == example["table"]


def test_the_page_has_examples() -> None:
    assert len(EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))) >= 3


def test_the_page_tells_every_key(tmp_path: Path) -> None:
    from harness.tables.compare import COMPARISONS
    from harness.tables.specentries import STATS, CellEntry, TableEntry

    keys = [field.alias or name for entry in (TableEntry, CellEntry) for name, field in entry.model_fields.items()]
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*keys, *STATS, *COMPARISONS) if f"`{name}`" not in text] == []
