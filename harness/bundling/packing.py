"""Outcomes of a stage as one tar. Travels with the script: standard library alone."""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harness.bundling.records import (
    OUTCOMES,
    OUTCOMES_VERSION,
    PARTIAL,
    Manifest,
    Stage,
    read_outcomes,
    sha256_of,
)

RESULTS = "results"


_LEFT = ("lock", "heartbeat")


def libraries(sites: Sequence[str]) -> str:
    """Give the search path of libraries with those of CUDA that the machine's own nvidia-* wheels hold.

    ONNX Runtime looks for them beside itself, and there its own environment has none. Source: onnxruntime.preload_dlls.
    """
    found = [str(path) for folder in sites for path in sorted(Path(folder).glob("nvidia/*/lib"))]
    return os.pathsep.join(filter(None, (*found, os.environ.get("LD_LIBRARY_PATH", ""))))


def pack(asked: argparse.Namespace, number: int, stage: Stage, manifest: Manifest) -> tuple[Path, int]:
    """Put the runs that no other stage's tar holds, and all sessions, into a tar; returns it and how many runs it has.

    Nothing in it names a user or a folder of this machine but what libraries wrote into logs.
    """
    asked.out.mkdir(parents=True, exist_ok=True)
    tar = asked.out / f"{number}-{stage.name}.tar"
    others = [path for path in asked.out.glob("*.tar") if path != tar]
    packed = {name for path in others for name in read_outcomes(path).runs}
    results = asked.work / RESULTS
    runs = [path.parent for path in sorted((results / "runs").glob("*/outcome.json")) if path.parent.name not in packed]
    files = [path for run in runs for path in sorted(run.rglob("*")) if _is_kept(path)]
    files += sorted((results / "sessions").glob("*.json"))
    table = {path.relative_to(results).as_posix(): sha256_of(path) for path in files}
    told = {
        "format": "quant-harness outcomes", "version": OUTCOMES_VERSION, "bundle": manifest.id, "harness": manifest.harness,
        "stage": stage.name, "runs": [run.name for run in runs], "files": table,
    }  # fmt: skip
    beside = tar.with_name(f"{tar.name}{PARTIAL}")
    with tarfile.open(beside, "w") as archive:
        _add(archive, OUTCOMES, json.dumps(told, indent=1).encode())
        for path in files:
            archive.add(path, path.relative_to(results).as_posix(), recursive=False, filter=_nameless)
    os.replace(beside, tar)
    return tar, len(runs)


def _is_kept(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.name not in _LEFT and PARTIAL not in str(path)


def _nameless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(_nameless(member), io.BytesIO(data))
