"""What this machine can run: environments, wheels, adapters, GPU, clocks, and what to install for the rest."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.commands.machine import described, interpreters
from harness.commands.workspace import Workspace, lock_of
from harness.core.errors import HarnessError
from harness.core.outcome import Environment
from harness.core.registry import load
from harness.core.seam import Engine, Quantizer
from harness.engines import ENGINES
from harness.environment_state import is_current, marker
from harness.environments import is_for
from harness.host import environment
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import EnvironmentEntry
from harness.plan.hub import Absent, hub_reachable
from harness.quantizers import QUANTIZERS

CUDA_DRIVERS = {11: 450, 12: 525, 13: 580}
"""Lowest branch of NVIDIA's driver by major version of CUDA, Linux and Windows alike.

Source: NVIDIA, CUDA Compatibility, "Minor Version Compatibility", table 1. On Linux the first release of branch 580 with CUDA 13.0 is 580.65.06.
"""
CUDA_DRIVER = CUDA_DRIVERS[13]
"""That of environment `cuda`."""
GPU_BYTES = 8 * 1024**3
"""Memory that the models of sweep `gpu` need beside what else runs on the GPU."""
_SHOWN = ("torch", "transformers", "onnxruntime", "onnxruntime-gpu", "onnxruntime-genai", "onnxruntime-genai-cuda",
          "nvidia-modelopt", "lm-eval", "optimum-benchmark")  # fmt: skip
_TWINS = (
    ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml"),
    ("onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml"),
)
"""Distributions of one library; an environment holds one of each group."""
_USED_IF_THERE = frozenset({"cupy", "cupy-cuda12x", "cupy-cuda13x", "datasets"})
"""Packages that change what an adapter does or can read, and without which it works."""
_RUNS_ANYTHING = frozenset({"command"})
"""Adapters whose packages are those that a person's own script may use."""
_FOR_TESTS = frozenset({"fake"})
"""Adapters that stand in for real ones and tell nothing about a machine."""


@dataclass(frozen=True)
class Line:
    """One finding: `ok`, `missing` or `note`, and what to do about it."""

    mark: str
    text: str


@dataclass(frozen=True)
class GpuVerdict:
    """Whether the sweep `gpu` can run on the GPU that is here, and why (not)."""

    able: bool
    why: str


def examine(workspace: Workspace) -> list[Line]:
    """Describe this machine, then each environment that the catalogue names and whether it is here."""
    catalogue = load_catalogue(workspace.configs)
    own = environment("own")
    lines = [
        Line(
            "note",
            f"{own.system}, {own.cpu}, {own.cores} cores, {(own.memory_bytes or 0) / 1024**3:.0f} GiB, Python {own.python}",
        ),
        Line("note", f"harness {own.harness}"),
        *_gpus(own),
        *_database(workspace),
    ]
    pythons = interpreters(catalogue, catalogue.environments, workspace.root)
    for name, one in described(pythons).items():
        lines += [*_present(name, pythons[name], one, lock_of(name, workspace)), *_driver(name, one.packages, own)]
    for name, entry in catalogue.environments.items():
        if name not in pythons:
            lock = lock_of(name, workspace, entry.lock)
            lines.append(Line("missing", f"environment {name}: {_remedy(name, entry, lock, workspace)}"))
            lines += _driver(name, pinned(entry, lock), own) if is_for(entry.system) else []
    return lines


def held_files(workspace: Workspace) -> list[Line]:
    """Hold run folders and artifacts against the database, and published files against themselves and the database."""
    from harness.core.errors import ConfigError
    from harness.published.against_database import departed
    from harness.published.reading import read_published
    from harness.store.against_files import audit
    from harness.store.database import Database

    folder = workspace.published if workspace.published.is_dir() else workspace.own_published
    sound = _database(workspace, full=True)
    if any(line.mark == "wrong" for line in sound):
        return sound
    with Database.open(workspace.database, workspace.results) as database:
        found = list(audit(database, workspace.results))
        lines = [Line("wrong", f"{one.what}: {one.trouble}") for one in found if one.trouble]
        try:
            lines += [Line("wrong", said) for said in departed(read_published(folder), database)]
        except ConfigError as error:
            lines += [Line("wrong", str(problem)) for problem in error.problems]
    kinds = [(kind, sum(one.what.startswith(kind) for one in found)) for kind in ("run", "artifact")]
    looked = " and ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in kinds)
    return [
        *sound,
        *lines,
        Line("ok" if not lines else "note", f"{looked} and the published files were held against the database"),
    ]


def _database(workspace: Workspace, *, full: bool = False) -> list[Line]:
    """Say what the database is and whether it is sound; of a large one by a quick check unless `full`."""
    from harness.store.health import health
    from harness.store.own_metrics import own_counted, told_apart

    try:
        found = health(workspace.database, full=full)
        own = [] if found is None or found.troubles else told_apart(own_counted(workspace.database))
    except HarnessError as error:
        return [Line("wrong", f"database {error}")]
    if found is None:
        return [Line("note", "no database yet; the first sweep makes it")]
    remedy = "put a copy in its place, or move it away and run `harness ingest`"
    return [
        Line("note" if found.troubles else "ok", "database " + found.about.replace(f"{workspace.root}{os.sep}", "")),
        *(Line("wrong", f"database: {trouble}; {remedy}") for trouble in found.troubles),
        *(Line("note", f"database: {said}") for said in own),
    ]


def _gpus(own: Environment) -> list[Line]:
    if not own.gpus:
        return [Line("note", "no NVIDIA GPU: sweeps with provider cuda are unsupported here")]
    lines = []
    for gpu in own.gpus:
        memory = f"{gpu.memory_bytes / 1024**3:.0f} GiB" if gpu.memory_bytes else "memory unknown"
        clocks = ", ".join(f"{name} {value} MHz" for name, value in gpu.clocks_mhz.items()) or "clocks unknown"
        lines.append(Line("ok", f"GPU {gpu.name}, {memory}, driver {gpu.driver}, {clocks}"))
    return lines


def _present(name: str, python: Path, one: Environment, lock: Path | None = None) -> list[Line]:
    wheels = ", ".join(f"{package} {one.packages[package]}" for package in _SHOWN if package in one.packages)
    lines = [Line("ok", f"environment {name}: Python {one.python}; {wheels or 'no adapter packages'}")]
    folder = python.parent.parent
    if lock is not None and marker(folder).get("name") == name and not is_current(folder, name, lock):
        lines.append(Line("note", f"environment {name} is older than its lock file: harness setup --env {name}"))
    for what, registry in (("quantizer", QUANTIZERS), ("engine", ENGINES)):
        for adapter in (name for name in registry if name not in _FOR_TESTS):
            record: Quantizer | Engine = load(registry, what, adapter)
            gone = [] if adapter in _RUNS_ANYTHING else missing(record.packages, one.packages)
            if gone:
                lines.append(Line("missing", f"  {what} {adapter} in {name}: needs {', '.join(gone)}"))
            else:
                lines.append(Line("ok", f"  {what} {adapter} in {name}"))
    return lines


def missing(needs: tuple[str, ...], there: Mapping[str, str]) -> list[str]:
    """Name the packages that are not there: of twins, which hold one library, any will do; some are only used if there."""
    gone = []
    for name in needs:
        twins = next((group for group in _TWINS if name in group), (name,))
        if name not in _USED_IF_THERE and not any(twin in there for twin in twins):
            gone.append(twins[0])
    return list(dict.fromkeys(gone))


def pinned(entry: EnvironmentEntry, lock: Path | None) -> dict[str, str]:
    """Read the versions that an environment would hold: those of its lock file, and its own packages."""
    lines = [*(lock.read_text("utf-8").splitlines() if lock else ()), *entry.packages]
    pairs = (line.partition("#")[0].strip().partition("==") for line in lines)
    return {name.partition("[")[0]: version for name, sign, version in pairs if sign}


def cuda_major(packages: Mapping[str, str]) -> int | None:
    """Tell for which CUDA an environment's packages were built, by their names and builds; None where nothing tells.

    packages: version by name, as `{nvidia-cuda-runtime: 13.0.96}`, `{nvidia-cudnn-cu13: ...}`, `{torch: 2.8.0+cu128}`.
    """
    named = [int(found[1]) for name in packages if (found := re.search(r"-cu(1[0-9])(-|$)", name))]
    built = [int(found[1]) for version in packages.values() if (found := re.search(r"\+cu(1[0-9])", version))]
    runtime = packages.get("nvidia-cuda-runtime", "").partition(".")[0]
    return max([*named, *built, *([int(runtime)] if runtime.isdigit() else [])], default=None)


def _driver(name: str, packages: Mapping[str, str], own: Environment) -> list[Line]:
    """Say which driver an environment's CUDA build needs, and whether the one here is as new."""
    major = cuda_major(packages)
    if major not in CUDA_DRIVERS:
        return []
    needs = f"  environment {name} is built for CUDA {major}, which needs NVIDIA driver {CUDA_DRIVERS[major]} or newer"
    here = next((gpu.driver for gpu in own.gpus if gpu.driver), None)
    if here is None:
        return [Line("note", f"{needs}; there is none here")]
    if _branch(here) < CUDA_DRIVERS[major]:
        return [Line("missing", f"{needs}; the one here is {here}: install a newer one")]
    return [Line("ok", f"{needs}; the one here is {here}")]


def _branch(driver: str) -> int:
    first = driver.partition(".")[0]
    return int(first) if first.isdigit() else 0


def _remedy(name: str, entry: EnvironmentEntry, lock: Path | None, workspace: Workspace) -> str:
    if not is_for(entry.system):
        return f"needs {entry.system}, which this machine does not have"
    if lock is not None:
        return f"not made here; harness setup --env {name}"
    adopt = f"adopt one with `python: {{{name}: PATH}}` in {workspace.called(workspace.own_configs)}/local.yaml"
    return f"not made here; harness setup --env {name} makes it from its packages, or {adopt}"


def gpu_answers() -> bool:
    """Tell whether an NVIDIA driver shows a GPU."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "GPU 0" in answer.stdout


def gpu_verdict(absent: Sequence[Absent]) -> GpuVerdict:
    """Tell whether driver, memory and hub suffice for the sweep `gpu`, of which these models are not in the local cache."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version,memory.free", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        name, driver, free = (part.strip() for part in answer.stdout.splitlines()[0].split(","))
        branch, free_mib = int(driver.split(".")[0]), int(free)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        return GpuVerdict(able=False, why=f"nvidia-smi does not tell driver and memory ({error})")
    if branch < CUDA_DRIVER:
        return GpuVerdict(able=False, why=f"driver {driver} is older than {CUDA_DRIVER}, which CUDA 13 needs")
    if free_mib * 1024**2 < GPU_BYTES:
        return GpuVerdict(able=False, why=f"{name} has {free} MiB free, {GPU_BYTES // 1024**2} are needed")
    why_not = _unreadable(absent)
    return GpuVerdict(able=why_not is None, why=why_not or f"{name}, driver {driver}, {free} MiB free")


def _unreadable(absent: Sequence[Absent]) -> str | None:
    """Say why models that are not in the local cache cannot be had, or None."""
    gated = [model.name for model in absent if model.gated]
    if gated:
        return f"the hub asks for an agreement before it gives {', '.join(gated)}"
    if absent and not hub_reachable():
        names = ", ".join(model.name for model in absent)
        return f"the model hub cannot be reached, and the local cache lacks {names}"
    return None
