"""What a caption tells."""

from __future__ import annotations

from typing import Any

from tests.unit.tables.frames import QUALITY, row
from tests.unit.tables.texts import SPEED


def test_the_caption_says_where_when_and_how(table: Any) -> None:
    made = table(SPEED, row("decode_tps", 10.0), row("decode_tps", 20.0, method="int4", started="2026-02-01T01:00:00+00:00"),
                 packages=lambda _: {"onnxruntime": "1.28.0", "torch": "2.13.0+cpu", "rich": "14"})  # fmt: skip
    assert made.caption == (
        "Configuration: Example CPU (2 cores), Linux, Python 3.11.9, onnxruntime 1.28.0, torch 2.13.0+cpu.",
        "Measured 2026-01-31 to 2026-02-01 (UTC).",
        "Speed and memory: each number is that of 1 process of its latest session; no interval below 3 processes.",
        "Decode: protocol e2e v1, batch 1, 128 prompt tokens, 64 output tokens, 1 warm-up, 5 repetitions.",
    )


def test_the_caption_counts_what_was_cut_and_limited(table: Any) -> None:
    made = table("t: {rows: [method], cells: {A: {metric: mmlu_acc}}}",
                 row("mmlu_acc", 0.8, **{**QUALITY, "scored": 1234.0, "truncated": 7.0, "skipped": 0.0, "limit": 50.0, "beyond_trained": 3.0, "bos": True, "shots": 5.0}))  # fmt: skip
    assert made.caption[-1] == (
        "Accuracy (greedy two tokens): protocol e2e v1, batch 1, 5 shots, limit 50, 1,234 scored, 7 truncated, "
        "3 beyond the trained positions, BOS added."
    ).replace("batch 1, ", "")
