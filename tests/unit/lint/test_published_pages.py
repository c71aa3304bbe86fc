"""What the linter finds on pages that others published, and that it finds nothing where nothing is wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.lint.finding import LintFinding
from harness.lint.linter import Linted, lint_files
from tests.conftest import ROOT
from tests.unit.lint.linting import counts, found

H200 = """\
| | | BF16 (8B:TP1, 70B:TP2) | | FP8 (TP1) | | | INT4 AWQ (TP1) | | | W4A8 AWQ (TP1) | |
|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|
| Model | Batch Size | Tokens/sec | | Tokens/sec | Speedup | | Tokens/sec | Speedup | | Tokens/sec | Speedup |
| Llama3.1-8B | 1 | 173.80 | | 245.03 | 1.41x | | 231.75 | 1.33x | | 239.70 | 1.38x |
| | 8 | 803.11 | | 1,051.17 | 1.31x | | 599.72 | 0.75x | | 801.72 | 1.00x |
| | 64 | 1,679.74 | | 2,190.93 | 1.30x | | 1,392.78 | 0.83x | | 1,930.86 | 1.15x |
| Llama3.1-70B | 1 | 45.81 | | 43.46 | 1.90x | | 44.10 | 1.93x | | 46.31 | 2.02x |
| | 8 | 182.61 | | 182.07 | 1.99x | | 93.98 | 1.03x | | 140.02 | 1.53x |
| | 64 | 401.50 | | 420.64 | 2.10x | | 176.68 | 0.88x | | 345.43 | 1.72x |
"""
NORMALIZED = "Config: H200, nvidia-modelopt v0.21.1, TensorRT-LLM v0.15. Speedup is normalized to the GPU count.\n\n"

H100 = """\
| | | | FP8 | | | | INT4 AWQ | |
|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:-:|
| Model | Batch Size | Mem Saving | Tokens/sec | Speedup | | Mem Saving | Tokens/sec | Speedup |
| Llama3-8B | 1 | 1.63x | 175.42 | 1.26x | | 2.34x | 213.45 | 1.53x |
| | 32 | 1.62x | 3399.84 | 1.49x | | 1.89x | 2546.12 | 1.11x |
| Llama3-70B | 1 | 1.96x | 32.85 | 1.87x | | 3.47x | 47.49 | 2.70x |
| | 32 | 1.93x | 462.69 | 1.82x | | 2.62x | 365.06 | 1.44x |
"""


def page(folder: Path, number: str) -> Linted:
    (path,) = folder.glob(f"{number}_*.txt")
    return lint_files([path])


def by_rule(linted: Linted) -> Counter[str]:
    return Counter(one.rule for one in linted.findings)


def of_rule(linted: Linted, rule: str) -> list[LintFinding]:
    return [one for one in linted.findings if one.rule == rule]


@pytest.mark.parametrize("text", [NORMALIZED + H200, H200])
def test_the_h200_table_has_no_finding_and_all_18_speed_ups_are_checked(text: str) -> None:
    assert found(text) == []
    assert counts(text, "derived-value") == (0, 18)


def test_each_wrong_speed_up_of_the_h200_table_is_found() -> None:
    for right, wrong in (("1.90x", "0.95x"), ("1.31x", "1.34x"), ("0.88x", "0.90x")):
        (one,) = found(NORMALIZED + H200.replace(right, wrong))
        assert one.rule == "derived-value"
        assert one.message.startswith(wrong)


def test_the_h100_table_fits_one_hidden_baseline_in_each_row() -> None:
    text = NORMALIZED + H100
    assert counts(text, "hidden-baseline") == (0, 4)
    assert {(one.rule, one.column) for one in found(text)} == {
        ("baseline-missing", "FP8 Mem Saving"),
        ("baseline-missing", "INT4 AWQ Mem Saving"),
    }


def test_the_latency_improvements_of_bitsandbytes_are_found(published_pages: Path) -> None:
    linted = page(published_pages, "004")
    tallies = {one.rule: (one.found, one.checked) for one in linted.tallies}
    assert tallies["improvement-convention"] == (27, 47)
    assert tallies["derived-value"] == (0, 94), "both improvement columns follow their formula in every row"
    rows = of_rule(linted, "improvement-convention")
    assert {one.column for one in rows} == {"Latency Improvement"}
    assert all("one plus the reduction" in one.message for one in rows)


def test_three_of_127_latencies_contradict_their_throughput(published_pages: Path) -> None:
    linted = page(published_pages, "004")
    tallies = {one.rule: (one.found, one.checked) for one in linted.tallies}
    assert tallies["latency-times-throughput"] == (3, 127)
    first = [one.message.split(" is ")[0] for one in of_rule(linted, "latency-times-throughput")]
    assert first == [
        "latency 0.0478 times throughput 164.55",
        "latency 0.0331 times throughput 30.14",
        "latency 0.0545 times throughput 586.26",
    ]


def test_nothing_else_is_found_on_the_published_pages(published_pages: Path) -> None:
    rules = {number: by_rule(page(published_pages, number)) for number in ("000", "001", "002", "003", "004")}
    assert rules == {
        "000": {"baseline-missing": 2},
        "001": {"baseline-missing": 5},
        "002": {"points-as-percent": 3},
        "003": {},
        "004": {"improvement-convention": 27, "latency-times-throughput": 3, "unit-missing": 10},
    }


def test_ratios_without_inputs_are_those_of_savings_speed_ups_and_losses(published_pages: Path) -> None:
    columns = [one.column for number in ("000", "001") for one in page(published_pages, number).findings]
    assert columns == [
        "GPU Memory Saving",
        "Generation Phase Inference Speedup",
        "FP8 Mem Saving",
        "INT4 AWQ Mem Saving",
        "FP8",
        "INT4 AWQ",
        "Inference speedup (compared to the FP8 dense model)",
    ]


def test_our_own_tables_of_measured_results_have_no_finding() -> None:
    assert lint_files([ROOT / "README.md", ROOT / "reports" / "quickstart.md"]).findings == ()
