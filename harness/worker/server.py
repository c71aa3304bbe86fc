"""Runs the jobs of run folders, one after another: each ends in an outcome, whatever becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import filelock

from harness.core.capabilities import check_session
from harness.core.clock import Spans
from harness.core.errors import Differs
from harness.core.files import Stamp, remove, seal, write_stamp, write_whole
from harness.core.outcome import Environment, Outcome
from harness.core.spec import BuildSpec, Input, Job, MeasureSpec, Note, Status
from harness.worker import JOB, LOCK, LOG, OUTCOME
from harness.worker.answers import Answers, alive
from harness.worker.context import context_of, forget
from harness.worker.describing import environment_here
from harness.worker.executed import Inspected, executed_of, inspected_before
from harness.worker.failures import logged, may_follow, print_traceback, status_of
from harness.worker.inputs import (
    base_of,
    check_made,
    content_of,
    drop_partial,
    engine_of,
    for_keeping,
    input_of,
    marks_of,
    not_the_same,
    partial_of,
    probe_of,
    quantizer_of,
    refuse_changed,
    refuse_weights,
    refuse_written,
    rounded_before,
    scheme_measured,
)
from harness.worker.record import Gathered

if TYPE_CHECKING:
    from harness.core.options import Options
    from harness.core.seam import Context, Probe, ProbeResult
    from harness.core.sessions import Scores, Session

_PROGRAMS = frozenset({"runs", "reports"})
"""Capabilities of engines that let a program have the artifact, which then may write into it."""
LOCK_SECONDS = 24 * 3600.0
"""Longest wait for the lock of a run folder whose job has no limit: one that another worker holds is being done."""


class Server:
    """Runs jobs one after another; jobs that share artifact, engine and options share one opened session."""

    def __init__(self, answers: Answers, environment: str) -> None:
        self._answers = answers
        self._name = environment
        self._environment: Environment | None = None
        self._stack = ExitStack()
        self._opened: str | None = None
        self._beside = ""
        """Live references that are open beside it; what asks for none shares the session all the same."""
        self._offers: frozenset[str] = frozenset()
        self._session: Session | None = None
        self._reference: Session | None = None
        self._shared: dict[str, object] = {}
        self._contents: dict[Path, str] = {}
        self._inspected: Inspected = (None, ())
        """What was found of what runs before the session was opened."""
        self._scored: tuple[Note, ...] | None = None
        """What was found when the session was asked how it scores."""

    def close(self) -> None:
        """Close the session."""
        self._stack.close()
        self._opened, self._session, self._reference = None, None, None
        self._shared, self._contents, self._scored = {}, {}, None

    def serve(self, folder: Path) -> bool:
        """Run the job of one folder; write its outcome whole and say that it is done. Tells whether others may follow in this process."""
        spans = Spans()
        if not (folder / JOB).is_file():
            raise FileNotFoundError(2, "there is no job in it", str(folder))  # a lock would make the folder anew
        job = Job.model_validate_json((folder / JOB).read_text("utf-8"))
        lock = filelock.FileLock(folder / LOCK, timeout=job.timeout_seconds or LOCK_SECONDS)
        with lock, alive(folder, self._answers), logged(folder / LOG):
            self._answers.say(begin=job.run, now=time.monotonic())
            if (folder / OUTCOME).exists():  # another worker, of whom one heard nothing, was not dead
                done = Outcome.model_validate_json((folder / OUTCOME).read_text("utf-8"))
                self._answers.say(done=job.run, status=done.status.value, now=time.monotonic())
                return may_follow(job, done.status)
            outcome = self._outcome(job, folder, spans)
            with spans.span("write"):
                text = outcome.model_copy(update={"spans": spans.seconds}).model_dump_json(indent=1)
                write_whole(folder / OUTCOME, text)
            self._answers.say(done=job.run, status=outcome.status.value, spans=spans.seconds, now=time.monotonic())
        return may_follow(job, outcome.status)

    def _outcome(self, job: Job, folder: Path, spans: Spans) -> Outcome:
        started, begun = datetime.now(UTC), time.monotonic()
        found = Gathered()
        status, reason = Status.OK, None
        try:
            with spans.span("describe"):
                self._environment = self._environment or environment_here(job.environment)
            run = self._build if job.kind == "build" else self._measure
            run(job, folder, spans, found)
        except BaseException as error:  # the one broad except: here failure becomes an outcome
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            status, reason = status_of(error)
            with spans.span("write"):
                drop_partial(job)
            print_traceback()
            self.close()
            protocol = error.protocol if isinstance(error, Differs) else None
            found = Gathered(inputs=found.inputs, provider=found.provider, protocol=protocol)
        assert self._environment is not None
        return Outcome(
            job=for_keeping(job),
            status=status,
            reason=reason,
            started=started,
            seconds=time.monotonic() - begun,
            environment=self._environment,
            provider=found.provider,
            protocol=found.protocol,
            measurements=found.measurements,
            artifact=found.artifact,
            scheme=found.scheme,
            executed=found.executed,
            inputs=found.inputs,
            notes=(*job.notes, *rounded_before(job), *found.notes),
        )

    def _build(self, job: Job, folder: Path, spans: Spans, found: Gathered) -> None:
        from harness.core.seam import Context
        from harness.process_memory import peak_rss_bytes
        from harness.quantizers.scheme import scheme_of
        from harness.worker.made import made_notes
        from harness.worker.record import artifact_of, build_measurements, weights_sha256

        assert isinstance(job.spec, BuildSpec)
        quantizer, options = quantizer_of(job.spec)
        found.inputs = tuple(self._checked(item, spans) for item in job.inputs)
        remove(partial := partial_of(job))  # of a worker that died with this batch in its hands
        partial.mkdir(parents=True)
        empty = partial.stat().st_mtime
        context = Context(folder=folder, progress=self._progress(job))
        with spans.span("import"):
            quantizer.imports()
        begun = time.monotonic()
        with spans.span("build"):
            built = quantizer.build(base_of(job), options, partial, context)
        seconds = time.monotonic() - begun
        with spans.span("check"):
            check_made(partial, built.format)
        with spans.span("hash"):
            artifact = artifact_of(str(job.artifact), partial, built, seconds, peak_rss_bytes())
        with spans.span("check"):
            artifact = artifact.model_copy(update={"scheme": scheme_of(partial, built.format)})
            weights = weights_sha256(partial)
            doubts = made_notes(job, artifact, partial, built, empty, weights)
        with spans.span("seal"):
            seal(partial, Path(str(job.out)))
            scheme = artifact.scheme.text if artifact.scheme else None
            recipe = job.spec.model_dump(mode="json")
            write_stamp(Path(str(job.out)), Stamp(artifact.content, weights, scheme, recipe))
        found.artifact, found.measurements = artifact, build_measurements(artifact)
        found.notes = (*built.notes, *not_the_same(job, artifact), *doubts)

    def _measure(self, job: Job, folder: Path, spans: Spans, found: Gathered) -> None:
        from harness.core.seam import Built
        from harness.process_memory import peak_rss_bytes
        from harness.worker.record import artifact_of, keep

        assert isinstance(job.spec, MeasureSpec)
        probe, workload = probe_of(job.spec)
        session = self._open(job, spans, found)
        context = self._context(job, folder, found)
        if context.out is not None:
            context.out.mkdir(parents=True)
        measured, begun = input_of(job, "artifact"), time.monotonic()
        before = marks_of(measured, Path(measured.path)) if _PROGRAMS & self._offers else None
        with spans.span("measure"):
            findings = probe.measure(session, workload, context)
        forget(context.resume)
        seconds = time.monotonic() - begun
        if before is not None:
            content = next(item.content for item in found.inputs if item.role == "artifact")
            refuse_written(measured, Path(measured.path), before, content)
        with spans.span("write"):
            found.measurements = keep(findings, folder)
        found.protocol = findings.protocol
        found.notes = (*session.notes, *findings.notes, *self._doubts(job, session, probe, workload, findings, spans))
        found.scheme = scheme_measured(Path(measured.path), session.dtype)
        with spans.span("check"):
            found.executed, notes = executed_of(session, findings, self._inspected, Path(measured.path), found.scheme)
            found.notes += notes
        if context.out is not None:
            with spans.span("hash"):
                built = Built(format="hf")
                artifact = artifact_of(str(job.artifact), context.out, built, seconds, peak_rss_bytes())
                found.artifact = artifact.model_copy(update={"format": "reference", "weights_bytes": None})
            with spans.span("seal"):
                seal(context.out, Path(str(job.out)))
                write_stamp(Path(str(job.out)), artifact.content)

    def _doubts(
        self, job: Job, session: Session, probe: Probe, workload: Options, findings: ProbeResult, spans: Spans
    ) -> tuple[Note, ...]:
        """Hold what was measured against itself and, once for each session that scores, the session against its seam."""
        from harness.worker.plausible import measured_notes, scoring_notes

        assert isinstance(job.spec, MeasureSpec)
        with spans.span("check"):
            notes = measured_notes(job.spec, session, findings, spans.undisturbed("open"))
            if "scores" in self._offers and not job.own_process and any("scores" in needs for needs in probe.needs):
                if self._scored is None:
                    reach = probe.reach(workload)
                    folder = Path(input_of(job, "artifact").path)
                    self._scored = scoring_notes(
                        job.spec, cast("Scores", session), folder, reach.total if reach else None
                    )
                notes += self._scored
        return notes

    def _open(self, job: Job, spans: Spans, found: Gathered) -> Session:
        """Open the artifact, unless the session before has it open already."""
        from harness.probes.high_water import BEFORE_OPENING
        from harness.process_memory import rss_bytes
        from harness.worker.plausible import refuse_fallback

        spec = job.spec
        assert isinstance(spec, MeasureSpec)
        live = [item for item in job.inputs if item.role == "reference" and item.engine]
        artifact = input_of(job, "artifact")
        wanted = json.dumps([artifact.path, artifact.content, spec.engine, spec.engine_options])
        beside = json.dumps([item.model_dump() for item in live])
        if self._session is not None and self._opened == wanted and (not live or self._beside == beside):
            found.inputs = tuple(self._checked(item, spans) for item in job.inputs)
            found.provider = self._session.provider
            return self._session
        self.close()
        found.inputs = tuple(self._checked(item, spans) for item in job.inputs)
        engine, options = engine_of(spec.engine, spec.engine_options)
        with spans.span("check"):
            self._inspected = inspected_before(job, engine, options, found.inputs, self._environment)
        with spans.span("import"):
            engine.imports()
        self._shared[BEFORE_OPENING] = rss_bytes()
        with spans.span("open"):
            session: Session = self._stack.enter_context(engine.open(Path(artifact.path), options))
            check_session(session, engine.offers, engine.name)
            if not _PROGRAMS & engine.offers:
                refuse_fallback(engine, options, spec.engine_options, session)
            for item in live:
                other, given = engine_of(str(item.engine), item.engine_options)
                self._reference = self._stack.enter_context(other.open(Path(item.path), given))
                check_session(self._reference, other.offers, other.name)
        self._session, self._offers, self._opened, self._beside = session, engine.offers, wanted, beside
        found.provider = session.provider
        return session

    def _context(self, job: Job, folder: Path, found: Gathered) -> Context:
        assert self._environment is not None
        given = context_of(job, folder, found.inputs, self._environment)
        live = [item for item in job.inputs if item.role == "reference" and item.engine]
        given.progress, given.shared = self._progress(job), self._shared
        given.reference_session = self._reference if live else None
        given.reference_engine = str(live[0].engine) if live else ""
        return given

    def _progress(self, job: Job) -> Callable[[float, str], None]:
        return lambda share, what: self._answers.progress(job.run, share, what)

    def _checked(self, item: Input, spans: Spans) -> Input:
        """Hash an input once per worker; one that is gone or has changed since it was sealed is an error."""
        from harness.core.errors import HarnessError

        path = Path(item.path)
        if not path.is_dir():
            raise HarnessError(
                f"{item.role} {item.id[:12]} is missing: {path} is not a folder; run the same command again"
            )
        with spans.span("hash"):
            if path not in self._contents:
                self._contents[path] = content_of(item, path)
                refuse_weights(item, path, self._contents[path])
        content = self._contents[path]
        refuse_changed(item, path, content)
        return item.model_copy(update={"path": "", "content": content})
