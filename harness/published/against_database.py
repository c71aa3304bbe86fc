"""Published runs against the database that measured them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.errors import HarnessError
from harness.core.outcome import Environment, Outcome
from harness.published.items import is_apart
from harness.published.kept import kept_environment
from harness.published.publish import PublishableRun, entry_of, publishable
from harness.published.records import Published, PublishedRun, outcome_of
from harness.store.against_files import differing
from harness.store.database import Database


def departed(published: Published, database: Database) -> Iterator[str]:
    """Say which published runs are not what the database holds of the same run, values and samples alike."""
    here = database.run_names()
    for outcome in published.outcomes:
        run = outcome.job.run
        if run not in here:
            continue
        own = database.outcome(run)
        fields = [*differing(outcome, _as_published(own)), *_samples(published, own, database)]
        if fields:
            yield (
                f"published run {run} is not what the database holds of it ({', '.join(fields)}); restore the file, or write it "
                "anew with `harness publish`"
            )


def _as_published(outcome: Outcome) -> Outcome:
    """Make of an outcome what a published file says of it."""
    environment = kept_environment(outcome.environment)
    run = PublishedRun.model_validate(entry_of(PublishableRun(outcome), "", "", None))
    return outcome_of(run, Environment.model_validate(environment))


def _samples(published: Published, outcome: Outcome, database: Database) -> Iterator[str]:
    try:
        kept = publishable(database, outcome)
    except HarnessError:  # they are in a run folder that is not here
        return
    for place, item in enumerate(outcome.measurements):
        name = f"{outcome.job.run}#{place}"
        said, own = published.statistics.get(name), kept.statistics.get(place)
        if is_apart(kept.items.get(place), published.items.get(name)) or (said and own and said != own):
            yield f"samples of {item.metric}"
