"""Puts any adapter to work as the worker does, and collects what was said of it: nothing here knows what the adapter does wrong."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.core.files import Stamp, write_stamp
from harness.core.identity import digest, folder_sha256
from harness.core.outcome import Outcome
from harness.core.seam import Engine, Probe, Quantizer
from harness.core.spec import BuildSpec, Input, Job, MeasureSpec
from harness.engines import ENGINES
from harness.probes import PROBES
from harness.quantizers import QUANTIZERS
from harness.worker import JOB, OUTCOME
from harness.worker.answers import Answers
from harness.worker.record import weights_sha256
from harness.worker.server import Server

DOUBTS = {"implausible", "output-differs"}
GENERATION = {"batch": 2, "prompt": 24, "output": 24, "warmup": 1, "repetitions": 3}
CHECKED = {key: GENERATION[key] for key in ("batch", "prompt", "output")}
SAMPLED = {**GENERATION, "protocol": "genai-e2e-0.9-sampling"}


@dataclass(frozen=True)
class Workbench:
    """Folders of models and a results folder."""

    root: Path
    models: Mapping[str, tuple[Path, ...]]
    """By format: a model, and another one."""

    def say_of(self, adapter: Engine | Quantizer | Probe, place: str, options: tuple[dict[str, Any], ...]) -> str:
        """Return every doubt of the jobs that a sweep with this adapter has, a line each. place: `module:NAME`, as in a registry."""
        work, registry = {
            Engine: (self._engine, ENGINES),
            Quantizer: (self._quantizer, QUANTIZERS),
            Probe: (self._probe, PROBES),
        }[type(adapter)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(registry, adapter.name, place)
            return "\n".join(doubt for outcome in work(adapter, options) for doubt in _doubts(outcome))

    def _engine(self, engine: Any, options: tuple[dict[str, Any], ...]) -> Iterator[Outcome]:
        text = self.root / "text.txt"
        text.write_text("the cat sat on the mat and looked at the dog. " * 20, "utf-8")
        folder = self.models[engine.consumes[0]][0]
        windows = {"text": str(text), "window": 64, "stride": 32, "tokens": 128}
        other = self._artifact(self.models[engine.consumes[0]][1])
        folder = self._artifact(folder)
        for given in options:
            jobs: list[tuple[str, dict[str, Any]]] = [
                ("output_check", CHECKED), ("perplexity", windows), ("generation", GENERATION), ("generation", SAMPLED),
            ]  # fmt: skip
            spec = MeasureSpec(
                probe="perplexity", version=1, workload=windows, engine=engine.name, engine_version=1, engine_options=given, artifact="b",
            )  # fmt: skip
            yield self._served(self._job("quality", spec, [Input(role="artifact", id="b", path=str(other))]))
            for probe, workload in jobs:
                spec = MeasureSpec(
                    probe=probe, version=1, workload=workload, engine=engine.name, engine_version=1, engine_options=given, artifact="a",
                )  # fmt: skip
                speed = probe == "generation"
                job = self._job(
                    "speed" if speed else "quality", spec, [Input(role="artifact", id="a", path=str(folder))]
                )
                yield self._served(job.model_copy(update={"clean": speed}))

    def _artifact(self, model: Path) -> Path:
        """Seal a copy of a model as an artifact of the results folder."""
        folder = self.root / "results" / "artifacts" / model.name
        if not folder.exists():
            shutil.copytree(model, folder)
            write_stamp(folder, Stamp(folder_sha256(folder), weights_sha256(folder) or folder_sha256(folder)))
        return folder

    def _probe(self, probe: Any, options: tuple[dict[str, Any], ...]) -> Iterator[Outcome]:
        folder = self.models["fake"][0]
        for given in options:
            spec = MeasureSpec(
                probe=probe.name, version=1, workload=given, engine="fake", engine_version=1, artifact="a"
            )
            yield self._served(self._job("quality", spec, [Input(role="artifact", id="a", path=str(folder))]))

    def _quantizer(self, quantizer: Any, options: tuple[dict[str, Any], ...]) -> Iterator[Outcome]:
        folders = self.models[quantizer.consumes[0]]
        for model, given in [(folders[0], given) for given in options] + [(folders[1], options[0])]:
            spec = BuildSpec(quantizer=quantizer.name, version=1, options=given, model=model.name)
            job = self._job("build", spec, [Input(role="model", id=model.name, path=str(model))])
            name = f"b-{job.key[:12]}"
            yield self._served(
                job.model_copy(update={"artifact": name, "out": str(self.root / "results" / "artifacts" / name)})
            )

    def _job(self, kind: Any, spec: BuildSpec | MeasureSpec, inputs: list[Input]) -> Job:
        key = digest(spec.model_dump(mode="json"))
        return Job(run=f"{kind}-{key[:16]}", kind=kind, key=key, spec=spec, inputs=tuple(inputs), environment="here")

    def _served(self, job: Job) -> Outcome:
        """Run a job by the worker's own code, in a fresh session."""
        folder = self.root / "results" / "runs" / job.run
        folder.mkdir(parents=True)
        (folder / JOB).write_text(job.model_dump_json(), "utf-8")
        server = Server(Answers(io.StringIO()), "here")
        server.serve(folder)
        server.close()
        return Outcome.model_validate_json((folder / OUTCOME).read_text("utf-8"))


def _doubts(outcome: Outcome) -> Iterator[str]:
    spec = outcome.job.spec
    what = spec.probe if isinstance(spec, MeasureSpec) else "build"
    if outcome.status != "ok":
        yield f"{what} {outcome.status}: {outcome.reason}"
    yield from (f"{what}: {note.text}" for note in outcome.notes if note.code in DOUBTS)
