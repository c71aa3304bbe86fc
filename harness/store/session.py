"""Session files: what a command asked for, and what people call each of its jobs."""

from __future__ import annotations

from pydantic import AwareDatetime

from harness.core.spec import Kind, Labels, Record

SESSION_VERSION = 1


class SessionJob(Record):
    """A job of the plan and the run that answered it."""

    key: str
    kind: Kind
    environment: str
    """Name in environments.yaml."""
    labels: tuple[Labels, ...] = ()
    """Every place in the sweep that asks for this job."""
    run: str | None = None
    """Run folder that answers it, of this session or an earlier one; None while there is none."""
    stopped: str | None = None
    """Why this round of a speed job was not needed."""


class SessionRecord(Record):
    """`results/sessions/NAME.json`."""

    schema_version: int = SESSION_VERSION
    session: str
    sweep: str
    started: AwareDatetime
    not_before: AwareDatetime | None = None
    """Moment from which on it counts, where the clock stood before the newest run that was known."""
    finished: AwareDatetime | None = None
    """None while it runs, and for ever where it was interrupted."""
    plan: str
    """sha256 of the plan."""
    jobs: tuple[SessionJob, ...] = ()
