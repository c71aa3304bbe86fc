"""A results database as a project fills it: every night the jobs of the committed pages, and a sweep of many parts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.core.identity import digest
from harness.core.outcome import Artifact, Environment, Gpu, Measurement, Outcome, Protocol
from harness.core.spec import BuildSpec, Input, Job, Labels, MeasureSpec, Status

BEGIN = datetime(2025, 1, 1, 22, 0, tzinfo=UTC)
METHODS = ("fp16", "int8_rtn", "int4_rtn", "int4_awq", "mixed_rtn")
MODELS = ("model-0", "model-1", "model-2")
PROBES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("build", {}),
    ("lm_eval", {"task": "mmlu", "shots": 5}),
    ("perplexity", {"window": 1024, "stride": 512}),
    *(("generation", {"batch": batch, "prompt": 128, "output": 256}) for batch in (1, 2, 4, 8, 16, 32, 64, 128)),
)
JOBS = len(METHODS) * len(MODELS) * len(PROBES)
METRICS = {
    "lm_eval": {"lm_eval.acc": ""},
    "perplexity": {"perplexity": "", "kl_divergence": "", "top1_agreement": ""},
    "generation": {"decode_tps": "tok/s", "prefill_tps": "tok/s", "ttft": "s", "per_token_latency": "s", "peak_gpu_bytes": "B"},
    "build": {"artifact_bytes": "B", "build_seconds": "s", "build_peak_rss_bytes": "B"},
}  # fmt: skip
SUBJECTS = 57
"""Of MMLU."""
PACKAGES = {f"package-{number}": "1.2.3" for number in range(80)} | {
    "onnxruntime-genai": "0.15.2", "onnxruntime": "1.31.1", "torch": "2.9.0", "transformers": "4.57.1"
}  # fmt: skip


def machine(night: int, nights: int) -> Environment:
    """The machine of a night: the harness's commit changes daily, the driver once."""
    driver = "570.1" if night < nights // 2 else "580.2"
    gpu = Gpu(name="NVIDIA H200", memory_bytes=141 << 30, driver=driver, clocks_mhz={"sm": 1980})
    return Environment(
        name="cuda", python="3.11.7", system="Linux-6.1", machine="x86_64", cpu="Example CPU", cores=64,
        memory_bytes=512 << 30, machine_id="f00dfeed", gpus=(gpu,), cuda="12.8", packages=PACKAGES,
        harness=f"0.1.0+{night:07x}",
    )  # fmt: skip


def nightly(night: int, nights: int, parts: int) -> Iterator[Outcome]:
    """Yield a night of sweep `nightly`: `JOBS` runs, 2 % of them failed, those of probes with `parts` measurements."""
    place, number = machine(night, nights), 0
    for model in MODELS:
        for method in METHODS:
            for probe, workload in PROBES:
                yield _run(night, number, place, parts, (model, method, probe), workload)
                number += 1


def again(outcome: Outcome, night: int) -> Outcome:
    """Run a job of the committed pages once more."""
    job = outcome.job.model_copy(
        update={"run": f"{night:05d}-{outcome.job.run}", "session": f"{night:05d}{outcome.job.session}"}
    )
    place = outcome.environment.model_copy(update={"harness": f"0.1.0+{night:07x}"})
    return outcome.model_copy(
        update={"job": job, "environment": place, "started": outcome.started + timedelta(days=night)}
    )


def write_folders(results: Path, outcomes: Sequence[Outcome]) -> None:
    """Leave run folders as workers do."""
    for outcome in outcomes:
        folder = results / "runs" / outcome.job.run
        folder.mkdir(parents=True)
        (folder / "outcome.json").write_text(outcome.model_dump_json(indent=1), "utf-8")


def _run(
    night: int, number: int, place: Environment, parts: int, cell: tuple[str, str, str], workload: dict[str, Any]
) -> Outcome:
    model, method, probe = cell
    draw = random.Random(night * 100_003 + number)
    artifact = f"b-{digest([model, method])[:12]}"
    build = probe == "build"
    spec: Any = (
        BuildSpec(quantizer="ort-genai", version=1, options={"precision": method}, model=digest(model))
        if build
        else MeasureSpec(
            probe=probe, version=1, workload=workload, engine="ort-genai", engine_version=1,
            engine_options={"provider": "cuda"}, artifact=artifact,
        )
    )  # fmt: skip
    inputs = () if build else (Input(role="artifact", id=artifact, path="", content=digest(artifact)),)
    kind: Any = {"build": "build", "generation": "speed"}.get(probe, "quality")
    job = Job(
        run=f"{night:05d}-{number:04d}", kind=kind, key=digest(spec.model_dump(mode="json")), spec=spec, inputs=inputs,
        environment="cuda", labels=Labels(sweep="nightly", block="speed" if kind == "speed" else "quality", model=model, method=method, recipe="ort-genai"),
        session=f"night-{night:05d}", order=number, artifact=artifact if build else "",
    )  # fmt: skip
    bad = draw.random() < 0.02
    return Outcome(
        job=job, status=Status.OOM if bad else Status.OK, reason="out of memory" if bad else None,
        started=BEGIN + timedelta(days=night, seconds=30 * number), seconds=20.0 + draw.random(), environment=place,
        provider=None if build else "cuda",
        protocol=None if build or bad else Protocol(name="genai-e2e", version=2, warmups=1, repetitions=10, dtype="float16", gpu_count=1),
        measurements=() if bad else tuple(_measurements(probe, draw, parts)),
        artifact=Artifact(id=artifact, content=digest(artifact), bytes=1 << 30, files=3, format="ort-genai") if build and not bad else None,
        inputs=inputs, spans={"start": 1.0, "open": 2.0, "measure": 15.0},
    )  # fmt: skip


def _measurements(probe: str, draw: random.Random, parts: int) -> Iterator[Measurement]:
    names = METRICS[probe]
    for place, (name, unit) in enumerate(names.items()):
        source = "nvml-process" if name == "peak_gpu_bytes" else None
        samples = tuple(draw.uniform(90, 110) for _ in range(10)) if probe == "generation" else ()
        value = draw.uniform(0.4, 0.6)
        yield Measurement(metric=name, value=value, low=value - 0.01, high=value + 0.01, interval="student-t 95%",
                          unit=unit, n=10, samples=samples, source=source)  # fmt: skip
        share = parts // len(names) - 1 + (place < parts % len(names))
        share = {"build": 0, "lm_eval": min(SUBJECTS, parts)}.get(probe, share)
        for number in range(share):
            yield Measurement(metric=name, slice=f"subject:{number}", value=draw.uniform(0.4, 0.6), low=0.3, high=0.7,
                              interval="wilson 95%", unit=unit, n=100, source=source)  # fmt: skip
