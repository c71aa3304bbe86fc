"""A comparison as Markdown and as JSON: what is said, and that GitHub reads it as tables."""

from __future__ import annotations

import json
import math

from harness.comparing.comparison import ComparedNumber, Flip, judged_together
from harness.comparing.evidence import counted, student
from harness.comparing.gate import Gate, Margin
from harness.comparing.record import to_record
from harness.comparing.text import to_text
from harness.comparing.verdict import ChangeEstimate
from harness.core.metric import METRICS, lm_eval_metric

GATE = Gate({"speed": Margin(0.05, relative=True), "size": Margin(0.01, relative=True)})
SLOWER = ChangeEstimate(
    math.log(0.9),
    student(math.log(0.9), 0.01, 14),
    "Welch's between processes, 8 and 8 of them",
    log=True,
    at_pace=True,
)
FLIPS = tuple(
    Flip(f"{number}", gained=number % 2 == 0, question="a | b?", right="c", answers=("d", "c")) for number in range(5)
)
ACC = lm_eval_metric("acc")
FOUND = (
    ComparedNumber("int4", METRICS["decode_tps"], "higher", (1000.0, 900.0), SLOWER),
    ComparedNumber("int4", METRICS["artifact_bytes"], "lower", (100.0, 100.0), counted((100.0, 100.0))),
    ComparedNumber(
        "",
        ACC,
        "higher",
        (0.5, 0.6),
        ChangeEstimate(0.1, student(0.1, 0.2, 50), "mid-p", p=0.4),
        flips=FLIPS,
        moved=(3, 2),
    ),
    ComparedNumber("int4", METRICS["ttft"], "lower", (1.0, None), why="method int8 does not have it", weight="missing"),
    ComparedNumber("int4", METRICS["build_seconds"], "lower", (1.0, 2.0), why="one build of each", weight="told"),
)
RESULT = judged_together(("method fp32", "method int8"), FOUND, GATE, ("environment: a and b",))


def test_a_page_says_verdicts_what_is_missing_flips_and_how_it_was_judged() -> None:
    text = to_text(RESULT, 3)
    assert "**1 worse, 1 same, 1 cannot tell, 1 missing**" in text
    assert "| Decode, int4 | 1000 | 900 | -10.00% [-11.91%, -8.05%] ‡ | **worse** | < 0.001 | 5 % |" in text
    assert "| Size on disk, int4 | 100 | 100 | +0.00% | same | - | 1 % | - |" in text
    assert "- Time to first token, int4: method int8 does not have it" in text
    assert "B gained 3 and lost 2 questions; 3 of 5 are shown" in text
    assert "| 0: a \\| b? | gained | c | d | c |" in text
    assert "adjusted for 2 comparisons" in text
    assert "- environment: a and b" in text


def test_no_flips_are_shown_where_none_are_wanted() -> None:
    assert "a \\| b?" not in to_text(RESULT, 0)


def test_exit_codes_say_worse_before_missing_before_nothing() -> None:
    def code(*found: ComparedNumber) -> int:
        return judged_together(("a", "b"), found, GATE).exit_code

    worse, same, unsure, missing, told = FOUND
    assert [code(worse, missing), code(same, missing), code(told), code(), code(same, unsure, told)] == [1, 3, 3, 3, 0]


def test_json_is_finite_and_gives_ratios_as_shares() -> None:
    record = json.loads(json.dumps(to_record(RESULT), allow_nan=False))
    decode = record["comparisons"][0]
    assert (decode["verdict"], round(decode["change"], 6), decode["relative"]) == ("worse", -0.1, True)
    assert record["exit_code"] == 1
    assert [one["why"] for one in (*record["missing"], *record["not_judged"])] == [
        "method int8 does not have it",
        "one build of each",
    ]
