"""Environments that follow a wheel: before each run it is found out what the wheel is now, and that gets an environment of its own."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from packaging.tags import Tag

from harness.commands.wheel_check import check_wheel, wheel_path
from harness.commands.workspace import Workspace, lock_of
from harness.core.errors import HarnessError, Trouble
from harness.core.files import PARTIAL, remove
from harness.core.identity import digest, file_sha256
from harness.core.paths import OTHERS, matching
from harness.core.privacy import cache_folder, is_offline
from harness.environment_state import MAKING, marker
from harness.environments import CURRENT, GONE, alone, folder_of, pointed, setup
from harness.plan.entries import EnvironmentEntry

KEPT = 3
"""Environments of one name that `harness clean` leaves: the one in use and those before it."""
ASK_SECONDS = 60
FETCH_SECONDS = 1800
STAYS = "is not refreshed"
"""Says of an environment that an earlier version of it stays in use."""
WHEELS = "wheels"
"""Folder of the cache."""
_COMMIT, _SHORT = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{7,39}")
_ADDRESSES = ("git+", "http://", "https://")
_REMEDY = "run the same once without --offline"
_SAID = 600
"""Letters of what git says that a message repeats."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Resolved:
    """What a wheel is now: what the installer is given, and what tells it from every other."""

    requirement: str
    identity: str


def refresh(entries: Mapping[str, EnvironmentEntry], workspace: Workspace, say: Callable[[str], None]) -> None:
    """Bring the environments that follow a wheel up to date; where that fails, the last one stays in use, and that is said.

    Raises: HarnessError, when all were tried, for those of which there is none yet.
    """
    lacking = []
    for name, entry in entries.items():
        if entry.refresh != "each-run":
            continue
        last = folder_of(name, workspace.root)
        try:
            follow(name, entry, workspace, say, last)
        except (HarnessError, Trouble, OSError) as error:
            if last is None:
                lacking.append(f"environment {name} cannot be made: {error}")
            else:
                other = ", although it was made of another `wheel`" if _is_of_another(name, entry, workspace) else ""
                say(f"environment {name} {STAYS} ({error}); {last.name} stays in use, as it was{other}")
    if lacking:
        raise HarnessError("; ".join(lacking))


def follow(
    name: str, entry: EnvironmentEntry, workspace: Workspace, say: Callable[[str], None], last: Path | None
) -> None:
    """Make what a wheel is now the environment of its name, where it is not already. last: the folder that it stands in so far.

    Raises: HarnessError where the wheel is not there, is none, or is not installed and this command works offline; Trouble where it cannot be installed.
    """
    wheels = [entry.wheel] if isinstance(entry.wheel, str) else list(entry.wheel)
    if is_offline() and (asked := [wheel for wheel in wheels if wheel.startswith(_ADDRESSES)]):
        raise HarnessError(f"this command works offline, and {_shown(asked[0])} has to be asked for; {_REMEDY}")
    found = [resolve(wheel, workspace.root) for wheel in wheels]
    lock = lock_of(entry.on, workspace) if entry.on else None
    if entry.on and lock is None:
        raise HarnessError(f"it is based on '{entry.on}', which has no lock file")
    whole = digest([lock.read_text("utf-8") if lock else "", *entry.packages, *(one.identity for one in found)])
    folder = workspace.root / OTHERS / f"{name}-{whole[:12]}"
    if is_offline() and not marker(folder):
        raise HarnessError(
            f"this command works offline, and {', '.join(map(_shown, wheels))} is not installed yet; {_REMEDY}"
        )
    if folder != last:
        say(f"environment {name}: {', '.join(one.identity for one in found)} is new")
    wanted = tuple(one.requirement for one in found)
    setup(
        name, root=workspace.root, place=folder, lock=lock, packages=entry.packages, wheels=wanted, identity=whole,
        system=entry.system, quiet=True,
    )  # fmt: skip
    pointer = workspace.root / OTHERS / f"{name}{CURRENT}"
    beside = pointer.with_name(f"{pointer.name}.{os.getpid()}{PARTIAL}")
    beside.write_text(f"{folder.name}\n{_declared(entry)}\n", "utf-8")
    os.replace(beside, pointer)


def _shown(wheel: str) -> str:
    """Say a wheel without user and signature, which are nobody else's."""
    if not wheel.startswith(_ADDRESSES):
        return wheel
    parts = urllib.parse.urlsplit(wheel.removeprefix("git+"))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else parts.path


def _declared(entry: EnvironmentEntry) -> str:
    """Hash what an environment is said to be made of, and not what that is at present."""
    return digest(
        [entry.on, [entry.wheel] if isinstance(entry.wheel, str) else list(entry.wheel), list(entry.packages)]
    )


def _is_of_another(name: str, entry: EnvironmentEntry, workspace: Workspace) -> bool:
    pointer = workspace.root / OTHERS / f"{name}{CURRENT}"
    told = pointed(pointer)[1] if pointer.is_file() else ""
    return bool(told) and told != _declared(entry)


def resolve(wheel: str, root: Path, taken: Sequence[Tag] = ()) -> Resolved:
    """Find out what a wheel is now: of a repository the commit, of a file or an address the bytes.

    root: folder that a relative path is seen from. taken: what another machine takes, newest first; this one where empty.
    Raises: HarnessError where it is not there or is no wheel.
    """
    if wheel.startswith("git+"):
        return _of_repository(wheel)
    if wheel.startswith(_ADDRESSES):
        return _fetched(wheel, taken)
    whole = wheel_path(wheel, root)
    there = [whole] if whole.is_file() else [path for path in matching(wheel, root) if path.is_file()]
    if not there:
        raise HarnessError(f"there is no wheel {wheel}")
    newest = max(there, key=lambda path: path.stat().st_mtime_ns)
    return _kept(newest.name, lambda partial: shutil.copyfile(newest, partial), taken)


def _of_repository(wheel: str) -> Resolved:
    """Look up the commit of a branch or tag; `git+URL`, `git+URL@NAME`, and a fragment that stays as it is."""
    address, sign, tail = wheel.removeprefix("git+").partition("#")
    host, slash, path = address.partition("://")[2].partition("/") if "://" in address else ("", "", address)
    _, at, name = path.partition("@")
    place = address[: len(address) - len(at + name)] if at else address
    name = name or "HEAD"
    shown = place.replace(f"{host.rpartition('@')[0]}@", "") if "@" in host else place
    if not slash and "://" in address:
        raise HarnessError(f"'{shown}' names no repository; write git+https://HOST/OWNER/NAME@BRANCH")
    if _COMMIT.fullmatch(name):
        return Resolved(wheel, name[:12])
    asked = ["HEAD"] if name == "HEAD" else [f"refs/heads/{name}", f"refs/tags/{name}^{{}}", f"refs/tags/{name}"]
    try:
        ran = subprocess.run(
            ["git", "ls-remote", "--", place, *asked], capture_output=True, text=True, check=False,
            timeout=ASK_SECONDS, stdin=subprocess.DEVNULL, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{shown} does not answer ({type(error).__name__})") from None
    if ran.returncode:
        said = " ".join(ran.stderr.replace(place, shown).split())[:_SAID] or "git says no more"
        raise HarnessError(f"{shown}: {said}")
    known = {words[1]: words[0] for line in ran.stdout.splitlines() if len(words := line.split()) == 2}
    commit = next((known[one] for one in asked if one in known), None)
    if commit is None and _SHORT.fullmatch(name):  # no branch and no tag: the beginning of a commit, as pip takes it
        return Resolved(wheel, name[:12])
    if commit is None:
        raise HarnessError(f"{shown}: it has no branch or tag '{name}'; a commit has at least 7 digits")
    return Resolved(f"git+{place}@{commit}{sign}{tail}", commit[:12])


def _fetched(address: str, taken: Sequence[Tag]) -> Resolved:
    """Fetch a wheel whole, or not at all. Raises: HarnessError."""
    parts = urllib.parse.urlsplit(address)
    path, is_named = parts.path, "@" in parts.netloc
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"  # a user and a signature are nobody else's
    name = urllib.parse.unquote(path.rstrip("/").rsplit("/", 1)[-1])

    def fetch(partial: Path) -> None:
        until = time.monotonic() + FETCH_SECONDS
        try:
            with urllib.request.urlopen(address, timeout=ASK_SECONDS) as answer, open(partial, "wb") as file:  # noqa: S310 - http alone gets here
                wanted = answer.headers.get("Content-Length")
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    if time.monotonic() > until:
                        raise HarnessError(f"{shown} took longer than {FETCH_SECONDS} s")
            size = partial.stat().st_size
            if wanted is not None and size != int(wanted):
                raise HarnessError(f"{shown} broke off after {size:,} of {int(wanted):,} bytes")
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = type(error).__name__ if is_named else error
            raise HarnessError(f"{shown} cannot be fetched ({said})") from None

    return _kept(name, fetch, taken)


def _kept(name: str, write: Callable[[Path], object], taken: Sequence[Tag]) -> Resolved:
    """Keep a wheel under its hash, so that what was installed cannot change underneath; what is kept is what was checked.

    write: fills a file. Raises: HarnessError for what is no wheel.
    """
    folder = cache_folder() / WHEELS
    making = folder / f"{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}"
    making.mkdir(parents=True)
    try:
        wheel = making / name
        write(wheel)
        check_wheel(wheel, taken)
        sha256 = file_sha256(wheel)
        kept = folder / sha256[:16] / name
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            os.replace(wheel, kept)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Resolved(str(kept), f"{name} ({sha256[:12]})")


# ---------------------------------------------------------------- what is no longer needed


def clean(workspace: Workspace, keep: int = KEPT) -> Iterator[str]:
    """Remove the environments before the last ones of each name that follows a wheel, those that were never whole, and wheels of none.

    Says what was removed. Raises: HarnessError while a sweep runs.
    """
    with ExitStack() as stack:
        for results in dict.fromkeys([workspace.results, (workspace.beside or workspace.published).parent]):
            results.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(FileLock(results / "runner.lock", timeout=0))
            except Timeout:
                raise HarnessError("a sweep is running in this workspace; clean up when it is over") from None
        others = workspace.root / OTHERS
        used: set[str] = set()
        for pointer in sorted(others.glob(f"*{CURRENT}")):
            name, current = pointer.name.removesuffix(CURRENT), others / pointed(pointer)[0]
            with alone(name, others):
                there = [path for path in others.glob(f"{name}-*/") if _is_version(path, name)]
                halves = [path for path in there if path.name.endswith(GONE) or not marker(path)]
                made = [path for path in there if path not in (current, *halves)]
                made.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
                for path in [*made[max(0, keep - 1) :], *halves]:
                    remove(path)
                    yield f"removed environment {path.name}"
                left = [current, *made[: max(0, keep - 1)]]
            used |= {wheel for path in left for wheel in marker(path).get("wheels", "").split("\n")}
        for folder in sorted((cache_folder() / WHEELS).glob("*/")):
            if not any(str(folder) in wheel for wheel in used):
                remove(folder)
                yield f"removed wheel {folder.name}"


def _is_version(path: Path, name: str) -> bool:
    """Tell a version of an environment, whole, half made or half removed, from one of another name that begins alike."""
    named = re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{12}}({re.escape(GONE)})?", path.name)
    return marker(path).get("name") == name or (
        named is not None and (named[1] is not None or (path / MAKING).exists())
    )
