"""One answer of a worker as a record: what it says on its standard output, and what whoever hears it adds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.core.spec import Status

AnswerKind = Literal["ready", "shared", "begin", "progress", "done", "closed", "taken", "waiting", "ended"]


@dataclass(frozen=True)
class Answer:
    """What became of a batch, or of one of its jobs. Seconds are monotonic; those of two machines are never compared."""

    what: AnswerKind
    """`taken`, `waiting` and `ended` are the executor's own words: a worker has the batch, nobody gets on with it, it is over."""
    run: str = ""
    """The job; of what ended badly the one that it was at."""
    heard: float = 0.0
    """When it was heard, by our own clock."""
    now: float = 0.0
    """When it was said, by the worker's clock."""
    text: str = ""
    share: float = 0.0
    """How far the job is, 0 to 1."""
    status: Status | None = None
    """With `done` the job's; with `ended` that of the job it was at, where it did not come to its end."""
    seconds: float = 0.0
    """With `ended`: how long that job took. With `ready`: how long before it was said the process began."""
    spans: Mapping[str, float] = field(default_factory=dict)
    """Seconds by activity since the answer before."""


def answer_of(line: str | bytes, heard: float) -> Answer | None:
    """Read one line of a worker; None for what is none of its answers, as libraries print beside them."""
    try:
        said = json.loads(line)
        return _answer(said, heard) if isinstance(said, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _answer(said: Mapping[str, Any], heard: float) -> Answer | None:
    now = float(said.get("now", 0.0))
    if "ready" in said:
        entered, imported = float(said["entered"]), float(said["imported"])
        spans = {"import": imported - entered, "ready": now - imported}
        return Answer("ready", heard=heard, now=now, seconds=now - entered, spans=spans)
    if "shared" in said:
        return Answer("shared", heard=heard, spans=_seconds(said["shared"]))
    if "closed" in said:
        return Answer("closed", heard=heard, spans={"open": float(said["closed"])})
    return _of_job(said, heard, now) or _of_queue(said, heard)


def _of_job(said: Mapping[str, Any], heard: float, now: float) -> Answer | None:
    if "begin" in said:
        return Answer("begin", run=str(said["begin"]), heard=heard, now=now)
    if "progress" in said:
        share = float(said["progress"])
        return Answer("progress", run=str(said["run"]), heard=heard, text=str(said["what"]), share=share)
    if "done" in said:
        status, spans = Status(said["status"]), _seconds(said.get("spans", {}))
        return Answer("done", run=str(said["done"]), heard=heard, now=now, status=status, spans=spans)
    return None


def _of_queue(said: Mapping[str, Any], heard: float) -> Answer | None:
    """Read what a worker of a queue folder adds to what its processes say."""
    if "failed" in said:
        run, status = str(said.get("run", "")), Status(said.get("status", "failed"))
        return Answer(
            "ended", run=run, heard=heard, text=str(said["why"]), status=status, seconds=float(said.get("seconds", 0))
        )
    if "waiting" in said:
        return Answer("waiting", heard=heard, text=str(said["waiting"]))
    if "put_back" in said or "taken_over_from" in said:
        what = "put back" if "put_back" in said else f"taken over from {said['taken_over_from']}"
        return Answer("waiting", heard=heard, text=f"{what}: {said['why']}")
    return None


def _seconds(said: Any) -> dict[str, float]:
    return {str(name): float(seconds) for name, seconds in said.items()} if isinstance(said, dict) else {}
