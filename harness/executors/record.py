"""The seam between the runner and whatever runs batches for it: what an executor is, takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.core.outcome import Environment
from harness.worker.answer import Answer


@dataclass(frozen=True)
class BatchNeeds:
    """What a batch needs of the machine that runs it."""

    exclusive: Literal["machine", "device", "none"] = "machine"
    """What nothing else may run on meanwhile: what takes seconds that count has the machine for itself."""
    devices: int = 0
    """GPUs that it runs on."""


@dataclass(frozen=True)
class BatchJob:
    """A job of a batch: its run folder, in which its `job.json` lies, and the seconds after which it is ended, if ever."""

    run: str
    folder: Path
    limit: float | None = None


@dataclass(frozen=True)
class Batch:
    """Jobs that one worker process serves, in order."""

    environment: str
    jobs: tuple[BatchJob, ...]
    needs: BatchNeeds = BatchNeeds()
    timed: bool = False
    """It measures speed: all rounds of a session belong to the machine that it was planned for."""
    description: Path | None = None
    """File that tells the worker what its environment is, where the runner has asked that already."""


@dataclass(frozen=True)
class Handle:
    """A batch that was handed over. folders: its run folders, in order."""

    name: str
    folders: tuple[Path, ...]
    submitted: float
    """Monotonic."""


@dataclass(frozen=True)
class Executor:
    """Runs batches, somewhere. It ends what outlives its time limit, and whatever a worker that died left running.

    A batch's answers come in order, `ended` last and once: bare where its process came to its end, with `run`, `status` and a text where that
    job did not. Jobs that nothing was said of were not begun, as those behind a failed one that needs a clean process.
    """

    name: str
    submit: Callable[[Batch], Handle]
    """Hand a batch over. Raises: OSError where what it needs cannot be written."""
    poll: Callable[[Sequence[Handle], float], list[tuple[Handle, Answer]]]
    """Give what is new of these batches, after at most so many seconds."""
    cancel: Callable[[Handle], None]
    """End a batch, as far as it was begun, and forget it; one that is over is forgotten alone."""
    describe: Callable[[str], Environment | None]
    """Say what an environment is where its batches run; None where there is none. Raises: HarnessError where it does not say it."""
    slots: int = 1
    """Batches that may be in flight at a time, as far as their needs allow."""
    here: bool = True
    """Its workers run on this machine, so that whoever hands batches over sees to their needs."""
    found: Callable[[Path], tuple[Handle, ...]] = lambda runs: ()
    """Find the batches of a folder of run folders that an earlier command handed over and did not see to their end."""


@dataclass(frozen=True)
class ExecutorOptions:
    """What a person asked of an executor, and what stands on this machine."""

    place: Path | None = None
    """What stands behind the `=`, as the folder in `folder=DIR`."""
    pythons: Mapping[str, Path] = field(default_factory=dict)
    """Interpreters of this machine by environment."""
    slots: int = 1
