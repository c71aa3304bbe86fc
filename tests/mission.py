"""Which sweep measures each table of the published benchmark pages, and what of it has run where: written into configs/MISSION.md.

Engines, probes and quantizers are read from the planned sweeps, what ran from the published results; by hand are only the rows below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import PlannedJob, expand
from harness.plan.reading import read_sweep
from tests.conftest import ROOT

PAGE = ROOT / "configs" / "MISSION.md"
KINDS = frozenset({"quality", "speed"})


@dataclass(frozen=True)
class Seed:
    """A table of a page."""

    table: str
    """Spec that prints it."""
    sweep: str = ""
    """What measures it; empty: nothing here."""
    block: str = ""
    """Part of the sweep; empty: all of it."""
    tests: str = ""
    """Where its system runs for real in tests, or, for one that cannot, through a stand-in."""
    lacks: str = ""
    """What of the table is not measured."""
    shown: tuple[str, ...] = ()
    """Tables in which measured rows stand, where the page's own takes reported ones alone."""

    @property
    def measured_in(self) -> tuple[str, ...]:
        """Name the tables in which measured rows stand; none where nothing is measured."""
        return (self.shown or (self.table,)) if self.sweep else ()


OPTIMUM, DIFFUSERS, TRTLLM = (
    "tests/real/test_optimum_peer.py",
    "tests/real/test_diffusers.py",
    "tests/unit/engines/test_tensorrt_llm.py",
)
MODELOPT, TRAIN, STANDS_IN = (
    "tests/unit/quantizers/test_modelopt_torch.py",
    "tests/unit/quantizers/test_train.py",
    "a stand-in runs, TensorRT-LLM never did",
)
SIMULATED = "INT8 and FP8 seconds: layers are simulated; diffusers-cpu has a tiny pipeline"
LOSSES = "this model and data: the shipped model and texts stand for them until VALIDATION_DATA and TRAINING_DATA say otherwise"
ACCURACY = "tests/unit/engines/test_tensorrt_accuracy.py"
OTHER_PROCEDURE = f"{STANDS_IN}; lm-eval's procedure, not the page's"
PAGES: dict[str, tuple[Seed, ...]] = {
    "Model Optimizer on Windows": (
        Seed("windows-speed", "modelopt_windows", "speed_mmlu", lacks="DirectML never ran"),
        Seed("windows-mmlu", "modelopt_windows", "speed_mmlu", lacks="DirectML never ran"),
        Seed("windows-ppl", "modelopt_windows", "ppl", lacks="these models"),
        Seed(
            "windows-kl", "modelopt_windows", "kl", MODELOPT, "these models; sweep modelopt-torch has the shipped one"
        ),
        Seed("windows-mixed", "modelopt_windows", "ppl", lacks="these models"),
        Seed("windows-support", lacks="no number"),
    ),
    "Model Optimizer on the H100": (
        Seed("h100-speed", "modelopt_h100", "speed", TRTLLM, STANDS_IN),
        Seed("h100-mmlu", "modelopt_h100", "mmlu", ACCURACY, OTHER_PROCEDURE, ("h100-lm-eval",)),
        Seed("h100-sdxl", "diffusers", "", DIFFUSERS, SIMULATED, ("image-speed", "image-distance")),
        Seed("h100-qat", "qat", "loss", TRAIN, LOSSES, ("qat-loss",)),
        Seed("h100-sparsity-speed", "qat", "speed", TRAIN, "FP8 with 2:4 kernels", ("qat-speed",)),
        Seed("h100-sparsity-loss", "qat", "loss", TRAIN, LOSSES, ("qat-loss",)),
    ),
    "Model Optimizer on the H200": (
        Seed("h200-speed", "modelopt_h200", "speed", TRTLLM, STANDS_IN),
        Seed("h200-mmlu", "modelopt_h200", "mmlu", ACCURACY, OTHER_PROCEDURE, ("h200-lm-eval",)),
        Seed("h200-sdxl", "diffusers", "", DIFFUSERS, SIMULATED, ("image-speed", "image-distance")),
        Seed("h200-qat", "qat", "loss", TRAIN, LOSSES, ("qat-loss",)),
        Seed("h200-sparsity-speed", "qat", "speed", TRAIN, "FP8 with 2:4 kernels", ("qat-speed",)),
        Seed("h200-sparsity-loss", "qat", "loss", TRAIN, LOSSES, ("qat-loss",)),
    ),
    "bitsandbytes": (
        Seed("bnb", "bnb", "", OPTIMUM, "on these GPUs; bnb-cpu has every setting, both protocols and FP4, on a CPU"),
    ),
}
ELSEWHERE = {"h100-lm-eval": "no table of a page", "h200-lm-eval": "no table of a page"}
"""Tables beside those of the pages."""


def _planned(sweep: str) -> tuple[PlannedJob, ...]:
    catalogue = _catalogue()
    return tuple(expand(read_sweep(ROOT / "configs" / "sweeps" / f"{sweep}.yaml", catalogue), catalogue, {}).jobs)


@cache
def _catalogue() -> Any:
    return load_catalogue(ROOT / "configs")


planned = cache(_planned)


def jobs(seed: Seed) -> list[PlannedJob]:
    """List the jobs of a table's sweep, those of its block where it has one."""
    return [
        job for job in planned(seed.sweep) if not seed.block or any(label.block == seed.block for label in job.labels)
    ]


def measured_by(seed: Seed) -> set[tuple[str, str]]:
    """Name engines and probes that measure a table."""
    specs = [job.spec for job in jobs(seed) if job.kind in KINDS and not job.verifies]
    return {
        (spec.engine, spec.probe) for spec in specs if isinstance(spec, MeasureSpec) and spec.probe != "output_check"
    }


def made_by(seed: Seed) -> set[str]:
    """Name quantizers that make what is measured."""
    return {job.spec.quantizer for job in jobs(seed) if isinstance(job.spec, BuildSpec)}


@cache
def published() -> dict[tuple[str, str], set[str]]:
    """Say where engine and probe have measured, by the runs that are published."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in sorted((ROOT / "results" / "published").glob("*.yaml")):
        for run in _runs(path):
            spec, outcome = run["job"]["spec"], run["outcome"]
            if "probe" in spec and outcome["status"] == "ok":
                place = "GPU" if str(outcome.get("provider")).startswith("cuda") else "CPU"
                found.setdefault((spec["engine"], spec["probe"]), set()).add(place)
    return found


def _runs(path: Path) -> Iterator[dict[str, Any]]:
    kept = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    for one in kept.get("runs", ()):
        run = one.get("run", {})
        yield {"job": one.get("job") or run.get("job"), "outcome": one.get("outcome") or run.get("outcome")}


def page() -> str:
    """Write the page."""
    lines = [
        "# Published tables, and what measures them",
        "",
        "Written by `python -m tests.test_mission`. Published runs: where that engine and probe have measured, with whatever model; tests: what runs the system for real, or through a stand-in.",
    ]
    for name, seeds in PAGES.items():
        lines += [
            "",
            f"## {name}",
            "",
            "| table | measured rows in | sweep | measured by | made by | published runs | tests | not measured |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(cells(seed))} |" for seed in seeds]
    return "\n".join([*lines, ""])


def cells(seed: Seed) -> list[str]:
    """Give the cells of a row."""
    if not seed.sweep:
        return [f"`{seed.table}`", *["-"] * 6, seed.lacks]
    pairs = sorted(measured_by(seed))
    ran = [
        f"{probe} on {engine}: {' and '.join(sorted(there)) if (there := published().get((engine, probe))) else 'none'}"
        for engine, probe in pairs
    ]
    return [
        f"`{seed.table}`", ", ".join(f"`{name}`" for name in seed.measured_in), f"`{seed.sweep}`{f' ({seed.block})' if seed.block else ''}", ", ".join(sorted({engine for engine, _ in pairs})),
        ", ".join(sorted(made_by(seed))) or "-", "; ".join(ran), f"`{seed.tests}`" if seed.tests else "-", seed.lacks or "-",
    ]  # fmt: skip
