"""What a run tells of its artifact: the build's scheme and options, whichever of build and measurement is taken in first."""

from __future__ import annotations

from sqlalchemy import Connection, select

from harness.core.outcome import Outcome
from harness.core.spec import BuildSpec
from harness.store import models as m
from harness.store.configurations import Ids
from harness.store.row import table
from harness.store.workload import recipe_options


def told_of_artifact(
    connection: Connection, outcome: Outcome, subject: tuple[str | None, str | None], ids: Ids
) -> dict[str, str | float | None]:
    """Return the columns of a run that its artifact's build tells; of a build, tell them to runs that are there.

    subject: id and content hash of what the run made or measured.
    """
    artifact, content = subject
    scheme, bits = _scheme(connection, outcome, content, ids)
    return {
        "scheme": scheme,
        "bits_per_weight": bits,
        "recipe_options": _options(connection, outcome, artifact, ids),
    }


def _options(connection: Connection, outcome: Outcome, artifact: str | None, ids: Ids) -> str | None:
    spec, runs = outcome.job.spec, table(m.RunRow)
    if isinstance(spec, BuildSpec):
        said = recipe_options(spec)
        if artifact and ids.recipes.get(artifact) != said:
            waiting = (runs.c.artifact == artifact) & runs.c.recipe_options.is_(None)
            connection.execute(runs.update().where(waiting).values(recipe_options=said))
            ids.recipes[artifact] = said
        return said
    if not artifact:
        return None
    if artifact not in ids.recipes:
        jobs = table(m.JobRow)
        query = select(runs.c.recipe_options).join(jobs, jobs.c.id == runs.c.job_id)
        query = query.where(runs.c.artifact == artifact, jobs.c.kind == "build").limit(1)
        ids.recipes[artifact] = connection.execute(query).scalar()
    return ids.recipes[artifact]


def _scheme(connection: Connection, outcome: Outcome, content: str | None, ids: Ids) -> tuple[str | None, float | None]:
    """Give a run its scheme: what it says itself, else what the build of this content said; whichever is ingested first."""
    said = outcome.scheme or (outcome.artifact.scheme if outcome.artifact else None)
    found: tuple[str | None, float | None] = (said.text, said.bits_per_weight) if said else (None, None)
    if content is not None and said is not None and outcome.job.kind == "build":
        runs = table(m.RunRow)
        same = (runs.c.artifact_content == content) & runs.c.scheme.is_(None)
        connection.execute(runs.update().where(same).values(scheme=found[0], bits_per_weight=found[1]))
        ids.schemes[content] = found
    elif content is not None and said is None:
        if content not in ids.schemes:
            ids.schemes[content] = _scheme_of(connection, content)
        found = ids.schemes[content]
    return found


def _scheme_of(connection: Connection, content: str) -> tuple[str | None, float | None]:
    runs, jobs = table(m.RunRow), table(m.JobRow)
    query = select(runs.c.scheme, runs.c.bits_per_weight).join(jobs, jobs.c.id == runs.c.job_id)
    query = query.where(runs.c.artifact_content == content, jobs.c.kind == "build", runs.c.scheme.is_not(None)).limit(1)
    found = connection.execute(query).first()
    return (None, None) if found is None else (found[0], found[1])


def fill(connection: Connection) -> None:
    """Tell the recipe's options to all runs that are there, as an upgrade needs."""
    runs, jobs = table(m.RunRow), table(m.JobRow)
    for job, text in connection.execute(select(jobs.c.id, jobs.c.spec).where(jobs.c.kind == "build")).all():
        said = recipe_options(BuildSpec.model_validate_json(text))
        connection.execute(runs.update().where(runs.c.job_id == job).values(recipe_options=said))
    built = select(runs.c.artifact, runs.c.recipe_options).join(jobs, jobs.c.id == runs.c.job_id)
    built = built.where(jobs.c.kind == "build", runs.c.artifact.is_not(None)).distinct()
    for artifact, said in connection.execute(built).all():
        waiting = (runs.c.artifact == artifact) & runs.c.recipe_options.is_(None)
        connection.execute(runs.update().where(waiting).values(recipe_options=said))
