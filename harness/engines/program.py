"""An engine that opens nothing: a program of its own runs the artifact, and the probe `command` starts it and reads its report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.options import Options
from harness.core.seam import Engine
from harness.core.sessions import Runs
from harness.core.spec import Note


class ProgramOptions(Options):
    """What is known of the program from outside; nobody can ask it."""

    name: str = ""
    """What it is called, as `trtllm-bench`."""
    version: str = ""
    """Its version, where a table should say it; another version is another row."""
    provider: str = "cpu"
    """What it computes on: cpu, cuda, dml, ... A report that says something else is refused."""
    dtype: str | None = None
    """Numeric type of activations, where that is known."""


@dataclass(frozen=True)
class ProgramSession:
    """Stands for the artifact; a program opens it."""

    folder: Path
    provider: str
    dtype: str | None
    load_seconds: float = 0.0
    notes: tuple[Note, ...] = field(default=())


@contextmanager
def _open(folder: Path, options: ProgramOptions) -> Iterator[ProgramSession]:
    said = " ".join(part for part in (options.name or "a program", options.version) if part)
    note = Note(code="program", text=f"measured by {said} in its own way; provider and type are what the sweep says")
    yield ProgramSession(folder, options.provider, options.dtype, notes=(note,))


ENGINE = Engine(
    name="program",
    version=1,
    consumes=("hf", "ort-genai", "files", "fake"),
    offers=frozenset({"runs"}),
    options=ProgramOptions,
    packages=(),
    open=_open,
    provider=lambda options: str(options.provider),
    title="Program",
)

_SESSIONS: tuple[type[Runs]] = (ProgramSession,)
"""Read by the type checker alone: the session has what the capabilities ask for."""
