"""What marks the numbers of a session is told at its end."""

from __future__ import annotations

import json

from harness.core.marks import MARKS
from harness.tables.session_notes import marked
from tests.unit.tables.frames import failed, frame, row


def noted(code: str, text: str) -> str:
    return json.dumps([{"code": code, "text": text}])


def test_each_mark_is_told_once_with_the_jobs_that_bear_it() -> None:
    rows = [row("decode_tps", 10.0, method=f"m{place}", marks=noted("unstable", f"by {place} %")) for place in range(5)]
    rows += [row("ttft", 0.1, method="m0", marks=noted("unstable", "by 0 %"), run=rows[0]["run"])]
    rows += [row("perplexity", 2.0, kind="quality", probe="perplexity", notes=noted("unverified", "needs 280 GB"))]
    rows += [row("decode_tps", 9.0, method="quiet", notes=noted("gpu-process-unseen", "NVML"), marks=None)]
    rows += [failed("oom", "killed", notes=noted("unstable", "it failed"))]
    lines = marked(frame(*rows))
    assert len(lines) == 2
    assert lines[0].startswith("unstable (5 jobs: m m0 generation ort-genai cpu batch 1 prompt 128 output 64, m m1 ")
    assert lines[0].endswith(" and 2 more): by 0 to 4 %")
    assert lines[1].startswith("unverified (1 job: m fp32 perplexity ")
    assert lines[1].endswith("): needs 280 GB")


def test_a_session_without_marks_says_nothing() -> None:
    assert marked(frame(row("decode_tps", 10.0))) == []
    assert all(MARKS.values())
