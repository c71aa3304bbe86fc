"""Somebody's program as a step of ours: its command line split and filled, its files found, run without what is not its business, its last words told."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.paths import at_home, placed, workspace_folder
from harness.core.processes import STARTED_BY, end_left, new_mark
from harness.core.seam import Facts
from harness.core.spec import Note
from harness.core.spelling import unknown
from harness.core.variables import for_programs

LOG = "log.txt"
_PYTHON = frozenset({"python", "python3"})


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

    what: whose command it is. Raises: HarnessError where one of the further files, a script or a program that is named by its path is not there.
    """
    made = words(run)
    found = {f"run:{word}": path for word in made if (path := _file(word, places))}
    for word in made:
        if word.endswith(".py") and not _has_place(word, places) and not _file(word, places):
            raise HarnessError(f"the command's script '{word}' is not there{_looked(word)}; correct its path")
    for name in more:
        path = _file(str(placed(name)), places)
        if path is None:
            raise HarnessError(f"file '{name}' of the command {what} is not there{_looked(name)}; correct its path")
        found[f"file:{name}"] = path
    _check_path(made[0], places)
    return found


def _check_path(word: str, places: Sequence[str]) -> None:
    """Hold a program that is named by its path against what lies there."""
    if word in _PYTHON or _has_place(word, places) or not (_is_path(word) or _file(word, places)):
        return
    if not shutil.which(_program(word)):
        remedy = "begin it with 'python'" if word.endswith(".py") else "make it executable, or correct its path"
        raise HarnessError(f"the command's program '{word}' was not found{_looked(word)}; {remedy}")


def refusal(run: str, places: Sequence[str], facts: Facts) -> str | None:
    """Say that an environment has no program of a command's name, neither beside its interpreter nor on the PATH; None where it has."""
    word = words(run)[0]
    if (
        facts.interpreter is None
        or word in _PYTHON
        or _has_place(word, places)
        or _is_path(word)
        or _file(word, places)
    ):
        return None
    if which(word, facts.interpreter):
        return None
    return f"the command's program '{word}' was not found beside the environment's Python, nor on the PATH; install it there, or give its path"


def which(word: str, interpreter: Path) -> str | None:
    """Find a program by name: beside an environment's interpreter, then on the PATH."""
    return shutil.which(word, path=_beside(interpreter)) or shutil.which(word)


def _beside(interpreter: Path) -> str:
    return os.pathsep.join(map(str, (interpreter.parent, interpreter.parent / "Scripts")))


def _is_path(word: str) -> bool:
    return "/" in word or os.sep in word


def _has_place(word: str, places: Sequence[str]) -> bool:
    return any(place in word for place in places)


def _file(word: str, places: Sequence[str]) -> Path | None:
    """Find the file that a word names, seen from the workspace's folder, which is a command's working directory."""
    path = workspace_folder() / _path(word)
    return path if not _has_place(word, places) and _is_file(path) else None


def _path(word: str) -> Path:
    """Give the path that a word may be; one that begins with `~` and names no user's home folder is a word as any."""
    try:
        return at_home(word)
    except HarnessError:
        return Path(word)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a word that is too long for a name
        return False


def _looked(word: str) -> str:
    return "" if _path(word).is_absolute() else f", in {workspace_folder()}"


def _program(word: str) -> str:
    """Give a program as it is started: this interpreter for `python`, a file by its whole path, else what lies beside this interpreter or on the PATH."""
    if word in _PYTHON:
        return sys.executable
    if _is_path(word) or _file(word, ()):
        return str(workspace_folder() / _path(word))
    return which(word, Path(sys.executable)) or word


def filled(run: str, places: Mapping[str, Path | str]) -> list[str]:
    """Put values into the words of a command; folders by their whole paths, `~` of files that are there filled in."""
    made = [str(_path(word)) if word.startswith("~") and _file(word, ()) else word for word in words(run)]
    for place, value in places.items():
        made = [word.replace(place, str(value.absolute() if isinstance(value, Path) else value)) for word in made]
    return [_program(made[0]), *made[1:]]


def run(said: str, places: Mapping[str, Path | str], log: Path, named: Collection[str] = ()) -> tuple[Note, ...]:
    """Run a command to its end, in the workspace's folder, other programs of this environment first on its PATH; what it prints goes to the log.

    named: variables that it is given besides those that every program is. Returns a note where something that it started was still running
    and had to be ended. Raises: HarnessError with its last line where it fails.
    """
    command, variables = filled(said, places), for_programs(os.environ, named)
    variables["PATH"] = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), variables.get("PATH", ""))))
    variables[STARTED_BY] = mark = new_mark()
    left: tuple[str, ...] = ()
    with log.open("ab") as stream:
        began = stream.tell()
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False, env=variables,
                cwd=workspace_folder(),
            ).returncode  # fmt: skip
        except OSError as error:
            raise HarnessError(f"the command '{command[0]}' cannot be started ({error}); correct 'run'") from None
        finally:
            left = end_left(mark)
    if code:
        with log.open("rb") as written:
            written.seek(began)
            lines = [line.strip() for line in written.read().decode(errors="replace").splitlines() if line.strip()]
        what = f": {lines[-1]}; the rest is in {LOG}" if lines else " and printed nothing"
        raise HarnessError(f"the command {_ended(code)}{what}")
    text = f"the command had ended while {', '.join(left)} that it had started still ran, and was ended"
    return (Note(code="left-running", text=text),) if left else ()


def _ended(code: int) -> str:
    """Say how a program that did not end well ended. code: as `subprocess` has it, below zero for a signal."""
    if code >= 0:
        return f"failed with exit code {code}"
    name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
    return f"was ended by {name}{' (memory may have run out)' if name == 'SIGKILL' else ''}"
