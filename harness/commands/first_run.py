"""What a plan would take where nothing of it ever ran: seconds by arithmetic, disk and downloads, for each machine that its jobs are for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.commands.machine import Planned
from harness.core.errors import HarnessError
from harness.core.spec import BuildSpec
from harness.corpus import Corpus
from harness.host import cores
from harness.plan import arithmetic
from harness.plan.arithmetic import OpenedModel, Rates
from harness.plan.expand import PlannedJob
from harness.plan.model_folders import hub_folder
from harness.texts import text_files

MARK = "~"
"""Stands before seconds that were never measured."""
_CPU_BUILDERS = frozenset({"ort-genai", "random-weights"})
"""Quantizers that work on a processor whatever the artifact is for."""
_EAGER = frozenset({"transformers", "optimum-benchmark"})
"""Engines in which Python launches every operation."""
_PASSES = 3
"""Of calibration texts through a model on a processor, where AWQ's search sums second moments instead."""
_MATRICES = 4
"""Inputs of a transformer's layer that matrices share: the library's own search runs all texts anew for each."""

_BYTES = {"INT4": 0.625, "NF4": 0.5625, "FP8": 1.0, "INT8": 1.125}
"""Bytes of a weight by the method's bits, scales of small blocks included."""
_FLOATS_BESIDE = 1.3
"""By how much more an artifact weighs for what stays in floats."""


@dataclass(frozen=True)
class Estimate:
    """One job."""

    seconds: float
    machine: str
    """What it was reckoned for."""


def estimate_first_run(planned: Planned) -> dict[str, Estimate]:
    """Reckon every job of a plan by arithmetic, by plan id; jobs of which nothing can be said are left out.

    A speed job that cannot run here counts with all its rounds; jobs that share a process share its opening.
    """
    found: dict[str, Estimate] = {}
    opened: set[str] = set()
    for job in planned.plan.jobs:
        rates = _machine(job, planned)
        seconds = _seconds(job, planned, rates)
        if seconds is None:
            continue
        if job.group not in opened or isinstance(job.spec, BuildSpec):
            seconds += arithmetic.opening(_opened(job, planned), rates)
        opened.add(job.group)
        found[job.id] = Estimate(seconds * (job.rounds if job.refused or job.other_gpu else 1), rates.name)
    return found


def first_run_told(planned: Planned, missing: Mapping[str, Estimate]) -> Iterator[str]:
    """Say for each machine what its jobs without history would take."""
    names, seen = _machines_told(planned), set[tuple[str | None, str]]()
    jobs = {job.id: job for job in planned.plan.jobs}
    for machine in dict.fromkeys(one.machine for one in missing.values()):
        here = [name for name, one in missing.items() if one.machine == machine]
        seconds = sum(missing[name].seconds for name in here)
        written = sum(jobs[name].bytes for name in here)
        models = {(jobs[name].other_gpu, label.model) for name in here for label in jobs[name].labels} - seen
        seen |= models
        fetched = sum(_download_bytes(model, planned) for _, model in models)
        parts = [
            f"first run on {names.get(machine, machine)}: {MARK}{in_words(seconds + fetched / arithmetic.NETWORK)} by arithmetic; no history"
        ]
        parts += [f"{len(here)} jobs"]
        parts += [f"up to {_gigabytes(written)} of artifacts"] if written else []
        parts += [f"{_gigabytes(fetched)} to download"] if fetched else []
        yield ", ".join(parts)


def _machines_told(planned: Planned) -> dict[str, str]:
    """Say of the GPU that jobs for any GPU are reckoned with that this machine has none."""
    gpus = {gpu.name for one in planned.environments.values() for gpu in one.gpus}
    named = {job.other_gpu for job in planned.plan.jobs if job.other_gpu}
    found = next((rates.name for name in sorted(gpus) if (rates := arithmetic.gpu(name))), None)
    if found is not None or arithmetic.ASSUMED in named:
        return {}
    return {arithmetic.ASSUMED: f"{arithmetic.ASSUMED} (assumed: no GPU here whose rates are known)"}


def in_words(seconds: float) -> str:
    """Write seconds, minutes or hours, whichever reads best."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size < 1e11 else f"{size / 1e9:.0f} GB"


def _opened(job: PlannedJob, planned: Planned) -> OpenedModel:
    """Weigh what a job opens: the plan's estimate, or less where the method's bits say so."""
    count, size = float(job.parameters or 0), float(job.opened_bytes)
    method = planned.catalogue.methods.get(job.labels[0].method)
    each = [_BYTES[bits] for bits in (method.entry.bits if method else "").split("+") if bits in _BYTES]
    if each and not isinstance(job.spec, BuildSpec):
        size = min(size, _FLOATS_BESIDE * max(each) * count)
    return OpenedModel(count, size)


def _machine(job: PlannedJob, planned: Planned) -> Rates:
    """Choose the rates of what a job works on: the GPU that it is for, this machine's, or one that is assumed; or this processor."""
    builder = isinstance(job.spec, BuildSpec) and job.spec.quantizer in _CPU_BUILDERS
    own = arithmetic.cpu(cores())
    if job.provider == "cpu" or builder:
        return own
    there = planned.environments.get(job.environment)
    names = [job.other_gpu] if job.other_gpu else [gpu.name for gpu in there.gpus] if there else []
    found = [rates for name in [*names, arithmetic.ASSUMED] if (rates := arithmetic.gpu(name))]
    eager = not isinstance(job.spec, BuildSpec) and job.spec.engine in _EAGER
    return replace(found[0], call_seconds=arithmetic.EAGER_CALL_SECONDS) if eager else found[0]


def _seconds(job: PlannedJob, planned: Planned, rates: Rates) -> float | None:
    if job.parameters is None:
        return None
    if isinstance(job.spec, BuildSpec):
        return _building(job, job.spec, planned).seconds(rates)
    probe = planned.catalogue.adapters.probe(job.spec.probe)
    workload = probe.workload.model_validate(job.spec.workload).model_dump()
    if "serves" in planned.catalogue.adapters.engine(job.spec.engine).offers and workload.get("batch"):
        workload |= {name: -(-workload[name] // workload["batch"]) for name in ("warmup", "repetitions")}
    work = arithmetic.measuring(job.spec.probe, workload, _opened(job, planned), _text_bytes(workload))
    live = any(item.role == "reference" and item.engine for item in job.inputs)
    return None if work is None else work.seconds(rates) * (2 if live else 1)


def _building(job: PlannedJob, spec: BuildSpec, planned: Planned) -> arithmetic.ReckonedWork:
    options = planned.catalogue.adapters.quantizer(spec.quantizer).options.model_validate(spec.options).model_dump()
    texts = int(options.get("calib_size", 0)) if str(options.get("algo", "")).startswith("awq") else 0
    passes = _PASSES
    if options.get("enable_fast_path_using_high_sysram"):
        passes = 1
    elif job.provider != "cpu":
        passes = _MATRICES * arithmetic.layers(job.parameters or 1)
    return arithmetic.building(_opened(job, planned), job.bytes, texts, passes)


def _text_bytes(workload: Mapping[str, Any]) -> int | None:
    """Weigh the text of a workload; None where it is not here."""
    name, corpus = workload.get("text"), workload.get("corpus")
    if not isinstance(name, str):
        return None
    try:
        files = text_files(name, Corpus.model_validate(corpus) if corpus else None).values()
        return sum(_size(path) for path in files) or None
    except (HarnessError, OSError):
        return None


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def _download_bytes(model: str, planned: Planned) -> float:
    """Weigh what the hub would send of a model; nothing where it is here."""
    entry = planned.catalogue.models[model].entry
    if not entry.hub or entry.billion_parameters is None or model in planned.catalogue.local.folders:
        return 0.0
    return 0.0 if hub_folder(entry.hub, entry.revision) is not None else 2e9 * entry.billion_parameters
