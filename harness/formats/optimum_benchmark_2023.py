"""`inference_results.csv` of optimum-benchmark in 2023, with the configuration that lies beside it where there is one.

`forward` is one pass over the whole prompt, `generate` the whole generation, `decode` their difference. Peak memory was the
GPU's on a GPU and the process's on a CPU; without a configuration nobody can tell, and it is not taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.outcome import Protocol
from harness.core.spec import Note
from harness.formats.fields import MB, Fields, flat
from harness.formats.optimum_config import Setting, read_config, setting
from harness.formats.records import FileContents, FileFormat, Found, Number
from harness.formats.source import FileSource, beside

_FORWARD = "forward.latency(s)"
_SPEED = (
    ("forward.latency(s)", "forward_latency"),
    ("forward.throughput(samples/s)", "forward_sps"),
    ("generate.latency(s)", "e2e_latency"),
    ("generate.throughput(tokens/s)", "e2e_tps"),
    ("decode.latency(s)", "decode_latency"),
    ("decode.throughput(tokens/s)", "decode_tps"),
)
_DEVICE = {"cuda": ("peak_gpu_bytes", "device"), "cpu": ("peak_rss_bytes", "rss")}
_CONFIGS = ("hydra_config.yaml", "config.yaml")
_RESULTS = "inference_results"
_SLACK = 0.05
"""Three digits each: what latency x throughput may be off from the batch."""


def recognizes(source: FileSource) -> bool:
    """Tell the CSV by the latency that all of its versions have."""
    return not source.is_markdown and source.data is None and bool(source.rows) and _FORWARD in source.rows[0]


def read(source: FileSource) -> FileContents:
    """Read every row as a run."""
    path = beside(source, lambda path: path.name in _config_names(source))
    config = {f"config.{name}": value for name, value in flat(read_config(path)).items()} if path else {}
    runs, left = [], dict[str, None]()
    for place, row in enumerate(source.rows, 1):
        fields = Fields(row | _fitting(config, row), source, f"row {place}: ")
        runs.append(_run(fields, path))
        left |= dict.fromkeys(name for name in fields.left if not name.isdigit())
    return FileContents(tuple(runs), tuple(left))


def _config_names(source: FileSource) -> tuple[str, ...]:
    """Name the files that can be this one's configuration: the tool's own, or one with the same ending."""
    ending = source.path.stem.removeprefix(_RESULTS)
    return (
        _CONFIGS if not ending or ending == source.path.stem else (f"config{ending}.yaml", f"hydra_config{ending}.yaml")
    )


def _fitting(config: dict[str, Any], row: dict[str, str]) -> dict[str, Any]:
    """Give the configuration where its batch is the row's; another file's is none."""
    batch = config.get("config.benchmark.input_shapes.batch_size")
    seconds, rate = row.get("forward.latency(s)"), row.get("forward.throughput(samples/s)")
    try:
        found = float(seconds or "") * float(rate or "")
    except ValueError:
        return config
    return config if batch is None or abs(found / float(batch) - 1) <= _SLACK else {}


def _run(fields: Fields, path: Path | None) -> Found:
    fits = any(name.startswith("config.") for name in fields.names)
    said = setting(fields, path if fits else None)
    fields.no_matter("")
    return Found(
        kind="speed",
        probe="generation",
        workload=said.workload,
        engine=said.engine,
        numbers=tuple(_numbers(fields, said)),
        protocol=Protocol(
            name="optimum-benchmark-2023",
            version=0,
            warmups=said.warmups,
            dtype=said.dtype,
            gpu_count=said.gpu_count,
            facts=dict(said.facts),
        ),
        environment=said.environment,
        labels=said.labels,
        provider=said.device,
        notes=_notes(path, fits=fits),
    )


def _numbers(fields: Fields, said: Setting) -> Iterator[Number]:
    for name, metric in _SPEED:
        if (number := fields.metric(name, metric)) is not None:
            yield number
    for phase in ("forward", "generate"):
        yield from _memory(fields, phase, said.device)


def _memory(fields: Fields, phase: str, device: str | None) -> Iterator[Number]:
    torch = {"max_memory_allocated": "peak_torch_bytes", "max_memory_reserved": "peak_torch_reserved_bytes"}
    wanted = {name: (metric, "torch") for name, metric in torch.items()}
    known = _DEVICE.get((device or "").partition(":")[0])
    if known:
        used = f"{phase}.max_memory_used(MB)"
        wanted |= {"max_memory_used" if used in fields.names else "peak_memory": known}
        if used in fields.names:
            fields.no_matter(f"{phase}.peak_memory(MB)")
    for name, (metric, source) in wanted.items():
        field = f"{phase}.{name}(MB)"
        if (number := fields.metric(field, metric, MB, source=source, slice=f"phase:{phase}")) is not None:
            yield number


def _notes(path: Path | None, *, fits: bool) -> tuple[Note, ...]:
    if fits:
        return ()
    why = f"{path.name} beside it has another batch size and was not used" if path else "there is none beside it"
    return (Note(code="configuration-unknown", text=f"the file does not hold its configuration, and {why}"),)


FORMAT = FileFormat("optimum-benchmark-2023", "optimum-benchmark 2023 inference results", recognizes, read)
