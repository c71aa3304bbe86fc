"""Published files as records: each run is held against the hash of its content."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.core.errors import ConfigError, Problem
from harness.core.identity import DIGITS, digest
from harness.core.outcome import Environment, Outcome
from harness.published.publish import NAMED
from harness.published.records import (
    FORMAT,
    PREFIX,
    STATISTICS,
    Published,
    PublishedFile,
    PublishedRun,
    content_of,
    outcome_of,
)
from harness.published.reported import read_file
from harness.published.text import line_of, raw_file
from harness.store.session import SessionJob, SessionRecord
from harness.tables.declared import KEY, together

NEITHER = "is not a results file; start it with `reported:` (numbers of others), or write it with `harness publish`"
_AGAIN = "publish it again with `harness publish`"
_THEIRS = "where it is somebody else's number, put it into a file that begins with `reported:`"


def read_published(folder: Path, only: Collection[Path] | None = None) -> Published:
    """Read published files of a folder, all or some. Raises: ConfigError naming the file, the line and what is wrong with it."""
    parts = []
    for path in sorted(folder.glob("*.yaml") if only is None else only):
        facts = path.stat()
        parts.append(_read(path, facts.st_size, facts.st_mtime_ns))
    return Published(
        _once([outcome for part in parts for outcome in part.outcomes], folder),
        tuple(session for part in parts for session in part.sessions),
        {measurement: one for part in parts for measurement, one in part.items.items()},
        {measurement: one for part in parts for measurement, one in part.statistics.items()},
        together([part.declared for part in parts]),
    )


@lru_cache(maxsize=64)
def _read(path: Path, _size: int, _mtime_ns: int) -> Published:
    """Read one file, once while it stays the same in this process."""
    text, raw = raw_file(path)
    if isinstance(raw, dict) and KEY in raw:
        others, declared = read_file(path)
        jobs = [_job(outcome, (outcome.job.labels,)) for outcome in others]
        return Published(others, _session(path, others, jobs), declared=declared)
    file = _file(path, text, raw)
    _verify(path, text, raw, file)
    places = {name: _environment(path, text, name, place) for name, place in file.environments.items()}
    outcomes = tuple(
        _outcome(path, text, number, run, places[run.run.environment]) for number, run in enumerate(file.runs)
    )
    jobs = [_job(outcome, run.run.labels) for outcome, run in zip(outcomes, file.runs, strict=True)]
    return Published(
        outcomes,
        _session(path, outcomes, jobs),
        {f"{run}#{place}": one for run, items in file.items.items() for place, one in items.items()},
        {
            f"{run.run.name}#{place}": item[STATISTICS]
            for run in file.runs
            for place, item in enumerate(run.measurements)
            if STATISTICS in item
        },
    )


def _file(path: Path, text: str, raw: Any) -> PublishedFile:
    """Make sense of a file as a whole. Raises: ConfigError for one of another version, or that is not whole."""
    if not isinstance(raw, dict) or not {"environments", "runs"} & set(raw):
        raise ConfigError([Problem(NEITHER, path)])
    version = raw.get("format")
    if version is None:
        raise ConfigError(
            [Problem(f"was written by harness 0.1, with its arrays and without hashes; {_AGAIN}", path, 1)]
        )
    if version != FORMAT:
        newer = isinstance(version, int) and version > FORMAT
        remedy = "take the harness that wrote it, or a later one" if newer else _AGAIN
        raise ConfigError(
            [
                Problem(
                    f"has format {version}, and this harness reads {FORMAT}; {remedy}", path, line_of(text, ["format"])
                )
            ]
        )
    try:
        file = PublishedFile.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        said = f"{place}: {first['msg']} ({error.error_count()} mistakes of this kind); {_AGAIN}"
        raise ConfigError([Problem(said, path, line_of(text, first["loc"]))]) from None
    if file.count != len(file.runs):
        said = f"says that it holds {file.count} runs, and {len(file.runs)} are in it: it was cut short, or one was taken out or put in"
        raise ConfigError([Problem(f"{said}; {_AGAIN}", path, line_of(text, ["count"]))])
    return file


def _verify(path: Path, text: str, raw: Any, file: PublishedFile) -> None:
    """Hold each run against its hash, and find what is there twice. Raises: ConfigError with the line of each run."""
    hashes = {name: _hashed(place) for name, place in raw["environments"].items()}
    items, seen, found = raw.get("items") or {}, dict[str, int](), list[tuple[tuple[str | int, ...], str]]()
    for number, (entry, run) in enumerate(zip(raw["runs"], file.runs, strict=True)):
        head, place = run.run, ("runs", number)
        if head.environment not in hashes:
            found.append((place, f"run {head.name}: no environment '{head.environment}' in this file; {_AGAIN}"))
        elif head.name in seen:
            before = line_of(text, ["runs", seen[head.name]])
            found.append((place, f"run {head.name} stands in line {before} already; keep one"))
        elif (content := _content(entry, hashes[head.environment], items.get(head.name))) != head.content:
            at = line_of(text, ["environments", head.environment])
            edited = f"run {head.name} was edited, or its environment (line {at})"
            found.append((place, f"{edited}: {_hashes(head.content, content)}"))
        seen.setdefault(head.name, number)
    strange = sorted(set(items) - set(seen))
    found += [(("items", run), f"items of run {run}, which is not there; {_AGAIN}") for run in strange]
    more = [Problem(f"and {len(found) - NAMED} more", path)] if len(found) > NAMED else []
    if found:
        raise ConfigError([*(Problem(said, path, line_of(text, place)) for place, said in found[:NAMED]), *more])


def _hashes(said: str, found: str) -> str:
    digits = len(PREFIX) + DIGITS
    return f"the file says {said[:digits]}, and its content is {found[:digits]}; {_AGAIN}, or, {_THEIRS}"


def _hashed(value: Any) -> str:
    try:
        return digest(value)
    except (TypeError, ValueError):
        return "no JSON"


def _content(entry: Any, environment: str, items: Any) -> str:
    try:
        return content_of(entry, environment, items)
    except (TypeError, ValueError):
        return f"{PREFIX}none, it is no JSON"


def _environment(path: Path, text: str, name: str, raw: Mapping[str, Any]) -> Environment:
    try:
        return Environment.model_validate(raw)
    except ValidationError as error:
        raise _not_ours(path, text, ["environments", name], f"environment {name}", error) from None


def _outcome(path: Path, text: str, number: int, run: PublishedRun, environment: Environment) -> Outcome:
    """Put an outcome together again. Raises: ConfigError for what no harness publishes, its hash right or not."""
    place = ("runs", number)
    if run.outcome.get("origin", "measured") != "measured":
        said = f"run {run.run.name} is {run.outcome['origin']}, and only what was measured is published; {_THEIRS}"
        raise ConfigError([Problem(said, path, line_of(text, place))])
    try:
        return outcome_of(run, environment)
    except ValidationError as error:
        raise _not_ours(path, text, place, f"run {run.run.name}", error) from None


def _not_ours(path: Path, text: str, place: Sequence[str | int], what: str, error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    said = f"{what}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return ConfigError([Problem(f"{said}; {_AGAIN} by the harness of this version", path, line_of(text, place))])


def _session(path: Path, outcomes: Sequence[Outcome], jobs: Sequence[SessionJob]) -> tuple[SessionRecord, ...]:
    """Say what people call the file's jobs, in the form in which a session says it; an empty file says nothing."""
    if not outcomes:
        return ()
    first = min(outcome.started for outcome in outcomes)
    name = f"published-{path.stem}"
    return (SessionRecord(session=name, sweep=path.stem, started=first, plan="", jobs=tuple(jobs)),)


def _job(outcome: Outcome, labels: Sequence[Any]) -> SessionJob:
    job = outcome.job
    return SessionJob(
        key=job.key, kind=job.kind, environment=outcome.environment.name, labels=tuple(labels), run=job.run
    )


def _once(outcomes: Sequence[Outcome], folder: Path) -> tuple[Outcome, ...]:
    """Give each run once: a run that answers jobs of two sweeps stands in both of their files, in the same words."""
    seen: dict[str, Outcome] = {}
    for outcome in outcomes:
        if seen.setdefault(outcome.job.run, outcome) != outcome:
            raise ConfigError(
                [Problem(f"run {outcome.job.run} is given twice with different content; keep one", folder)]
            )
    return tuple(seen.values())
