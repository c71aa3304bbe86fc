"""A queue folder as files: where a batch stands, what its file says, and how it is taken.

    waiting/NAME.jsonl           a batch: run folders, each a path as a JSON string on a line of its own, seen from the queue folder
    taken/NAME.jsonl@WORKER      the worker has it; its answers stand beside it, in NAME.jsonl@WORKER.said
    done/, failed/               where it goes then: `failed` where its process did not come to its end, with its last words
    workers/WORKER.json, .beat   what the worker's environment is, and a number that rises while it lives

A runner puts a line before the run folders, a JSON object with what the batch needs (`QueuedBatch`); without it any worker takes the batch.
A rename within one folder tree is what a shared disk must do whole (NFS does); locks of run folders must be seen by all nodes (NFS 4, or 3 with
its lock service). No clock of two machines is ever compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import PARTIAL, write_whole
from harness.core.identity import digest
from harness.core.outcome import Environment

WAITING, TAKEN, DONE, FAILED, WORKERS = "waiting", "taken", "done", "failed", "workers"
AGAIN, SAID, LEFT = ".again", ".said", ".left"
VERSION = 1
"""Of the form of a batch's first line."""


@dataclass(frozen=True)
class QueuedBatch:
    """What a batch's file says."""

    folders: tuple[str, ...]
    """Run folders, seen from the queue folder."""
    environment: str = ""
    """Name of the environment that it is for; empty: whatever the worker's is."""
    like: str = ""
    """`likeness` of that environment."""
    machine: str = ""
    """Hash of the one machine that it is for, as rounds of speed are."""
    exclusive: str = "none"
    """What nothing else may run on meanwhile: `machine`, `device` or `none`."""
    devices: int = 0
    """GPUs that it runs on."""
    decided: bool = False
    """A runner decides what becomes of jobs that its process did not begin; else another process goes on with them."""


class Newer(HarnessError):
    """A batch is of a form that only a later version knows."""


class Damaged(HarnessError):
    """A batch's file cannot be read."""


def likeness(environment: Environment) -> str:
    """Hash what must be equal where jobs that were planned for an environment may run."""
    gpus = [gpu.name for gpu in environment.gpus]
    return digest([environment.packages, environment.python, environment.system, environment.machine, gpus])[:16]


def write_batch(queue: Path, name: str, batch: QueuedBatch) -> None:
    """Put a batch into a queue, whole. Raises: OSError."""
    said = {"batch": VERSION, **{key: value for key, value in vars(batch).items() if key != "folders"}}
    lines = [json.dumps(said), *(json.dumps(folder) for folder in batch.folders)]
    write_whole(queue / WAITING / name, "".join(f"{line}\n" for line in lines))


def drop_half_written(queue: Path, runs: Path) -> None:
    """Remove what a command that was killed meanwhile left of batches whose first run folder lies in `runs`; whoever calls holds its lock.

    Raises: OSError.
    """
    for half in (queue / WAITING).glob(f"*.jsonl{PARTIAL}"):
        run = half.name.removesuffix(f".jsonl{PARTIAL}")
        if run.strip(".") and (runs / run).is_dir() and not half.is_dir():
            half.unlink(missing_ok=True)


def read_batch(path: Path) -> QueuedBatch:
    """Read a batch. Raises: Newer; Damaged where it cannot be read."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").split("\n") if line.strip()]
        head = json.loads(lines[0]) if lines and lines[0].startswith("{") else None
        folders = tuple(str(json.loads(line)) if line.startswith('"') else line for line in lines[head is not None :])
        return QueuedBatch(folders) if head is None else _headed(head, folders, path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"batch {path.name} cannot be read: {type(error).__name__}: {error}") from None


def _headed(head: dict[str, Any], folders: tuple[str, ...], path: Path) -> QueuedBatch:
    version = int(head["batch"])
    if version > VERSION:
        raise Newer(
            f"batch {path.name} is of version {version}, and this harness knows version {VERSION}: upgrade it; the batch stays where it is"
        )
    return QueuedBatch(
        folders=folders,
        environment=str(head["environment"]),
        like=str(head["like"]),
        machine=str(head["machine"]),
        exclusive=str(head["exclusive"]),
        devices=int(head["devices"]),
        decided=bool(head["decided"]),
    )


def name_of(taken: Path) -> str:
    """Return a batch's own name, in which an @ may stand: a worker's has none."""
    return taken.name.rpartition("@")[0]


def worker_of(taken: Path) -> str:
    """Name the worker that has a batch."""
    return taken.name.rpartition("@")[2].removesuffix(AGAIN)


def beside(batch: Path, ending: str) -> Path:
    """Name a file beside a batch's, as `.said`."""
    return batch.with_name(f"{batch.name}{ending}")


def say(batch: Path, **words: object) -> None:
    """Add a line of ours to what a batch's processes say."""
    with open(beside(batch, SAID), "a", encoding="utf-8") as file:
        file.write(json.dumps(words) + "\n")
