"""Outcomes as jobs would have left them, small and made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.identity import digest
from harness.core.outcome import Artifact, Environment, Gpu, Measurement, Outcome, Protocol
from harness.core.spec import BuildSpec, Input, Job, Labels, MeasureSpec, Status
from harness.plan.keys import spec_key
from harness.store.session import SessionJob, SessionRecord
from harness.worker.record import array_ref

BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CONTENT = digest("content of the artifact")


def environment(name: str = "cpu", gpus: tuple[Gpu, ...] = (), **packages: str) -> Environment:
    return Environment(
        name=name,
        python="3.11.7",
        system="Linux-6.1",
        machine="x86_64",
        cpu="Example CPU",
        cores=2,
        memory_bytes=8 << 30,
        machine_id="f00dfeed",
        gpus=gpus,
        cuda="12.8" if gpus else None,
        packages=packages or {"onnxruntime-genai": "0.15.0"},
        harness="0.1.0+abc",
    )


H200 = Gpu(name="NVIDIA H200", memory_bytes=141 << 30, driver="570.1", clocks_mhz={"sm": 1980})


def measurement(metric: str = "decode_tps", value: float = 100.0, **rest: Any) -> Measurement:
    facts: dict[str, Any] = {"metric": metric, "value": value, "unit": "tok/s", "n": 3}
    return Measurement(**(facts | rest))


def measured(
    number: int = 1,
    measurements: Sequence[Measurement] = (measurement(samples=(99.5, 100.0, 100.5)),),
    *,
    kind: Any = "speed",
    labels: Labels | None = None,
    workload: dict[str, Any] | None = None,
    place: Environment | None = None,
    **rest: Any,
) -> Outcome:
    """An outcome of a measure job; different numbers are different runs, equal workloads equal jobs."""
    spec = MeasureSpec(
        probe="made_up",
        version=1,
        workload={"batch": 1, "prompt": 128} if workload is None else workload,
        engine="ort-genai",
        engine_version=2,
        engine_options={"provider": "cpu"},
        artifact="b-0123456789ab",
    )
    place = place or environment()
    job = Job(
        run=f"run-{number:06d}",
        kind=kind,
        key=spec_key(spec),
        spec=spec,
        inputs=(Input(role="artifact", id="b-0123456789ab", path="", content=CONTENT),),
        environment=place.name,
        labels=labels or Labels(sweep="quickstart", block="speed", model="tiny", method="int4_rtn", recipe="ort-genai"),
        session="s-1",
        order=number,
    )
    facts: dict[str, Any] = {
        "job": job,
        "status": Status.OK,
        "started": BEGIN + timedelta(seconds=number),
        "seconds": 1.5,
        "environment": place,
        "provider": "cpu",
        "protocol": Protocol(name="genai-e2e", version=2, warmups=1, repetitions=3, dtype="float32", bos=True),
        "measurements": tuple(measurements),
    }
    return Outcome(**(facts | rest))


def failed(number: int = 1, status: Status = Status.OOM, **rest: Any) -> Outcome:
    facts = {"status": status, "reason": "killed for memory", "protocol": None, "written_by": "runner"}
    return measured(number, **({"measurements": ()} | facts | rest))


def built(number: int = 1, content: str = CONTENT, **rest: Any) -> Outcome:
    spec = BuildSpec(quantizer="ort-genai", version=1, options={"precision": "int4"}, model=digest("model"))
    job = Job(
        run=f"run-{number:06d}",
        kind="build",
        key=spec_key(spec),
        artifact="b-0123456789ab",
        spec=spec,
        environment="cpu",
        labels=Labels(sweep="quickstart", model="tiny", method="int4_rtn"),
    )
    facts: dict[str, Any] = {
        "job": job,
        "status": Status.OK,
        "started": BEGIN + timedelta(seconds=number),
        "seconds": 20.25,
        "environment": environment(),
        "measurements": (measurement("artifact_bytes", 4096.0, unit="B", n=1, samples=(4096.0,)),),
        "artifact": Artifact(
            id="b-0123456789ab", content=content, bytes=4096, files=3, format="ort-genai", layers={"int4 b32": 7}
        ),
    }
    return Outcome(**(facts | rest))


def session(*outcomes: Outcome, labels: Labels, name: str = "s-1") -> SessionRecord:
    jobs = [
        SessionJob(
            key=item.job.key,
            kind=item.job.kind,
            environment=item.environment.name,
            labels=(item.job.labels, labels),
            run=item.job.run,
        )
        for item in outcomes
    ]
    return SessionRecord(session=name, sweep=labels.sweep, started=BEGIN, plan=digest("plan"), jobs=tuple(jobs))


def write_run(results: Path, outcome: Outcome, **arrays: Any) -> Path:
    """Leave a run folder as a worker does."""
    folder = results / "runs" / outcome.job.run
    folder.mkdir(parents=True)
    if arrays:
        np.savez_compressed(folder / "arrays.npz", **arrays)
    (folder / "outcome.json").write_text(outcome.model_dump_json(indent=1), "utf-8")
    return folder


def write_session(results: Path, record: SessionRecord) -> None:
    (results / "sessions").mkdir(parents=True, exist_ok=True)
    (results / "sessions" / f"{record.session}.json").write_text(record.model_dump_json(indent=1), "utf-8")


def with_array(number: int, name: str, array: Any, **rest: Any) -> Outcome:
    item = measurement("perplexity", 3.25, unit="", n=int(np.size(array)), array=array_ref(name, array))
    return measured(number, (item,), kind="quality", **rest)
