"""Hold a results folder against its database: outcomes, their arrays, and sealed artifacts, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.identity import folder_sha256
from harness.core.outcome import Outcome
from harness.store import arrays, files
from harness.store.database import Database


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what is wrong with it; empty where nothing is."""

    what: str
    trouble: str = ""


def audit(database: Database, results: Path) -> Iterator[Finding]:
    """Look at every run folder and every artifact that the database knows. Reads all bytes of all of them."""
    runs, there = database.run_names(), set()
    for folder in sorted((results / files.RUNS).glob("*/")):
        if (folder / files.OUTCOME).exists():
            there.add(folder.name)
            yield Finding(f"run {folder.name}", _run(database, folder, known=folder.name in runs))
    for run in sorted(runs - there):
        yield Finding(f"run {run} (its folder is not here)")
    for identity, content in sorted(database.known_artifacts().items()):
        for folder in sorted((results / "artifacts").glob(f"[br]-{identity[:12]}")):
            yield Finding(f"artifact {folder.name}", _artifact(folder, content))


def _run(database: Database, folder: Path, *, known: bool) -> str:
    try:
        outcome = files.read_outcome(folder / files.OUTCOME)
        stored = arrays.stored_arrays(outcome, folder)
    except ConfigError as error:
        return "; ".join(problem.message for problem in error.problems)
    except HarnessError as error:
        return str(error)
    if not known:
        return "its outcome is not in the database; `harness ingest` takes it in"
    kept = database.array_hashes(folder.name)
    other = sorted(one.name for one in stored if kept.get(one.name, one.sha256) != one.sha256)
    if other:
        return f"arrays.npz is not what the database took in ({', '.join(other)}); restore it from a copy"
    return _differs(outcome, database.outcome(folder.name))


def altered(database: Database, results: Path, runs: Iterable[str]) -> list[Problem]:
    """Say which outcomes of these runs are no longer what the database took in. Reads their files, not their arrays."""
    found = []
    for run in runs:
        path = results / files.RUNS / run / files.OUTCOME
        try:
            trouble = _differs(files.read_outcome(path), database.outcome(run)) if path.exists() else ""
        except ConfigError as error:
            found += error.problems
            continue
        if trouble:
            found.append(Problem(trouble, path))
    return found


def _differs(outcome: Outcome, kept: Outcome) -> str:
    fields = differing(outcome, kept)
    if not fields:
        return ""
    return (
        f"outcome.json is not what the database took in ({', '.join(fields)}); restore the file from a copy, or, where the file is "
        "right, move the database away and run `harness ingest`"
    )


def differing(one: Outcome, other: Outcome) -> list[str]:
    """Name the fields in which two outcomes differ."""
    left, right = one.model_dump(mode="json"), other.model_dump(mode="json")
    return [name for name in left if left[name] != right[name]]


def _artifact(folder: Path, content: str) -> str:
    if folder.is_symlink():
        return "a link, and artifacts are folders of their own; remove the link and run the same command again"
    if link := next((path for path in sorted(folder.rglob("*")) if path.is_symlink()), None):
        return f"{link.relative_to(folder)} in it is a link; remove the folder and run the same command again"
    found = folder_sha256(folder)
    if found == content:
        return ""
    return f"is not what was sealed (content {found[:12]}, sealed {content[:12]}); remove the folder and run the same command again"
