"""Rows as the jobs of a sweep would leave them, every number invented: what tables can show of a sweep that nobody has run."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.core.metric import metric
from harness.core.registry import load
from harness.core.spec import BuildSpec, MeasureSpec
from harness.engines.tensorrt_llm import TensorRtLlmOptions
from harness.plan.expand import PlannedJob
from harness.probes import PROBES
from harness.tables.catalogue import TableCatalogue
from harness.tables.rows import TableRow
from harness.tables.spec import TableSpec
from harness.tables.table import build
from tests.unit.importing.files import runs, take, trtllm, write
from tests.unit.tables.frames import BUILD, QUALITY, frame, row

GPUS = {"T4": "Tesla T4", "RTX 4090": "NVIDIA GeForce RTX 4090", "H100": "NVIDIA H100 80GB HBM3", "H200": "NVIDIA H200"}
OF_BUILDS = ("artifact_bytes",)


def planned_rows(jobs: Iterable[PlannedJob], folder: Path) -> list[TableRow]:
    """Make the rows of jobs. folder: an empty one, to write in."""
    return frame(*(one for number, job in enumerate(jobs) for one in _rows(job, 1.0 + number, folder)))


def shows(spec: TableSpec, rows: list[TableRow], catalogue: TableCatalogue) -> bool:
    """Tell whether a table shows anything of rows."""
    sections = build(spec, rows, catalogue).sections
    return any(cell.runs for section in sections for line in section.rows for cell in line)


def metrics_of(spec: TableSpec) -> set[str]:
    """Name the metrics that a table is of."""
    return {*spec.metrics, *(cell.metric for cell in spec.cells if cell.metric)}


def _rows(job: PlannedJob, value: float, folder: Path) -> Iterator[dict[str, Any]]:
    spec = job.spec
    if isinstance(spec, BuildSpec):
        yield from (_row(job, value, labels.model_dump() | BUILD, name) for labels in job.labels for name in OF_BUILDS)
        return
    if job.kind not in {"quality", "speed"} or spec.probe == "output_check" or job.verifies:
        return
    names, sources, said = _measured(spec, folder)
    for labels in job.labels:
        place = {**(QUALITY if job.kind == "quality" else {}), **labels.model_dump(), **said, "probe": spec.probe}
        place |= {"engine": spec.engine, "engine_options": json.dumps(spec.engine_options), "provider": job.provider}
        for name in names:
            for source in sources if name == "peak_gpu_bytes" else (None,):
                yield _row(job, value, {**place, "source": source}, name)


def _row(job: PlannedJob, value: float, said: dict[str, Any], name: str) -> dict[str, Any]:
    run = f"{job.id}-{said['method']}-{said['block']}"
    place = {"environment": job.environment, "gpu": GPUS.get(job.other_gpu or "", "a GPU")}
    told = {**said, **place, "kind": job.kind, "run": run, "unit": metric(name).unit}
    return row(name, value, measurement_id=f"{run}-{name}-{said.get('source')}", **told)


def _measured(spec: MeasureSpec, folder: Path) -> tuple[Collection[str], tuple[str, ...], dict[str, Any]]:
    """Say what a measurement yields, from which sources of memory, and what its protocol says."""
    probe = load(PROBES, "probe", spec.probe)
    work = {**probe.workload.model_validate(spec.workload).model_dump(), **spec.workload}
    numbers = {key: float(work[key]) for key in ("batch", "prompt", "output", "window", "stride") if work.get(key)}
    said: dict[str, Any] = {**numbers, **{key: work[key] for key in ("text",) if isinstance(work.get(key), str)}}
    if spec.engine == "tensorrt-llm":  # what a report of that program holds
        options = TensorRtLlmOptions.model_validate(spec.engine_options)
        (report,) = runs(take(write(folder, "report.json", trtllm())))
        told = [one.metric for one in report.measurements if not one.slice]
        more = ("peak_gpu_bytes",) if options.cache_tokens else ()
        said |= {"protocol": report.protocol.name, "gpu_count": float(options.gpus)}
        return dict.fromkeys((*told, *more)), ("device-increment",), said
    said |= {"protocol": f"{spec.probe} {work.get('protocol', '')}", "gpu_count": 1.0}
    asked = spec.probe != "generation" or work["bandwidth"]
    names = tuple(name for name in probe.yields if asked or name not in {"copy_bandwidth", "bandwidth_share"})
    return names or ("lm_eval.acc",), ("device", "nvml-process"), said
