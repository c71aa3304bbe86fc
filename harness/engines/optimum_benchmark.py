"""optimum-benchmark: a program that measures a transformers folder by itself; its report is read as `import` reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harness import programs
from harness.core.errors import HarnessError
from harness.core.executed import Executed
from harness.core.linear_layers import is_fp8
from harness.core.model_record import ModelRecord
from harness.core.options import Options
from harness.core.reports import FixedWork, Reported, Reports
from harness.core.seam import Engine, Facts
from harness.core.spec import Note
from harness.engines import torch_loading, transformers
from harness.engines.reporting import read_report
from harness.engines.torch_quantized import Checkpoint, read_checkpoint

_RUN = "python -m harness.engines.optimum_driver {asked} {out}"
_ASKED, _REPORT, _LOADED = "asked.json", "benchmark_report.json", "loaded.json"
PROTOCOLS = frozenset({"bnb-2024-12", "bnb-2025-09"})
"""Published procedures that are this program's, by the names under which probe `generation` asks for them."""


class OptimumBenchmarkOptions(Options):
    """How optimum-benchmark's PyTorch backend holds and runs the model."""

    device: Literal["cpu", "cuda"] = "cpu"
    """The one asked for runs, or the job fails."""
    dtype: Literal["float32", "float16", "bfloat16", "auto"] = "float32"
    """Type of weights and activations; `auto` leaves it to the model's own files. A quantized model computes in its own."""
    memory: bool = False
    """Whether it watches memory, too: a process of its own polls meanwhile in each phase, and starting it takes seconds."""


@dataclass(frozen=True)
class OptimumBenchmarkSession:
    """Stands for the artifact; the program opens it."""

    folder: Path
    options: OptimumBenchmarkOptions
    checkpoint: Checkpoint
    """How the folder's weights are stored, and in which type they compute."""
    load_seconds: float = 0.0
    notes: tuple[Note, ...] = field(default=())

    @property
    def provider(self) -> str:
        return self.options.device

    @property
    def dtype(self) -> str | None:
        return None if self.checkpoint.dtype == "auto" else self.checkpoint.dtype

    def report(self, work: FixedWork, out: Path, log: Path, progress: Callable[[float], None]) -> Reported:
        """Run the program once. Raises: HarnessError where it fails or leaves no report."""
        progress(0.0)
        asked = out / _ASKED
        asked.write_text(json.dumps(asked_of(self.folder, self.options, work, self.checkpoint), indent=1), "utf-8")
        notes = programs.run(_RUN, {"{asked}": asked, "{out}": out}, log)
        said = read_report(out / _REPORT, "optimum-benchmark", notes)
        loaded = json.loads((out / _LOADED).read_text("utf-8"))
        ran = Executed.model_validate(loaded.pop("executed"))
        facts = said.protocol.facts | {"loaded": loaded}
        return replace(said, protocol=said.protocol.model_copy(update={"facts": facts}), executed=ran)


def asked_of(
    folder: Path, options: OptimumBenchmarkOptions, work: FixedWork, checkpoint: Checkpoint
) -> dict[str, dict[str, object]]:
    """Put a piece of work into the fields of its configurations; an end of text ends nothing.

    How weights are quantized is in the model's own config.json, so that neither `quantization_scheme` nor its successor, which is ignored, is needed;
    `checkpoint` travels along for what it promises to be held against what was loaded.
    """
    backend = {
        "model": str(folder), "device": options.device, "library": "transformers", "task": "text-generation",
        "torch_dtype": checkpoint.dtype, "model_kwargs": {"trust_remote_code": False}, "processor_kwargs": {"trust_remote_code": False},
    } | ({"device_ids": "0"} if options.device == "cuda" else {})  # fmt: skip
    if checkpoint.known:
        backend["device_map"] = "auto" if options.device == "cuda" else "cpu"
    scenario = {
        "latency": True, "memory": options.memory, "iterations": work.repetitions, "duration": int(work.seconds), "warmup_runs": work.warmups,
        "input_shapes": {"batch_size": work.batch, "sequence_length": work.prompt},
        "generate_kwargs": {"max_new_tokens": work.output, "min_new_tokens": work.output, "do_sample": False},
    }  # fmt: skip
    promised = {"quantization": dict(checkpoint.said), "deterministic": work.protocol == "bnb-2025-09"}
    return {"backend": dict[str, object](backend), "scenario": scenario, "promised": promised}


@contextmanager
def _open(folder: Path, options: OptimumBenchmarkOptions) -> Iterator[OptimumBenchmarkSession]:
    yield OptimumBenchmarkSession(folder, options, _checkpoint(folder, options))


def _checkpoint(folder: Path, options: OptimumBenchmarkOptions) -> Checkpoint:
    """Read how a folder's weights are stored. Raises: HarnessError for FP8, which the program does not put into its layers."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    checkpoint = read_checkpoint(folder, config, "float32" if options.dtype == "auto" else options.dtype)
    if is_fp8(checkpoint.said):
        raise HarnessError(
            f"{folder} is quantized to FP8, which optimum-benchmark does not open: take engine transformers"
        )
    return replace(checkpoint, dtype="auto") if options.dtype == "auto" and not checkpoint.known else checkpoint


def refuse(options: OptimumBenchmarkOptions, facts: Facts) -> str | None:
    """Say why it cannot run in an environment; no package is imported."""
    return facts.wants("optimum-benchmark", "torch", "transformers<5", device=options.device)


def refuse_model(options: OptimumBenchmarkOptions, facts: Facts, record: ModelRecord) -> str | None:
    """Say why a model cannot be opened, as of the engine that opens it in the same way."""
    return transformers.refuse_model(torch_loading.TransformersOptions(device=options.device), facts, record)


ENGINE = Engine(
    name="optimum-benchmark",
    version=1,
    consumes=("hf",),
    offers=frozenset({"reports"}) | PROTOCOLS,
    options=OptimumBenchmarkOptions,
    packages=("optimum-benchmark", "torch", "transformers"),
    open=_open,
    refuse=refuse,
    refuse_model=refuse_model,
    provider=lambda options: str(options.device),
    floats=lambda options: None if options.dtype == "auto" else options.dtype,
    title="optimum-benchmark",
)

_SESSIONS: tuple[type[Reports]] = (OptimumBenchmarkSession,)
"""Read by the type checker alone: the session has what the capability asks for."""
