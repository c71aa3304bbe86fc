"""Environments that follow a wheel: before each run it is found out what the wheel is now, and that gets an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from filelock import FileLock, Timeout

from harness.commands.workspace import Workspace, lock_of
from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, remove, write_whole
from harness.core.identity import digest, file_sha256
from harness.core.privacy import cache_folder, is_offline
from harness.environments import CURRENT, OTHERS, Trouble, folder_of, marker, setup
from harness.plan.catalogue import EnvironmentEntry, expand_path

KEPT = 3
"""Environments of one name that `harness clean` leaves: the one in use and those before it."""
ASK_SECONDS = 60
FETCH_SECONDS = 600
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Resolved:
    """What a wheel is now: what the installer is given, and what tells it from every other."""

    requirement: str
    identity: str


def refresh(entries: Mapping[str, EnvironmentEntry], workspace: Workspace, say: Callable[[str], None]) -> None:
    """Bring the environments that follow a wheel up to date; where that fails, the last one stays in use, and that is said.

    Raises: HarnessError where it fails and there is none yet.
    """
    for name, entry in entries.items():
        if entry.refresh != "each-run":
            continue
        last = folder_of(name, workspace.root)
        try:
            _follow(name, entry, workspace, say, last)
        except (HarnessError, Trouble, OSError) as error:
            if last is None:
                raise HarnessError(f"environment {name} cannot be made: {error}") from None
            say(f"environment {name} is not refreshed ({error}); {last.name} stays in use, as it was")


def _follow(
    name: str, entry: EnvironmentEntry, workspace: Workspace, say: Callable[[str], None], last: Path | None
) -> None:
    if is_offline():
        raise HarnessError("this command works offline")
    wheels = [entry.wheel] if isinstance(entry.wheel, str) else list(entry.wheel)
    found = [resolve(wheel, workspace.root) for wheel in wheels]
    lock = lock_of(entry.on, workspace) if entry.on else None
    if entry.on and lock is None:
        raise HarnessError(f"it is based on '{entry.on}', which has no lock file")
    whole = digest([lock.read_text("utf-8") if lock else "", *entry.packages, *(one.identity for one in found)])
    folder = workspace.root / OTHERS / f"{name}-{whole[:12]}"
    if folder != last:
        say(f"environment {name}: {', '.join(one.identity for one in found)} is new")
    packages = (*entry.packages, *(one.requirement for one in found))
    setup(name, root=workspace.root, place=folder, lock=lock, packages=packages, system=entry.system, quiet=True)
    write_whole(workspace.root / OTHERS / f"{name}{CURRENT}", folder.name)


def resolve(wheel: str, root: Path) -> Resolved:
    """Find out what a wheel is now: of a repository the commit, of a file or an address the bytes.

    root: folder that a relative path is seen from. Raises: HarnessError where it is not there or is no wheel.
    """
    if wheel.startswith("git+"):
        return _of_repository(wheel)
    if wheel.startswith(("http://", "https://")):
        return _kept(_fetched(wheel))
    found = sorted(root.glob(wheel)) if any(mark in wheel for mark in "*?[") else [root / expand_path(wheel)]
    there = [path for path in found if path.is_file()]
    if not there:
        raise HarnessError(f"there is no wheel {wheel}")
    return _kept(max(there, key=lambda path: path.stat().st_mtime_ns))


def _of_repository(wheel: str) -> Resolved:
    address, sign, tail = wheel.removeprefix("git+").partition("#")
    place, at, name = address.rpartition("@")
    if not at or ("/" in name and "://" not in place):
        place, name = address, "HEAD"
    if _COMMIT.fullmatch(name):
        return Resolved(wheel, name[:12])
    variables = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        asked = subprocess.run(
            ["git", "ls-remote", "--exit-code", place, name], capture_output=True, text=True, check=False,
            timeout=ASK_SECONDS, stdin=subprocess.DEVNULL, env=variables,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{place} does not answer ({type(error).__name__})") from None
    if asked.returncode or not asked.stdout.split():
        said = asked.stderr.strip().splitlines()[-1:] or [f"it has no '{name}'"]
        raise HarnessError(f"{place}: {said[0]}")
    commit = asked.stdout.split()[0]
    return Resolved(f"git+{place}@{commit}{sign}{tail}", commit[:12])


def _fetched(address: str) -> Path:
    """Fetch a file whole, or not at all. Raises: HarnessError."""
    name = address.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0].rstrip("/").rsplit("/", 1)[-1]
    folder = cache_folder() / "wheels" / "fetched"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.{os.getpid()}{PARTIAL}"
    try:
        with urllib.request.urlopen(address, timeout=ASK_SECONDS) as answer, open(partial, "wb") as file:  # noqa: S310 - http alone gets here
            wanted = answer.headers.get("Content-Length")
            shutil.copyfileobj(answer, file, _CHUNK)
        size = partial.stat().st_size
        if wanted is not None and size != int(wanted):
            raise HarnessError(f"{address} broke off after {size:,} of {int(wanted):,} bytes")
        os.replace(partial, folder / name)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise HarnessError(f"{address} cannot be fetched ({error})") from None
    finally:
        partial.unlink(missing_ok=True)
    return folder / name


def _kept(wheel: Path) -> Resolved:
    """Keep a wheel under its hash, so that what was installed cannot change underneath. Raises: HarnessError for what is no wheel."""
    _check(wheel)
    sha256 = file_sha256(wheel)
    folder = cache_folder() / "wheels" / sha256[:16]
    kept = folder / wheel.name
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{wheel.name}.{os.getpid()}{PARTIAL}"
        shutil.copyfile(wheel, partial)
        os.replace(partial, kept)
    return Resolved(str(kept), f"{wheel.name} ({sha256[:12]})")


def _check(wheel: Path) -> None:
    """Hold a wheel's name against what is in it. Raises: HarnessError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            (metadata,) = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
            told = HeaderParser().parsestr(archive.read(metadata).decode("utf-8", "replace"))
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise HarnessError(f"{wheel.name} is no wheel ({error})") from None
    if broken:
        raise HarnessError(f"{wheel.name} is damaged at {broken}")
    parts = wheel.name.split("-")
    if len(parts) < 5 or not wheel.name.endswith(".whl"):
        raise HarnessError(f"{wheel.name} is not named as a wheel is, NAME-VERSION-PYTHON-ABI-PLATFORM.whl")
    inside = f"{told['Name']} {told['Version']}"
    if _plain(parts[0]) != _plain(told["Name"] or "") or _plain(parts[1]) != _plain(told["Version"] or ""):
        raise HarnessError(f"{wheel.name} says {parts[0]} {parts[1]} in its name and {inside} inside; build it anew")


def _plain(text: str) -> str:
    return re.sub(r"[-_.+]+", "-", text).lower()


# ---------------------------------------------------------------- what is no longer needed


def clean(workspace: Workspace, keep: int = KEPT) -> Iterator[str]:
    """Remove the environments before the last ones of each name that follows a wheel, and wheels that none of those is made of.

    Says what was removed. Raises: HarnessError while a sweep runs.
    """
    lock = FileLock(workspace.results / "runner.lock", timeout=0)
    try:
        workspace.results.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise HarnessError("a sweep is running in this workspace; clean up when it is over") from None
    try:
        others = workspace.root / OTHERS
        for pointer in sorted(others.glob(f"*{CURRENT}")):
            name, current = pointer.name.removesuffix(CURRENT), others / pointer.read_text("utf-8").strip()
            made = [path for path in others.glob(f"{name}-*/") if marker(path).get("name") == name and path != current]
            made.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for path in made[max(0, keep - 1) :]:
                remove(path)
                yield f"removed environment {path.name}"
    finally:
        lock.release()
