"""Stands in for `trtllm-bench` where there is no GPU: takes its command line, reads its requests, writes its report; its numbers are invented.

Options: NVIDIA/TensorRT-LLM, tensorrt_llm/commands/bench.py at 0c9a37db, bench/benchmark/throughput.py and low_latency.py at 000a01de. Report: keys
of bench/dataclasses/reporting.py at 02499765; printed overview of bench/benchmark/utils/reporting.py at 535c9cc6.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

VERSION = "1.2.1"
THROUGHPUT = (
    "--max_batch_size",
    "--max_num_tokens",
    "--scheduler_policy",
    "--extra_llm_api_options",
    "--eos_id",
    "--target_input_len",
)
COMMON = ("--engine_dir", "--backend", "--dataset", "--num_requests", "--warmup", "--tp", "--pp", "--ep", "--report_json", "--concurrency",
          "--kv_cache_free_gpu_mem_fraction", "--max_seq_len", "--beam_width", "--modality", "--iteration_log")  # fmt: skip


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="trtllm-bench", allow_abbrev=False)
    parser.add_argument("--model", "-m", required=True)
    for name in ("--model_path", "--workspace", "--log_level", "--revision"):
        parser.add_argument(name)
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode, more in (("throughput", THROUGHPUT), ("latency", ())):
        one = modes.add_parser(mode, allow_abbrev=False)
        for name in (*COMMON, *more):
            one.add_argument(name)
        if mode == "throughput":
            one.add_argument("--streaming", action="store_true")
    return parser.parse_args(words)


def spread(typical: float) -> dict[str, float]:
    return {"minimum": 0.8 * typical, "maximum": 1.4 * typical, "average": typical, "p50": 0.98 * typical, "p90": 1.2 * typical,
            "p95": 1.3 * typical, "p99": 1.4 * typical}  # fmt: skip


def reported(given: argparse.Namespace) -> dict[str, dict[str, object]]:
    requests = [json.loads(line) for line in Path(given.dataset).read_text("utf-8").splitlines()]
    folder = Path(given.model_path)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    quantized = folder / "hf_quant_config.json"
    said = json.loads(quantized.read_text("utf-8"))["quantization"] if quantized.exists() else {}
    tp, pp = int(given.tp or 1), int(given.pp or 1)
    streams = given.mode == "latency" or given.streaming
    batch = 1 if given.mode == "latency" else int(given.max_batch_size or 2048)
    tokens = sum(one["output_tokens"] for one in requests)
    seconds = tokens / (100.0 * batch)
    times = {"token_output_speed_tok_s": 110.0, "avg_ttft_ms": 90.0, "avg_tpot_ms": 9.0, "tpot_percentiles": spread(9.0),
             "ttft_percentiles": spread(90.0), "gen_tps_percentiles": spread(110.0)}  # fmt: skip
    return {
        "engine": {"model": given.model, "model_path": given.model_path, "engine_dir": "None", "version": VERSION, "backend": "Pytorch",
                   "dtype": config.get("dtype") or config.get("torch_dtype"), "kv_cache_dtype": said.get("kv_cache_quant_algo"),
                   "quantization": said.get("quant_algo")},
        "machine": {"name": "Example GPU", "memory.total": 80.0, "clocks.mem": 2.6},
        "world_info": {"tp_size": tp, "pp_size": pp, "ep_size": 1, "world_size": tp * pp, "max_batch_size": batch, "max_num_tokens": 8192,
                       "scheduling_policy": "GUARANTEED_NO_EVICT", "kv_cache_percentage": 0.9, "issue_rate": 1.0e9},
        "request_info": {"num_requests": len(requests), "avg_num_concurrent_requests": min(batch, len(requests)) - 0.5,
                         "avg_input_length": sum(len(one.get("input_ids", one.get("logits"))) for one in requests) / len(requests),
                         "avg_output_length": tokens / len(requests)},
        "performance": {"total_latency_ms": 1000.0 * seconds, "avg_request_latency_ms": 1200.0, "request_throughput_req_s": len(requests) / seconds,
                        "system_output_throughput_tok_s": tokens / seconds, "system_total_throughput_tok_s": 17.0 * tokens / seconds,
                        "output_throughput_per_user_tok_s": 95.0, "output_throughput_per_gpu_tok_s": tokens / seconds / (tp * pp),
                        "request_latency_percentiles_ms": spread(1200.0)},
        **({"streaming_metrics": times} if streams else {}),
        "dataset": {"isl_stats": {"maximum": 16}, "num_requests": len(requests)},
    }  # fmt: skip


def printed(report: dict[str, dict[str, object]]) -> str:
    engine, world, asked, speed = report["engine"], report["world_info"], report["request_info"], report["performance"]
    return f"""
===========================================================
= ENGINE DETAILS
===========================================================
Model:\t\t\t{engine["model"]}
Engine Directory:\t/engines/x
TensorRT-LLM Version:\t0.15.0
Dtype:\t\t\t{engine["dtype"]}
KV Cache Dtype:\t\tNone
Quantization:\t\t{engine["quantization"]}
Max Sequence Length:\t4096

===========================================================
= WORLD + RUNTIME INFORMATION
===========================================================
TP Size:\t\t{world["tp_size"]}
PP Size:\t\t{world["pp_size"]}
Max Runtime Batch Size:\t{world["max_batch_size"]}
Max Runtime Tokens:\t8192
Scheduling Policy:\tGuaranteed No Evict
KV Memory Percentage:\t90.00%
Issue Rate (req/sec):\t1.0000E+09

===========================================================
= PERFORMANCE OVERVIEW
===========================================================
Number of requests:\t\t{asked["num_requests"]}
Average Input Length (tokens):\t{asked["avg_input_length"]:.4f}
Average Output Length (tokens):\t{asked["avg_output_length"]:.4f}
Token Throughput (tokens/sec):\t{speed["system_output_throughput_tok_s"]:.4f}
Request Throughput (req/sec):\t{speed["request_throughput_req_s"]:.4f}
Total Latency (ms):\t\t{speed["total_latency_ms"]:.4f}

===========================================================
"""


def main() -> None:
    given = parsed(sys.argv[1:])
    Path(__file__).with_name("asked.json").write_text(json.dumps(sys.argv[1:]), "utf-8")
    report = reported(given)
    wrong: dict[str, object] = {
        "report": report,
        "given": given,
        "os": os,
        "sys": sys,
        "time": time,
        "subprocess": subprocess,
        "json": json,
    }
    exec(Path(__file__).with_name("before.py").read_text("utf-8"), wrong)
    print("[TRT-LLM] [I] Benchmark done. Reporting results...")
    print(printed(report))
    if given.report_json:
        Path(given.report_json).write_text(json.dumps(report, indent=4), "utf-8")
    exec(Path(__file__).with_name("after.py").read_text("utf-8"), wrong)


if __name__ == "__main__":
    main()
