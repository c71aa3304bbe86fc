"""Make a bundle: gather what sweeps need, write it as one stream cut into pieces, and say in bundle.json what every byte should be."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from harness.bundling.freezing import Frozen, freeze
from harness.bundling.privacy import refuse_what_tells
from harness.bundling.records import FORMAT, MANIFEST, VERSION, WHEELS, File, Manifest, PackedEnvironment, sha256_of
from harness.bundling.wheels import ALL, Machine, NeededPackages, fetch, machine, needed
from harness.commands.machine import plan_sweep
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, remove, write_whole
from harness.core.sizes import size_of
from harness.environment_state import PACKAGE

MAKING = ".making"
"""In a bundle's folder while it is made: wheels, a lock, and the sign that what lies there is ours and not whole; goes last."""
_SCRIPT = ("__init__.py", "packing.py", "records.py", "stages.py", "target.py")
_CHUNK = 1 << 20
_RUN = """\
#!/bin/sh
# Checks this bundle, puts its files in place, makes its environment without a network, and runs its stages: sh run.sh
# What came of each stage lies in out/ when it is over. `sh run.sh --help` says more; the same command goes on where one was cut off.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 2
said=
for python in "${{PYTHON:-}}" python{version} python3; do
    [ -n "$python" ] || continue
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if "$python" -c 'import sys; sys.exit(not sys.version_info[:2] {test})'; then
        exec "$python" -I -c 'import sys; sys.path.insert(0, sys.argv[1] + "/script"); from harness.bundling.target import main; sys.exit(main(sys.argv[1:]))' "$here" "$@"
    fi
    said="$said $python is $found;"
    [ -z "${{PYTHON:-}}" ] || break
done
echo "this bundle needs Python {version}{newer}:${{said:- there is no python3;}} name one, as PYTHON=/path/to/python{version} sh run.sh" >&2
exit 2
"""


@dataclass(frozen=True)
class BundleRequest:
    """What the command line says of a bundle. pieces: bytes below which every piece stays; None is one piece."""

    to: Path
    pieces: int | None
    machine: Machine
    has: tuple[str, ...]
    by_block: bool


def asked(
    to: Path, pieces: str | None, python: str, platform: str, has: Sequence[str], *, by_block: bool
) -> BundleRequest:
    """Check what the command line says. Raises: HarnessError."""
    names = tuple(name for one in has for name in one.split(",") if name)
    return BundleRequest(to, None if pieces is None else size_of(pieces), machine(python, platform), names, by_block)


def make_bundle(sweeps: Sequence[str], workspace: Workspace, asked: BundleRequest) -> Iterator[str]:
    """Make a bundle of sweeps; says what it holds. One that was cut off is made anew by the same command.

    Raises: HarnessError where something that the sweeps need is not here or cannot travel, or the folder holds something else.
    """
    with _taken(asked.to):
        yield from _make(sweeps, workspace, asked)
    yield f"bring {asked.to} to the machine; there: sh run.sh"
    yield "then, here, with what lies in its folder out: harness ingest out"


def _make(sweeps: Sequence[str], workspace: Workspace, asked: BundleRequest) -> Iterator[str]:
    plans = [plan_sweep(name, workspace) for name in sweeps]
    frozen = freeze(plans, by_block=asked.by_block)
    refuse_what_tells(frozen, workspace)
    catalogue = plans[0].catalogue
    yield from frozen.told
    places = []
    for name in frozen.environments:
        if ALL not in asked.has:
            yield f"environment {name}: finding versions for Python {asked.machine.python} on {asked.machine.platform}"
        places.append(needed(name, catalogue, workspace, asked.machine, asked.has))
    if count := sum(len(place.pins) for place in places):
        yield f"fetching {count} wheels"
    _fetch(places, asked, frozen)
    for one in places:
        what = f"{len(one.pins) + len(one.wheels)} packages in wheels" if one.pins else "what the machine has"
        left = f", and of the machine {', '.join(one.has)}" if one.has else ""
        yield f"environment {one.name}: {what}{left}"
    manifest = _written(frozen, places, asked)
    yield f"{', '.join(stage.name for stage in manifest.stages)}: {manifest.bytes / 1e6:,.1f} MB in {len(manifest.pieces)} pieces"


@contextmanager
def _taken(to: Path) -> Iterator[None]:
    """Take an empty folder, or one in which making a bundle was cut off, for this command alone. Raises: HarnessError for any other."""
    if to.exists() and not to.is_dir():
        raise HarnessError(f"{to} is no folder; name one that is empty, or not there yet")
    if to.is_dir() and any(to.iterdir()) and not any(to.glob(f"{MAKING}*")):
        raise HarnessError(f"{to} is not empty; name a folder that is, or one that is not there yet")
    making = to / MAKING
    making.mkdir(parents=True, exist_ok=True)
    lock = FileLock(making / "lock", timeout=0)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HarnessError(f"another command makes a bundle in {to}; wait for it, or name another folder") from None
    try:
        _clear(to)
        yield
        remove(making / WHEELS)
        if os.name == "nt":  # where what is open cannot be removed
            lock.release()
        remove(making)
    finally:
        lock.release()


def _clear(to: Path) -> None:
    """Remove what a command that was cut off left."""
    names = ("run.sh", "script", MANIFEST)
    halves = [path for name in (*names, MAKING) for path in to.glob(f"{name}{PARTIAL}*")]
    for path in [to / MANIFEST, *to.glob("piece-*"), *(to / name for name in names), *halves, to / MAKING / WHEELS]:
        remove(path)


def _fetch(places: Sequence[NeededPackages], asked: BundleRequest, frozen: Frozen) -> None:
    """Fetch the wheels of all environments into one folder, and take them into the content."""
    folder = asked.to / MAKING / WHEELS
    folder.mkdir()
    for place in places:
        if place.pins:
            found = fetch(place.pins, asked.machine, folder)
            frozen.files |= {f"{WHEELS}/{path.name}": path for path in found}
        frozen.files |= {f"{WHEELS}/{path.name}": path for path in place.wheels}


def _written(frozen: Frozen, places: Sequence[NeededPackages], asked: BundleRequest) -> Manifest:
    """Write pieces, script and manifest, the manifest last."""
    to, exact = asked.to, any(place.pins or place.wheels for place in places)
    files, pieces = write_pieces(frozen.files, to, asked.pieces)
    python = asked.machine.python if exact else "3.11"
    test = f"== {tuple(map(int, python.split('.')))}" if exact else ">= (3, 11)"
    run = _RUN.format(version=python, test=test, newer="" if exact else " or newer")
    write_whole(to / "run.sh", run)
    (to / "script" / "harness" / "bundling").mkdir(parents=True)
    for name in _SCRIPT:
        write_whole(to / "script" / "harness" / "bundling" / name, (PACKAGE / "bundling" / name).read_bytes())
    scripts = [to / "run.sh", *sorted((to / "script").rglob("*.py"))]
    manifest = Manifest(
        harness=frozen.harness, python=python, exact=exact, machine=asked.machine.architecture,
        glibc=asked.machine.glibc if exact else "", own=bool(asked.has), has={name: version for place in places for name, version in place.has.items()},
        environments=tuple(PackedEnvironment(one.name, one.requirements, tuple(path.name for path in one.wheels)) for one in places),
        stages=tuple(frozen.stages), folders=frozen.folders, bytes=sum(one.bytes for one in files),
        scripts=tuple(File(path.relative_to(to).as_posix(), path.stat().st_size, sha256_of(path)) for path in scripts),
        pieces=pieces, files=files,
    )  # fmt: skip
    write_whole(to / MANIFEST, json.dumps({"format": FORMAT, "version": VERSION, **asdict(manifest)}, indent=1))
    return manifest


def write_pieces(
    files: Mapping[str, Path | bytes], to: Path, limit: int | None
) -> tuple[tuple[File, ...], tuple[File, ...]]:
    """Write files one after another into pieces, each smaller than `limit` bytes; returns the files and the pieces, with their hashes."""
    cutter, listed = _Cutter(to, limit), []
    for path in sorted(files):
        state, size = hashlib.sha256(), 0
        for chunk in _chunks(files[path]):
            state.update(chunk)
            size += len(chunk)
            cutter.write(chunk)
        listed.append(File(path, size, state.hexdigest()))
    return tuple(listed), cutter.close()


def _chunks(source: Path | bytes) -> Iterable[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with open(source, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


class _Cutter:
    """Cuts a stream into files."""

    def __init__(self, folder: Path, limit: int | None) -> None:
        self._folder, self._room = folder, None if limit is None else limit - 1
        self._pieces: list[File] = []
        self._open()

    def _open(self) -> None:
        self._name, self._state, self._size = f"piece-{len(self._pieces):03d}", hashlib.sha256(), 0
        self._file: BinaryIO = open(self._folder / self._name, "wb")  # noqa: SIM115 - closed when it is full

    def write(self, data: bytes) -> None:
        """Write bytes, into as many pieces as they need."""
        while data:
            part = data if self._room is None else data[: self._room - self._size]
            self._file.write(part)
            self._state.update(part)
            self._size += len(part)
            data = data[len(part) :]
            if self._room is not None and self._size == self._room:
                self._end()
                self._open()

    def _end(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._pieces.append(File(self._name, self._size, self._state.hexdigest()))

    def close(self) -> tuple[File, ...]:
        """End the last piece; an empty one goes."""
        self._end()
        if not self._size and len(self._pieces) > 1:
            (self._folder / self._pieces.pop().path).unlink()
        return tuple(self._pieces)
