"""One worker for one batch: follow its answers, enforce time limits, find out what a dead one died of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.core.spec import Job, MeasureSpec, Status
from harness.executors import local
from harness.plan.adapters import VERIFY
from harness.runner.desk import Desk
from harness.runner.wall import BatchClock
from harness.worker import DESCRIBED, LOG
from harness.worker.inputs import late

QUIET_SECONDS = 300.0
"""Without a word for so long a job is told of, with the end of its log, and again after each further such time."""
_MEMBERSHIP, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_V2, _V1 = "memory.events", "memory.oom_control"


@dataclass(frozen=True)
class Served:
    """One answer about one job. With `done`, `outcome` is set where the worker could not write one itself."""

    what: Literal["begin", "progress", "quiet", "done"]
    run: str
    text: str = ""
    share: float = 0.0
    outcome: Status | None = None
    seconds: float = 0.0


def serve(desk: Desk, environment: str, jobs: list[tuple[Job, Path]]) -> Iterator[Served | dict[str, float]]:
    """Run jobs in one worker; yield its answers, and last the batch's seconds by activity.

    A worker that dies or outruns a job's time limit answers for that job alone; the jobs after it are not answered, nor
    are those after a failed one where they need a clean process, or where it should have allowed them.
    """
    limits = {job.run: job.timeout_seconds for job, _ in jobs}
    allowing = {job.run for job, _ in jobs if isinstance(job.spec, MeasureSpec) and job.spec.probe == VERIFY}
    batch = local.Batch(
        python=desk.pythons[environment],
        environment=environment,
        folders=tuple(folder.resolve() for _, folder in jobs),
        variables={DESCRIBED: str(desk.description(environment).resolve())},
    )
    kills = oom_kills()
    handle = local.submit(batch)
    clock = BatchClock(handle.spawned)
    running, since, answered = jobs[0][0].run, handle.spawned, 0
    silence = _Silence({job.run: folder for job, folder in jobs})
    try:
        while answered < len(jobs):
            limit = limits[running]
            event = local.poll(handle, 1.0 if limit is None else min(1.0, since + limit - time.monotonic()))
            if event is None:
                if limit is not None and time.monotonic() - since >= limit:
                    left = local.cancel(handle)
                    text = late(limit) + (f"; ended with it: {', '.join(left)}" if left else "")
                    yield Served("done", running, text, outcome=Status.TIMEOUT, seconds=time.monotonic() - since)
                    break
                yield from silence.broken(running, since)
                continue
            silence.heard = time.monotonic()
            clock.hear(event)
            if "begin" in event:
                running, since = event["begin"], time.monotonic()
                yield Served("begin", running)
            elif "progress" in event:
                yield Served("progress", event["run"], event["what"], share=event["progress"])
            elif "done" in event:
                answered += 1
                running = jobs[min(answered, len(jobs) - 1)][0].run
                yield Served("done", event["done"])
                ends = jobs[0][0].clean or event["done"] in allowing
                if ends and event["status"] != Status.OK and answered < len(jobs):
                    break  # what failed may have left anything behind: the rest gets a fresh process
            elif "exit" in event:
                status, text = cause(event["exit"], event["words"], kills, oom_kills())
                yield Served("done", running, text, outcome=status, seconds=time.monotonic() - since)
                break
        else:
            local.finish(handle)
            while (event := local.poll(handle, 0.0)) is not None:
                clock.hear(event)
    finally:
        local.cancel(handle)
    yield clock.close(time.monotonic())


@dataclass
class _Silence:
    """Watches how long nothing was heard of a worker. folders: of each run."""

    folders: Mapping[str, Path]
    heard: float = field(default_factory=time.monotonic)

    def broken(self, run: str, since: float) -> Iterator[Served]:
        """Tell of a job that is silent for long, once in a while."""
        now = time.monotonic()
        if now - self.heard >= QUIET_SECONDS:
            self.heard = now
            yield Served("quiet", run, _last_words(self.folders[run], now - since))


def _last_words(folder: Path, seconds: float) -> str:
    """Say that nothing was heard of a job, and what its log says last."""
    try:
        lines = (folder / LOG).read_bytes()[-2000:].decode("utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = f"; its log ends: {last[-160:]}" if last else "; its log is empty"
    return f"nothing heard for {QUIET_SECONDS / 60:g} min, {seconds / 60:.0f} min after it began{said}"


def cause(code: int, words: list[str], before: int | None, after: int | None) -> tuple[Status, str]:
    """Tell what a worker died of; only the kernel's count of kills, before and after, is evidence of one for memory."""
    if code == -9 and before is not None and after is not None and after > before:
        return Status.OOM, "killed for memory: the cgroup counted an out-of-memory kill"
    if code < 0:
        return Status.FAILED, f"the worker was killed by signal {-code}"
    said = f": {words[-1]}" if words else ""
    return Status.FAILED, f"the worker exited with code {code}{said}"


def oom_kills(membership: Path = _MEMBERSHIP, cgroups: Path = _CGROUPS) -> int | None:
    """Read how many processes the kernel has killed for memory in our cgroup; None where it does not say.

    Workers stay in the runner's cgroup, so that its count tells of them.
    Source: Linux, cgroup-v2 (memory.events) and cgroup-v1 (memory.oom_control).
    """
    try:
        path = _events(membership.read_text("ascii"), cgroups)
        rows = dict(line.split() for line in path.read_text("ascii").splitlines()) if path else {}
        return int(rows["oom_kill"]) if "oom_kill" in rows else None
    except (OSError, ValueError):
        return None


def _events(membership: str, cgroups: Path) -> Path | None:
    """Find the file with the count: the nearest one upwards, since a container may see only a part of the tree."""
    lines = [line.split(":", 2) for line in membership.splitlines()]
    v1 = [name for _, controllers, name in lines if "memory" in controllers.split(",")]
    v2 = [name for number, controllers, name in lines if number == "0" and not controllers]
    top, file = (cgroups / "memory", _V1) if v1 else (cgroups, _V2)
    inner = Path(*(v1 or v2 or ["."])[:1]).as_posix().strip("/")
    folder = top / inner
    for candidate in (folder, *folder.parents):
        if (candidate / file).is_file():
            return candidate / file
        if candidate == top:
            break
    return None
