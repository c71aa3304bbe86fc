"""Environments as folders: find them, make them from a lock file. Standard library only: this runs before anything is installed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from harness.core.errors import Trouble
from harness.core.paths import MINE, OTHERS
from harness.environment_state import (
    ADOPTED,
    MAKING,
    MARKER,
    PACKAGE,
    _broken,
    _half_made,
    _is_ours,
    lock_hash,
    marker,
    python_in,
)
from harness.installing import INSTALL_SECONDS, compile_packages, in_parts, run_step

ROOT = PACKAGE.parent
"""The clone; of an installed package, the folder in which packages are installed."""
SHIPPED = PACKAGE / "shipped" if (PACKAGE / "shipped").is_dir() else ROOT
"""Folder of the configs and reports that come with the harness."""
IN_CLONE = SHIPPED == ROOT
LOCKS = SHIPPED / "configs" / "locks"
GONE = ".partial-gone"
"""Ends the name of one that is being removed."""
HOME = ROOT / ".venv"
HOME_NAME = "cpu"
"""The environment that stands in a clone's `.venv`: the harness itself runs there, on every machine; a GPU's stands beside it."""
CURRENT = ".current"
"""Ends the name of the file that says which folder an environment that follows a wheel stands in now."""
LAYERS = "HARNESS_CONFIGS"
"""Variable that names a workspace's folders of catalogues to whatever reads names without being handed them."""
NAMES = "a name has letters, digits, '.', '_' and '-' and begins with a letter or digit"
BESIDE = ("pydantic", "filelock", "numpy", "psutil", "nvidia-ml-py")
"""What a worker needs in an environment of its own, beside what its lock file pins."""
_PLATFORMS = {"windows": "win", "macos": "darwin"}


def is_for(system: str | None) -> bool:
    """Tell whether what is for one operating system, as platform.system() names it, can stand here; None is for all."""
    return not system or sys.platform.startswith(_PLATFORMS.get(system.lower(), system.lower()))


def place_of(name: str, root: Path) -> Path:
    """Name the folder in which an environment of a workspace stands, or would."""
    return HOME if name == HOME_NAME and IN_CLONE and root == ROOT else root / OTHERS / name


def folder_of(name: str, root: Path) -> Path | None:
    """Find the folder of an environment that was made in a workspace, or None."""
    pointer = root / OTHERS / f"{name}{CURRENT}"
    folder = root / OTHERS / pointed(pointer)[0] if pointer.is_file() else place_of(name, root)
    return folder if marker(folder).get("name") == name and python_in(folder).exists() else None


def pointed(pointer: Path) -> tuple[str, str]:
    """Read which folder an environment that follows a wheel is in, and a hash of what was declared of it then, if it is told."""
    folder, _, declared = pointer.read_text("utf-8").strip().partition("\n")
    return folder.strip(), declared.strip()


def setup(
    name: str | None = None,
    *,
    root: Path | None = None,
    place: Path | None = None,
    quiet: bool = False,
    lock: Path | None = None,
    packages: tuple[str, ...] = (),
    wheels: tuple[str, ...] = (),
    identity: str | None = None,
    system: str | None = None,
) -> Path:
    """Make an environment of a workspace from a lock file and further packages, once; return its folder.

    In a clone, without a name or by its own, this is `.venv`, the environment `cpu` that the harness itself runs in; others live
    in `.venvs/NAME`. root: the workspace; place: another folder in it. wheels: files and sources that are installed last, over what is there of the same
    version; identity: what tells all of it from another content, where paths do not. `quiet` says nothing where there is nothing to do. `TORCH_INDEX` names a further package index for torch.

    One that was not made to its end, was moved or lacks what it should hold is made anew, and that is said.

    Raises: Trouble with the remedy where there is no such lock file, `.venv` is another environment, or the installer
    fails.
    """
    root = ROOT if root is None else root
    chosen = name or HOME_NAME
    if not is_name(chosen):
        raise Trouble(f"environment '{chosen}': {NAMES}")
    if not is_for(system):
        raise Trouble(f"environment {chosen} needs {system}; this is {sys.platform}")
    lock = lock or (None if packages or wheels else LOCKS / f"{chosen}.txt")
    if lock is not None and not lock.exists():
        there = ", ".join(sorted(path.stem for path in LOCKS.glob("*.txt")))
        raise Trouble(f"no lock file {_called(lock, root)}; environments with one: {there}")
    folder = place or place_of(chosen, root)
    was = marker(folder).get("name", chosen)
    if was != chosen:  # the wheels of two environments overwrite each other in one folder
        raise Trouble(
            f"{folder.relative_to(root)} was made as environment {was}; delete the folder and run the same command again"
        )
    with alone(chosen, root / OTHERS):
        return _set_up(chosen, folder, root, Contents(lock, packages, wheels, identity), quiet=quiet)


def _called(path: Path, root: Path) -> str:
    """Say a path of the workspace as seen from it, and one that comes with the harness as seen from what is shipped."""
    return next((path.relative_to(top).as_posix() for top in (root, SHIPPED) if path.is_relative_to(top)), str(path))


def is_name(name: str) -> bool:
    """Tell a name, which is a folder's, from what climbs out of the folder of environments."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) is not None


@contextmanager
def alone(name: str, folder: Path) -> Iterator[None]:
    """Let one command at a time make an environment; another waits, and says so."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n", "utf-8")
        held = open(folder / f"{name}.lock", "a+", encoding="utf-8")  # noqa: SIM115 - held by the next line
    except OSError as error:
        raise Trouble(f"environment {name}: {folder} cannot be written ({error.strerror}); make it writable") from None
    with held as file:
        begun, told = time.monotonic(), 0
        while not _is_locked(file):
            waited = time.monotonic() - begun
            if waited > INSTALL_SECONDS:
                raise Trouble(
                    f"environment {name}: another command has been making it for {waited / 3600:.0f} hours; end it"
                )
            if waited >= told:
                since = f", since {waited / 60:.0f} min" if told else ""
                _say(f"environment {name}: another command is making it; waiting{since}")
                told += 600
            time.sleep(0.5)
        yield


def _is_locked(file: TextIO) -> bool:
    """Take an open file for this process alone, where nobody else has it. Whoever dies lets go of it."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
            return False
        raise Trouble(
            f"{file.name} cannot be locked ({error.strerror}); move the project to a disk that can lock files"
        ) from None
    return True


@dataclass(frozen=True)
class Contents:
    """What an environment is made of."""

    lock: Path | None
    packages: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    """Installed last, and also where the same version is there already: two builds of one version are two things."""
    identity: str | None = None

    @property
    def hash(self) -> str:
        """Tell it from every other content."""
        return self.identity or lock_hash(self.lock, (*self.packages, *self.wheels))


def _set_up(chosen: str, folder: Path, root: Path, contents: Contents, *, quiet: bool) -> Path:
    lock, wanted = contents.lock, contents.hash
    adopted = not _is_ours(folder)
    shutil.rmtree(folder.with_name(f"{folder.name}{GONE}"), ignore_errors=True)
    trouble = _half_made(folder) or (_broken(folder, lock) if marker(folder) and not adopted else "")
    if trouble:
        _clear(folder, chosen, trouble, root)
    if marker(folder) and marker(folder).get("lock") == wanted and python_in(folder).exists():
        if not quiet:
            _say(f"environment {chosen}: {folder.relative_to(root)} is ready")
        return folder
    wheels = (Path(wheel).name for wheel in contents.wheels)
    what = " and ".join([*([_called(lock, root)] if lock else []), *contents.packages, *wheels])
    _say(f"environment {chosen}: installing {what} into {folder.relative_to(root)}")
    begun = time.monotonic()
    _make(folder, contents, root)
    facts = {"name": chosen, "lock": wanted, "python": sys.version.split()[0], **({ADOPTED: "yes"} if adopted else {})}
    facts |= {"wheels": "\n".join(contents.wheels)} if contents.wheels else {}
    beside = folder / f"{MARKER}.partial"
    beside.write_text(json.dumps(facts) + "\n", "utf-8")
    os.replace(beside, folder / MARKER)
    (folder / MAKING).unlink(missing_ok=True)
    _say(f"environment {chosen}: ready after {time.monotonic() - begun:.0f} s")
    return folder


def _clear(folder: Path, name: str, why: str, root: Path) -> None:
    """Remove an environment of ours, to make it anew. Raises: Trouble where this very process runs in it."""
    if folder.exists() and Path(sys.prefix).resolve() == folder.resolve():
        raise Trouble(f"environment {name}: {folder.relative_to(root)} {why}; make it anew: python3 -m harness setup")
    if folder.is_symlink():
        raise Trouble(f"environment {name}: {folder.relative_to(root)} {why}, and is a link; remove the link")
    _say(f"environment {name}: {folder.relative_to(root)} {why}; making it anew")
    gone = folder.with_name(f"{folder.name}{GONE}")
    (folder / MAKING).touch()
    (folder / MARKER).unlink(missing_ok=True)
    os.replace(folder, gone)
    shutil.rmtree(gone)


def _make(folder: Path, contents: Contents, root: Path) -> None:
    lock, packages, wheels = contents.lock, contents.packages, contents.wheels
    if _is_ours(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MAKING).touch()
        (folder / MARKER).unlink(missing_ok=True)
    if not python_in(folder).exists():
        run_step([sys.executable, "-m", "venv", str(folder)], root)
    index = os.environ.get("TORCH_INDEX")
    more = ["--extra-index-url", index] if index else []
    # pip compiles 18,000 files one after another, which takes longer than all the rest: `compile_packages` does it on all processors.
    pip = [str(python_in(folder)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    if lock:
        in_parts([*pip, *more, "--no-deps"], lock, root)
    steps = [[*pip, *more, "-r", str(lock)]] if lock else []
    steps += [[*pip, *more, *packages]] if packages else []
    # What is there of the same version would stay: first what they depend on, then they themselves whatever is there.
    steps += [[*pip, *more, *wheels], [*pip, "--force-reinstall", "--no-deps", *wheels]] if wheels else []
    if folder == HOME:  # others find the harness through PYTHONPATH, and must not depend on what it depends on
        steps.append([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    else:
        steps += [[*pip, *BESIDE]] if BESIDE else []
    for step in steps:
        run_step(step, root)
    compile_packages(folder, python_in(folder))


def package_path() -> Path:
    """Name a folder from which a worker imports the harness and nothing that is installed beside it.

    In a clone that is the clone. An installed package gets a link to itself in the workspace: where it is installed stand the
    packages of another environment than the worker's. Raises: OSError where the link cannot be made.
    """
    if IN_CLONE:
        return ROOT
    told = hashlib.sha256(str(PACKAGE).encode()).hexdigest()[:12]  # two installations in one workspace have a link each
    folder = Path(os.environ.get(MINE, ".")).resolve() / OTHERS / f".harness-{told}"
    link = folder / PACKAGE.name
    if not link.exists() or link.resolve() != PACKAGE:
        folder.mkdir(parents=True, exist_ok=True)
        if os.name == "nt":
            import _winapi

            if os.path.lexists(link):
                link.rmdir()  # a junction: what it leads to stays
            _winapi.CreateJunction(str(PACKAGE), str(link))  # type: ignore[attr-defined]
        else:
            beside = folder / f"{PACKAGE.name}.{os.getpid()}.partial"
            beside.symlink_to(PACKAGE, target_is_directory=True)
            os.replace(beside, link)
    return folder


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
