"""Session files: what a command asked for, and what people call each of its jobs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, model_validator

from harness.core.spec import Kind, Labels, Record

SESSION_VERSION = 1
_REASON = re.compile(r"round \d+ came to \w+|no job to run needs it")
"""What sessions of 0.1 wrote as the run of a job that was left out."""


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
    """Why this job was not needed, as a round of speed after one that failed."""

    @model_validator(mode="before")
    @classmethod
    def _a_reason_is_no_run(cls, raw: Any) -> Any:
        run = raw.get("run") if isinstance(raw, dict) else None
        told = isinstance(run, str) and _REASON.fullmatch(run)
        return {**raw, "run": None, "stopped": run} if told else raw


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
    chosen: bool = False
    """Whether its command chose some jobs of the sweep: the others' answers are those of the session before."""
    jobs: tuple[SessionJob, ...] = ()

    @property
    def age(self) -> tuple[datetime, str]:
        """What orders sessions, whatever the clocks said: the moment from which it counts, then its name."""
        return max(self.started, self.not_before or self.started), self.session
