"""Somebody's program as a step of ours: its command line split and filled, its files found, run without secrets, its last words told."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.core.errors import HarnessError, unknown

LOG = "log.txt"
_PYTHON = frozenset({"python", "python3"})
_SECRET = re.compile(
    r"TOKEN(?!IZERS)|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(API|ACCESS|PRIVATE|ACCOUNT)_?KEY|_KEY$|_PAT$",
    re.IGNORECASE,
)
"""Names of what an account is entered with; TOKENIZERS_PARALLELISM is none."""
_PROJECT = Path(os.environ.get("HARNESS_WORKSPACE") or Path(__file__).resolve().parents[1])


def checked(run: str, places: Sequence[str], needed: str) -> str:
    """Return a command line whose placeholders are known and that has the one it needs. Raises: ValueError saying what is wrong."""
    try:
        found = words(run)
    except ValueError as error:
        raise ValueError(f"the command cannot be split into words ({error})") from None
    for before, word in zip(["", *found], found, strict=False):
        for place in () if before == "-c" else re.findall(r"\{\w*\}", word):  # code has braces of its own
            if place not in places:
                raise ValueError(unknown("placeholder", place, places))
    if not any(needed in word for word in found):
        raise ValueError(f"the command must contain {needed}, the folder to fill")
    return run


def words(run: str) -> list[str]:
    """Split a command line into words, by the rules of the system that it runs on."""
    if os.name == "posix":
        return shlex.split(run)
    return [word.strip("\"'") for word in shlex.split(run, posix=False)]


def files_of(run: str, more: Sequence[str], places: Sequence[str], what: str) -> dict[str, Path]:
    """List the files whose content decides what a command does: those named in it, and further ones, by role.

    what: whose command it is. Raises: HarnessError where one of the further files, a script or the program itself is not there.
    """
    made = words(run)
    found = {f"run:{word}": path for word in made if (path := _file(word, places))}
    for word in made:
        if word.endswith(".py") and not _has_place(word, places) and not _file(word, places):
            raise HarnessError(f"the command's script '{word}' is not there{_looked(word)}; correct its path")
    for name in more:
        path = _file(os.path.expandvars(name), places)
        if path is None:
            raise HarnessError(f"file '{name}' of the command {what} is not there{_looked(name)}; correct its path")
        found[f"file:{name}"] = path
    _check_program(made[0], places)
    return found


def _check_program(word: str, places: Sequence[str]) -> None:
    if word in _PYTHON or _has_place(word, places) or shutil.which(_located(word, places)):
        return
    remedy = "begin it with 'python'" if word.endswith(".py") else "install it, or give its path"
    raise HarnessError(f"the command's program '{word}' was not found; {remedy}")


def _has_place(word: str, places: Sequence[str]) -> bool:
    return any(place in word for place in places)


def _file(word: str, places: Sequence[str]) -> Path | None:
    """Find the file that a word names: from the working folder, which is the worker's too, then from the workspace's."""
    path = Path(word).expanduser()
    return None if _has_place(word, places) else next((at for at in (path, _PROJECT / path) if _is_file(at)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a word that is too long for a name
        return False


def _located(word: str, places: Sequence[str]) -> str:
    """Give a word as the command gets it: a file that is not under the word itself by its path."""
    path = _file(word, places)
    return word if path in (None, Path(word)) else str(path)


def _looked(word: str) -> str:
    path = Path(word).expanduser()
    if path.is_absolute():
        return ""
    return ", in " + " or in ".join(dict.fromkeys((str(Path.cwd()), str(_PROJECT))))


def filled(run: str, places: Mapping[str, str]) -> list[str]:
    """Put values and files found into the words of a command, and this interpreter where it begins with `python`."""
    made = [_located(word, tuple(places)) for word in words(run)]
    for place, value in places.items():
        made = [word.replace(place, value) for word in made]
    return [sys.executable, *made[1:]] if made[0] in _PYTHON else made


def without_secrets(variables: Mapping[str, str], named: Collection[str] = ()) -> dict[str, str]:
    """Return the environment variables whose names do not say that they hold a secret, and those that are named."""
    return {name: value for name, value in variables.items() if name in named or not _SECRET.search(name)}


def run(command: list[str], log: Path, variables: Mapping[str, str]) -> None:
    """Run a program to its end; what it prints goes to the log. Raises: HarnessError with its last line where it fails."""
    with log.open("ab") as stream:
        began = stream.tell()
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False, env=variables
            ).returncode
        except OSError as error:
            raise HarnessError(f"the command '{command[0]}' cannot be started ({error}); correct 'run'") from None
    if code:
        with log.open("rb") as written:
            written.seek(began)
            said = [line.strip() for line in written.read().decode(errors="replace").splitlines() if line.strip()]
        what = f": {said[-1]}; the rest is in {LOG}" if said else " and printed nothing"
        raise HarnessError(f"the command failed with exit code {code}{what}")
