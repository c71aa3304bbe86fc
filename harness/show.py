"""Show a run while it goes: a live line on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from harness.core.spec import BuildSpec
from harness.plan.expand import PlannedJob
from harness.runner import Event


def title(job: PlannedJob) -> str:
    """Name a job as people do: model, method and what is done with it."""
    labels, spec = job.labels[0], job.spec
    what = "build" if isinstance(spec, BuildSpec) else spec.probe
    engine = "" if isinstance(spec, BuildSpec) else f"on {spec.engine}"
    again = f"(round {job.round + 1})" if job.round else ""
    return " ".join(part for part in (labels.model, labels.method, what, engine, again) if part)


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


class Show:
    """Prints events. `jobs` are those that will run; `estimates` gives seconds by plan id, for the time left."""

    def __init__(self, console: Console, estimates: Mapping[str, float], jobs: Sequence[PlannedJob]) -> None:
        self.console = console
        self.counts = Counts()
        self._left = {job.id: (job, estimates.get(job.id)) for job in jobs}
        self._took: dict[tuple[str, str, str], list[float]] = {}
        """Seconds of jobs of this run, by what they do: estimates for those that never ran before."""
        self._progress = Progress(
            TextColumn("{task.completed:>3.0f}/{task.total:.0f} jobs", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=10, table_column=Column(min_width=10)),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            TextColumn("{task.fields[inner]}", markup=False, table_column=Column(no_wrap=True, min_width=4)),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task("", total=len(jobs), left="", inner="")

    def __enter__(self) -> Show:
        self._progress.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def event(self, event: Event) -> None:
        """Show one event."""
        handlers: dict[str, Callable[[Event], None]] = {
            "session": self._session,
            "begin": self._begin,
            "progress": self._inner,
            "done": self._done,
            "again": self._again,
        }
        handlers.get(event.what, self._settled)(event)
        if event.total:
            self._progress.update(self._task, completed=event.done, total=event.total)

    def _session(self, event: Event) -> None:
        if event.status == "resumed":
            self._line(f"continuing interrupted session {event.text}")
        for line in event.text.splitlines()[1:]:
            self._line(f"note: {line}")

    def _begin(self, event: Event) -> None:
        assert event.job is not None
        self._progress.update(self._task, description=title(event.job), inner="", left=self._time_left(event))
        if not self.console.is_terminal:
            self._line(f"[{event.done + 1}/{event.total}] {title(event.job)} ...")

    def _inner(self, event: Event) -> None:
        assert event.job is not None
        text, inner = f"{title(event.job)}: {event.text}", f"{event.share:.0%}"
        self._progress.update(self._task, description=text, inner=inner, left=self._time_left(event))

    def _done(self, event: Event) -> None:
        assert event.job is not None
        self._left.pop(event.job.id, None)
        if event.status == "ok":
            self._took.setdefault(_sort(event.job), []).append(event.seconds)
        self.counts.add(event.status)
        reason = f": {event.text}" if event.text else ""
        self._line(f"[{event.done}/{event.total}] {title(event.job)}: {event.status} in {event.seconds:.1f} s{reason}")

    def _again(self, event: Event) -> None:
        assert event.job is not None
        self._line(f"[{event.done}/{event.total}] {title(event.job)}: {event.text}")

    def _settled(self, event: Event) -> None:
        if event.job is None:
            return
        self._left.pop(event.job.id, None)
        self.counts.add("unsupported" if event.what == "refused" else event.what)
        if event.what != "known":
            self._line(f"[{event.done}/{event.total}] {title(event.job)}: {event.what}: {event.text}")

    def _time_left(self, event: Event) -> str:
        """Add up what the jobs that are left took before, or what their like took in this run."""
        known = []
        for job, seconds in self._left.values():
            took = self._took.get(_sort(job))
            expected = seconds if seconds is not None else sum(took) / len(took) if took else None
            if expected is not None:
                known.append(expected * (1 - event.share if event.job is not None and job.id == event.job.id else 1))
        if not known or (len(known) < len(self._left) and sum(known) < 1):
            return ""
        return f"{'about' if len(known) == len(self._left) else 'more than'} {sum(known):.0f} s left"

    def _line(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
