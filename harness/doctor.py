"""What this machine can run: environments, wheels, adapters, GPU, clocks, and what to install for the rest."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.box import described, interpreters
from harness.core.seam import Engine, Quantizer, load
from harness.core.spec import Environment
from harness.engines import ENGINES
from harness.environments import LOCKS, default_name, is_current, marker
from harness.host import environment
from harness.plan.catalogue import Catalogue
from harness.quantizers import QUANTIZERS

CUDA_DRIVER = 580
"""Lowest NVIDIA driver branch for the CUDA 13 wheels of environment `cuda`."""
GPU_BYTES = 8 * 1024**3
"""Memory that the models of sweep `gpu` need beside what else runs on the GPU."""
_SHOWN = ("torch", "transformers", "onnxruntime", "onnxruntime-gpu", "onnxruntime-genai", "onnxruntime-genai-cuda",
          "nvidia-modelopt", "lm-eval", "optimum-benchmark")  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One finding: `ok`, `missing` or `note`, and what to do about it."""

    mark: str
    text: str


@dataclass(frozen=True)
class GpuVerdict:
    """Whether the sweep `gpu` can run here, and why (not)."""

    present: bool
    able: bool
    why: str


def examine(catalogue: Catalogue) -> list[Line]:
    """Describe this machine, then each environment that the catalogue names and whether it is here."""
    own = environment("own")
    lines = [
        Line(
            "note",
            f"{own.system}, {own.cpu}, {own.cores} cores, {own.memory_bytes / 1024**3:.0f} GiB, Python {own.python}",
        ),
        Line("note", f"harness {own.harness}"),
        *_gpus(own),
    ]
    pythons = interpreters(catalogue, catalogue.environments)
    for name, one in described(pythons).items():
        lines += _present(name, pythons[name], one)
    absent = [name for name in catalogue.environments if name not in pythons]
    lines += [Line("missing", f"environment {name}: {_remedy(name)}") for name in absent]
    return lines


def _gpus(own: Environment) -> list[Line]:
    if not own.gpus:
        return [Line("note", "no NVIDIA GPU: sweeps with provider cuda are unsupported here")]
    lines = []
    for gpu in own.gpus:
        memory = f"{gpu.memory_bytes / 1024**3:.0f} GiB" if gpu.memory_bytes else "memory unknown"
        clocks = ", ".join(f"{name} {value} MHz" for name, value in gpu.clocks_mhz.items()) or "clocks unknown"
        lines.append(Line("ok", f"GPU {gpu.name}, {memory}, driver {gpu.driver}, {clocks}"))
    return lines


def _present(name: str, python: Path, one: Environment) -> list[Line]:
    wheels = ", ".join(f"{package} {one.packages[package]}" for package in _SHOWN if package in one.packages)
    lines = [Line("ok", f"environment {name}: Python {one.python}; {wheels or 'no adapter packages'}")]
    lock = LOCKS / f"{name}.txt"
    folder = python.parent.parent
    if lock.exists() and marker(folder).get("name") == name and not is_current(folder, name, lock):
        lines.append(Line("note", f"environment {name} is older than its lock file: harness setup --env {name}"))
    for what, registry in (("quantizer", QUANTIZERS), ("engine", ENGINES)):
        for adapter in registry:
            record: Quantizer | Engine = load(registry, what, adapter)
            gone = missing(record.packages, one.packages)
            if gone:
                lines.append(Line("missing", f"  {what} {adapter} in {name}: needs {', '.join(gone)}"))
            else:
                lines.append(Line("ok", f"  {what} {adapter} in {name}"))
    return lines


def missing(needs: tuple[str, ...], there: Mapping[str, str]) -> list[str]:
    """Name the packages that are not there; a CUDA wheel stands in for the CPU wheel of the same library."""
    stand_ins = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml"),
                 "onnxruntime-genai": ("onnxruntime-genai-cuda", "onnxruntime-genai-directml")}  # fmt: skip
    return [
        name for name in needs
        if name not in there and not any(other in there for other in stand_ins.get(name, ()))
        and not any(name in others and (cpu in there or name in there) for cpu, others in stand_ins.items())
    ]  # fmt: skip


def _remedy(name: str) -> str:
    if (LOCKS / f"{name}.txt").exists():
        return f"not made here; harness setup --env {name}"
    return f"not made here, and no lock file pins it; adopt one with `python: {{{name}: PATH}}` in configs/local.yaml"


def gpu_verdict(hub_models: tuple[str, ...]) -> GpuVerdict:
    """Tell whether driver, memory and hub suffice for the sweep `gpu`."""
    if default_name() != "cuda":
        return GpuVerdict(present=False, able=False, why="no NVIDIA GPU answers")
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version,memory.free", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        name, driver, free = (part.strip() for part in answer.stdout.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return GpuVerdict(present=True, able=False, why=f"nvidia-smi does not tell driver and memory ({error})")
    if int(driver.split(".")[0]) < CUDA_DRIVER:
        return GpuVerdict(
            present=True, able=False, why=f"driver {driver} is older than {CUDA_DRIVER}, which CUDA 13 needs"
        )
    if int(free) * 1024**2 < GPU_BYTES:
        return GpuVerdict(
            present=True, able=False, why=f"{name} has {free} MiB free, {GPU_BYTES // 1024**2} are needed"
        )
    if not hub_models or hub_reachable():
        return GpuVerdict(present=True, able=True, why=f"{name}, driver {driver}, {free} MiB free")
    return GpuVerdict(
        present=True, able=False, why="the model hub cannot be reached and models are not in the local cache"
    )


def hub_reachable() -> bool:
    """Tell whether the model hub answers; HF_HUB_OFFLINE=1 says no without asking."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        return False
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").split("://")[-1].split("/")[0]
    try:
        with socket.create_connection((host, 443), timeout=5):
            return True
    except OSError:
        return False
