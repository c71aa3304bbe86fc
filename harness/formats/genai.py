"""JSON and CSV of ONNX Runtime GenAI's `benchmark_e2e.py`, and the CSV that it wrote up to 0.4, which names no software.

All versions of the script write the prompt's latency per token, which is its throughput a second time; `warmup_runs` and
`measured_runs` are constants of the script and not what was asked for. What counts as token generation depends on the version: a note
says which. The old CSV names no model: give `--label model=NAME`. Fields without a value or of value 0 are left out by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from harness.core.outcome import Protocol
from harness.core.spec import Note
from harness.formats.fields import GIB, MS, Fields
from harness.formats.kept import GENAI
from harness.formats.records import FileContents, FileFormat, Found, Number, given, numbers, place
from harness.formats.source import FileSource

_BATCH, _PROMPT, _OUTPUT = "config.batch_size", "config.prompt_length", "config.tokens_generated"
_TWICE = ("tokenization_throughput_tps", "sampling_throughput_tps", "prompt_processing_latency_ms")
_CONSTANTS = ("config.warmup_runs", "config.measured_runs", "config.backend")


def recognizes(source: FileSource) -> bool:
    """Tell the tool's records by their four parts, of which CSV joins the names."""
    records = source.records
    return bool(records) and all(
        any(name.startswith("config") for name in record)
        and any("token_generation" in name for name in (*record, *_keys(record.get("metrics"))))
        for record in records
    )


_OLD = {
    "Batch Size": _BATCH, "Prompt Length": _PROMPT, "Tokens Generated": _OUTPUT, "Max Length": "config.max_length",
    "Tokenization Throughput (tps)": "metrics.tokenization_throughput_tps",
    "Tokenization Latency (ms)": "metrics.tokenization_latency_ms",
    "Prompt Processing Throughput (tps)": "metrics.prompt_processing_throughput_tps",
    "Prompt Processing Latency (ms)": "metrics.prompt_processing_latency_ms",
    "Token Generation Throughput (tps)": "metrics.token_generation_throughput_tps",
    "Token Generation Latency (ms)": "metrics.token_generation_latency_ms",
    "Sampling Throughput (tps)": "metrics.sampling_throughput_tps", "Sampling Latency (ms)": "metrics.sampling_latency_ms",
    "Wall Clock Throughput (tps)": "metrics.wall_clock_throughput_tps", "Wall Clock Time (s)": "metrics.wall_clock_time_s",
    "peak_gpu_memory (GiB)": "metrics.peak_gpu_memory_gb", "peak_cpu_memory (GiB)": "metrics.peak_cpu_memory_gb",
}  # fmt: skip
"""Columns of the older CSV by the names of the later one."""
_OLD_NEEDED = frozenset({"Batch Size", "Prompt Length", "Token Generation Throughput (tps)"})


def recognizes_old(source: FileSource) -> bool:
    """Tell the older CSV by its columns, or by its lines where it has one column for each field turned into a line."""
    rows = source.rows
    return bool(rows) and (rows[0].keys() >= _OLD_NEEDED or set(_turned(rows)) >= _OLD_NEEDED)


def _turned(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Read lines of a name and a value, of which the first was taken for the heading."""
    names = list(rows[0])
    if len(names) != 2:
        return {}
    return {names[0]: names[1], **{row[names[0]]: row[names[1]] for row in rows}}


def read_old(source: FileSource) -> FileContents:
    """Read every row as a run."""
    rows = source.rows if source.rows[0].keys() >= _OLD_NEEDED else [_turned(source.rows)]
    renamed = [{_OLD.get(name, name): value for name, value in row.items()} for row in rows]
    fields = [Fields(record, source, f"row {place}: ") for place, record in enumerate(renamed, 1)]
    runs = tuple(replace(_run(one), notes=(Note(code="definition", text=_OLD_TEXT),)) for one in fields)
    return FileContents(runs, tuple(dict.fromkeys(name for one in fields for name in one.left)))


_OLD_TEXT = "the file names neither model nor software; its layout is that of GenAI's script up to 0.4"


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, dict) else ()


def read(source: FileSource) -> FileContents:
    """Read every record as a run."""
    fields = [Fields(record, source, f"record {place}: ") for place, record in enumerate(source.records, 1)]
    runs = tuple(_run(one) for one in fields)
    return FileContents(runs, tuple(dict.fromkeys(name for one in fields for name in one.left)))


def _run(fields: Fields) -> Found:
    package, version = fields.text("metadata.package_name"), fields.text("metadata.package_version")
    fields.no_matter(*_CONSTANTS, *[f"metrics.{name}" for name in _TWICE])
    return Found(
        kind="speed",
        probe="generation",
        workload=given(batch=fields.whole(_BATCH), prompt=fields.whole(_PROMPT), output=fields.whole(_OUTPUT)),
        engine="ort-genai",
        numbers=_numbers(fields),
        protocol=Protocol(name="genai-e2e", version=0, facts=_facts(fields)),
        environment=place(
            packages={package: version} if package else {},
            python=fields.text("metadata.python_version"),
            system=fields.text("metadata.platform"),
        ),
        labels=given(model=fields.text("config.model_info.full_name"), method=fields.text("config.precision")),
        provider=fields.text("metadata.device"),
        started=_date(fields),
        notes=_notes(version),
        version=f"{package} {version}" if package and version else None,
    )


def _numbers(fields: Fields) -> tuple[Number, ...]:
    def take(field: str, metric: str, scale: float = 1.0, **rest: Any) -> Number | None:
        return fields.metric(f"metrics.{field}", metric, scale, **rest)

    return numbers(
        take("prompt_processing_throughput_tps", "prefill_tps"),
        take("time_to_first_token_ms", "ttft", MS),
        take("time_to_first_token_stddev_ms", "ttft", MS, slice="stat:stdev"),
        take("token_generation_throughput_tps", "decode_tps"),
        take("token_generation_latency_ms", "per_token_latency", MS),
        take("tokenization_latency_ms", "tokenization_latency", MS),
        take("sampling_latency_ms", "sampling_latency", MS),
        take("wall_clock_time_s", "e2e_latency"),
        take("wall_clock_throughput_tps", "total_tps"),
        take("peak_gpu_memory_gb", "peak_gpu_bytes", GIB, source="device"),
        take("peak_cpu_memory_gb", "peak_system_bytes", GIB, source="device"),
    )


def _facts(fields: Fields) -> dict[str, Any]:
    return fields.facts(("config.max_length", "config.aggregation")) | fields.facts_among(GENAI)


def _date(fields: Fields) -> datetime | None:
    text = fields.text("trigger_date")
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise fields.wrong(f"'trigger_date' is {text}, which is not a date") from None


def _notes(version: str | None) -> tuple[Note, ...]:
    """Say which of three procedures the script's version times as token generation."""
    found = re.match(r"(\d+)\.(\d+)", version or "")
    if found is None:
        return ()
    release = int(found[1]), int(found[2])
    if release < (0, 6):
        text = "script of GenAI before 0.6: token generation times the logits alone, sampling is left out"
    elif release < (0, 9):
        text = "script of GenAI 0.6 to 0.8: the check that waits for the GPU lies outside the timer of token generation"
    else:
        text = "script of GenAI from 0.9: token generation times forward pass, sampling and the check for the end"
    return (Note(code="definition", text=text),)


OLD = FileFormat("onnxruntime-genai-csv", "ONNX Runtime GenAI benchmark_e2e, older CSV", recognizes_old, read_old)
FORMAT = FileFormat("onnxruntime-genai", "ONNX Runtime GenAI benchmark_e2e", recognizes, read)
