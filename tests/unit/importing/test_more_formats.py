"""GenAI's older CSV, SGLang's serving benchmark, and models whose files have one name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.store.database import Database
from tests.unit.importing.files import as_csv, llama, lm_eval, optimum, runs, take, trtllm, values, write

OLD: dict[str, Any] = {
    "Batch Size": 2, "Prompt Length": 64, "Tokens Generated": 32, "Max Length": 96, "Tokenization Throughput (tps)": 9e4,
    "Tokenization Latency (ms)": 1.5, "Prompt Processing Throughput (tps)": 2000.0, "Prompt Processing Latency (ms)": 0.5,
    "Token Generation Throughput (tps)": 160.0, "Token Generation Latency (ms)": 12.5, "Sampling Throughput (tps)": 8000.0,
    "Sampling Latency (ms)": 0.25, "Wall Clock Throughput (tps)": 400.0, "Wall Clock Time (s)": 0.48,
    "peak_cpu_memory (GiB)": 2.0,
}  # fmt: skip
EXPECTED = {
    "prefill_tps": 2000.0, "decode_tps": 160.0, "per_token_latency": 0.0125, "tokenization_latency": 0.0015,
    "sampling_latency": 0.00025, "total_tps": 400.0, "e2e_latency": 0.48, "peak_system_bytes": float(2 << 30),
}  # fmt: skip


def sglang(**rest: Any) -> dict[str, Any]:
    server = {
        "model_path": "/home/somebody/models/Toy-7B", "served_model_name": "toy-7b", "host": "192.0.2.7", "port": 31234,
        "api_key": "secret-key-9", "admin_api_key": "secret-key-8", "dist_init_addr": "rack3.example.org:5000",
        "nccl_init_addr": "rack3:1", "log_requests_target": ["/home/somebody/logs"], "tp_size": 4, "pp_size": 2,
        "quantization": "awq", "version": "0.5.1", "kv_cache_dtype": "auto",
    }  # fmt: skip
    latencies = {
        f"{stat}_{name}_ms": value
        for name, value in (("e2e_latency", 500.0), ("ttft", 50.0), ("tpot", 5.0), ("itl", 4.0))
        for stat in ("mean", "median", "std", "p99")
    }
    return {
        "backend": "sglang", "dataset_name": "random", "request_rate": float("inf"), "max_concurrency": 8, "server_info": server,
        "duration": 8.0, "completed": 16, "total_input_tokens": 1600, "total_output_tokens": 800,
        "total_output_tokens_retokenized": 799, "request_throughput": 2.0, "input_throughput": 200.0,
        "output_throughput": 100.0, "total_throughput": 300.0, "accept_length": 1.5, **latencies, **rest,
    }  # fmt: skip


def test_the_older_csv_of_genai_is_read_by_its_columns(tmp_path: Path) -> None:
    first, second = runs(
        take(write(tmp_path, "old.csv", as_csv(OLD, OLD | {"Batch Size": 4, "Wall Clock Time (s)": 0.5})))
    )
    assert values(first) == pytest.approx(EXPECTED)
    assert first.job.spec.workload == {"batch": 2, "prompt": 64, "output": 32}
    assert (second.job.spec.workload["batch"], values(second)["e2e_latency"]) == (4, 0.5)
    assert (first.job.spec.engine, first.protocol.name, first.protocol.gpu_count) == ("ort-genai", "genai-e2e", None)


def test_the_oldest_csv_has_a_line_for_each_field(tmp_path: Path) -> None:
    text = "".join(f"{name},{value}\n" for name, value in OLD.items() if name not in {"Tokens Generated", "Max Length"})
    (run,) = runs(take(write(tmp_path, "older.csv", text)))
    assert values(run) == pytest.approx(EXPECTED)
    assert run.job.spec.workload == {"batch": 2, "prompt": 64}


def test_sglangs_benchmark_is_read_without_its_server(tmp_path: Path) -> None:
    text = "".join(json.dumps(one) + "\n" for one in (sglang(), sglang(request_rate=4.0), sglang(request_rate="trace")))
    taken = take(write(tmp_path, "sglang.jsonl", text))
    first, second, third = runs(taken)
    found = values(first)
    assert [found[name] for name in ("e2e_latency", "ttft", "tpot", "itl", "total_tps")] == [
        0.5,
        0.05,
        0.005,
        0.004,
        300.0,
    ]
    assert found["e2e_latency", "stat:p50"] == found["e2e_latency", "stat:p99"] == 0.5
    assert first.job.labels.model == "toy-7b"
    assert first.job.labels.method == "awq"
    assert first.job.spec.workload == {"prompt": 100, "output": 50, "concurrency": 8, "request_rate": "inf"}
    assert second.job.spec.workload["request_rate"] == 4
    assert "request_rate" not in third.job.spec.workload
    assert third.protocol.facts["request_rate"] == "trace"
    assert (first.job.spec.engine, first.protocol.gpu_count) == ("sglang", 8)
    kept = "".join(path.read_text("utf-8") for path in (tmp_path / "results").rglob("*.json"))
    database = (tmp_path / "results" / "bench.db").read_bytes().decode("utf-8", "replace")
    for private in ("192.0.2.7", "31234", "secret-key", "rack3", "somebody"):
        assert private not in kept + database


def test_a_server_of_shared_parallelism_has_no_count_of_gpus(tmp_path: Path) -> None:
    one = sglang()
    one["server_info"] |= {"dp_size": 2}
    assert runs(take(write(tmp_path, "s.jsonl", json.dumps(one))))[0].protocol.gpu_count is None
    assert runs(take(write(tmp_path, "t.jsonl", json.dumps(sglang(server_info={})))))[0].protocol.gpu_count is None


def test_models_whose_files_have_one_name_are_told_apart_by_their_type(tmp_path: Path) -> None:
    names = {"model_filename": "/m/7B/ggml-model-q4_0.gguf"}
    other = {"model_filename": "/m/13B/ggml-model-q4_0.gguf", "model_type": "toy 13B Q4_0"}
    found = runs(take(write(tmp_path, "l.json", [llama(0, 8, **names), llama(8, 0, **names), llama(0, 8, **other)])))
    assert [run.job.labels.model for run in found] == ["toy 1B Q4_K", "toy 1B Q4_K", "toy 13B Q4_0"]
    same = {**names, "model_size": 2000}
    found = runs(take(write(tmp_path, "m.json", [llama(0, 8, **names), llama(0, 8, **same)])))
    assert len({run.job.labels.model for run in found}) == 2


def test_the_direction_of_a_metric_is_read_and_never_guessed(tmp_path: Path) -> None:
    results = {
        "t": {"mae,none": 4.0, "acc,none": 0.5, "odd,none": 1.0, "word_perplexity,none": 9.0, "untold,none": 2.0}
    }
    said = {"t": {"mae": False, "acc": True, "odd": None, "word_perplexity": True}}
    file = lm_eval(results=results, groups={}, group_subtasks={"t": []}, higher_is_better=said)
    path = write(tmp_path, "results_1.json", file)
    (run,) = runs(take(path))
    assert {item.metric: item.better for item in run.measurements} == {
        "lm_eval.mae": "lower", "lm_eval.acc": None, "lm_eval.odd": None, "lm_eval.word_perplexity": "higher",
        "lm_eval.untold": None,
    }  # fmt: skip
    with Database.open(tmp_path / "results" / "bench.db") as database:
        frame = database.frame({"metric": "lm_eval.mae"}, ["value", "better"])
        assert frame.to_numpy().tolist() == [[4.0, "lower"]]
        assert database.outcome(run.job.run) == run


def test_a_count_of_gpus_that_nobody_says_is_absent(tmp_path: Path) -> None:
    plain = optimum()
    del plain["config"]["backend"]["device_ids"]
    files = {"o.json": plain, "t.json": trtllm(world_info={"tp_size": 1}), "l.json": [llama(0, 8)], "m.json": lm_eval()}
    for name, content in files.items():
        assert {run.protocol.gpu_count for run in runs(take(write(tmp_path, name, content)))} == {None}
    with Database.open(tmp_path / "results" / "bench.db") as database:
        assert database.frame({}, ["gpu_count"])["gpu_count"].isna().all()
