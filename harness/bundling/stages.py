"""Environments and stages of a bundle, on the machine that it was brought to. Travels with the script: standard library alone."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

from harness.bundling.packing import RESULTS, libraries, pack
from harness.bundling.records import (
    PARTIAL,
    VARIABLE,
    WHEELS,
    WORKSPACE,
    Manifest,
    PackedEnvironment,
    Refused,
    Stage,
    read_outcomes,
)

MADE = "made.json"
"""Stands in an environment that was made to its end, and says from what and what it held then."""
LIMIT_SECONDS = 4 * 3600.0
"""Longest that a step of making an environment may take."""
_HELD = """
import csv, importlib.metadata, json, os, sys
versions, sizes = {}, {}
for name in sys.argv[1:]:
    one = importlib.metadata.distribution(name)
    versions[name] = one.version
    for row in csv.reader((one.read_text("RECORD") or "").splitlines()):
        if len(row) == 3 and row[2] and (row[0].endswith(".py") or ".so" in row[0]):
            sizes.setdefault(str(one.locate_file(row[0])), set()).add(int(row[2]))
for place, known in sizes.items():
    if os.stat(place).st_size not in known:
        sys.exit(f"{place} was changed")
print(json.dumps(versions))
"""


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


def make_environment(place: PackedEnvironment, manifest: Manifest, content: Path, work: Path) -> Path:
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
    wanted = [list(place.requirements), list(place.wheels), manifest.own, sys.version]
    python = folder / "bin" / "python"
    why = not_as_made(place, folder, wanted)
    if not why:
        return python
    if folder.exists():
        say(f"environment {place.name}: {folder} {why}; making it anew")
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
    held, why = held_by(python, place)
    if held is None:
        say(f"environment {place.name}: what it holds cannot be noted ({why}); damage will not be noticed later")
    write_beside(folder / MADE, json.dumps({"wanted": wanted, "held": held}))
    return python


def not_as_made(place: PackedEnvironment, folder: Path, wanted: list[object]) -> str:
    """Say why an environment cannot be used as it is; empty where it is what was made from the same wheels."""
    try:
        made = json.loads((folder / MADE).read_text("utf-8"))
        then, same = made["held"], made["wanted"] == wanted
    except (OSError, ValueError, KeyError, TypeError):
        return "was not made to its end"
    if not same:
        return "was made from other wheels, or by another Python"
    now, why = held_by(folder / "bin" / "python", place if then is not None else PackedEnvironment(place.name, ()))
    if now is None:
        return f"is not as it was made ({why})"
    changed = [name for name, version in (then or {}).items() if now.get(name) != version]
    return f"holds {changed[0]} {now.get(changed[0])} and should hold {then[changed[0]]}" if changed else ""


def held_by(python: Path, place: PackedEnvironment) -> tuple[dict[str, str] | None, str]:
    """Ask an environment for the versions of what was installed there; None, and why, where a file of it is missing or changed."""
    names = [one.partition("==")[0] for one in place.requirements] + [one.partition("-")[0] for one in place.wheels]
    try:
        ran = subprocess.run(
            [str(python), "-I", "-c", _HELD, *names], capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL
        )  # fmt: skip
        if ran.returncode == 0:
            return dict(json.loads(ran.stdout)), ""
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None, "it has no Python that starts"
    return None, (ran.stderr.strip().splitlines() or ["it has no Python that starts"])[-1]


def write_beside(path: Path, text: str) -> None:
    """Write a file so that it is there in full or not at all."""
    beside = path.with_name(f"{path.name}{PARTIAL}")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def _stand_on_this(folder: Path) -> None:
    """Let an environment also see the packages of this interpreter where that is an environment itself."""
    if sys.prefix == sys.base_prefix:
        return
    target = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "machine.pth"
    target.write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()), "utf-8")


def _step(words: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    shown = f"{' '.join(words[:4])} ..."
    try:
        ran = subprocess.run(words, env=kept, stdin=subprocess.DEVNULL, check=False, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Refused(f"this step took longer than {LIMIT_SECONDS / 3600:.0f} hours: {shown}") from None
    if ran.returncode:
        raise Refused(f"this step failed ({ran.returncode}); see above why, then the same command goes on: {shown}")


def run_stages(manifest: Manifest, asked: argparse.Namespace, content: Path) -> int:
    """Run the stages in order and pack the outcomes of each when it is over. Returns the exit code. Raises: Refused."""
    stages = list(enumerate(manifest.stages, 1))
    wanted = [(number, stage) for number, stage in stages if asked.stage in {None, stage.name, str(number)}]
    if not wanted:
        raise Refused(
            f"there is no stage {asked.stage}; there are {', '.join(stage.name for stage in manifest.stages)}"
        )
    for number, stage in wanted:
        tar = asked.out / f"{number}-{stage.name}.tar"
        if lost := _in_no_other(tar, asked.work / RESULTS):
            raise Refused(
                f"{tar} holds {len(lost)} runs that are not in {asked.work / RESULTS}, as {lost[0]}, and would be replaced: take it away, or "
                "name another folder with --out"
            )
    pythons = {place.name: make_environment(place, manifest, content, asked.work) for place in manifest.environments}
    local = {"python": {name: str(path) for name, path in pythons.items()},
             "folders": {name: str(content / path) for name, path in manifest.folders.items()}}  # fmt: skip
    configs = content / WORKSPACE / "configs"
    configs.mkdir(exist_ok=True)
    write_beside(configs / "local.yaml", json.dumps(local))
    codes = []
    for number, stage in wanted:
        done = asked.work / f"stage-{number}.done"
        before = _code(done)
        if before is not None and not asked.rerun:
            say(f"stage {number}, {stage.name}: done already; --rerun runs it anew")
            codes.append(before)
            continue
        say(f"stage {number} of {len(stages)}: {stage.name}")
        codes.append(_run(stage, next(iter(pythons.values())), asked.work, content, manifest))
        if codes[-1] not in {0, 1, 2}:
            raise Refused(f"stage {stage.name} was ended ({codes[-1]}); the same command goes on")
        packed, count = pack(asked, number, stage, manifest)
        say(f"stage {number}, {stage.name}: {count} runs in {packed}; take it back with: harness ingest {packed.name}")
        if codes[-1] < 2:
            write_beside(done, str(codes[-1]))
    return max(codes)


def _in_no_other(tar: Path, results: Path) -> list[str]:
    """Name the runs of a tar that would be lost with it. Raises: Refused for a file that is no tar of ours."""
    return [run for run in read_outcomes(tar).runs if not (results / "runs" / run).is_dir()] if tar.exists() else []


def _code(done: Path) -> int | None:
    """Read how a stage ended; None where it was not run to its end, or the file is damaged: then it is run again."""
    try:
        code = int(done.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return code if code in {0, 1} else None


def _run(stage: Stage, python: Path, work: Path, content: Path, manifest: Manifest) -> int:
    """Run a sweep; what it prints is shown. The limits are those of its jobs."""
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
