"""Reports of optimum-benchmark since 2024: `benchmark.json`, `benchmark_report.json` and their flat CSV, 0.1 to 0.6.

MB are 1e6 bytes; `generate.throughput` says samples/s and is computed from tokens, so it is not taken; in 0.5 and 0.6 the events
behind `per_token` pile up from round to round, which is taken back; a configuration whose quantization those versions ignore is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from harness.core.outcome import Protocol
from harness.core.spec import Note
from harness.formats import optimum_events
from harness.formats.fields import MB, Fields, flat
from harness.formats.optimum_config import Setting, read_config, setting
from harness.formats.records import FileContents, FileFormat, Found, Number
from harness.formats.source import FileSource, beside

TARGETS = (
    "load_model", "load", "first_generate", "first_forward", "first_call", "forward", "generate", "call", "prefill",
    "decode", "per_token", "per_step", "overall", "warmup", "train",
)  # fmt: skip
_LATENCY = {
    "load_model": "load_seconds", "load": "load_seconds", "prefill": "prefill_latency", "forward": "forward_latency",
    "decode": "decode_latency", "generate": "e2e_latency",
}  # fmt: skip
_THROUGHPUT = {
    ("prefill", "samples/s"): "prefill_sps", ("prefill", "tokens/s"): "prefill_tps", ("forward", "samples/s"): "forward_sps",
    ("decode", "tokens/s"): "decode_tps",
}  # fmt: skip
_MEMORY = {
    "max_ram": ("peak_rss_bytes", "rss"),
    "max_global_vram": ("peak_gpu_bytes", "device"),
    "max_vram": ("peak_gpu_bytes", "device"),
    "max_process_vram": ("peak_gpu_bytes", "nvml-process"),
    "max_allocated": ("peak_torch_bytes", "torch"),
    "max_reserved": ("peak_torch_reserved_bytes", "torch"),
}
_STATISTICS = ("p50", "p90", "p95", "p99", "stdev")
_PARTS = (".latency.", ".throughput.", ".memory.")
_CONFIG = "benchmark_config.json"


def recognizes(source: FileSource) -> bool:
    """Tell a report by targets that hold latency, throughput or memory."""
    return len(source.records) == 1 and any(_target(name) for name in _report(source))


def _report(source: FileSource) -> dict[str, Any]:
    """Give the report's values by dotted name, `prefill.latency.mean`, whatever the file's form."""
    whole = {name: _value(value) for name, value in flat(source.records[0]).items()}
    inner = {name.removeprefix("report."): value for name, value in whole.items() if name.startswith("report.")}
    return inner or whole


def _target(name: str) -> bool:
    target, _, rest = name.partition(".")
    return target in TARGETS and any(f".{rest}".startswith(part) for part in _PARTS)


def read(source: FileSource) -> FileContents:
    """Read one run."""
    whole = {name: _value(value) for name, value in flat(source.records[0]).items()}
    config = {name: value for name, value in whole.items() if name.startswith("config.")}
    found = None if config else beside(source, lambda path: path.name == _CONFIG and path != source.path)
    if found is not None:
        config = {f"config.{name}": value for name, value in flat(read_config(found)).items()}
    report = {f"report.{name}": value for name, value in _report(source).items() if not name.startswith("config.")}
    fields = Fields(config | report, source)
    _refuse_ignored(fields)
    run = _run(fields, setting(fields, found))
    fields.no_matter(
        *[f"report.{target}.latency.{name}" for target in TARGETS for name in ("count", "total", "stdev_")]
    )
    return FileContents((run,), fields.left)


def _refuse_ignored(fields: Fields) -> None:
    """Refuse what its own advice leads to: named by `quant_method` alone, a quantization is ignored, and the model in floats was measured.

    Source: huggingface/optimum-benchmark 0.6.0, backends/pytorch/backend.py, `is_quantized`, and the warning in config.py.
    """
    asked = fields.text("config.backend.quantization_config.quant_method")
    if asked and fields.text("config.backend.quantization_scheme") is None:
        raise fields.wrong(
            f"'config.backend.quantization_config.quant_method' is {asked} without a 'quantization_scheme': optimum-benchmark ignores it and measures "
            "the model as its own files are, in floats; measure again with `quantization_scheme`"
        )


def _value(value: Any) -> Any:
    """Read the lists that CSV holds as text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError):
            return value
    return value


def _run(fields: Fields, said: Setting) -> Found:
    between, events = _per_token(fields, said)
    return Found(
        kind="speed",
        probe="generation",
        workload=said.workload,
        engine=said.engine,
        numbers=(*(number for target in TARGETS for number in _numbers(fields, target)), *between),
        protocol=Protocol(
            name="optimum-benchmark",
            version=0,
            warmups=said.warmups,
            dtype=said.dtype,
            gpu_count=said.gpu_count,
            facts=dict(said.facts),
        ),
        environment=said.environment,
        labels=said.labels,
        provider=said.device,
        notes=(*_notes(fields), *events),
        version=said.environment.packages.get("optimum-benchmark"),
    )


def _numbers(fields: Fields, target: str) -> Iterator[Number]:
    head = f"report.{target}"
    if target in _LATENCY:
        yield from _latency(fields, f"{head}.latency", _LATENCY[target])
    unit = fields.text(f"{head}.throughput.unit")
    rate = _THROUGHPUT.get((target, unit or ""))
    if rate and (number := fields.metric(f"{head}.throughput.value", rate)) is not None:
        yield number
    for name, (metric, source) in _MEMORY.items():
        scale = MB if (fields.text(f"{head}.memory.unit") or "MB") == "MB" else None
        if scale and (
            number := fields.metric(f"{head}.memory.{name}", metric, scale, source=source, slice=f"phase:{target}")
        ):
            yield number


def _latency(fields: Fields, head: str, metric: str) -> Iterator[Number]:
    unit = fields.text(f"{head}.unit")
    if unit not in (None, "s"):
        raise fields.wrong(f"'{head}.unit' is {unit}, and only s is known")
    samples = fields.samples(f"{head}.values")
    mean = fields.metric(f"{head}.mean", metric, samples=samples)
    if mean is not None:
        yield mean
    for name in _STATISTICS:
        if (
            number := fields.metric(f"{head}.{name}", metric, slice=f"stat:{name}", n=len(samples) or None)
        ) is not None:
            yield number


def _per_token(fields: Fields, said: Setting) -> tuple[tuple[Number, ...], tuple[Note, ...]]:
    """Give the latency between tokens, where events piled up that of each round's own intervals; with a note on what was done."""
    head = "report.per_token.latency"
    found, rounds = fields.samples(f"{head}.values"), len(fields.samples("report.decode.latency.values"))
    if fields.value(f"{head}.mean") is None:
        return (), ()
    own = optimum_events.own_intervals(found, rounds)
    if own is not None and rounds > 1:
        fields.no_matter(*[f"{head}.{name}" for name in ("unit", "mean", *_STATISTICS)])
        return (Number("per_token_latency", sum(own) / len(own), samples=own),), (optimum_events.UNDONE,)
    version = said.environment.packages.get("optimum-benchmark", "")
    if own is None and optimum_events.piles_up(version) and not optimum_events.are_apart(found, rounds):
        return (), (optimum_events.NOT_TAKEN,)
    return tuple(_latency(fields, head, "per_token_latency")), ()


def _notes(fields: Fields) -> tuple[Note, ...]:
    notes = []
    if not any(name.startswith("config.") for name in fields.names):
        text = f"the file does not hold its configuration, and there is no {_CONFIG} beside it"
        notes.append(Note(code="configuration-unknown", text=text))
    return tuple(notes)


FORMAT = FileFormat("optimum-benchmark", "optimum-benchmark report", recognizes, read)
