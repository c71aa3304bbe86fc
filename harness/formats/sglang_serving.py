"""JSON lines of SGLang's serving benchmark (`python -m sglang.bench_serving`).

Its numbers are vLLM's under other names (`*_e2e_latency_ms`, `total_throughput`). `server_info` describes the whole server, its
address and keys included: only the settings listed here are read, everything else of it is left where it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from harness.core.outcome import Protocol
from harness.formats.fields import Fields
from harness.formats.records import FileContents, FileFormat, Found, given, numbers, place
from harness.formats.source import FileSource
from harness.formats.vllm_serving import LISTS, latencies, mean_tokens, rate, throughputs

_SERVER = (
    "quantization", "dtype", "kv_cache_dtype", "tp_size", "dp_size", "pp_size", "ep_size", "attention_backend", "context_length",
    "mem_fraction_static", "max_running_requests", "chunked_prefill_size", "schedule_policy", "disable_radix_cache",
    "disable_cuda_graph", "enable_torch_compile", "speculative_algorithm", "speculative_num_steps", "speculative_eagle_topk",
    "speculative_num_draft_tokens",
)  # fmt: skip
_FACTS = (
    "dataset_name", "random_range_ratio", "completed", "total_input_tokens", "total_output_tokens",
    "total_output_tokens_retokenized", "concurrency", "accept_length", "max_output_tokens_per_s", "max_concurrent_requests",
    "max_concurrency", "request_rate", "tag",
)  # fmt: skip
_TWICE = ("backend", "sharegpt_output_len", "random_input_len", "random_output_len", "total_input_text_tokens",
          "total_input_vision_tokens", "output_throughput_retokenized", "total_throughput_retokenized")  # fmt: skip


def recognizes(source: FileSource) -> bool:
    """Tell the tool's objects by the names that only it uses."""
    wanted = {"request_throughput", "completed", "mean_e2e_latency_ms", "total_output_tokens_retokenized"}
    return bool(source.records) and all(wanted <= record.keys() for record in source.records)


def read(source: FileSource) -> FileContents:
    """Read every object as a run (the tool appends to its file)."""
    fields = [Fields(record, source, f"result {place}: ") for place, record in enumerate(source.records, 1)]
    runs = tuple(_run(one) for one in fields)
    return FileContents(runs, tuple(dict.fromkeys(name for one in fields for name in one.left)))


def _run(fields: Fields) -> Found:
    completed = int(fields.number("completed") or 0)
    if completed <= 0:
        raise fields.wrong("no request was completed, so nothing was measured")
    duration = fields.number("duration")
    found = numbers(*throughputs(fields, completed), *latencies(fields, completed, duration))
    server, version = _server(fields), fields.text("server_info.version")
    labels = given(model=_model(fields), method=server.get("quantization") or server.get("dtype"))
    facts = fields.facts(_FACTS) | server
    fields.no_matter("server_info.", *_TWICE, *LISTS)
    return Found(
        kind="speed",
        probe="serving",
        workload=given(
            prompt=mean_tokens(fields, "total_input_tokens", completed),
            output=mean_tokens(fields, "total_output_tokens", completed),
            concurrency=fields.whole("max_concurrency"),
            request_rate=_rate(fields),
        ),
        engine="sglang",
        numbers=found,
        protocol=Protocol(name="sglang-serving", version=0, dtype=_dtype(server), gpu_count=_gpus(server), facts=facts),
        environment=place((), {"sglang": version}),
        labels=labels,
        started=_date(fields),
        seconds=duration or 0.0,
        version=f"SGLang {version}" if version else None,
    )


def _server(fields: Fields) -> dict[str, Any]:
    """Give the settings of the server that can change the numbers."""
    found = fields.facts([f"server_info.{name}" for name in _SERVER])
    return {name.removeprefix("server_info."): value for name, value in found.items()}


def _model(fields: Fields) -> str | None:
    names = [fields.text(f"server_info.{name}") for name in ("served_model_name", "model_path")]
    return next((name for name in (*names, fields.text("model_id"), fields.text("model")) if name), None)


def _dtype(server: dict[str, Any]) -> str | None:
    said = server.get("dtype")
    return None if said in {None, "auto"} else str(said)


def _gpus(server: dict[str, Any]) -> int | None:
    """Count the GPUs of one server; data parallelism may share them or not, and nothing says which."""
    sizes = [server.get(name) for name in ("tp_size", "pp_size")]
    if not isinstance(sizes[0], int) or server.get("dp_size") not in {None, 1}:
        return None
    return sizes[0] * (sizes[1] if isinstance(sizes[1], int) else 1)


def _rate(fields: Fields) -> str | float | None:
    """Give the request rate; that of a recorded trace is no number and stays among the facts."""
    said = fields.value("request_rate")
    return None if isinstance(said, str) and said.isalpha() and said not in {"inf", "Infinity"} else rate(fields)


def _date(fields: Fields) -> datetime | None:
    text = fields.text("date")
    return datetime.fromisoformat(text) if text else None


FORMAT = FileFormat("sglang-serving", "SGLang serving benchmark", recognizes, read)
