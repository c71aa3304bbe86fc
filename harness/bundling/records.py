"""bundle.json, and what a stage's tar says of itself: the records that a bundle's maker, the machine it is brought to, and `ingest` share.

It travels with the script: standard library alone, and nothing of the harness.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

FORMAT, VERSION = "quant-harness bundle", 1
OUTCOMES, OUTCOMES_VERSION = "outcomes.json", 1
"""First member of a stage's tar, and the version of its form."""
MANIFEST = "bundle.json"
WORKSPACE, WHEELS = "workspace", "wheels"
"""Folders of the content: from where stages are run, and what is installed."""
PARTIAL = ".partial"
VARIABLE = "HARNESS_BUNDLE"
"""Variable that names the folder of the content: catalogues of a bundle say paths by it."""
_CHUNK = 1 << 20


class Refused(Exception):
    """What a person must see to before anything can run; its words are printed."""


@dataclass(frozen=True)
class File:
    """A piece, or a file of the content. path: seen from the bundle's folder, or from the content's."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class PackedEnvironment:
    """An environment. requirements: what is installed, one version each; wheels: files that are installed last, by path."""

    name: str
    requirements: tuple[str, ...]
    wheels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A sweep that is run as a whole. sweep: its file, seen from the workspace."""

    name: str
    sweep: str


@dataclass(frozen=True)
class Manifest:
    """bundle.json; bytes are those of the content."""

    harness: str
    python: str
    exact: bool
    """Whether no other Python will do: wheels are for one. Else it is the oldest."""
    machine: str
    glibc: str
    """Oldest C library that the wheels run on; empty where there are none."""
    own: bool
    """Whether environments stand on the packages that the machine has itself."""
    has: dict[str, str]
    """Packages that the machine has itself and the bundle does not bring, and the versions that it was made for, where known."""
    environments: tuple[PackedEnvironment, ...]
    stages: tuple[Stage, ...]
    folders: dict[str, str]
    """Model to its folder in the content."""
    bytes: int
    scripts: tuple[File, ...]
    pieces: tuple[File, ...]
    files: tuple[File, ...]
    """In the order in which they stand in the pieces, which are one stream cut where a piece is full."""

    @property
    def id(self) -> str:
        """Tell this content from every other."""
        return hashlib.sha256("".join(f"{one.path} {one.sha256}\n" for one in self.files).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read bundle.json. Raises: Refused where it is missing, cut off or newer than this script."""
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path} is missing: copy it beside run.sh") from None
    except ValueError:
        raise Refused(f"{path} is cut off or damaged: copy it again") from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise Refused(f"{path} is no manifest of a bundle: copy it again")
    if raw.get("version") != VERSION:
        raise Refused(
            f"{path} is of version {raw.get('version')}, and this script reads {VERSION}: take the run.py and run.sh that came with it"
        )
    try:
        return _manifest(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{path} is damaged ({type(error).__name__}: {error}): copy it again") from None


def _manifest(raw: dict[str, Any]) -> Manifest:
    scripts, pieces, files = (tuple(_file(one) for one in raw[key]) for key in ("scripts", "pieces", "files"))
    places = tuple(
        PackedEnvironment(one["name"], tuple(one["requirements"]), tuple(one["wheels"])) for one in raw["environments"]
    )
    stages = tuple(Stage(one["name"], one["sweep"]) for one in raw["stages"])
    keys = ("harness", "python", "exact", "machine", "glibc", "own", "has", "folders", "bytes")
    plain: dict[str, Any] = {key: raw[key] for key in keys}
    return Manifest(**plain, environments=places, stages=stages, scripts=scripts, pieces=pieces, files=files)


def _file(raw: dict[str, Any]) -> File:
    """Read a file's line. Raises: ValueError for a path that leads out of the folder."""
    found = File(str(raw["path"]), int(raw["bytes"]), str(raw["sha256"]))
    if not is_inner(found.path):
        raise ValueError(f"'{found.path}' leads out of its folder")
    return found


def is_inner(path: str) -> bool:
    """Tell a path that stays below where it is seen from."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not re.search(r"[\\:\0]", path)


def sha256_of(path: Path) -> str:
    """Hash a file; empty where there is none."""
    state = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
    except FileNotFoundError:
        return ""
    return state.hexdigest()


@dataclass(frozen=True)
class Outcomes:
    """What the tar of a stage says of itself: its runs, and the sha256 of each file."""

    stage: str
    runs: tuple[str, ...]
    files: dict[str, str]


DAMAGE = (
    tarfile.TarError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError, MemoryError,
)  # fmt: skip
"""What reading a tar, or JSON, that somebody else wrote may end in."""
_MOST_TOLD = 64_000_000
"""Bytes of what a tar says of itself: a million files."""


def members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """List what a tar holds. Raises: DAMAGE, also for one that leads back into itself."""
    found, end = {}, -1
    while (member := archive.next()) is not None:
        if member.offset_data <= end or member.size < 0:
            raise tarfile.ReadError("its members overlap")
        found[member.name], end = member, member.offset_data
    return found


def read_outcomes(tar: Path) -> Outcomes:
    """Read the first member of a stage's tar. Raises: Refused where it is cut off, newer, or something else."""
    damaged = f"{tar} is cut off, damaged, or no outcomes of a bundle: copy it again"
    try:
        with tarfile.open(tar, "r:") as archive:  # plain: what is compressed may become any size
            member = archive.next()
            if member is None or member.name != OUTCOMES or not 0 <= member.size <= _MOST_TOLD or member.issparse():
                raise Refused(damaged)
            first = archive.extractfile(member)
            raw = json.loads(first.read()) if first else {}
        if raw["version"] == OUTCOMES_VERSION:
            return _outcomes(raw)
        version = raw["version"]
    except DAMAGE:
        raise Refused(damaged) from None
    raise Refused(
        f"{tar} is of version {str(version)[:20]}; this harness reads {OUTCOMES_VERSION}: use the one that the bundle was made with"
    )


def _outcomes(raw: dict[str, Any]) -> Outcomes:
    """Check what a tar says of itself. Raises: KeyError, TypeError."""
    stage, runs, files = raw["stage"], raw["runs"], raw["files"]
    if not isinstance(runs, list) or not isinstance(files, dict) or not isinstance(stage, str):
        raise TypeError("not as it was written")
    if not all(isinstance(one, str) for one in (*runs, *files.values())):
        raise TypeError("not as it was written")
    return Outcomes(stage, tuple(runs), files)
