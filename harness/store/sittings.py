"""Sittings: the rounds of one job in one session and place, and what their values come to.

Grouped by what the runs say of themselves, never by the clock: it may be set back between two rounds. A session that was
continued after a package changed has two sittings of a job, since a mean must not mix them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from harness.core.identity import DIGITS, canonical, digest
from harness.core.marks import marking
from harness.core.metric import METRICS, OWN
from harness.core.spec import Note, Status
from harness.numbers import rounds
from harness.store import models as m
from harness.store.row import chunks, table

PACE = "pace"
"""Fact of a generation: the machine's own pace, and the metrics at one pace."""
OUTPUT = "output_sha256"
"""Fact of a greedy protocol: hash of the token ids that a round generated."""
CHECK = "output_check"
"""Probe that scores what an artifact generated; its findings mark the artifact's speed."""
DIFFERS = "output-differs"
_ALIKE = ("session", "gpu_count", "provider", "dtype", "protocol", "protocol_version", "artifact", "artifact_content")
"""Columns of a run in which the rounds of a sitting are alike, beside job and place."""
_OF_THE_MOMENT = {"harness"}
"""Of an environment: what may differ between two rounds of a sitting."""
_OF_A_GPU = {"name", "driver", "memory_bytes", "compute"}
_SAME = ("metric", "metric_version", "slice", "unit", "source")
_OVER_ROUNDS = [name for name in METRICS if rounds.is_over_rounds(name)]
_AT_ONCE = 500
"""Sittings whose values are in memory together."""


def name_of(run: Mapping[str, Any], job_key: str, environment: Mapping[str, Any]) -> str:
    """Name the sitting of a run (columns as in its row): the same for all of its rounds, in every database.

    environment: as its record says it. A run of no session sits alone.
    """
    alone = "" if run["session"] else run["name"]
    return digest([job_key, _place(environment), alone, *(run.get(name) for name in _ALIKE)])[:DIGITS]


def settle(connection: Connection, runs: Sequence[int]) -> None:
    """Bring the summaries up to date that new runs, measured and ok, are a part of or speak of."""
    summarize(connection, sorted(touched(connection, runs)))


def touched(connection: Connection, runs: Sequence[int]) -> set[str]:
    """Name the sittings that runs are rounds of, and those of artifacts that they checked."""
    run = table(m.RunRow)
    found = _checked_by(connection, runs)
    for some in chunks(runs):
        sitting = select(run.c.sitting).where(run.c.id.in_(some), run.c.sitting.is_not(None))
        found |= set(connection.execute(sitting.distinct()).scalars())
    return found


def fill(connection: Connection, *, notes: bool = False) -> int:
    """Settle all runs that have no sitting yet, as an upgrade or a bulk load needs; returns how many there were.

    notes: read the notes of all runs from their outcomes, too.
    """
    run, job, place = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    if notes:
        _fill_notes(connection)
    columns = [run.c[name] for name in ("id", "name", "environment_id", *_ALIKE)]
    query = select(*columns, job.c.key).join(job, job.c.id == run.c.job_id).where(run.c.sitting.is_(None))
    waiting = connection.execute(query.where(run.c.status == Status.OK.value, run.c.origin == "measured")).all()
    texts = {row.id: row.json for row in connection.execute(select(place.c.id, place.c.json))} if waiting else {}
    places = {id_: json.loads(text) for id_, text in texts.items()}
    found = [
        {"which": row.id, "sitting": name_of(row._asdict(), row.key, places[row.environment_id])} for row in waiting
    ]
    if found:
        connection.execute(run.update().where(run.c.id == bindparam("which")), found)
    settle(connection, [row.id for row in waiting])
    return len(found)


def noted(notes: Iterable[Note]) -> str | None:
    """Write notes as the database keeps them; None where there are none."""
    listed = [note.model_dump() for note in notes]
    return canonical(listed) if listed else None


def notes_of(text: str | None) -> list[Note]:
    """Read notes as the database keeps them."""
    return [Note.model_validate(one) for one in json.loads(text)] if text else []


# ---------------------------------------------------------------- who sits together


def _place(environment: Mapping[str, Any]) -> str:
    """Name a place by what must not differ between rounds: packages and threads count, clocks of the moment do not."""
    gpus = [
        {name: value for name, value in gpu.items() if value and name in _OF_A_GPU}
        for gpu in environment.get("gpus", [])
    ]
    kept = {name: value for name, value in environment.items() if value and name not in _OF_THE_MOMENT}
    return digest(kept | {"gpus": gpus})


def _checked_by(connection: Connection, runs: Sequence[int]) -> set[str]:
    """Return the sittings of artifacts that some of these runs have checked."""
    run, job = table(m.RunRow), table(m.JobRow)
    contents: set[str] = set()
    for some in chunks(runs):
        query = select(run.c.artifact_content).join(job, job.c.id == run.c.job_id)
        found = connection.execute(query.where(job.c.probe == CHECK, run.c.id.in_(some)))
        contents |= {content for content in found.scalars() if content}
    query = select(run.c.sitting).where(run.c.artifact_content.in_(contents), run.c.sitting.is_not(None))
    return set(connection.execute(query.distinct()).scalars()) if contents else set()


# ---------------------------------------------------------------- what they come to


def summarize(connection: Connection, sittings: Sequence[str]) -> None:
    """Write the summaries of sittings anew, from the measurements of their rounds."""
    kept = table(m.SummaryRow)
    for some in chunks(sittings, _AT_ONCE):
        marks = _marks(connection, some)
        connection.execute(kept.delete().where(kept.c.sitting.in_(some)))
        rows = list(_summaries(connection, some, marks))
        if rows:
            connection.execute(insert(kept), rows)


def _summaries(
    connection: Connection, sittings: Sequence[str], marks: Mapping[str, str | None]
) -> Iterator[dict[str, Any]]:
    values: dict[tuple[Any, ...], dict[int, rounds.Round]] = defaultdict(dict)
    variants: dict[tuple[Any, ...], dict[int, str]] = defaultdict(dict)
    paces = _paces(connection, sittings)
    for row in connection.execute(_values_query(sittings)):
        key = (row.sitting, *(getattr(row, name) for name in _SAME))
        at_pace = None if row.slice else paces.get(row.run_id, {}).get(row.metric)
        values[key].setdefault(row.run_id, rounds.Round(row.round, row.order, row.value, at_pace))
        variants[key][row.quantity_id] = row.unit
    for key, by_run in values.items():
        found = list(by_run.values())
        for variant, unit in variants[key].items():
            value, low, high = rounds.summary([one.value for one in found], unit)
            listed = [
                [one.round, one.order, one.value, *([] if one.at_pace is None else [one.at_pace])] for one in found
            ]
            yield {
                "sitting": key[0],
                "quantity_id": variant,
                "value": value,
                "low": low,
                "high": high,
                "rounds": len(found),
                "round_values": json.dumps(listed),
                "marks": marks[key[0]],
            }


def _paces(connection: Connection, sittings: Sequence[str]) -> dict[int, Mapping[str, float]]:
    """Return the metrics at one pace of each run, of the sittings in which all timed the same computation."""
    found, computed = {}, defaultdict[str, set[str]](set)
    for sitting, run, fact in _facts(connection, sittings, PACE):
        computed[sitting].add(str(fact.get("computation")) if isinstance(fact, dict) else "")
        found[run] = sitting, paces_of({PACE: fact})
    return {run: values for run, (sitting, values) in found.items() if len(computed[sitting]) == 1}


def paces_of(facts: Mapping[str, object]) -> Mapping[str, float]:
    """Return by metric what a protocol's facts say of it at one pace; what is no positive number there is left out."""
    pace = facts.get(PACE)
    values = pace.get("at_1ms") if isinstance(pace, dict) else None
    if not isinstance(values, dict):
        return {}
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    }


def _values_query(sittings: Sequence[str]) -> Any:
    run, item, variant = table(m.RunRow), table(m.MeasurementRow), table(m.MetricVariantRow)
    query = select(run.c.sitting, run.c.round, run.c.order, item.c.run_id, item.c.value, item.c.quantity_id,
                   *[variant.c[name] for name in _SAME])  # fmt: skip
    query = query.select_from(
        run.join(item, item.c.run_id == run.c.id).join(variant, variant.c.id == item.c.quantity_id)
    )
    return query.where(
        run.c.sitting.in_(sittings),
        variant.c.comparison.is_(None),
        variant.c.metric.in_(_OVER_ROUNDS) | variant.c.metric.startswith(OWN),
    ).order_by(run.c.sitting, run.c.round, run.c.order, run.c.name, item.c.ordinal)


# ---------------------------------------------------------------- marks


def _marks(connection: Connection, sittings: Sequence[str]) -> dict[str, str | None]:
    """Gather what marks the numbers of sittings: the notes of all rounds, outputs that differ, and what a check found."""
    run, job, place = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    query = select(run.c.sitting, run.c.notes, run.c.artifact_content, job.c.engine, job.c.engine_options, place.c.name)
    query = query.select_from(
        run.join(job, job.c.id == run.c.job_id).join(place, place.c.id == run.c.environment_id)
    ).where(run.c.sitting.in_(sittings))
    rows = connection.execute(query.order_by(run.c.id)).all()
    found: dict[str, list[Note]] = {one: [] for one in sittings}
    checks = _checks(connection, {row.artifact_content for row in rows if row.artifact_content})
    for row in rows:
        found[row.sitting] += notes_of(row.notes)
        found[row.sitting] += checks.get((row.artifact_content, row.engine, row.engine_options, row.name), [])
    for sitting, outputs in _outputs(connection, sittings).items():
        if len(set(outputs)) > 1:
            text = f"{len(set(outputs))} different outputs in {len(outputs)} rounds of the same greedy work"
            found[sitting].append(Note(code=DIFFERS, text=text))
    return {sitting: noted(marking(notes)) for sitting, notes in found.items()}


def _outputs(connection: Connection, sittings: Sequence[str]) -> dict[str, list[str]]:
    """Return what each round of greedy work generated, by its hash."""
    found: dict[str, list[str]] = defaultdict(list)
    for sitting, _, output in _facts(connection, sittings, OUTPUT):
        found[sitting].append(canonical(output))
    return found


def _facts(connection: Connection, sittings: Sequence[str], name: str) -> Iterator[tuple[str, int, Any]]:
    """Return what the protocols of these rounds say under a name: sitting, run, fact."""
    run, outcome = table(m.RunRow), table(m.OutcomeRow)
    query = select(run.c.sitting, run.c.id, outcome.c.json).join(outcome, outcome.c.run_id == run.c.id)
    told = query.where(run.c.sitting.in_(sittings), outcome.c.json.contains(f'"{name}"'))
    for sitting, id_, text in connection.execute(told):
        facts = (json.loads(text).get("protocol") or {}).get("facts") or {}
        if facts.get(name) is not None:
            yield sitting, id_, facts[name]


def _checks(connection: Connection, contents: set[str]) -> dict[tuple[Any, ...], list[Note]]:
    """Return what the newest checks of each artifact, engine, options and environment say against its output.

    An artifact is checked with several workloads: of each its newest check counts.
    """
    run, job, place = table(m.RunRow), table(m.JobRow), table(m.EnvironmentRow)
    subject = (run.c.artifact_content, job.c.engine, job.c.engine_options, place.c.name)
    query = select(*subject, job.c.batch, job.c.prompt, job.c.output, run.c.notes)
    query = query.select_from(
        run.join(job, job.c.id == run.c.job_id).join(place, place.c.id == run.c.environment_id)
    ).where(job.c.probe == CHECK, run.c.status == Status.OK.value, run.c.origin == "measured")
    newest: dict[tuple[Any, ...], str | None] = {}
    for some in chunks(sorted(contents)):
        rows = connection.execute(query.where(run.c.artifact_content.in_(some)).order_by(run.c.id))
        newest |= {tuple(key): notes for *key, notes in rows}
    found: dict[tuple[Any, ...], list[Note]] = defaultdict(list)
    for key, notes in newest.items():
        found[key[: len(subject)]] += [note for note in notes_of(notes) if note.code == DIFFERS]
    return found


def _fill_notes(connection: Connection) -> None:
    run, outcome = table(m.RunRow), table(m.OutcomeRow)
    found = []
    for id_, text in connection.execute(
        select(outcome.c.run_id, outcome.c.json).where(outcome.c.json.contains("notes"))
    ):
        notes = json.loads(text).get("notes")
        if notes:
            found.append({"which": id_, "said": canonical(notes)})
    if found:
        connection.execute(run.update().where(run.c.id == bindparam("which")).values(notes=bindparam("said")), found)
