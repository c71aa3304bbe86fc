"""Reports that `trtllm-bench throughput` and `trtllm-bench latency` write with `--report_json`.

Output tokens include the first one. Percentiles are nearest-rank. `max_batch_size` is what the engine may batch, not what
was batched, so it is kept with the protocol. Reports since February 2026 tell energy, too, in joules, watts and tokens per second per watt; what
the names of those fields are was not to be seen in its source, so that they are told by their words, wherever in the report they stand.
Source: NVIDIA/TensorRT-LLM, tensorrt_llm/bench/dataclasses/reporting.py at 02499765 and 2787769c, pull request 11397 on energy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.core.outcome import Gpu, Protocol
from harness.formats.fields import GIB, MS, Fields
from harness.formats.kept import TRTLLM
from harness.formats.records import FileContents, FileFormat, Found, Number, given, place
from harness.formats.source import FileSource

_VALUES = (
    ("performance.request_throughput_req_s", "request_throughput", 1.0),
    ("performance.system_output_throughput_tok_s", "output_tps", 1.0),
    ("performance.system_total_throughput_tok_s", "total_tps", 1.0),
    ("performance.output_throughput_per_user_tok_s", "user_tps", 1.0),
    ("performance.output_throughput_per_gpu_tok_s", "gpu_tps", 1.0),
    ("performance.avg_request_latency_ms", "e2e_latency", MS),
    ("streaming_metrics.avg_ttft_ms", "ttft", MS),
    ("streaming_metrics.avg_tpot_ms", "tpot", MS),
    ("streaming_metrics.token_output_speed_tok_s", "user_decode_tps", 1.0),
)
_SPREADS = (
    ("performance.request_latency_percentiles_ms", "e2e_latency", MS),
    ("streaming_metrics.ttft_percentiles", "ttft", MS),
    ("streaming_metrics.tpot_percentiles", "tpot", MS),
    ("streaming_metrics.gen_tps_percentiles", "user_decode_tps", 1.0),
)
_ENERGY = (
    (re.compile(r"(total_)?(gpu_)?energy(_j|_joules?)?"), "energy"),
    (re.compile(r"(avg|average)_(gpu_)?power(_w|_watts?)?"), "gpu_power"),
    (re.compile(r"(system_)?output_(tps|throughput|tokens?)(_tok_s)?_per_(w|watt|j|joule)"), "tokens_per_joule"),
)
"""Last words of a field -> metric; tokens per second per watt are tokens per joule."""
_STATISTICS = {"p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "minimum": "min", "maximum": "max"}


def recognizes(source: FileSource) -> bool:
    """Tell a report by its sections."""
    return isinstance(source.data, dict) and {"engine", "performance", "world_info"} <= source.data.keys()


def read(source: FileSource) -> FileContents:
    """Read one run."""
    return read_fields(Fields(source.data, source))


def read_fields(fields: Fields) -> FileContents:
    """Read one run from the fields of a report, whether it was written or printed."""
    requests = fields.whole("request_info.num_requests")
    n = int(requests) if requests else None
    seconds = fields.number("performance.total_latency_ms", MS)
    found = tuple(_numbers(fields, n))
    version, labels = fields.text("engine.version"), _labels(fields)
    said = fields.number("world_info.world_size")
    facts = _facts(fields, n)
    world = _world(fields) if said is None else said
    run = Found(
        kind="speed",
        probe="serving",
        workload=given(
            prompt=fields.whole("request_info.avg_input_length"), output=fields.whole("request_info.avg_output_length")
        ),
        engine="tensorrt-llm",
        numbers=found,
        environment=place(_gpus(fields, int(world or 1)), {"tensorrt-llm": version}),
        labels=labels,
        seconds=seconds or 0.0,
        version=f"TensorRT-LLM {version}" if version else None,
        protocol=Protocol(
            name="trtllm-bench",
            version=0,
            dtype=fields.text("engine.dtype"),
            gpu_count=None if world is None else int(world),
            facts=facts,
        ),
    )
    return FileContents((run,), fields.left)


def _numbers(fields: Fields, n: int | None) -> Iterator[Number]:
    for name, metric, scale in _VALUES:
        if (number := fields.metric(name, metric, scale, n=n)) is not None:
            yield number
    for head, metric, scale in _SPREADS:
        fields.no_matter(f"{head}.average")
        for name, part in _STATISTICS.items():
            if (number := fields.metric(f"{head}.{name}", metric, scale, slice=f"stat:{part}", n=n)) is not None:
                yield number
    yield from _energy(fields)


def _energy(fields: Fields) -> Iterator[Number]:
    """Read what the GPUs took, of all of them and over all requests."""
    for name in fields.names:
        last = name.rpartition(".")[2].lower()
        metric = next((metric for words, metric in _ENERGY if words.fullmatch(last)), None)
        if metric is not None and (number := fields.metric(name, metric)) is not None:
            yield number


def _world(fields: Fields) -> float | None:
    """Count the GPUs of tensor and pipeline parallelism, where a report does not count them."""
    tensor, pipeline = (fields.number(f"world_info.{name}_size") for name in ("tp", "pp"))
    return None if tensor is None or pipeline is None else tensor * pipeline


def _labels(fields: Fields) -> dict[str, str]:
    model = fields.text("engine.model") or fields.text("engine.model_path")
    fields.no_matter("engine.model_path", "engine.engine_dir")
    return given(model=model, method=fields.text("engine.quantization") or fields.text("engine.dtype"))


def _gpus(fields: Fields, count: int) -> tuple[Gpu, ...]:
    """Describe the GPUs; the tool looks at the first and takes the others to be equal."""
    name, memory = fields.text("machine.name"), fields.number("machine.memory.total", GIB)
    return (Gpu(name=name, memory_bytes=None if memory is None else int(memory)),) * count if name else ()


def _facts(fields: Fields, n: int | None) -> dict[str, Any]:
    quantization = fields.text("engine.quantization")
    return given(num_requests=n, quantization=quantization) | fields.facts_among(TRTLLM)


FORMAT = FileFormat("trtllm-bench", "trtllm-bench report", recognizes, read)
