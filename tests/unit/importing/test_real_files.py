"""Files that people have published; skipped where they are not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.importing.import_files import import_files
from harness.store.database import Database
from tests.conftest import extra
from tests.unit.importing.files import runs, values


@pytest.fixture
def published() -> Path:
    return extra("results")


def test_lm_eval_results_keep_their_values_and_errors(published: Path, tmp_path: Path) -> None:
    files = sorted((published / "lm-eval").glob("*.json"))
    found = runs(import_files(files, tmp_path))
    assert len(found) == len(files) == 2
    for run in found:
        assert values(run)["lm_eval.acc"] == pytest.approx(0.688, abs=1e-3)
        assert values(run)["lm_eval.perplexity"] == pytest.approx(4.263, abs=1e-3)
        assert {item.n for item in run.measurements} == {5153}
        acc = next(item for item in run.measurements if item.metric == "lm_eval.acc")
        assert acc.low is not None
        assert acc.value - acc.low == pytest.approx(1.96 * 0.00645, rel=1e-2)
        assert (run.job.spec.workload, run.protocol.dtype) == ({"task": "lambada_openai", "shots": 0}, "float32")
        assert "date-unknown" not in {note.code for note in run.notes}


def test_vllm_results_in_seconds_keep_medians_apart_from_means(published: Path, tmp_path: Path) -> None:
    found = runs(import_files(sorted((published / "vllm-serving").glob("*.json")), tmp_path))
    assert [run.job.spec.workload["prompt"] for run in found] == [2048, 10240]
    assert [run.job.spec.workload["concurrency"] for run in found] == [8, 16]
    for run in found:
        assert {item.slice for item in run.measurements if item.metric == "ttft"} == {"stat:p50", "stat:p99"}
        assert values(run)["output_tps"] == pytest.approx(
            run.protocol.facts["total_output_tokens"] / run.seconds, rel=1e-6
        )
        assert run.job.spec.engine == "unknown", "the file does not say what served it"


def test_optimum_benchmark_results_of_2023_agree_with_the_configurations_beside_them(
    published: Path, tmp_path: Path
) -> None:
    files = sorted((published / "optimum-benchmark").glob("*.csv"))
    found = runs(import_files(files, tmp_path))
    assert len(found) == len(files) == 8
    told = [run for run in found if run.job.labels.model]
    assert [run.job.spec.workload["batch"] for run in told] == [1, 64, 16, 2]
    for run in told:
        numbers, work = values(run), run.job.spec.workload
        assert numbers["e2e_latency"] * numbers["e2e_tps"] == pytest.approx(work["batch"] * work["output"], rel=0.02)
        assert run.environment.gpus[0].name == "NVIDIA A100-SXM4-80GB"
    assert sum("configuration-unknown" in {note.code for note in run.notes} for run in found) == 4


def test_published_files_are_one_table_in_the_database_and_imported_once(published: Path, tmp_path: Path) -> None:
    files = [
        *published.glob("lm-eval/*.json"),
        *published.glob("vllm-serving/*.json"),
        *published.glob("optimum-benchmark/*.csv"),
    ]
    for _ in range(2):
        assert not import_files(files, tmp_path).problems
    with Database.open(tmp_path / "bench.db") as database:
        assert database.count() == len(files) == 12
        frame = database.frame({}, ["origin", "metric_version", "citation"])
    assert set(frame["origin"]) == {"imported"}
    assert set(frame["metric_version"]) == {0}
    assert frame["citation"].notna().all()


def test_a_file_of_another_kind_is_refused(published: Path, tmp_path: Path) -> None:
    imported = import_files([published / "github-action-benchmark" / "data.js"], tmp_path)
    assert "is not a result file of a known format" in str(imported.problems[0])


def test_a_published_page_is_read_with_a_map_to_the_digit(published_pages: Path, tmp_path: Path) -> None:
    pages = [path for path in published_pages.glob("*") if "### 1.1 Performance Comparison" in path.read_text("utf-8")]
    page, map_ = tmp_path / "page.md", tmp_path / "map.yaml"
    page.write_bytes(pages[0].read_bytes())
    compared = "as: {as}, to: {{method: fp16}}"
    map_.write_text(
        "tables: [{table: 1.1 Performance Comparison, header: 1, constants: {method: int4_awq, batch: 1}, columns: {"
        "Model: model, Input Prompt Length: prompt, Output tokens length: output, "
        f"GPU Memory Saving: {{metric: peak_gpu_bytes, {compared.format(**{'as': 'inverse_ratio'})}}}, "
        f"Generation Phase Inference Speedup: {{metric: decode_tps, {compared.format(**{'as': 'ratio'})}}}}}}}]",
        "utf-8",
    )
    found = runs(import_files([page], tmp_path / "results", map_=map_))
    assert [values(run)["decode_tps"] for run in found] == [2.68, 2.51, 3.41, 2.19, 1.94]
    assert [values(run)["peak_gpu_bytes"] for run in found] == [2.44, 2.53, 2.88, 1.96, 1.64]
    assert found[0].job.labels.model == "Llama3.1-8B-Instruct"
    assert found[0].job.spec.workload == {"batch": 1, "prompt": 128, "output": 256}
