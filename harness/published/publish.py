"""Measured runs as the text of a published file, so that pages can be written anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from harness.core.errors import HarnessError
from harness.core.identity import digest
from harness.core.outcome import Outcome
from harness.core.spec import JsonObject, Labels
from harness.published.items import FEW, PackedItems, items_of, packed_items, statistics_of
from harness.published.kept import kept_environment, kept_run
from harness.published.records import FORMAT, STATISTICS, content_of
from harness.store.database import Database

HEADER = """\
# Measured results; `harness publish` writes this file, and the pages are written from it. Each run carries the hash of its
# content, so an edited one is refused: publish it again, or put somebody else's number into a file of `reported:` ones.
"""
NAMED = 5
"""Runs that a refusal names; it counts the others."""
_ENDLESS = 2**30
"""Width of a line that nothing breaks."""


@dataclass(frozen=True)
class PublishableRun:
    """A run with what is at hand of its samples, by the measurement's place; a place without any is absent."""

    outcome: Outcome
    labels: tuple[Labels, ...] = ()
    items: Mapping[int, PackedItems] = field(default_factory=dict)
    statistics: Mapping[int, Mapping[str, float]] = field(default_factory=dict)


def publish(database: Database, runs: Iterable[str], sweeps: Collection[str] = ()) -> str:
    """Write runs as the text of a published file; equal runs give equal bytes.

    sweeps: those whose names for the jobs are written; all where none is given.
    Raises: HarnessError for an unknown run, or for runs that were not measured here.
    """
    outcomes = [database.marked.noted(run) for run in sorted(set(runs))]
    _measured_here(outcomes)
    return text_of([publishable(database, outcome, sweeps) for outcome in outcomes])


def _measured_here(outcomes: Sequence[Outcome]) -> None:
    """Refuse what others measured: its text would say neither which file it comes from nor what stood in it."""
    others = [outcome for outcome in outcomes if outcome.origin != "measured"]
    if others:
        named = ", ".join(_source(outcome) for outcome in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise HarnessError(
            f"only runs that were measured here are published, and these were not: {named}{more}; leave them out. Keep an "
            "imported file itself and `harness import` it where it is needed, or write its numbers into a file that begins "
            "with `reported:`"
        )


def _source(outcome: Outcome) -> str:
    file = outcome.citation and (outcome.citation.file or outcome.citation.title)
    return f"{outcome.job.run} ({outcome.origin}{f' from {file}' if file else ''})"


def publishable(database: Database, outcome: Outcome, sweeps: Collection[str] = ()) -> PublishableRun:
    """Collect what is published of a run: its places in the sweeps, what pairs, and statistics of its samples.

    Raises: HarnessError for samples that are not where the database says.
    """
    items: dict[int, PackedItems] = {}
    statistics: dict[int, Mapping[str, float]] = {}
    for place, item in enumerate(outcome.measurements):
        if item.array is None and len(item.samples) <= FEW:
            continue
        measurement = f"{outcome.job.run}#{place}"
        samples, found = database.samples(measurement), items_of(database, measurement)
        packed = packed_items(item, found)
        if packed is not None:
            items[place] = packed
        if packed is None or packed.samples is None or packed.documents is not None:
            statistics[place] = statistics_of(samples)
    labels = tuple(label for label in _labels(database, outcome) if not sweeps or label.sweep in sweeps)
    return PublishableRun(outcome, labels, items, statistics)


def _labels(database: Database, outcome: Outcome) -> tuple[Labels, ...]:
    columns = list(Labels.model_fields)
    found = database.select({"run": outcome.job.run}, columns)
    labels = {Labels.model_validate(record) for record in found} - {Labels()}
    return tuple(sorted(labels, key=lambda label: tuple(label.model_dump().values())))


# ---------------------------------------------------------------- as text


def text_of(runs: Sequence[PublishableRun]) -> str:
    """Write runs as a file."""
    environments: dict[str, JsonObject] = {}
    entries: list[JsonObject] = []
    items: JsonObject = {}
    for run in runs:
        environment = kept_environment(run.outcome.environment)
        name = _short_name(environment, environments)
        packed = {place: one.model_dump(exclude_none=True) for place, one in sorted(run.items.items())}
        entries.append(entry_of(run, name, digest(environment), packed or None))
        items |= {run.outcome.job.run: packed} if packed else {}
    lines = [f"format: {FORMAT}", f"count: {len(entries)}", "environments:" if entries else "environments: {}"]
    lines += [line for name, environment in environments.items() for line in _environment(name, environment)]
    lines += ["runs:" if entries else "runs: []", *(line for entry in entries for line in _run(entry))]
    lines += ["items:", *(f"  {run}: {_flow(packed)}" for run, packed in items.items())] if items else []
    return HEADER + "".join(f"{line}\n" for line in lines)


def _short_name(environment: Mapping[str, Any], known: dict[str, dict[str, Any]]) -> str:
    """Find an environment among those of the file, or add it under its own name, numbered where another bears it."""
    there = next((name for name, one in known.items() if one == environment), None)
    if there is not None:
        return there
    own = str(environment["name"])
    name = next(one for one in (own, *(f"{own}-{number}" for number in range(2, len(known) + 3))) if one not in known)
    known[name] = dict(environment)
    return name


def entry_of(run: PublishableRun, environment: str, environment_content: str, items: object) -> JsonObject:
    """Make a run's entry with its hash; see `records.content_of`."""
    kept, name = kept_run(run.outcome), run.outcome.job.run
    measurements = [_measurement(item, run.statistics.get(place)) for place, item in enumerate(kept.measurements)]
    head: JsonObject = {"name": name, "labels": [one.model_dump(exclude_defaults=True) for one in run.labels]}
    rest: JsonObject = {"job": kept.job, "outcome": kept.outcome}
    rest |= {"measurements": measurements} if measurements else {}
    content = content_of({"run": head, **rest}, environment_content, items)
    return {"run": {"name": name, "content": content, "environment": environment, **head}, **rest}


def _measurement(item: JsonObject, statistics: Mapping[str, float] | None) -> JsonObject:
    samples = item.get("samples")
    many = isinstance(samples, list) and len(samples) > FEW
    found = {name: value for name, value in item.items() if not (many and name == "samples")}
    return found | ({STATISTICS: dict(statistics)} if statistics else {})


def _environment(name: str, environment: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {_flow(name)}:"
    for key, value in environment.items():
        yield f"    {key}: {_flow(value)}"


def _run(entry: Mapping[str, Any]) -> Iterator[str]:
    """Lay a run out: head, job, outcome, and a line for each measurement, those of all parts in one."""
    yield f"- run: {_flow(entry['run'])}"
    yield f"  job: {_flow(entry['job'])}"
    yield f"  outcome: {_flow(entry['outcome'])}"
    if "measurements" in entry:
        numbered = enumerate(entry["measurements"])
        lines = groupby(numbered, key=lambda one: "part" if one[1].get("part") else one[0])
        yield "  measurements: ["
        yield from (f"    {', '.join(_flow(item) for _, item in line)}," for _, line in lines)
        yield "  ]"


def _flow(value: Any) -> str:
    """Write a value of YAML in one line."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(value, Dumper=dumper, default_flow_style=True, sort_keys=False, allow_unicode=True, width=_ENDLESS)
    return str(text).removesuffix("...\n").rstrip("\n")
