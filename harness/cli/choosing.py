"""Options that choose some of what a sweep has, the same words for every verb."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from harness.core.errors import HarnessError
from harness.core.spelling import unknown

if TYPE_CHECKING:
    from harness.runner.choosing import JobChoice
    from harness.store.where import ConditionValue

RERUN = ("build", "quality", "reference", "speed")
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="NAME=VALUE,..., as model=tiny,method=int8: what fits all of these alone; values of one name are alternatives; may be given again.",
        metavar="CONDITION",
    ),
]
ProbeOption = Annotated[list[str] | None, typer.Option("--probe", help="This probe alone; may be given again.")]
FailedOption = Annotated[bool, typer.Option("--failed", help="What came to no good end at its last attempt alone.")]
RoundOption = Annotated[int | None, typer.Option("--round", min=1, help="This round of speed alone, counted from 1.")]
RerunOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rerun",
        help="Run known jobs of this kind anew: quality, build, reference; with speed or --only these measurements alone; may be given again.",
    ),
]


def choice_of(
    only: list[str] | None, probe: list[str] | None, round_: int | None, rerun: list[str] | None, *, failed: bool
) -> JobChoice:
    """Read what a command chooses of a sweep's jobs. Raises: HarnessError with the nearest right name."""
    from harness.runner.choosing import DIMENSIONS, JobChoice
    from harness.store.where import parse_where

    for kind in rerun or []:
        if kind not in RERUN:
            raise HarnessError(unknown("kind of job for --rerun", kind, RERUN))
    asked = parse_where(only or [], DIMENSIONS, "--only")
    asked |= {"probe": list(probe)} if probe else {}
    return JobChoice(asked, None if round_ is None else round_ - 1, failed, frozenset(rerun or []))


def chosen_rows(
    only: list[str] | None, probe: list[str] | None, round_: int | None, known: Collection[str], *, failed: bool
) -> dict[str, list[ConditionValue]]:
    """Read the same options as conditions on results. known: columns that may be named."""
    from harness.core.spec import Status
    from harness.store.where import parse_where

    found = parse_where(only or [], known, "--only")
    found |= {"probe": list(probe)} if probe else {}
    found |= {} if round_ is None else {"round": [float(round_ - 1)]}
    return found | ({"status": [one.value for one in Status if one is not Status.OK]} if failed else {})
