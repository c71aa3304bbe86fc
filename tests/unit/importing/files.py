"""Small result files with invented numbers, laid out as the tools lay theirs out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from harness.importing.import_files import Imported, import_files


def take(path: Path, **rest: Any) -> Imported:
    """Import one file into the folder `results` beside it."""
    return import_files([path], path.parent / "results", **rest)


def runs(imported: Imported) -> list[Any]:
    """Give the outcomes of a good import."""
    assert not imported.problems, [str(problem) for problem in imported.problems]
    return [run for taken in imported.files for run in (*taken.new, *taken.known)]


def values(run: Any) -> dict[Any, float]:
    """Give a run's values by metric, or by metric and part where it has one."""
    return {(item.metric, item.slice) if item.slice else item.metric: item.value for item in run.measurements}


def problem(imported: Imported) -> str:
    """Give the one problem of a refused file."""
    assert not imported.files
    assert len(imported.problems) == 1
    return str(imported.problems[0])


def write(folder: Path, name: str, content: Any) -> Path:
    """Write a text, or anything else as JSON."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def as_csv(*rows: dict[str, Any]) -> str:
    """Write rows of equal fields."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def genai(**metrics: Any) -> dict[str, Any]:
    return {
        "config": {
            "backend": "onnxruntime-genai", "batch_size": 2, "precision": "int4", "warmup_runs": 1, "measured_runs": 10,
            "model_info": {"full_name": "toy"}, "prompt_length": "128", "tokens_generated": 64, "max_length": 192,
        },
        "metadata": {"device": "cuda", "package_name": "onnxruntime-genai-cuda", "package_version": "0.9.2"},
        "metrics": {
            "prompt_processing_throughput_tps": 4000.0, "prompt_processing_latency_ms": 0.5,
            "time_to_first_token_ms": 70.0, "token_generation_throughput_tps": 160.0,
            "token_generation_latency_ms": 12.5, "wall_clock_throughput_tps": 400.0, "wall_clock_time_s": 0.96,
            "peak_gpu_memory_gb": 1.5, **metrics,
        },
        "trigger_date": "2026-01-31 12:00:00",
    }  # fmt: skip


def llama(prompt: int, output: int, **rest: Any) -> dict[str, Any]:
    return {
        "build_commit": "abc1234", "build_number": 77, "cpu_info": "Example CPU", "gpu_info": "Example GPU", "backends": "CUDA",
        "model_filename": "/home/somebody/models/toy-Q4_K_M.gguf", "model_type": "toy 1B Q4_K", "model_size": 1000,
        "n_batch": 2048, "n_threads": 8, "type_k": "f16", "n_gpu_layers": -1, "n_prompt": prompt, "n_gen": output, "n_depth": 0,
        "test_time": "2026-01-31T12:00:00Z", "avg_ns": 2000000000, "stddev_ns": 0, "avg_ts": 250.0, "stddev_ts": 1.5,
        "samples_ns": [2000000000, 2000000000], "samples_ts": [249.0, 251.0], **rest,
    }  # fmt: skip


def vllm(**rest: Any) -> dict[str, Any]:
    return {
        "date": "20260131-120000", "endpoint_type": "vllm", "backend": "vllm", "model_id": "org/toy", "tokenizer_id": "org/toy",
        "num_prompts": 3, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 2, "duration": 4.0, "completed": 3,
        "total_input_tokens": 30, "total_output_tokens": 15, "request_throughput": 0.75, "output_throughput": 3.75,
        "total_token_throughput": 11.25, "mean_ttft_ms": 200.0, "median_ttft_ms": 190.0, "std_ttft_ms": 10.0,
        "p99_ttft_ms": 290.0, "mean_itl_ms": 20.0, "mean_e2el_ms": 900.0, **rest,
    }  # fmt: skip


def trtllm(**rest: Any) -> dict[str, Any]:
    spread = {"p50": 400.0, "p95": 480.0, "p99": 490.0, "minimum": 300.0, "maximum": 500.0, "average": 410.0}
    return {
        "engine": {"model": "org/toy", "model_path": "/home/somebody/toy", "engine_dir": "/x/y", "version": "1.0.0",
                   "backend": "Pytorch", "dtype": "bfloat16", "kv_cache_dtype": None, "quantization": "FP8"},
        "machine": {"name": "Example GPU", "memory.total": 80.0, "clocks.mem": 2.6},
        "world_info": {"tp_size": 2, "pp_size": 1, "world_size": 2, "max_batch_size": 64, "max_num_tokens": 8192,
                       "scheduling_policy": "GUARANTEED_NO_EVICT", "kv_cache_percentage": 0.9, "issue_rate": 1e9},
        "request_info": {"num_requests": 20, "avg_num_concurrent_requests": 7.5, "avg_input_length": 128.0,
                         "avg_output_length": 64.5},
        "performance": {"total_latency_ms": 5000.0, "avg_request_latency_ms": 410.0, "request_throughput_req_s": 4.0,
                        "system_output_throughput_tok_s": 258.0, "output_throughput_per_gpu_tok_s": 129.0,
                        "request_latency_percentiles_ms": spread},
        "streaming_metrics": {"token_output_speed_tok_s": 200.0, "avg_ttft_ms": 90.0, "avg_tpot_ms": 5.0},
        "dataset": {"isl_stats": {"maximum": 128}}, **rest,
    }  # fmt: skip


def lm_eval(**rest: Any) -> dict[str, Any]:
    return {
        "results": {
            "mmlu": {"alias": "mmlu", "acc,none": 0.5, "acc_stderr,none": 0.1},
            "mmlu_a": {"alias": " - a", "acc,none": 0.25, "acc_stderr,none": 0.1},
            "mmlu_b": {"alias": " - b", "acc,none": 0.75, "acc_stderr,none": "N/A"},
            "gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.125, "exact_match_stderr,strict-match": 0.01,
                      "exact_match,flexible-extract": 0.25},
        },
        "groups": {"mmlu": {"alias": "mmlu", "acc,none": 0.5, "acc_stderr,none": 0.1}},
        "group_subtasks": {"mmlu": ["mmlu_a", "mmlu_b"], "gsm8k": []},
        "versions": {"mmlu": 2, "mmlu_a": 1.0, "mmlu_b": 1.0, "gsm8k": 3.0},
        "n-shot": {"mmlu_a": 5, "mmlu_b": 5, "gsm8k": 8},
        "n-samples": {"mmlu_a": {"original": 100, "effective": 10}, "mmlu_b": {"original": 100, "effective": 10},
                      "gsm8k": {"original": 100, "effective": 10}},
        "config": {"model": "hf", "model_args": "pretrained=/home/somebody/toy,dtype=float16", "model_dtype": "torch.float16",
                   "limit": 10.0, "device": "cuda:0", "batch_size": "8"},
        "date": 1769860800.0, "transformers_version": "4.57.0", "lm_eval_version": "0.4.9",
        "total_evaluation_time_seconds": "12.5", "model_name": "/home/somebody/toy",
        "pretty_env_info": "PyTorch version: 2.8.0\nCUDA used to build PyTorch: 12.8\nPython version: 3.11.7 (main)\n"
                           "Nvidia driver version: 570.1\nGPU models and configuration: \nGPU 0: Example GPU\n"
                           "Model name:            Example CPU\n", **rest,
    }  # fmt: skip


def optimum(**report: Any) -> dict[str, Any]:
    """A `benchmark.json` of 0.6."""

    def latency(*found: float) -> dict[str, Any]:
        mean = sum(found) / len(found)
        return {"unit": "s", "values": list(found), "count": len(found), "total": sum(found), "mean": mean, "p50": mean,
                "p90": mean, "p95": mean, "p99": mean, "stdev": 0.0, "stdev_": 0.0}  # fmt: skip

    memory = {"unit": "MB", "max_ram": 900.0, "max_global_vram": 800.0, "max_process_vram": 700.0, "max_reserved": 600.0,
              "max_allocated": 500.0}  # fmt: skip
    nothing = {"memory": None, "latency": None, "throughput": None, "energy": None, "efficiency": None}
    return {
        "config": {
            "name": "toy", "backend": {"name": "pytorch", "version": "2.8.0", "model": "org/toy", "device": "cuda",
                                       "device_ids": "0,1", "torch_dtype": "float16", "quantization_scheme": "bnb"},
            "scenario": {"name": "inference", "iterations": 10, "warmup_runs": 3,
                         "input_shapes": {"batch_size": 4, "sequence_length": 32}, "generate_kwargs": {"max_new_tokens": 8}},
            "launcher": {"name": "process"},
            "environment": {"cpu": " Example CPU", "cpu_count": 8, "cpu_ram_mb": 64000.0, "system": "Linux",
                            "machine": "x86_64", "platform": "Linux-6.1", "python_version": "3.11.7",
                            "gpu": ["Example GPU", "Example GPU"], "gpu_count": 2, "optimum_benchmark_version": "0.6.0",
                            "optimum_benchmark_commit": "abc1234", "transformers_version": "4.55.0"},
        },
        "report": {
            "load_model": {**nothing, "latency": latency(2.0)},
            "generate": {**nothing, "latency": latency(1.0, 3.0), "throughput": {"unit": "samples/s", "value": 14.0}},
            "prefill": {**nothing, "memory": memory, "latency": latency(0.5, 0.25, 0.75),
                        "throughput": {"unit": "samples/s", "value": 8.0}},
            "decode": {**nothing, "latency": latency(1.5), "throughput": {"unit": "tokens/s", "value": 18.5}},
            "per_token": {**nothing, "latency": latency(0.25, 0.125)}, **report,
        },
    }  # fmt: skip


def one_of_each(folder: Path) -> list[Path]:
    """Write a whole file of each format into a folder."""
    table = "| Model | Method | Decode (tok/s) |\n|---|---|---|\n| toy | INT4 | 12.5 |\n"
    made: dict[str, Any] = {
        "genai.json": [genai()], "llama.json": [llama(128, 0), llama(0, 64)], "vllm.json": vllm(), "trtllm.json": trtllm(),
        "results_1.json": lm_eval(), "benchmark.json": optimum(), "page.md": table, "rows.csv": as_csv({"model": "toy", "decode_tps": 1.5}),
        "lines.jsonl": json.dumps(vllm()) + "\n" + json.dumps(vllm()) + "\n",
    }  # fmt: skip
    return [write(folder, name, content) for name, content in made.items()]
