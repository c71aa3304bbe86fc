"""Make room in a results folder: what was used longest ago goes first, and what a person relies on never goes.

Of an artifact its folder goes; hash and record stay in the run that sealed it, and the next sweep that needs it builds it anew. Of
a run all goes but its outcome, its job and what a person said of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, remove
from harness.core.identity import short
from harness.store import files
from harness.store.arrays import read_arrays
from harness.store.cleaned import CLEANED, CleanedRun, write_cleaned
from harness.store.database import Database
from harness.store.uses import RunUse
from harness.worker import ARTIFACTS, JOB, LOCK, OUTCOME
from harness.worker.record import ARRAYS, array_ref

_STAYS = {OUTCOME, JOB, files.MARK, CLEANED}
"""What a run folder keeps."""
RECENT = timedelta(days=1)
"""How long after it began a session that was cut off may still be continued though its sweep had another since."""
FolderKind = Literal["artifact", "run"]


@dataclass(frozen=True)
class ResultFolder:
    """A folder that could go, or of which much could. used: its last use that is on record."""

    path: Path
    kind: FolderKind
    bytes: int
    """What its going frees."""
    used: datetime | None


@dataclass(frozen=True)
class Reliance:
    """What must stay, whatever the budget. runs: published ones; contents: of artifacts behind these; nights: against which later nights hold."""

    runs: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    nights: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CleaningPlan:
    """What would go, in order, and what stays for which reason. bytes: of all artifacts and runs, before."""

    going: tuple[ResultFolder, ...]
    kept: Mapping[str, int]
    """Bytes that stay, by reason."""
    bytes: int
    budget: int

    @property
    def left(self) -> int:
        """Bytes afterwards."""
        return self.bytes - sum(one.bytes for one in self.going)


def plan_cleaning(results: Path, database: Database, published: Reliance, budget: int) -> CleaningPlan:
    """Choose what goes until a results folder fits into `budget` bytes. Hold its lock meanwhile.

    Raises: HarnessError where a folder of the results is a link, or a session or mark cannot be read.
    """
    files.check_folders(results)
    uses = database.uses()
    kept = _kept_artifacts(results, database, uses, published) | _kept_runs(results, uses, published)
    found = [*_artifacts(results, database, uses), *_runs(results, uses)]
    going, total = list[ResultFolder](), sum(_size(results / name) for name in (ARTIFACTS, files.RUNS))
    left = total
    free = (one for one in found if one.path not in kept and one.bytes and one.used is not None)
    for one in sorted(free, key=lambda one: (one.used, one.path.name)):
        if left <= budget:
            break
        going.append(one)
        left -= one.bytes
    reasons: dict[str, int] = {}
    for one in found:
        if (why := kept.get(one.path)) is not None:
            reasons[why] = reasons.get(why, 0) + one.bytes
    return CleaningPlan(tuple(going), reasons, total, budget)


def clear(folder: ResultFolder) -> None:
    """Let a folder of a plan go; a kill at any moment leaves it whole, or marked so that `finish` ends the work."""
    if folder.kind == "artifact":
        remove(folder.path)
        return
    arrays = read_arrays(folder.path / ARRAYS) if (folder.path / ARRAYS).exists() else {}
    refs = tuple(array_ref(name, array) for name, array in sorted(arrays.items()))
    write_cleaned(folder.path, CleanedRun(cleaned=datetime.now(UTC), arrays=refs))
    _strip(folder.path)


def finish(results: Path) -> None:
    """End what a command that was killed began to remove."""
    files.check_folders(results)
    for half in sorted((results / ARTIFACTS).glob(f"*{PARTIAL}-gone")):
        remove(half)
    for folder in _folders(results / files.RUNS):
        if (folder / CLEANED).exists():
            _strip(folder)
        elif (folder / f"{CLEANED}{PARTIAL}").exists():
            remove(folder / f"{CLEANED}{PARTIAL}")


def _strip(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name not in _STAYS:
            remove(path)


def _folders(folder: Path) -> Iterator[Path]:
    """List real folders of a folder: what a link leads to is not ours."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".") and PARTIAL not in path.name:
            yield path


def _size(folder: Path, leave: Collection[str] = ()) -> int:
    """Add up the files below a folder, links as links. leave: names at its top that do not count."""
    total = 0
    for place, names, found in os.walk(folder):
        at_top = Path(place) == folder
        kept = [name for name in found if not (at_top and name in leave)]
        kept += [name for name in names if Path(place, name).is_symlink()]
        total += sum(os.lstat(Path(place, name)).st_size for name in kept)
    return total


# ---------------------------------------------------------------- what could go


def _artifacts(results: Path, database: Database, uses: Collection[RunUse]) -> Iterator[ResultFolder]:
    named = _named(database)
    last = {content: use.used for use in uses for content in use.contents}
    by_id = {use.artifact: use.used for use in uses if use.artifact}
    for folder in _folders(results / ARTIFACTS):
        known = named.get(folder.name)
        moments = [moment for moment in (by_id.get(known[0]), last.get(known[1])) if moment] if known else []
        yield ResultFolder(folder, "artifact", _size(folder), max(moments, default=None))


def _runs(results: Path, uses: Collection[RunUse]) -> Iterator[ResultFolder]:
    used = {use.run: use.used for use in uses}
    for folder in _folders(results / files.RUNS):
        yield ResultFolder(folder, "run", _size(folder, _STAYS), used.get(folder.name))


def _named(database: Database) -> dict[str, tuple[str, str]]:
    """Return id and content of every artifact that a run sealed, by the name of its folder."""
    sealed = database.known_artifacts().items()
    return {short(letter, identity): (identity, content) for identity, content in sealed for letter in "br"}


# ---------------------------------------------------------------- what stays


def _kept_artifacts(
    results: Path, database: Database, uses: Collection[RunUse], published: Reliance
) -> dict[Path, str]:
    named, found = _named(database), dict[Path, str]()
    keep = {use.run for use in uses if files.read_mark(results / files.RUNS / use.run).keep}
    marked = {content for use in uses if use.run in keep for content in use.contents}
    behind = {content for use in uses if use.run in published.runs for content in use.contents} | published.contents
    busy, open_ = _waiting(results), _unfinished(results)
    continued = {content for use in uses if use.session in open_ for content in use.contents}
    for folder in _folders(results / ARTIFACTS):
        _, content = named.get(folder.name, ("", ""))
        why = "no run on record made it" if not content else ""
        why = "behind published numbers" if content in behind else why
        why = "marked to keep" if content in marked else why
        why = "in use" if content in continued or str(folder.resolve()) in busy else why
        if why:
            found[folder] = why
    return found


def _kept_runs(results: Path, uses: Collection[RunUse], published: Reliance) -> dict[Path, str]:
    known, open_, found = {use.run: use for use in uses}, _unfinished(results), dict[Path, str]()
    for folder in _folders(results / files.RUNS):
        use = known.get(folder.name)
        why = "not on record" if use is None else "newest of its series" if use.current else ""
        why = "nights are held against it" if folder.name in published.nights else why
        why = "published" if folder.name in published.runs else why
        why = "marked to keep" if files.read_mark(folder).keep else why
        is_open = not (folder / OUTCOME).exists() or (use is not None and use.session in open_)
        why = "in use" if is_open else why
        if why:
            found[folder] = why
    return found


def _unfinished(results: Path) -> set[str]:
    """Name the sessions that a next command would continue: the last of each sweep, and all of the last day, as nights' are, where they are not over."""
    now = datetime.now(UTC)
    there = [files.read_session(path) for path in (results / files.SESSIONS).glob("*.json")]
    last = {one.sweep: one for one in sorted(there, key=lambda one: one.age)}
    recent = [one for one in there if now - one.started < RECENT]
    return {one.session for one in (*last.values(), *recent) if one.finished is None}


def _waiting(results: Path) -> set[str]:
    """Name the folders that jobs without an outcome read."""
    found: set[str] = set()
    for folder in _folders(results / files.RUNS):
        if (folder / OUTCOME).exists():
            continue
        _refuse_running(folder)
        try:
            inputs = json.loads((folder / JOB).read_text("utf-8"))["inputs"]
            found |= {str(Path(one["path"]).resolve()) for one in inputs if one.get("path")}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _refuse_running(folder: Path) -> None:
    place = folder / LOCK
    if place.is_symlink() or not place.is_file():
        return
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
        lock.release()
    except Timeout:
        raise HarnessError(
            f"a worker is still running {folder.name}; wait until it is over, then run the same command again"
        ) from None
