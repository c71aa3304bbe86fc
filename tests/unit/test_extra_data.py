"""What runs on extra data alone has a small counterpart that runs everywhere; whoever lacks the data is told in one line."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = {"shared_data", "sketches", "published_pages"}
MARKS = ("extra(", "cases: Path")
"""What else asks for extra data, in a file's text."""
COUNTERPARTS = {
    "tests/test_published_pages.py": "tests/unit/tables/test_styles.py::test_groups_stand_in_a_row_of_their_own_with_a_column_between_them",
    "tests/real/test_mmlu.py": "tests/unit/probes/test_mmlu_modelopt.py::test_accuracy_is_a_micro_average_of_stripped_beginnings",
    "tests/real/test_verified_cases.py": "tests/unit/runner/test_verified.py",
    "tests/unit/adopting/test_seed_pages.py": "tests/unit/adopting/test_adopt.py::test_every_shape_is_carried_and_the_page_gains_nothing_but_markers",
    "tests/unit/comparing/test_answers.py": "tests/unit/comparing/test_answers.py::test_results_files_lead_to_the_answers_beside_them",
    "tests/unit/engines/test_given_models.py": "tests/unit/engines/test_model_kinds.py::test_a_window_has_the_log_probabilities_of_one_whole_pass",
    "tests/unit/importing/test_real_files.py": "tests/unit/importing/test_formats.py::test_a_vllm_result_keeps_medians_and_percentiles_as_parts",
    "tests/unit/lint/test_published_pages.py": "tests/unit/lint/test_derived_rules.py::test_latency_times_throughput_is_the_batch_size",
    "tests/unit/numbers/test_change_points.py": "tests/unit/numbers/test_change_points.py::test_several_steps_are_found_in_order_with_the_levels_beside_them",
    "tests/unit/plan/test_configs.py": "tests/unit/plan/test_configs.py::test_the_gpu_sweep_is_planned_with_its_reasons_where_there_is_none",
    "tests/unit/probes/test_lm_eval.py": "tests/unit/probes/test_lm_eval_peer.py::test_whole_texts_have_the_log_likelihood_of_lm_evals_own_backend_with_and_without_bos",
    "tests/unit/probes/test_mmlu_modelopt.py": "tests/unit/probes/test_mmlu_modelopt.py::test_a_column_reads_as_pandas_reads_it",
    "tests/unit/probes/test_perplexity.py": "tests/unit/probes/test_perplexity_peer.py::test_a_small_model_has_the_perplexity_of_plain_torch",
    "tests/unit/quantizers/test_ort_genai.py": "tests/unit/quantizers/test_odd_models.py",
    "tests/unit/tables/test_specfile.py": "tests/unit/tables/test_specfile.py::test_the_shipped_tables_parse",
    "tests/unit/test_change_point_figures.py": "tests/unit/test_change_point_figures.py::test_a_figure_has_a_line_at_each_place_found_and_says_what_was_marked",
    "tests/unit/test_questions.py": "tests/unit/test_questions.py::test_none_and_na_are_text",
    "tests/unit/test_texts.py": "tests/unit/test_texts.py::test_raw_wikitext_is_the_join_of_the_published_rows",
}
"""File with tests on extra data -> a test of the same behaviour on what is made anew."""


def _tests(path: Path) -> dict[str, set[str]]:
    """Return the tests of a file with the names of their arguments."""
    return {
        node.name: {argument.arg for argument in node.args.args}
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


def _needs(path: Path) -> bool:
    asked = any(FIXTURES & arguments for name, arguments in _tests(path).items() if name.startswith("test_"))
    return asked or any(mark in path.read_text("utf-8") for mark in MARKS)


FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "tests").rglob("test_*.py")
    if "gpu" not in path.parts and path.name != Path(__file__).name and _needs(path)
)


@pytest.mark.parametrize("file", FILES)
def test_what_needs_extra_data_has_a_counterpart_that_does_not(file: str) -> None:
    place, _, name = COUNTERPARTS[file].partition("::")
    tests = _tests(ROOT / place)
    assert not FIXTURES & tests[name] if name else not _needs(ROOT / place)


SMALL = """
from tests.conftest import extra, pytest_terminal_summary, shared_data
import pytest

@pytest.mark.parametrize("number", range(3))
def test_on_extra_data(shared_data, number): ...

def test_on_something_else():
    pytest.skip("no strace here")
"""


def test_who_has_no_extra_data_is_told_in_one_line_and_of_other_skips_each(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_terminal_summary, shared_data\n", "utf-8")
    (tmp_path / "test_small.py").write_text(SMALL, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    environment = {**os.environ, "HARNESS_TEST_DATA": str(tmp_path / "nowhere"), "PYTHONPATH": str(ROOT)}
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stdout
    assert "3 tests need extra data: set HARNESS_TEST_DATA (CONTRIBUTING.md)" in out
    assert out.count("extra data:") == 1, out
    assert "no strace here" in out
