"""Jobs of one adapter, run by the worker's own code in this process."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.identity import digest, file_sha256, files_below
from harness.core.outcome import Outcome
from harness.core.registry import load
from harness.core.seam import Probe, Quantizer
from harness.core.spec import BuildSpec, Input, Job, MeasureSpec
from harness.probes import PROBES
from harness.quantizers import QUANTIZERS
from harness.worker import JOB, LOG, OUTCOME
from harness.worker.answers import Answers
from harness.worker.server import Server
from tests.contract.cases import PROBE_CASES, ProbeCase, QuantizerCase


@dataclass(frozen=True)
class Served:
    """What came of a job."""

    outcome: Outcome
    log: str
    folder: Path
    out: Path
    """What it made, if anything."""

    def files(self) -> dict[str, str]:
        """Hash each file of what it made."""
        return {path.relative_to(self.out).as_posix(): file_sha256(path) for path in files_below(self.out)}


@dataclass(frozen=True)
class Bench:
    """A folder of results, and the artifacts that all contracts share."""

    root: Path
    artifacts: Mapping[str, Path]

    def build(self, name: str, case: QuantizerCase, turn: str = "") -> Served:
        """Build what a case asks for, in a folder of this turn."""
        quantizer: Quantizer = load(QUANTIZERS, "quantizer", name)
        spec = BuildSpec(quantizer=name, version=quantizer.version, options=dict(case.options), model="m")
        inputs = [Input(role="model", id="m", path=str(self.artifacts["hf"]))]
        if case.base != "hf":
            inputs.append(Input(role="base", id="b", path=str(self.artifacts[case.base])))
        job = self._job(f"{name}{turn}", "build", spec, inputs)
        return self._served(job.model_copy(update={"artifact": f"b-{job.run}", "out": str(self._made(job))}))

    def measure(self, name: str, case: ProbeCase, turn: str = "") -> Served:
        """Measure what a case asks for; what it is compared with is made first."""
        probe: Probe = load(PROBES, "probe", name)
        spec = MeasureSpec(
            probe=name, version=probe.version, workload=dict(case.workload), engine=case.engine, engine_version=1,
            engine_options=dict(case.engine_options), artifact="a",
        )  # fmt: skip
        inputs = [Input(role="artifact", id="a", path=str(self.artifacts[case.artifact]))]
        if case.reference == "live":
            inputs.append(Input(role="reference", id="r", path=str(self.artifacts["hf"]), engine="transformers"))
        elif case.reference:
            stored = self.measure(case.reference, PROBE_CASES[case.reference], f"-for-{name}{turn}")
            inputs.append(Input(role="reference", id="r", path=str(stored.out)))
        job = self._job(f"{name}-{case.engine}{turn}", case.kind, spec, inputs)
        made = {"artifact": f"r-{job.run}", "out": str(self._made(job))} if case.kind == "reference" else {}
        return self._served(job.model_copy(update=made))

    def _job(self, run: str, kind: Any, spec: BuildSpec | MeasureSpec, inputs: list[Input]) -> Job:
        key = digest(spec.model_dump(mode="json"))
        return Job(run=run, kind=kind, key=key, spec=spec, inputs=tuple(inputs), environment="here")

    def _made(self, job: Job) -> Path:
        return self.root / "artifacts" / job.run

    def _served(self, job: Job) -> Served:
        folder = self.root / "runs" / job.run
        folder.mkdir(parents=True)
        (folder / JOB).write_text(job.model_dump_json(), "utf-8")
        server = Server(Answers(io.StringIO()), "here")
        server.serve(folder)
        server.close()
        outcome = Outcome.model_validate_json((folder / OUTCOME).read_text("utf-8"))
        return Served(outcome, (folder / LOG).read_text("utf-8"), folder, self._made(job))
