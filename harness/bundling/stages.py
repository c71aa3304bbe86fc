"""Environments and stages of a bundle, on the machine that it was brought to. Travels with the script: standard library alone."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import json
import os
import shutil
import site
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from harness.bundling.records import (
    OUTCOMES,
    OUTCOMES_VERSION,
    PARTIAL,
    VARIABLE,
    WHEELS,
    WORKSPACE,
    Manifest,
    Place,
    Refused,
    Stage,
    read_outcomes,
    sha256_of,
)

RESULTS = "results"
_LEFT = ("lock", "heartbeat")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def version_of(name: str) -> str | None:
    """Give the version of a package that this interpreter sees; None where it sees none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def make_environment(place: Place, manifest: Manifest, content: Path, work: Path) -> Path:
    """Make an environment from the wheels, without a network, once; return its interpreter.

    Where the machine has all that it needs, that is this very interpreter. Raises: Refused where a step fails.
    """
    for name, version in manifest.has.items():
        if version and version_of(name) != version:
            say(
                f"environment {place.name}: this machine's {name} {version_of(name)} stands in the place of {version}; records name what is here"
            )
    if not place.requirements and not place.wheels:
        return Path(sys.executable)
    folder = work / f"env-{place.name}"
    made, wanted = folder / "made.json", json.dumps([place.requirements, place.wheels, manifest.own, sys.version])
    python = folder / "bin" / "python"
    if made.is_file() and made.read_text("utf-8") == wanted:
        return python
    if folder.exists():
        shutil.rmtree(folder)
    say(f"environment {place.name}: installing {len(place.requirements) + len(place.wheels)} packages into {folder}")
    (pip,) = (content / WHEELS).glob("pip-*.whl")
    _step(
        [
            sys.executable,
            "-m",
            "venv",
            "--without-pip",
            *(["--system-site-packages"] if manifest.own else []),
            str(folder),
        ]
    )
    if manifest.own:
        _stand_on_this(folder)
    listed = work / f"env-{place.name}.txt"
    listed.write_text("".join(f"{one}\n" for one in place.requirements), "utf-8")
    install = [
        str(python),
        f"{pip}/pip",
        "install",
        "--isolated",
        "--no-index",
        "--no-deps",
        "--no-cache-dir",
        "--no-input",
        "--no-compile",
        "--quiet",
    ]
    install += ["--disable-pip-version-check", "--find-links", str(content / WHEELS)]
    _step([*install, "--requirement", str(listed)])
    if place.wheels:
        _step([*install, "--force-reinstall", *(str(content / WHEELS / name) for name in place.wheels)])
    made.write_text(wanted, "utf-8")
    return python


def _stand_on_this(folder: Path) -> None:
    """Let an environment also see the packages of this interpreter where that is an environment itself."""
    if sys.prefix == sys.base_prefix:
        return
    target = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "machine.pth"
    target.write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()), "utf-8")


def _step(words: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    ran = subprocess.run(words, env=kept, stdin=subprocess.DEVNULL, check=False)
    if ran.returncode:
        raise Refused(
            f"this step failed ({ran.returncode}); see above why, then the same command goes on: {' '.join(words[:4])} ..."
        )


def run_stages(manifest: Manifest, asked: argparse.Namespace, content: Path) -> int:
    """Run the stages in order and pack the outcomes of each when it is over. Returns the exit code. Raises: Refused."""
    stages = list(enumerate(manifest.stages, 1))
    wanted = [(number, stage) for number, stage in stages if asked.stage in {None, stage.name, str(number)}]
    if not wanted:
        raise Refused(
            f"there is no stage {asked.stage}; there are {', '.join(stage.name for stage in manifest.stages)}"
        )
    pythons = {place.name: make_environment(place, manifest, content, asked.work) for place in manifest.environments}
    local = {"python": {name: str(path) for name, path in pythons.items()},
             "folders": {name: str(content / path) for name, path in manifest.folders.items()}}  # fmt: skip
    configs = content / WORKSPACE / "configs"
    configs.mkdir(exist_ok=True)
    (configs / "local.yaml").write_text(json.dumps(local), "utf-8")
    codes = []
    for number, stage in wanted:
        done = asked.work / f"stage-{number}.done"
        if done.is_file() and not asked.again:
            say(f"stage {number}, {stage.name}: done already; --again runs it anew")
            codes.append(int(done.read_text("utf-8")))
            continue
        say(f"stage {number} of {len(stages)}: {stage.name}")
        codes.append(_run(stage, next(iter(pythons.values())), asked.work, content, manifest))
        if codes[-1] not in {0, 1, 2}:
            raise Refused(f"stage {stage.name} was ended ({codes[-1]}); the same command goes on")
        packed, count = pack(asked, number, stage, manifest)
        say(f"stage {number}, {stage.name}: {count} runs in {packed}; take it back with: harness ingest {packed.name}")
        if codes[-1] < 2:
            done.write_text(str(codes[-1]), "utf-8")
    return max(codes)


def _run(stage: Stage, python: Path, work: Path, content: Path, manifest: Manifest) -> int:
    """Run a sweep; what it prints is shown."""
    workspace = content / WORKSPACE
    words = [
        str(python),
        "-m",
        "harness",
        "--workspace",
        str(workspace),
        "run",
        stage.sweep,
        "--offline",
        "--results",
        str(work / RESULTS),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "HF_", "PIP_"))}
    more = os.environ.get("PYTHONPATH", "") if manifest.own else ""
    own = {
        VARIABLE: str(content),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(content), more))),
        "HARNESS_CACHE": str(content / "cache"),
        "HF_HOME": str(content / "hf"),
        **({"LD_LIBRARY_PATH": libraries(site.getsitepackages())} if manifest.own else {"PYTHONNOUSERSITE": "1"}),
    }
    return subprocess.run(words, cwd=workspace, env={**kept, **own}, stdin=subprocess.DEVNULL, check=False).returncode


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
