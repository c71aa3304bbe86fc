"""Wheels for another machine: which versions an environment needs there, which of them the machine has, and fetching the rest with pip."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from harness.commands.fresh import resolve
from harness.commands.workspace import Workspace, lock_of
from harness.core.errors import HarnessError
from harness.core.paths import MINE
from harness.environments import LOCKS, ROOT
from harness.installing import pip_variables
from harness.plan.entries import Catalogue, EnvironmentEntry

RUNNER = (
    "alembic", "filelock", "jinja2", "markdown-it-py", "numpy", "nvidia-ml-py", "pandas", "psutil", "pydantic", "pyyaml", "rich", "scipy",
    "sqlalchemy", "typer", "packaging",
)  # fmt: skip
"""What the harness itself needs to run a sweep; all of its dependencies but those of an export to Parquet and of fetching."""
ALL = "all"
"""Said in the place of a package: the machine has everything."""
LIMIT_SECONDS = 4 * 3600.0
_PLATFORM = re.compile(r"manylinux_2_(\d+)_(\w+)")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([A-Za-z0-9.!+_-]+)\s*(?:#.*)?$", re.MULTILINE)
_TRIES = 4


@dataclass(frozen=True)
class Machine:
    """What wheels are fetched for."""

    python: str
    """Version, as 3.12."""
    platform: str
    """Newest platform tag that it takes, as manylinux_2_28_x86_64."""

    @property
    def architecture(self) -> str:
        """Name its processor as platform.machine() does."""
        return _parts(self.platform)[1]

    @property
    def glibc(self) -> str:
        """Oldest C library that its platform tag stands for."""
        return f"2.{_parts(self.platform)[0]}"

    @property
    def tags(self) -> list[str]:
        """All platform tags that it takes: wheels for older systems run on newer ones. Source: PEP 600."""
        newest, architecture = _parts(self.platform)
        old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        found = [f"manylinux_2_{number}_{architecture}" for number in range(newest, 4, -1)]
        return [
            *found,
            *(f"{name}_{architecture}" for number, name in old.items() if number <= newest),
            f"linux_{architecture}",
        ]

    @property
    def taken(self) -> tuple[Tag, ...]:
        """Tags of the wheels that it takes, newest first."""
        python = tuple(int(part) for part in self.python.split("."))
        return (
            *cpython_tags(python, platforms=self.tags),
            *compatible_tags(python, f"cp{python[0]}{python[1]}", self.tags),
        )

    @property
    def options(self) -> list[str]:
        """Words that tell pip of it."""
        return [
            "--python-version",
            self.python,
            "--implementation",
            "cp",
            *(word for tag in self.tags for word in ("--platform", tag)),
        ]

    def applies(self, marker: Marker | None, extras: Collection[str] = ()) -> bool:
        """Tell whether a requirement's condition holds there, with none of the extras or any of them."""
        there = {**{name: str(value) for name, value in default_environment().items()}, "python_version": self.python, "python_full_version": f"{self.python}.0",
                 "platform_machine": self.architecture, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}  # fmt: skip
        return marker is None or any(marker.evaluate({**there, "extra": extra}) for extra in ("", *extras))


def machine(python: str, platform: str) -> Machine:
    """Check what the command line says of a machine. Raises: HarnessError."""
    if not re.fullmatch(r"3\.\d+", python) or tuple(map(int, python.split("."))) < (3, 11):
        raise HarnessError(f"--python {python}: the harness needs 3.11 or newer; write it as 3.12")
    if not _PLATFORM.fullmatch(platform):
        raise HarnessError(f"--platform {platform}: a bundle is for Linux; write it as manylinux_2_28_x86_64")
    return Machine(python, platform)


def _parts(platform: str) -> tuple[int, str]:
    found = _PLATFORM.fullmatch(platform)
    assert found is not None
    return int(found[1]), found[2]


@dataclass(frozen=True)
class NeededPackages:
    """What one environment needs on the other machine. pins: package to version, those that the machine has itself left out."""

    name: str
    pins: Mapping[str, str]
    has: Mapping[str, str]
    wheels: tuple[Path, ...] = ()

    @property
    def requirements(self) -> tuple[str, ...]:
        """What is installed there."""
        return tuple(f"{name}=={version}" for name, version in sorted(self.pins.items()))


def needed(
    name: str, catalogue: Catalogue, workspace: Workspace, machine: Machine, has: Collection[str]
) -> NeededPackages:
    """Find out what an environment and the harness in it need there. has: packages that the machine has, or `all`.

    Raises: HarnessError where an entry cannot be had as wheels, or pip finds no version that fits.
    """
    entry = catalogue.environments.get(name)
    if ALL in has:
        return NeededPackages(name, {}, {})
    if entry is not None and entry.python:
        raise HarnessError(
            f"environment {name} is an interpreter that is here (`python:`), and its packages are not known by name; "
            "`--has all` leaves them to the machine, or name an environment with a lock file"
        )
    entry = entry or EnvironmentEntry(lock=f"locks/{name}.txt")
    wheels, left = _wheels(name, entry, workspace, machine), {_plain(one) for one in has}
    replaced = {_plain(parse_wheel_filename(path.name)[0]) for path in wheels}
    pins = {one: version for one, version in _locked(name, entry, workspace).items() if one not in replaced}
    there = {*pins, *left, *replaced}
    own = [f"{one}{_tried(one)}" for one in RUNNER if _plain(one) not in there]
    loose = [*(one for one in entry.packages if _plain(Requirement(one).name) not in left | replaced), *own]
    with tempfile.TemporaryDirectory(prefix="harness-bundle-") as scratch:
        resolved = _resolved([*loose, *map(str, wheels)], pins, machine, Path(scratch))
        found = {**pins, **{one: version for one, version in resolved.items() if one not in replaced}}
        dropped = _dropped(found, left, machine, Path(scratch)) if left else set()
    stated = {_plain(Requirement(one).name): one.partition("==")[2] for one in entry.packages}
    kept = {one: version for one, version in found.items() if one not in dropped}
    return NeededPackages(name, kept, {one: {**stated, **found}.get(one, "") for one in sorted(left)}, wheels)


def _locked(name: str, entry: EnvironmentEntry, workspace: Workspace) -> dict[str, str]:
    """Read the versions of an environment's lock file, or of the one that it stands on. Raises: HarnessError where there is none."""
    if not entry.lock and not entry.on:
        return {}
    lock = lock_of(entry.on or name, workspace, entry.lock)
    if lock is None:
        raise HarnessError(f"environment {name} has no lock file")
    return {_plain(one): version for one, version in _PINNED.findall(lock.read_text("utf-8"))}


def _plain(name: str) -> str:
    return str(canonicalize_name(name))


def _tried(name: str) -> str:
    """Give the version of a package of our own that the shipped lock file has: it is the one that was tried."""
    known = {_plain(one): version for one, version in _PINNED.findall((LOCKS / "cpu.txt").read_text("utf-8"))}
    version = known.get(_plain(name))
    return f"=={version}" if version else ""


def _wheels(name: str, entry: EnvironmentEntry, workspace: Workspace, machine: Machine) -> tuple[Path, ...]:
    """Find the wheel files of an environment as they are now."""
    said = [entry.wheel] if isinstance(entry.wheel, str) else list(entry.wheel)
    for one in said:
        if one.startswith("git+"):
            raise HarnessError(
                f"environment {name} builds {one} where it is installed; build its wheel for that machine and name the file instead"
            )
    return tuple(Path(resolve(one, workspace.root, machine.taken).requirement) for one in said)


def _resolved(loose: Sequence[str], pins: Mapping[str, str], machine: Machine, scratch: Path) -> dict[str, str]:
    """Let pip choose versions for that machine of what has none yet, and of what it needs.

    pip reads conditions as of the Python that runs it: what another one needs besides is asked for until nothing is missing.
    """
    asked = list(loose)
    if not asked:
        return {}
    constraints = scratch / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), "utf-8")
    for _ in range(_TRIES):
        items = _report([*asked, "--constraint", str(constraints), "--only-binary", ":all:"], machine, scratch)
        found = {_plain(one["name"]): str(one["version"]) for one in items}
        more = sorted({text for one in items for text, name in _asked_by(one, machine) if name not in found})
        if not more:
            return found
        asked += more
    raise HarnessError(
        f"pip does not come to an end with what {', '.join(loose[:3])} need; pin their versions in a lock file"
    )


def _extras(items: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Collect the extras with which each package is asked for, as torch asks for `cuda-toolkit[cublas]`."""
    found: dict[str, frozenset[str]] = {}
    for one in (Requirement(text) for item in items for text in item.get("requires_dist", ())):
        found[_plain(one.name)] = found.get(_plain(one.name), frozenset()) | one.extras
    return found


def _asked_by(item: Mapping[str, Any], machine: Machine, extras: Collection[str] = ()) -> Iterable[tuple[str, str]]:
    """List what a package with these extras needs on that machine: as it is written without its condition, and by name."""
    for text in item.get("requires_dist", ()):
        one = Requirement(text)
        if machine.applies(one.marker, extras):
            yield f"{one.name}{one.specifier}", _plain(one.name)


def _dropped(pins: Mapping[str, str], has: Collection[str], machine: Machine, scratch: Path) -> set[str]:
    """Name the packages that the machine has, and those that nothing but these need; what we ask for ourselves stays."""
    items = _report(["--no-deps", *(f"{name}=={version}" for name, version in pins.items())], machine, scratch)
    extras = _extras(items)
    users: dict[str, set[str]] = {}
    for one in items:
        for _, name in _asked_by(one, machine, extras.get(_plain(one["name"]), frozenset())):
            users.setdefault(name, set()).add(_plain(one["name"]))
    gone, own = {_plain(one) for one in has}, {_plain(one) for one in RUNNER}
    while more := {name for name in pins if name not in gone | own and (by := users.get(name)) and by <= gone}:
        gone |= more
    return gone


def _report(words: Sequence[str], machine: Machine, scratch: Path) -> list[dict[str, Any]]:
    """Ask pip what it would install there; nothing is. Returns the metadata of each package."""
    out = scratch / "report.json"
    options = [
        "--dry-run",
        "--ignore-installed",
        "--target",
        str(scratch / "none"),
        "--report",
        str(out),
        *machine.options,
    ]
    _pip(["install", *options, *words], "finding versions")
    return [one["metadata"] for one in json.loads(out.read_text("utf-8"))["install"]]


def fetch(pins: Mapping[str, str], machine: Machine, folder: Path) -> list[Path]:
    """Fill a folder with a wheel of each package, and pip's own. What has no wheel is built into one where it is plain Python.

    Raises: HarnessError where one cannot be had for that machine.
    """
    listed = [f"{name}=={version}" for name, version in sorted(pins.items())]
    _pip(["download", "--no-deps", "--dest", str(folder), *machine.options, *listed, "pip"], "fetching wheels")
    for source in [path for path in folder.iterdir() if path.suffix != ".whl"]:
        _pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(source)], f"building {source.name}")
        source.unlink()
    found = sorted(folder.glob("*.whl"))
    for path in found:
        if parse_wheel_filename(path.name)[3].isdisjoint(machine.taken):
            raise HarnessError(
                f"{path.name} has no wheel for {machine.platform} and Python {machine.python}, and can only be built there"
            )
    return found


def _pip(words: Sequence[str], what: str) -> None:
    """Run pip with its own words shown where it fails. Raises: HarnessError."""
    index = os.environ.get("TORCH_INDEX")
    more = ["--extra-index-url", index] if index else []
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", words[0], "--quiet", *more, *words[1:]]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False, stdin=subprocess.DEVNULL,
            env=pip_variables(Path(os.environ.get(MINE) or ROOT)), timeout=LIMIT_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise HarnessError(
            f"{what} took longer than {LIMIT_SECONDS / 3600:.0f} hours; run the same command again"
        ) from None
    if ran.returncode:
        said = [line.removeprefix("ERROR: ") for line in ran.stderr.splitlines() if line.startswith("ERROR: ")]
        raise HarnessError(
            f"{what}: {(said or ran.stderr.strip().splitlines() or ['pip says no more'])[0 if said else -1]}"
        )
