"""Each format: what its numbers become, and what is not guessed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.core.metric import METRICS, metric
from harness.importing.import_files import lines
from harness.store.arrays import read_arrays
from tests.unit.importing.files import (
    as_csv,
    genai,
    llama,
    lm_eval,
    optimum,
    problem,
    runs,
    take,
    trtllm,
    values,
    vllm,
    write,
)


def test_a_genai_record_becomes_a_run_with_the_numbers_that_mean_the_same(tmp_path: Path) -> None:
    imported = take(write(tmp_path, "genai.json", [genai()]))
    (run,) = runs(imported)
    assert values(run) == {
        "prefill_tps": 4000.0, "ttft": 0.07, "decode_tps": 160.0, "per_token_latency": 0.0125, "e2e_latency": 0.96,
        "total_tps": 400.0, "peak_gpu_bytes": 1.5 * (1 << 30),
    }  # fmt: skip
    assert run.job.spec.workload == {"batch": 2, "prompt": 128, "output": 64}
    assert (run.job.labels.model, run.job.labels.method, run.provider) == ("toy", "int4", "cuda")
    assert run.environment.packages == {"onnxruntime-genai-cuda": "0.9.2"}
    assert (run.protocol.warmups, run.protocol.repetitions) == (None, None), (
        "the file's own are constants of the script"
    )
    assert {item.metric_version for item in run.measurements} == {0}
    assert [note.code for note in run.notes] == ["definition", "time-zone-unknown"]
    assert imported.files[0].left == ()


def test_genai_csv_is_read_as_its_json(tmp_path: Path) -> None:
    row = {"config.batch_size": 2, "config.prompt_length": 128, "metrics.token_generation_throughput_tps": 160.0,
           "metrics.new_thing": 1, "trigger_date": "2026-01-31 12:00:00", "config.model_info.full_name": "toy"}  # fmt: skip
    imported = take(write(tmp_path, "genai.csv", as_csv(row)))
    (run,) = runs(imported)
    assert values(run) == {"decode_tps": 160.0}
    assert run.job.spec.workload == {"batch": 2, "prompt": 128}
    assert imported.files[0].left == ("metrics.new_thing",)


def test_llama_bench_tests_of_reading_writing_and_both_are_different_metrics(tmp_path: Path) -> None:
    found = runs(take(write(tmp_path, "llama.json", [llama(500, 0), llama(0, 500), llama(300, 200)])))
    assert [list(dict.fromkeys(item.metric for item in run.measurements)) for run in found] == [
        ["prefill_tps", "prefill_latency"],
        ["decode_tps", "decode_latency"],
        ["total_tps", "e2e_latency"],
    ]
    read = found[0]
    assert values(read)["prefill_latency"] == 2.0
    assert read.measurements[0].samples == (249.0, 251.0)
    assert read.job.spec.workload == {"batch": 1, "prompt": 500, "output": 0, "depth": 0}
    assert read.job.spec.engine_options == {"n_batch": 2048, "n_threads": 8, "type_k": "f16", "n_gpu_layers": -1}
    assert read.job.labels.model == "toy-Q4_K_M"
    assert "somebody" not in read.model_dump_json()
    assert read.environment.packages == {"llama.cpp": "b77@abc1234"}
    assert [gpu.name for gpu in read.environment.gpus] == ["Example GPU"]
    assert read.started.isoformat() == "2026-01-31T12:00:00+00:00"
    assert len({run.job.key for run in found}) == 3


@pytest.mark.parametrize("name", ["llama.jsonl", "llama.csv"])
def test_llama_bench_lines_and_csv_are_read_as_its_json(tmp_path: Path, name: str) -> None:
    tests = [llama(500, 0), llama(0, 500)]
    lists = ("samples_ns", "samples_ts")
    flat = [{key: str(value) for key, value in test.items() if key not in lists} for test in tests]
    text = as_csv(*flat) if name.endswith("csv") else "\n".join(json.dumps(test) for test in tests)
    assert [values(run)[rate] for run, rate in zip(runs(take(write(tmp_path, name, text))), ("prefill_tps", "decode_tps"), strict=True)] == [250.0, 250.0]  # fmt: skip


def test_a_vllm_result_keeps_medians_and_percentiles_as_parts(tmp_path: Path) -> None:
    (run,) = runs(take(write(tmp_path, "vllm.json", vllm())))
    found = values(run)
    assert found["ttft"] == pytest.approx(0.2)
    assert found["ttft", "stat:p50"] == pytest.approx(0.19)
    assert found["ttft", "stat:p99"] == pytest.approx(0.29)
    assert found["ttft", "stat:stdev"] == pytest.approx(0.01)
    assert (found["request_throughput"], found["output_tps"], found["total_tps"]) == (0.75, 3.75, 11.25)
    assert run.job.spec.workload == {"prompt": 10, "output": 5, "concurrency": 2, "request_rate": "inf"}
    assert (run.job.spec.engine, run.job.labels.model, run.seconds) == ("vllm", "org/toy", 4.0)
    assert run.environment.gpus == ()


def test_a_detailed_vllm_result_keeps_its_samples_without_the_failed_requests(tmp_path: Path) -> None:
    detailed = vllm(ttfts=[0.1, 0.2, 0.0, 0.3], itls=[[0.02] * 40, [0.01], [], [0.03] * 40], errors=["", "", "timeout", ""],
                    generated_texts=["a"] * 4, input_lens=[10] * 4)  # fmt: skip
    imported = take(write(tmp_path, "vllm.json", detailed))
    (run,) = runs(imported)
    kept = {item.metric: item for item in run.measurements if not item.slice}
    assert kept["ttft"].samples == (0.1, 0.2, 0.3)
    assert kept["itl"].array.shape == (81,)
    folder = tmp_path / "results" / "runs" / run.job.run
    assert np.isclose(read_arrays(folder / "arrays.npz")["itl.all"].sum(), 2.01)
    assert imported.files[0].left == ()


def test_serving_results_in_seconds_are_not_taken_for_milliseconds(tmp_path: Path) -> None:
    plain = {
        name: value
        for name, value in vllm().items()
        if not name.endswith("_ms") and name not in {"backend", "endpoint_type"}
    }
    (run,) = runs(take(write(tmp_path, "seconds.json", plain | {"median_ttft": 0.19, "p99_e2el": 1.5})))
    assert values(run)["ttft", "stat:p50"] == 0.19
    assert values(run)["e2e_latency", "stat:p99"] == 1.5
    assert "ttft" not in values(run), "a mean that is not there is not made"
    assert run.job.spec.engine == "unknown"
    refused = problem(take(write(tmp_path, "wrong.json", plain | {"median_ttft": 190.0})))
    assert "'median_ttft' is 190 s, longer than the whole run of 4 s" in refused


def test_a_trtllm_report_keeps_output_rates_apart_by_what_they_count(tmp_path: Path) -> None:
    imported = take(write(tmp_path, "report.json", trtllm()))
    (run,) = runs(imported)
    found = values(run)
    assert (found["output_tps"], found["gpu_tps"], found["request_throughput"]) == (258.0, 129.0, 4.0)
    assert found["e2e_latency"] == pytest.approx(0.41)
    assert found["e2e_latency", "stat:p95"] == pytest.approx(0.48)
    assert found["ttft"] == pytest.approx(0.09)
    assert run.job.spec.workload == {"prompt": 128, "output": 64.5}
    assert (run.job.labels.model, run.job.labels.method) == ("org/toy", "FP8")
    assert run.protocol.gpu_count == 2
    assert [gpu.memory_bytes for gpu in run.environment.gpus] == [80 << 30] * 2
    assert run.protocol.facts["world_info.max_batch_size"] == 64
    assert "batch" not in run.job.spec.workload
    assert "somebody" not in run.model_dump_json()
    assert imported.files[0].left == ()


def test_lm_eval_results_become_a_run_for_each_task_that_was_asked_for(tmp_path: Path) -> None:
    imported = take(write(tmp_path, "results.json", lm_eval()))
    mmlu, gsm8k = sorted(runs(imported), key=lambda run: run.job.spec.workload["task"], reverse=True)
    assert values(mmlu) == {
        "lm_eval.acc": 0.5,
        ("lm_eval.acc", "task:mmlu_a"): 0.25,
        ("lm_eval.acc", "task:mmlu_b"): 0.75,
    }
    assert values(gsm8k) == {"lm_eval.exact_match_strict-match": 0.125, "lm_eval.exact_match_flexible-extract": 0.25}
    assert mmlu.job.spec.workload == {"task": "mmlu", "shots": 5, "limit": 10}
    whole, first, second = mmlu.measurements
    assert (whole.n, first.n) == (20, 10)
    assert whole.low == pytest.approx(0.5 - 0.196, abs=1e-4)
    assert whole.interval == "1.96 standard errors of lm-eval"
    assert (second.low, second.interval) == (None, None)
    assert mmlu.job.kind == "quality"
    assert (mmlu.job.spec.engine, mmlu.job.labels.model, mmlu.protocol.dtype) == ("transformers", "toy", "float16")
    assert mmlu.environment.gpus[0].name == "Example GPU"
    assert (mmlu.environment.python, mmlu.environment.cuda, mmlu.environment.cpu) == ("3.11.7", "12.8", "Example CPU")
    assert mmlu.started.isoformat() == "2026-01-31T12:00:00+00:00"
    assert "somebody" not in mmlu.model_dump_json()


def test_lm_eval_answers_beside_the_results_become_samples_where_their_mean_is_the_result(tmp_path: Path) -> None:
    def rows(*right: int) -> str:
        found = [{"doc_id": place, "filter": "none", "doc_hash": f"d{place}", "target_hash": "t", "acc": value}
                 for place, value in enumerate(right)]  # fmt: skip
        return "\n".join(json.dumps(row) for row in reversed(found))

    write(tmp_path, "samples_mmlu_a_2026.jsonl", rows(0, 1, 0, 0))
    write(tmp_path, "samples_mmlu_b_2026.jsonl", rows(1, 1, 0, 1))
    found = runs(take(write(tmp_path, "results_2026.json", lm_eval())))
    (mmlu,) = (run for run in found if run.job.spec.workload["task"] == "mmlu")
    whole, first, second = mmlu.measurements
    assert (whole.samples, first.samples) == ((0, 1, 0, 0, 1, 1, 0, 1), (0, 1, 0, 0))
    assert (whole.n, first.items == second.items, first.items == whole.items) == (8, True, False)
    assert mmlu.protocol.facts["samples_files"][0].startswith("samples_mmlu_a_2026.jsonl ")
    other = tmp_path / "other"
    other.mkdir()
    write(other, "samples_mmlu_a_2026.jsonl", rows(1, 1, 1, 1))
    write(other, "samples_mmlu_b_2026.jsonl", rows(1, 1, 0, 1))
    found = runs(take(write(other, "results_2026.json", lm_eval())))
    assert [len(item.samples) for run in found for item in run.measurements if item.slice] == [0, 4]


def test_an_optimum_benchmark_file_holds_configuration_and_report(tmp_path: Path) -> None:
    imported = take(write(tmp_path, "benchmark.json", optimum()))
    (run,) = runs(imported)
    found = values(run)
    assert (found["load_seconds"], found["e2e_latency"], found["prefill_latency"]) == (2.0, 2.0, 0.5)
    assert (found["prefill_sps"], found["decode_tps"], found["per_token_latency"]) == (8.0, 18.5, 0.1875)
    memory = {(item.metric, item.source): item.value for item in run.measurements if item.slice == "phase:prefill"}
    assert memory == {
        ("peak_rss_bytes", "rss"): 900e6, ("peak_gpu_bytes", "device"): 800e6, ("peak_gpu_bytes", "nvml-process"): 700e6,
        ("peak_torch_bytes", "torch"): 500e6, ("peak_torch_reserved_bytes", "torch"): 600e6,
    }  # fmt: skip
    assert next(item for item in run.measurements if item.metric == "prefill_latency").samples == (0.5, 0.25, 0.75)
    assert run.job.spec.workload == {"batch": 4, "prompt": 32, "output": 8}
    assert (run.job.spec.engine, run.job.labels.model, run.job.labels.method) == ("transformers", "org/toy", "bnb")
    assert (run.environment.cores, run.environment.memory_bytes) == (8, 64_000_000_000)
    assert run.environment.packages["optimum-benchmark"] == "0.6.0@abc1234"
    assert run.environment.packages["torch"] == "2.8.0"
    assert (run.protocol.gpu_count, run.protocol.warmups, run.protocol.dtype) == (2, 3, "float16")
    assert imported.files[0].left == ("report.generate.throughput.value",)


def test_an_optimum_benchmark_report_takes_its_configuration_from_the_file_beside_it(tmp_path: Path) -> None:
    whole = optimum()
    report = write(tmp_path, "benchmark_report.json", whole["report"])
    (alone,) = runs(take(report))
    assert alone.job.spec.workload == {}
    assert (alone.job.labels.model, alone.job.spec.engine) == ("", "unknown")
    other = tmp_path / "other"
    other.mkdir()
    write(other, "benchmark_config.json", whole["config"])
    (run,) = runs(take(write(other, "benchmark_report.json", whole["report"])))
    assert run.job.spec.workload == {"batch": 4, "prompt": 32, "output": 8}
    assert run.protocol.facts["config_file"] == "benchmark_config.json"
    assert len(run.protocol.facts["config_sha256"]) == 64


def test_a_flat_optimum_benchmark_csv_is_read_as_its_json(tmp_path: Path) -> None:
    row = {"config.backend.name": "pytorch", "config.environment.gpu": "['Example GPU', 'Example GPU']",
           "prefill.latency.unit": "s", "prefill.latency.values": "[0.5, 0.25]", "prefill.latency.mean": 0.375,
           "prefill.memory.unit": "MB", "prefill.memory.max_vram": 3.0, "decode.throughput.unit": "tokens/s",
           "decode.throughput.value": 20.0}  # fmt: skip
    (run,) = runs(take(write(tmp_path, "report.csv", as_csv(row))))
    assert values(run) == {"prefill_latency": 0.375, "decode_tps": 20.0, ("peak_gpu_bytes", "phase:prefill"): 3e6}
    assert run.measurements[0].samples == (0.5, 0.25)
    assert [gpu.name for gpu in run.environment.gpus] == ["Example GPU"] * 2


def _row(**rest: float) -> dict[str, float]:
    return {"forward.latency(s)": 0.5, "forward.throughput(samples/s)": 8.0, "forward.peak_memory(MB)": 100.0, **rest}


_CONFIG = """
backend: {name: pytorch, version: "${pytorch_version:}", torch_dtype: float16, quantization_scheme: gptq}
benchmark: {name: inference, warmup_runs: 10, new_tokens: 16, input_shapes: {batch_size: %d, sequence_length: 32}}
model: org/toy
device: cuda
environment: {cpu: " Example CPU", gpus: [Example GPU], transformers_version: 4.35.2, transformers_commit: null}
"""


def test_results_of_2023_take_their_configuration_where_its_batch_is_theirs(tmp_path: Path) -> None:
    path = write(tmp_path, "inference_results.csv", as_csv(_row()))
    write(tmp_path, "hydra_config.yaml", _CONFIG % 4)
    (run,) = runs(take(path))
    assert run.job.spec.workload == {"batch": 4, "prompt": 32, "output": 16}
    assert (run.job.labels.model, run.job.labels.method) == ("org/toy", "gptq")
    assert values(run)["peak_gpu_bytes", "phase:forward"] == 100e6
    assert run.environment.packages == {"transformers": "4.35.2"}
    assert "${" not in run.model_dump_json()


def test_results_of_2023_refuse_a_configuration_that_contradicts_them(tmp_path: Path) -> None:
    path = write(tmp_path, "inference_results.csv", as_csv(_row()))
    write(tmp_path, "hydra_config.yaml", _CONFIG % 64)
    imported = take(path)
    (run,) = runs(imported)
    assert run.job.spec.workload == {}
    assert imported.files[0].left == ("forward.peak_memory(MB)",), "whose memory it is depends on the device"
    assert "another batch size" in "\n".join(lines(imported))


def test_every_metric_that_readers_name_is_known() -> None:
    from harness.formats import genai as g
    from harness.formats import llama_bench, optimum_benchmark, optimum_benchmark_2023, trtllm_bench, vllm_serving

    named = {name for pair in llama_bench._METRICS.values() for name in pair}
    named |= {*optimum_benchmark._LATENCY.values(), *optimum_benchmark._THROUGHPUT.values()}
    named |= {name for name, _ in optimum_benchmark._MEMORY.values()} | set(vllm_serving._LATENCIES.values())
    named |= {name for _, name in optimum_benchmark_2023._SPEED} | {name for _, name, _ in trtllm_bench._VALUES}
    assert g.FORMAT.name == "onnxruntime-genai"
    assert named <= set(METRICS)
    assert all(metric(name).definition for name in named)
