"""The capability `reports`: an engine that drives another program and hands back that program's own summary and report file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.core.executed import Executed
from harness.core.outcome import Protocol as ProtocolRecord
from harness.core.seam import MetricValue
from harness.core.sessions import Session
from harness.core.spec import Note

if TYPE_CHECKING:
    from typing_extensions import TypeIs


@dataclass(frozen=True)
class FixedWork:
    """Fixed work for a program that makes its own prompts: `batch` of exactly `prompt` tokens, exactly `output` new ones each."""

    batch: int
    prompt: int
    output: int
    warmups: int
    repetitions: int
    seconds: float = 0.0
    """How long it goes on at least, with more repetitions where these take less."""
    protocol: str | None = None
    """Published procedure that this is, by the name under which the numbers stand; None: the program's own."""


@dataclass(frozen=True)
class Reported:
    """What a program says of its own measurement, and where it says so."""

    report: Path
    """Its report, a file below the folder that it was given."""
    workload: Mapping[str, int]
    """What it says it measured: batch, prompt, output."""
    summary: tuple[MetricValue, ...]
    """Its own metrics, version 0: others define them; samples are its rounds where it tells them."""
    protocol: ProtocolRecord
    """Its procedure by name, version 0."""
    provider: str | None = None
    """What it says it ran on."""
    started: datetime | None = None
    """When it says it measured; without a zone where it gives none."""
    notes: tuple[Note, ...] = ()
    executed: Executed | None = None
    """What it says that it ran: types of weights, arithmetic, attention."""
    whole_batches: bool = True
    """Whether its seconds are those of a whole batch at a time, so that rates follow from them; else nothing is worked out."""


class Reports(Session, Protocol):
    def report(self, work: FixedWork, out: Path, log: Path, progress: Callable[[float], None]) -> Reported:
        """Let the program do the work, its report into the empty folder `out` and its words to `log`. Raises: HarnessError where it fails."""


def drives_a_program(session: Session) -> TypeIs[Reports]:
    """Tell a session whose numbers are a program's own."""
    return hasattr(type(session), "report")
