"""The plan as records: jobs with their keys, what they need, and why one cannot run."""

from __future__ import annotations

import functools
import gc
import heapq
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.core.identity import canonical, digest, short
from harness.core.metric import OwnMetric
from harness.core.spec import BuildSpec, Input, Kind, Labels, MeasureSpec
from harness.plan.adapters import OUTPUT_CHECK
from harness.plan.keys import KnownBy
from harness.probes import VERIFY, VERIFY_REFERENCE


@dataclass(frozen=True)
class PlannedJob:
    """One job of a plan."""

    id: str
    """Its name within the plan."""
    kind: Kind
    spec: BuildSpec | MeasureSpec
    key: str
    artifact: str | None
    """For builds and references: id of the artifact to make."""
    needs: tuple[str, ...]
    """Names of the jobs that must be done before."""
    inputs: tuple[Input, ...]
    """What it reads; the path is empty where another job makes it."""
    environment: str
    labels: tuple[Labels, ...]
    """Every place of a sweep that asks for it."""
    provider: str
    round: int
    own_process: bool
    """Its worker process does nothing else but jobs of its group."""
    timeout_seconds: float | None
    group: str
    """Jobs with equal groups may share a worker process."""
    refused: str | None = None
    """Why this machine cannot run it."""
    other_gpu: str | None = None
    """The GPU of the machine that it belongs to, where this is another one."""
    known_by: KnownBy = field(default_factory=KnownBy)
    """What else its numbers stand on: equal, beside the key, for one of quality to count as known, and for a night's to go on with a series."""
    bytes: int = 0
    """For builds and references: estimate of what it writes."""
    asked: tuple[Any, Any] | None = None
    """For measurements: the workload and the engine's options as records, defaults included."""
    check: str | None = None
    """For speed: name of the job that scores what it generates."""
    precision: float = 0.0
    """For speed: relative half-width between rounds from which on no further round is needed."""
    foretold: tuple[str, ...] = ()
    """For builds: what a person might not expect of it, known before it is built."""
    parameters: int | None = None
    """Weights of the model; None where that is not known."""
    opened_bytes: int = 0
    """Estimate of what it opens: of builds the model, else the artifact."""
    declared: Mapping[str, OwnMetric] = field(default_factory=dict)
    """For measurements: metrics of somebody's own that its workload names."""
    rounds: int = 1
    """For speed: how many rounds a machine that can run it has of it; where it cannot run, it is planned once."""

    @property
    def verifies(self) -> bool:
        """Whether it holds a float artifact against its model."""
        return isinstance(self.spec, MeasureSpec) and self.spec.probe == VERIFY

    @property
    def tells_truth(self) -> bool:
        """Whether it stores what a model itself computes, for verifications."""
        return isinstance(self.spec, MeasureSpec) and self.spec.probe == VERIFY_REFERENCE


@dataclass(frozen=True)
class Plan:
    """All jobs of a sweep in the order in which they run."""

    sweep: str
    jobs: tuple[PlannedJob, ...]
    title: str = ""
    tables: tuple[str, ...] = ()
    rerun: tuple[Kind, ...] = ()
    sources: tuple[tuple[str, str, str], ...] = ()
    """Environment, package and version of what was installed from a file or a source: tonight's wheel is not last night's."""
    chosen: frozenset[str] | None = None
    """Plan ids of the jobs that a command chose, beside which stands what they need; None where it chose none. Kinds of
    `rerun` speak of these alone."""
    live: str = ""
    """Which two sides its rounds compare while they run; empty where they do not."""

    @cached_property
    def digest(self) -> str:
        """Hash what is to be done, in order, and with which exact sources (64 hex digits): what continues must be the same."""
        jobs: list[Any] = [[job.kind, job.key, job.artifact, job.environment, job.round] for job in self.jobs]
        chosen = [] if self.chosen is None else [["chosen", sorted(self.chosen), sorted(self.rerun)]]
        live = [["live", self.live]] if self.live else []
        return digest([*jobs, *(list(source) for source in self.sources), *chosen, *live])


@dataclass
class Draft:
    """A job that is still being planned: further places of the sweep may ask for it."""

    kind: Kind
    spec: BuildSpec | MeasureSpec
    key: str
    environment: str
    artifact_group: str
    """Artifact with which it is run."""
    artifact: str | None = None
    needs: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    labels: list[Labels] = field(default_factory=list)
    provider: str = "cpu"
    round: int = 0
    own_process: bool = False
    alone: bool = False
    size: int = 0
    """Place among the jobs that share a clean process, smallest first."""
    timeout: float | None = None
    group: str = ""
    """Jobs that open the same artifact in the same way, and builds of one model that import the same."""
    refused: str | None = None
    other_gpu: str | None = None
    known_by: KnownBy = field(default_factory=KnownBy)
    bytes: int = 0
    precision: float = 0.0
    check: str | None = None
    asked: tuple[Any, Any] | None = None
    foretold: tuple[str, ...] = ()
    parameters: int | None = None
    opened_bytes: int = 0
    rounds: int = 1
    declared: Mapping[str, OwnMetric] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name of the job within the plan; the same job of another machine is a job of its own."""
        machine = f"~{self.other_gpu.replace(' ', '-')}" if self.other_gpu else ""
        if self.artifact is not None:
            return short(self.kind[0], self.artifact) + machine
        number = f"#{self.round}" if self.round else ""
        return f"{short(self.kind[0], self.key)}@{self.environment}{number}{machine}"

    @property
    def process(self) -> str:
        """Name the worker process that it may share: nobody's, that of its round, or one that serves its group."""
        if self.alone or not self.group:
            return self.id
        return f"{self.group}#{self.round}" if self.own_process else self.group

    def done(self) -> PlannedJob:
        """Freeze the job."""
        return PlannedJob(
            id=self.id,
            kind=self.kind,
            spec=self.spec,
            key=self.key,
            artifact=self.artifact,
            needs=self.needs,
            inputs=self.inputs,
            environment=self.environment,
            labels=tuple(self.labels),
            provider=self.provider,
            round=self.round,
            own_process=self.own_process,
            timeout_seconds=self.timeout,
            group=self.process,
            refused=None if self.other_gpu else self.refused,
            other_gpu=self.other_gpu,
            known_by=self.known_by,
            bytes=self.bytes,
            precision=self.precision,
            check=self.check,
            asked=self.asked,
            foretold=self.foretold,
            parameters=self.parameters,
            opened_bytes=self.opened_bytes,
            rounds=self.rounds,
            declared=self.declared,
        )


def ordered(jobs: Mapping[str, Draft]) -> tuple[PlannedJob, ...]:
    """Put jobs, by their names in the plan, in order: nothing before what it needs, depth-first by artifact; then speed, round by round.

    What can share a worker process stands together. Nothing is built or scored between two rounds, so that they lie
    close together in time and what drifts meets all candidates alike; in a round the same work in several environments
    stands side by side, one version of a library beside the other.
    """
    first: dict[str, int] = {}
    for draft in jobs.values():
        first.setdefault(draft.artifact_group, len(first))
        first.setdefault(draft.group, first[draft.artifact_group] if draft.kind == "build" else len(first))
    leads: dict[tuple[str, ...], str] = {}
    for draft in jobs.values():
        leads.setdefault(_version(draft), draft.group)
    rank = {
        name: (
            1 + draft.round,
            _drawn(draft.round, leads[_version(draft)]),
            _drawn(draft.round, draft.group),
            draft.alone,
            draft.size,
            place,
        )
        if draft.kind == "speed"
        else (0, first[_place(draft)], _turn(draft), first[draft.group], place)
        for place, (name, draft) in enumerate(jobs.items())
    }
    waiting = _waiting(jobs)
    users: dict[str, list[str]] = {}
    for name, needs in waiting.items():
        for need in needs:
            users.setdefault(need, []).append(name)
    ready = [(rank[name], name) for name, needs in waiting.items() if not needs]
    heapq.heapify(ready)
    found = []
    while ready:
        _, name = heapq.heappop(ready)
        found.append(jobs[name].done())
        for user in users.get(name, ()):
            waiting[user].discard(name)
            if not waiting[user]:
                heapq.heappush(ready, (rank[user], user))
    return tuple(found)


def _waiting(jobs: Mapping[str, Draft]) -> dict[str, set[str]]:
    """Say what stands before each job: what it needs, and before other scores of an artifact its comparisons, whose pass over a text they take."""
    found = {name: {need for need in draft.needs if need in jobs} for name, draft in jobs.items()}
    needed = set().union(*found.values())
    against = {
        name: draft.spec.reference
        for name, draft in jobs.items() if draft.kind == "quality" and isinstance(draft.spec, MeasureSpec)
    }  # fmt: skip
    compared: dict[str, set[str]] = {}
    for name in (name for name, reference in against.items() if reference is not None):
        compared.setdefault(jobs[name].group, set()).add(name)
    for name in (name for name, reference in against.items() if reference is None and name not in needed):
        found[name] |= compared.get(jobs[name].group, set())
    return found


def _place(draft: Draft) -> str:
    """Name what a job stands with: its artifact; builds that can share a worker process stand together."""
    return draft.group if draft.kind == "build" and draft.group else draft.artifact_group


def _version(draft: Draft) -> tuple[str, ...]:
    """Name what a job of speed measures, whatever environment it is built and runs in; other jobs are themselves alone."""
    if draft.kind != "speed" or not isinstance(draft.spec, MeasureSpec) or not draft.labels:
        return (draft.group,)
    label, spec = draft.labels[0], draft.spec
    return (label.model, label.method, label.recipe, spec.engine, canonical(spec.engine_options))


def _turn(draft: Draft) -> int:
    """Place among the jobs of one artifact: its build, its verification, references that another one gives, quality."""
    if isinstance(draft.spec, BuildSpec):
        return 0
    if draft.spec.probe in {VERIFY, VERIFY_REFERENCE}:
        return 1
    if draft.spec.probe == OUTPUT_CHECK:
        return 9  # last: it opens an artifact for generating, too, and closes what the others had open
    return 2 if draft.spec.artifact != draft.artifact_group else 3


@functools.lru_cache(maxsize=1024)
def _drawn(number: int, group: str) -> int:
    """Draw a candidate's place in a round, anew for each pair of rounds, the second of which runs backwards.

    So no candidate always stands behind the same one, and in every two rounds each is measured as early as it is late. The
    draw is a hash of the candidate's own name: the same plan has the same order, and a session can be continued.
    """
    drawn = int(digest([number // 2, group])[:12], 16)
    return -drawn if number % 2 else drawn


@contextmanager
def all_kept() -> Iterator[None]:
    """Search for no garbage meanwhile: a plan's records all stay, and looking through them again and again takes a third of the time."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
