"""What `trtllm-bench` prints at its end, kept as a text: all that versions say that write no report as JSON (0.15, by which a published page was measured).

Source: NVIDIA/TensorRT-LLM, tensorrt_llm/bench/benchmark/utils/reporting.py at 535c9cc6 (0.15) and tensorrt_llm/bench/dataclasses/reporting.py
at 02499765.
"""

from __future__ import annotations

import re
from typing import Any

from harness.formats.fields import Fields
from harness.formats.records import FileContents, FileFormat
from harness.formats.source import FileSource
from harness.formats.trtllm_bench import read_fields

_FIELDS = {
    "Model": "engine.model",
    "Model Path": "engine.model_path",
    "Engine Directory": "engine.engine_dir",
    "TensorRT-LLM Version": "engine.version",
    "TensorRT LLM Version": "engine.version",
    "Dtype": "engine.dtype",
    "KV Cache Dtype": "engine.kv_cache_dtype",
    "Quantization": "engine.quantization",
    "Max Input Length": "engine.max_input_length",
    "Max Sequence Length": "engine.max_sequence_length",
    "TP Size": "world_info.tp_size",
    "PP Size": "world_info.pp_size",
    "EP Size": "world_info.ep_size",
    "Max Runtime Batch Size": "world_info.max_batch_size",
    "Max Runtime Tokens": "world_info.max_num_tokens",
    "Scheduling Policy": "world_info.scheduling_policy",
    "KV Memory Percentage": "world_info.kv_cache_percentage",
    "Issue Rate (req/sec)": "world_info.issue_rate",
    "Number of requests": "request_info.num_requests",
    "Number of concurrent requests": "request_info.avg_num_concurrent_requests",
    "Average Input Length (tokens)": "request_info.avg_input_length",
    "Average Output Length (tokens)": "request_info.avg_output_length",
    "Token Throughput (tokens/sec)": "performance.system_output_throughput_tok_s",
    "Total Output Throughput (tokens/sec)": "performance.system_output_throughput_tok_s",
    "Total Token Throughput (tokens/sec)": "performance.system_total_throughput_tok_s",
    "Request Throughput (req/sec)": "performance.request_throughput_req_s",
    "Total Latency (ms)": "performance.total_latency_ms",
    "Average request latency (ms)": "performance.avg_request_latency_ms",
    "Per User Output Throughput [w/ ctx] (tps/user)": "performance.output_throughput_per_user_tok_s",
    "Per GPU Output Throughput (tps/gpu)": "performance.output_throughput_per_gpu_tok_s",
    "Average time-to-first-token (ms)": "streaming_metrics.avg_ttft_ms",
    "Average time-to-first-token [TTFT] (ms)": "streaming_metrics.avg_ttft_ms",
    "Average inter-token latency (ms)": "streaming_metrics.avg_tpot_ms",
    "Average time-per-output-token [TPOT] (ms)": "streaming_metrics.avg_tpot_ms",
    "Per User Output Speed (tps/user)": "streaming_metrics.token_output_speed_tok_s",
    "Total Energy (J)": "performance.total_energy_j",
    "Average GPU Power (W)": "performance.average_gpu_power_w",
    "Output Tokens per Second per Watt (tps/W)": "performance.output_tps_per_watt",
}
"""Words before the colon -> field of the report as JSON."""
_LINE = re.compile(r"^(?P<name>[A-Z][^:=\n]*?):[ \t]+(?P<value>\S.*?)[ \t\r]*$", re.MULTILINE)
_LEAST = frozenset({"TP Size", "Max Runtime Batch Size", "Request Throughput (req/sec)"})
"""Without these lines it was cut off, or is no such text."""
_ABSENT = frozenset({"None", "N/A"})


def recognizes(source: FileSource) -> bool:
    """Tell the printed overview by its headings."""
    return "= PERFORMANCE OVERVIEW" in source.text and "= WORLD + RUNTIME INFORMATION" in source.text


def read(source: FileSource) -> FileContents:
    """Read the last overview of a text as one run. Raises: ConfigError where it is cut off."""
    said = {found["name"]: found["value"] for found in _LINE.finditer(_last(source.text))}
    if lacking := sorted(_LEAST - said.keys()):
        raise source.damaged(f"lacks the line '{lacking[0]}'")
    return read_fields(Fields(_nested(said), source))


def _last(text: str) -> str:
    """Cut off what stands before the last overview: engine and world stand above its numbers."""
    heads = [found.start() for found in re.finditer("= (ENGINE DETAILS|PYTORCH BACKEND)", text)]
    return text[heads[-1] :] if heads else text


def _nested(said: dict[str, str]) -> dict[str, Any]:
    """Put the lines where the report as JSON has them; what is not known of them is left out."""
    made: dict[str, Any] = {}
    for name, value in said.items():
        section, _, field = _FIELDS.get(name, "").partition(".")
        if field and value not in _ABSENT:
            made.setdefault(section, {})[field] = value if section == "engine" else _number(value)
    return made


def _number(value: str) -> int | float | str:
    """Give a count, a number or a share as what it is; words stay."""
    if value.isdecimal():
        return int(value)
    try:
        return float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        return value


FORMAT = FileFormat("trtllm-bench-printed", "trtllm-bench, as printed", recognizes, read)
