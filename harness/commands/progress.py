"""Show a run while it goes: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from harness.core.spec import BuildSpec
from harness.plan.expand import PlannedJob
from harness.plan.titles import title, titles
from harness.runner.opened import Event

_BAR = 10
"""Cells of the bar on a terminal."""
TOLD_SECONDS = 60.0
"""Between two lines in a log on how far a job is."""
_LEAST = 8
"""Cells of a job's name below which what it is doing is left out."""


def _sort(job: PlannedJob) -> tuple[str, str, str]:
    if isinstance(job.spec, BuildSpec):
        return job.kind, job.spec.quantizer, ""
    return job.kind, job.spec.probe, job.spec.engine


@dataclass
class Counts:
    """How many jobs came to what."""

    by: dict[str, int] = field(default_factory=dict)

    def add(self, name: str) -> None:
        self.by[name] = self.by.get(name, 0) + 1

    @property
    def failed(self) -> int:
        """Jobs that ran and did not come out ok, and those they blocked."""
        return sum(self.by.get(name, 0) for name in ("failed", "oom", "timeout", "blocked"))

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self.by.items()) or "nothing to do"


@dataclass
class Verified:
    """How many float artifacts were found to be their model, and the seconds that finding out took."""

    all: int = 0
    right: int = 0
    seconds: float = 0.0

    def add(self, event: Event) -> None:
        """Count a verification, and the time of what it needs."""
        if event.job is None or not (event.job.verifies or event.job.tells_truth):
            return
        self.seconds += event.seconds
        if event.job.verifies and event.what not in {"skipped", "other_gpu"}:
            self.all += 1
            self.right += event.what == "known" or event.status == "ok"

    def __str__(self) -> str:
        return f"verified: {self.right} of {self.all} float exports, in {self.seconds:.1f} s" if self.all else ""


class Left:
    """Estimates the time left: from what jobs took before, else from what their like took in this run."""

    def __init__(self, estimates: Mapping[str, float], jobs: Sequence[PlannedJob]) -> None:
        self._expected = {job.id: estimates.get(job.id) for job in jobs}
        self._known = sum(seconds for seconds in self._expected.values() if seconds is not None)
        self._unknown: dict[tuple[str, str, str], int] = {}
        for job in jobs:
            if self._expected[job.id] is None:
                self._unknown[_sort(job)] = self._unknown.get(_sort(job), 0) + 1
        self._took: dict[tuple[str, str, str], tuple[float, int]] = {}

    def done(self, job: PlannedJob, took: float | None = None) -> None:
        """Take a job off; `took` is how many seconds it ran, where that tells of its like."""
        sort = _sort(job)
        if job.id in self._expected:
            seconds = self._expected.pop(job.id)
            self._known -= seconds or 0.0
            self._unknown[sort] = self._unknown.get(sort, 0) - (seconds is None)
        if took is not None:
            seconds, count = self._took.get(sort, (0.0, 0))
            self._took[sort] = (seconds + took, count + 1)

    def text(self, job: PlannedJob, share: float) -> str:
        """Say how long the jobs that are left will take, `share` of the running one being done; empty where not known."""
        seconds = self._known + sum(count * (self._mean(sort) or 0.0) for sort, count in self._unknown.items())
        running = self._expected.get(job.id)
        seconds -= share * (running if running is not None else self._mean(_sort(job)) or 0.0)
        whole = all(self._mean(sort) is not None for sort, count in self._unknown.items() if count)
        if not whole and seconds < 1:
            return ""
        return f"{'about' if whole else 'more than'} {max(0.0, seconds):.0f} s left"

    def _mean(self, sort: tuple[str, str, str]) -> float | None:
        seconds, count = self._took.get(sort, (0.0, 0))
        return seconds / count if count else None


class _Now(ProgressColumn):
    """One line that always fits: what is being done is cut, never the counts and times beside it."""

    max_refresh = 0.1

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._console = console

    def render(self, task: Task) -> Text:
        """Write the line."""
        elapsed = f"{int(task.elapsed or 0) // 60}:{int(task.elapsed or 0) % 60:02d}"
        head, tail = f"{task.completed:.0f}/{task.total or 0:.0f} jobs", f"{elapsed}  {task.fields['left']}".rstrip()
        inner = task.fields["inner"]
        room = self._console.width - _BAR - 1 - cell_len(f"{head}  {tail}  ")
        if room - cell_len(inner) < _LEAST:
            inner = f" {inner.rpartition(' ')[2]}" if inner else ""
        what = Text(task.description)
        what.truncate(max(1, room - cell_len(inner)), overflow="ellipsis")
        return Text("  ".join(part for part in (head, what.plain + inner, tail) if part))


class Show:
    """Prints events. `jobs` are those that will run; `estimates` gives seconds by plan id, for the time left."""

    def __init__(self, console: Console, estimates: Mapping[str, float], jobs: Sequence[PlannedJob]) -> None:
        self.console = console
        self.counts = Counts()
        self.verified = Verified()
        self._titles = titles(jobs)
        self._left = Left(estimates, jobs)
        self._told = time.monotonic()
        self._progress = Progress(
            BarColumn(bar_width=_BAR), _Now(console), console=console, transient=True, disable=not console.is_terminal
        )
        self._task: TaskID = self._progress.add_task("", total=len(jobs), left="", inner="")

    def _title(self, job: PlannedJob) -> str:
        return self._titles.get(job.id) or title(job)

    def __enter__(self) -> Show:
        self._progress.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def event(self, event: Event) -> None:
        """Show one event."""
        handlers: dict[str, Callable[[Event], None]] = {
            "session": self._session,
            "waiting": self._waits,
            "begin": self._begin,
            "progress": self._inner,
            "quiet": self._quiet,
            "done": self._done,
            "again": self._again,
        }
        handlers.get(event.what, self._settled)(event)
        if event.what not in {"begin", "progress", "quiet", "again"}:
            self.verified.add(event)
        if event.total:
            self._progress.update(self._task, completed=event.done, total=event.total)

    def _session(self, event: Event) -> None:
        if event.status == "resumed":
            self._line(f"continuing interrupted session {event.text.splitlines()[0]}")
        for line in event.text.splitlines()[1:]:
            self._line(f"note: {line}")

    def _waits(self, event: Event) -> None:
        self._line(event.text)

    def _begin(self, event: Event) -> None:
        assert event.job is not None
        self._update(event.job)
        self._told = time.monotonic()
        if not self.console.is_terminal:
            self._line(f"[{event.done + 1}/{event.total}] {self._title(event.job)} ...")

    def _inner(self, event: Event) -> None:
        assert event.job is not None
        self._update(event.job, event.share, f": {event.text} {event.share:.0%}")
        now = time.monotonic()
        if not self.console.is_terminal and now - self._told >= TOLD_SECONDS:
            self._told = now
            self._line(f"{self._title(event.job)}: {event.text} {event.share:.0%}")

    def _quiet(self, event: Event) -> None:
        assert event.job is not None
        self._line(f"{self._title(event.job)}: {event.text}")

    def _update(self, job: PlannedJob, share: float = 0.0, inner: str = "") -> None:
        self._progress.update(self._task, description=self._title(job), inner=inner, left=self._left.text(job, share))

    def _done(self, event: Event) -> None:
        assert event.job is not None
        self._left.done(event.job, event.seconds if event.status == "ok" else None)
        self._progress.update(self._task, description="", inner="")
        self.counts.add(event.status)
        reason = f": {event.text}" if event.text else ""
        self._line(
            f"[{event.done}/{event.total}] {self._title(event.job)}: {event.status} in {event.seconds:.1f} s{reason}"
        )

    def _again(self, event: Event) -> None:
        assert event.job is not None
        self._line(f"[{event.done}/{event.total}] {self._title(event.job)}: {event.text}")

    def _settled(self, event: Event) -> None:
        if event.job is None:
            return
        self._left.done(event.job)
        self.counts.add("unsupported" if event.what == "refused" else event.what)
        if event.what != "known":
            self._line(f"[{event.done}/{event.total}] {self._title(event.job)}: {event.what}: {event.text}")

    def _line(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
