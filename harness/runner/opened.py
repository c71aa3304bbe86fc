"""What the runner stands on, what it says, and how a folder that a killed command left is cleared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from harness.core.errors import Busy, HarnessError
from harness.core.files import PARTIAL, disk_trouble, remove, write_whole
from harness.core.identity import digest, short
from harness.core.outcome import Environment, Outcome
from harness.executors.record import Executor
from harness.plan.expand import PlannedJob
from harness.store.database import Database
from harness.store.files import check_folders
from harness.store.session import SessionRecord
from harness.worker import ANSWERS, ARTIFACTS, FOLDERS, HEARTBEAT, JOB, LOCK, OUTCOME
from harness.worker.inputs import ending_of

EventKind = Literal[
    "session",
    "waiting",
    "begin",
    "progress",
    "quiet",
    "done",
    "again",
    "known",
    "skipped",
    "enough",
    "refused",
    "blocked",
    "unverified",
    "other_gpu",
    "finished",
]
RETRIED_EVERY = 10
"""Outcomes between two tries to write a database that another process holds."""
_RUN = re.compile(r"\d{8}T\d{6}-[\w@.-]+")
"""Names that this runner gives to run folders: no other folder in their place is ever removed."""
_NEVER_BEGUN = {JOB, LOCK, FOLDERS, HEARTBEAT, ANSWERS}
"""What the run folder of a job holds that wrote no log yet."""
BEHIND = "another process is writing the database; the sweep goes on, and what is on disk is taken in when it ends"
ORPHAN_SECONDS = 15.0
"""How long a worker of a command that was killed may take to notice it."""


@dataclass(frozen=True)
class OpenWorkspace:
    """The results folder, its database, and the environments of this machine."""

    results: Path
    database: Database
    executor: Executor
    environments: Mapping[str, Environment]
    describe_own: Callable[[], Environment]
    """Describes the environment that the runner itself stands in, where anything asks for it."""
    untaken: list[Path] = field(default_factory=list)
    """Run folders whose outcomes the database could not take, since another process was writing it."""
    behind: list[str] = field(default_factory=list)
    """Why the database could not take what earlier commands left."""

    def take_in(self, outcome: Outcome, folder: Path) -> None:
        """Put an outcome into the database, or, while another process holds that for long, note it: its file is what counts."""
        if len(self.untaken) % RETRIED_EVERY:  # each try waits as long as the database does
            self.untaken.append(folder)
            return
        try:
            self.database.ingest(outcome, folder)
        except Busy:
            self.untaken.append(folder)

    def catch_up(self) -> list[str]:
        """Take in what earlier commands left; says what a person should know, as that the database is held: then later."""
        try:
            return [str(problem) for problem in self.database.ingest_folder(self.results).problems]
        except Busy:
            known = self.database.run_names()
            left = [path.parent.name for path in self.runs.glob(f"*/{OUTCOME}") if path.parent.name not in known]
            if any(not name.startswith(".") for name in left):  # what they measured would be measured twice
                raise
            self.behind.append(BEHIND)
            return [BEHIND]

    def place(self, session: SessionRecord) -> None:
        """Put a session that begins into the database, unless that is held: it is put there at its end in any case."""
        if not self.behind:
            with suppress(Busy):
                self.database.place(session)

    def settle(self, session: SessionRecord) -> str:
        """Put what is left, and the session, into the database; says what a person should know where that is still held."""
        try:
            taken = self.database.ingest_folder(self.results) if self.untaken or self.behind else None
            self.database.place(session)
        except Busy as error:
            what = f"{len(self.untaken)} outcomes are" if self.untaken else "this session is"
            return f"{what} on disk and not in the database: {error}; `harness ingest` takes in what is left, too"
        return "\n".join(str(problem) for problem in taken.problems) if taken is not None else ""

    @property
    def runs(self) -> Path:
        """Run folders."""
        return self.results / "runs"

    @cached_property
    def own(self) -> Environment:
        """The environment that the runner itself stands in."""
        return self.describe_own()

    def environment(self, name: str) -> Environment:
        """Describe an environment; one that is not on this machine is described by its name on our own facts."""
        if name in self.environments:
            return self.environments[name]
        return self.own.model_copy(update={"name": name, "packages": {}})

    def description(self, name: str) -> Path:
        """File that hands an environment's description to its workers."""
        path = (
            self.results
            / "sessions"
            / "environments"
            / f"{digest(self.environments[name].model_dump(mode='json'))[:12]}.json"
        )
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, self.environments[name].model_dump_json())
        return path

    def artifact(self, identity: str, kind: str) -> Path:
        """Folder of a sealed artifact; references begin with `r`, builds with `b`.

        Raises: HarnessError where a link stands in its place: what it points to is not ours to read, replace or remove.
        """
        folder = self.results / ARTIFACTS / short("r" if kind == "reference" else "b", identity)
        if folder.is_symlink():
            raise HarnessError(
                f"{folder} is a link, and artifacts are folders of their own; remove the link and run the same command again"
            )
        return folder


@dataclass(frozen=True)
class Event:
    """What became of a job, or how far it is."""

    what: EventKind
    job: PlannedJob | None = None
    run: str = ""
    status: str = ""
    text: str = ""
    share: float = 0.0
    """How far the running job is, 0 to 1."""
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    spans: Mapping[str, float] = field(default_factory=dict)
    """With `finished`: the runner's and the workers' seconds by activity."""


@contextmanager
def disk_explained() -> Iterator[None]:
    """Turn a full disk, or one that may not be written, into a HarnessError; what was finished before is kept."""
    try:
        yield
    except OSError as error:
        trouble = disk_trouble(error)
        if trouble is None:
            raise
        raise HarnessError(f"{trouble} (nothing finished is lost)") from error


def recover(opened: OpenWorkspace) -> list[str]:
    """Take in what earlier commands left: outcomes into the database, half artifacts and jobs never begun away.

    Returns what a person should know, as unreadable outcomes. A worker of a killed command is waited for. What a link leads to is
    left alone. Raises: HarnessError where a folder of the results is a link, or none.
    """
    check_folders(opened.results)
    held = {folder.name for handle in opened.executor.found(opened.runs.resolve()) for folder in handle.folders}
    for folder in _without_outcome(opened.runs):
        if folder.name in held:  # an executor has it yet
            continue
        _wait_for_orphan(folder)
        if (folder / OUTCOME).exists():
            continue
        for partial in sorted(folder.glob(f"*{PARTIAL}*")):
            remove(partial)
        if _RUN.fullmatch(folder.name) and {path.name for path in folder.iterdir()} <= _NEVER_BEGUN:
            remove(folder)
    filled = tuple(ending_of(run) for run in held)
    for kept in ("artifacts", "runs", "sessions", "sessions/environments"):
        for partial in sorted((opened.results / kept).glob(f"*{PARTIAL}*")):
            if not partial.name.endswith(filled):
                remove(partial)
    return opened.catch_up()


def _without_outcome(runs: Path) -> list[Path]:
    if not runs.is_dir():
        return []
    return [
        folder
        for folder in sorted(runs.iterdir())
        if folder.is_dir()
        and not folder.is_symlink()
        and not folder.name.startswith(".")
        and not (folder / OUTCOME).exists()
    ]


def _wait_for_orphan(folder: Path) -> None:
    place = folder / LOCK
    if not (folder / JOB).exists() or place.is_symlink() or not place.is_file():  # a lock of ours is a file
        return
    lock = FileLock(place, timeout=ORPHAN_SECONDS)
    try:
        lock.acquire()
        lock.release()
    except Timeout:
        raise HarnessError(
            f"a worker of an earlier command is still running {folder.name}; stop it, then run the same command again"
        ) from None
