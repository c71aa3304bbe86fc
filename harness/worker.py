"""The worker: `python -m harness.worker ENVIRONMENT --folders FILE` runs the jobs of the run folders that a file lists, in order.

It needs nobody: a runner, a scheduler or a person at a shell starts it alike. Its standard input is empty, so that a library that asks there
gets the end of the file at once. While a job runs, its run folder holds a heartbeat; what it answers is kept there, too.

Answers are JSON lines on the original standard output: `ready`, `begin`, `progress`, `done`, and, from `--describe`,
the environment. Where that is a pipe and its reader is gone, the worker ends at once with all that it started. Everything that a job or
its libraries print goes to the run folder's log.txt.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TextIO

_ENTERED = time.monotonic()

import filelock  # noqa: E402
from pydantic import AwareDatetime, BaseModel, Field, ValidationError  # noqa: E402, F401 - it loads what is named

_IMPORTED = time.monotonic()

from harness.border import logged, print_traceback, status_of  # noqa: E402
from harness.core import privacy  # noqa: E402
from harness.core.clock import Spans  # noqa: E402
from harness.core.errors import Differs  # noqa: E402
from harness.core.files import disk_trouble, seal, write_stamp, write_whole  # noqa: E402
from harness.core.heartbeat import BEAT_SECONDS, beating  # noqa: E402
from harness.core.processes import STARTED_BY, end_left  # noqa: E402
from harness.core.spec import Environment, Input, Job, MeasureSpec, Outcome, Status  # noqa: E402
from harness.jobs import (  # noqa: E402
    adapter_of,
    base_of,
    check_made,
    content_of,
    drop_partial,
    for_keeping,
    input_of,
    marks_of,
    not_the_same,
    partial_of,
    refuse_weights,
    refuse_written,
    rounded_before,
    scheme_measured,
)

LOCK_SECONDS = 60.0
"""Longest wait for the lock of a run folder: one that another worker holds is being done."""
ARTIFACTS = "artifacts"
"""Folder of results in which sealed artifacts lie."""
JOB, OUTCOME, LOG, LOCK = "job.json", "outcome.json", "log.txt", "lock"
FOLDERS = "folders.jsonl"
"""In the first run folder of a batch: the run folders that one worker serves, a path as a JSON string on each line."""
HEARTBEAT, ANSWERS = "heartbeat", "answers.jsonl"
"""In the run folder: a number that rises while the job runs and goes with its end, and what was answered about it."""
WITH_PARENT = "--with-parent"
"""Word for a worker of a queue folder that ends when its standard input does."""
DESCRIBED = "HARNESS_ENVIRONMENT"
"""Variable that names a file with the description of this environment."""


class Answers:
    """The channel to the runner: one JSON object a line, on the standard output that the process was born with."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last, self._kept = 0.0, 0.0
        self.folder: Path | None = None
        """Run folder that the answers are written to as well."""

    def say(self, **answer: Any) -> None:
        """Send one line and keep it; a reader that is gone is no reason to fail, and a full disk fails the job elsewhere."""
        self._send(answer)
        self._keep(answer)

    def progress(self, run: str, share: float, what: str) -> None:
        """Tell how far a job is, at most five times a second; kept as often as the heart beats."""
        now, answer = time.monotonic(), {"progress": round(share, 4), "what": what, "run": run}
        if now - self._last >= 0.2:
            self._last = now
            self._send(answer)
        if now - self._kept >= BEAT_SECONDS:
            self._kept = now
            self._keep(answer)

    def _send(self, answer: dict[str, Any]) -> None:
        with suppress(OSError):
            self._stream.write(json.dumps(answer) + "\n")
            self._stream.flush()

    def _keep(self, answer: dict[str, Any]) -> None:
        if self.folder is not None:
            with suppress(OSError), open(self.folder / ANSWERS, "a", encoding="utf-8") as file:
                file.write(json.dumps(answer) + "\n")

    def end_with_reader(self) -> None:
        """Wait until whoever reads our answers is gone, then end at once, with everything that we started: nobody waits for it.

        Linux tells it of the pipe itself; elsewhere an empty line a second finds it out.
        """
        pipe = self._stream.fileno()
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            return
        if sys.platform == "linux":
            watch = select.poll()
            watch.register(pipe, 0)  # an error, which a pipe without a reader is, is told whatever is asked for
            watch.poll()
        else:
            with suppress(OSError):
                while os.write(pipe, b"\n"):
                    time.sleep(1)
        end_left(os.environ.get(STARTED_BY, ""))
        if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(3)


def main() -> None:
    """Serve the jobs of a file of run folders, or describe this environment."""
    if privacy.is_offline():
        privacy.forbid_sockets()
    answers = Answers(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    if len(sys.argv) > 1 and sys.argv[1] == "--describe":
        answers.say(environment=_environment(sys.argv[2] if len(sys.argv) > 2 else "").model_dump(mode="json"))
        return
    if "--queue" in sys.argv:
        _serve_queue(sys.argv[1:])
        return
    name, folders = _asked(sys.argv[1:])
    _empty_standard_input()
    threading.Thread(target=answers.end_with_reader, daemon=True).start()
    answers.say(ready=True, entered=_ENTERED, imported=_IMPORTED, now=time.monotonic())
    server = Server(answers, name)
    for folder in folders:
        try:
            server.serve(folder)
        except OSError as error:
            _give_up(folder, error)
    begun = time.monotonic()
    server.close()
    answers.say(closed=time.monotonic() - begun)
    # Libraries take up to a second to tear down what the end of the process frees anyway; all files are closed.
    os._exit(0)


def _give_up(folder: Path, error: OSError) -> NoReturn:
    """Die of a run folder that cannot be written, with words that the runner passes on: it answers for us."""
    sys.stderr.write(f"run folder {folder.name} cannot be written: {disk_trouble(error) or error}\n")
    sys.stderr.flush()
    os._exit(4)


def _serve_queue(words: list[str]) -> None:
    """Serve `ENVIRONMENT --queue DIR [--exit-when-idle]`: no runner, a shared folder alone."""
    from harness.batches import serve_queue
    from harness.core.errors import HarnessError

    idle = "--exit-when-idle" in words
    left = [word for word in words if word not in {"--exit-when-idle", WITH_PARENT}]
    if WITH_PARENT in words:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if len(left) != 3 or left[1] != "--queue":
        sys.exit("type: python -m harness.worker ENVIRONMENT --queue DIR [--exit-when-idle]")
    try:
        served = serve_queue(Path(left[2]), left[0], exit_when_idle=idle)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    print(served.said, flush=True)
    sys.exit(served.code)


def _end_with_parent() -> None:
    """Wait for the end of standard input, which whoever started us holds open while it lives; then we are told to end."""
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _asked(words: list[str]) -> tuple[str, list[Path]]:
    """Read the name of the environment and the run folders of the file. Exits with the reason where they are not given."""
    if len(words) != 3 or words[1] != "--folders":
        sys.exit("type: python -m harness.worker ENVIRONMENT --folders FILE (a file with one run folder a line)")
    return words[0], _listed(Path(words[2]))


@contextmanager
def _beating(folder: Path, answers: Answers) -> Iterator[None]:
    """Let the heart beat in a run folder while its job runs, and keep there what is answered."""
    with beating(folder / HEARTBEAT, BEAT_SECONDS):
        answers.folder = folder
        try:
            yield
        finally:
            answers.folder = None


def _empty_standard_input() -> None:
    """Leave an empty standard input, which children inherit, whatever a person or a scheduler gave us."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open as long as the process


def _listed(file: Path) -> list[Path]:
    """Read the run folders of a file. Exits with the reason where it cannot be read."""
    try:
        return [_folder(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        sys.exit(f"{file} cannot be read ({error}); name a file with one run folder a line")


def _folder(line: str) -> Path:
    """Read a run folder: a path, or one as a JSON string, in which a path may hold anything."""
    return Path(json.loads(line) if line.startswith('"') else line.strip()).absolute()


def _environment(name: str) -> Environment:
    """Describe where we stand; the runner has asked this very interpreter before and hands the answer over."""
    described = os.environ.get(DESCRIBED)
    if described:
        return Environment.model_validate_json(Path(described).read_text("utf-8"))
    from harness.host import environment

    return environment(name)


class Server:
    """Runs jobs one after another; jobs that share artifact, engine and options share one opened session."""

    def __init__(self, answers: Answers, environment: str) -> None:
        self._answers = answers
        self._name = environment
        self._environment: Environment | None = None
        self._stack = ExitStack()
        self._opened: str | None = None
        self._session: Any = None
        self._reference: Any = None
        self._shared: dict[str, Any] = {}

    def close(self) -> None:
        """Close the session."""
        self._stack.close()
        self._opened, self._session, self._reference, self._shared = None, None, None, {}

    def serve(self, folder: Path) -> None:
        """Run the job of one folder; write its outcome whole and say that it is done."""
        spans = Spans()
        if not (folder / JOB).is_file():
            raise FileNotFoundError(2, "there is no job in it", str(folder))  # a lock would make the folder anew
        lock = filelock.FileLock(folder / LOCK, timeout=LOCK_SECONDS)
        with lock, _beating(folder, self._answers), logged(folder / LOG):
            job = Job.model_validate_json((folder / JOB).read_text("utf-8"))
            self._answers.say(begin=job.run, now=time.monotonic())
            outcome = self._outcome(job, folder, spans)
            with spans.span("write"):
                text = outcome.model_copy(update={"spans": spans.seconds}).model_dump_json(indent=1)
                write_whole(folder / OUTCOME, text)
            self._answers.say(done=job.run, status=outcome.status.value, spans=spans.seconds, now=time.monotonic())

    def _outcome(self, job: Job, folder: Path, spans: Spans) -> Outcome:
        started, begun = datetime.now(UTC), time.monotonic()
        found: dict[str, Any] = {}
        status, reason = Status.OK, None
        try:
            with spans.span("describe"):
                self._environment = self._environment or _environment(job.environment)
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
            found = {key: found[key] for key in ("inputs", "provider") if key in found}
            if isinstance(error, Differs):
                found["protocol"] = error.protocol
        assert self._environment is not None
        found["notes"] = (*job.notes, *rounded_before(job), *found.get("notes", ()))
        return Outcome(
            job=for_keeping(job),
            status=status,
            reason=reason,
            started=started,
            seconds=time.monotonic() - begun,
            environment=self._environment,
            **found,
        )

    def _build(self, job: Job, folder: Path, spans: Spans, found: dict[str, Any]) -> None:
        from harness.core.seam import Context
        from harness.host import peak_rss_bytes
        from harness.quantizers import QUANTIZERS
        from harness.quantizers.scheme import scheme_of
        from harness.record import artifact_of, build_measurements

        quantizer, options = adapter_of(QUANTIZERS, "quantizer", job.spec.quantizer, "options", job.spec.options)  # type: ignore[union-attr]
        found["inputs"] = tuple(self._checked(item, spans) for item in job.inputs)
        partial = partial_of(job)
        partial.mkdir(parents=True)
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
        with spans.span("seal"):
            seal(partial, Path(str(job.out)))
            write_stamp(Path(str(job.out)), artifact.content)
        notes = (*built.notes, *not_the_same(job, artifact))
        found |= {"artifact": artifact, "measurements": build_measurements(artifact), "notes": notes}

    def _measure(self, job: Job, folder: Path, spans: Spans, found: dict[str, Any]) -> None:
        from harness.core.seam import Built
        from harness.host import peak_rss_bytes
        from harness.probes import PROBES
        from harness.record import artifact_of, keep

        assert isinstance(job.spec, MeasureSpec)
        probe, workload = adapter_of(PROBES, "probe", job.spec.probe, "workload", job.spec.workload)
        self._open(job, spans, found)
        context = self._context(job, folder)
        if context.out is not None:
            context.out.mkdir(parents=True)
        measured, begun = input_of(job, "artifact"), time.monotonic()
        before = marks_of(measured, Path(measured.path)) if "runs" in probe.needs else None
        with spans.span("measure"):
            findings = probe.measure(self._session, workload, context)
        seconds = time.monotonic() - begun
        if before is not None:
            content = next(item.content for item in found["inputs"] if item.role == "artifact")
            refuse_written(measured, Path(measured.path), before, content)
        with spans.span("write"):
            found["measurements"] = keep(findings, folder)
        found["protocol"] = findings.protocol
        found["notes"] = (*self._session.notes, *findings.notes)
        found["scheme"] = scheme_measured(context.artifact, self._session.dtype)
        if context.out is not None:
            with spans.span("hash"):
                built = Built(format="hf")
                artifact = artifact_of(str(job.artifact), context.out, built, seconds, peak_rss_bytes())
                found["artifact"] = artifact.model_copy(update={"format": "reference", "weights_bytes": None})
            with spans.span("seal"):
                seal(context.out, Path(str(job.out)))
                write_stamp(Path(str(job.out)), artifact.content)

    def _open(self, job: Job, spans: Spans, found: dict[str, Any]) -> None:
        """Open the artifact, unless the session before has it open already."""
        from harness.engines import ENGINES
        from harness.host import rss_bytes
        from harness.probes.high_water import BEFORE_OPENING

        spec = job.spec
        assert isinstance(spec, MeasureSpec)
        live = [item for item in job.inputs if item.role == "reference" and item.engine]
        artifact = input_of(job, "artifact")
        wanted = json.dumps(
            [artifact.path, artifact.content, spec.engine, spec.engine_options, [item.model_dump() for item in live]]
        )
        if self._opened == wanted:
            found["inputs"] = tuple(self._checked(item, spans) for item in job.inputs)
            found["provider"] = self._session.provider
            return
        self.close()
        found["inputs"] = tuple(self._checked(item, spans) for item in job.inputs)
        engine, options = adapter_of(ENGINES, "engine", spec.engine, "options", spec.engine_options)
        with spans.span("import"):
            engine.imports()
        self._shared[BEFORE_OPENING] = rss_bytes()
        with spans.span("open"):
            self._session = self._stack.enter_context(engine.open(Path(artifact.path), options))
            for item in live:
                other, given = adapter_of(ENGINES, "engine", str(item.engine), "options", item.engine_options)
                self._reference = self._stack.enter_context(other.open(Path(item.path), given))
        self._opened = wanted
        found["provider"] = self._session.provider

    def _context(self, job: Job, folder: Path) -> Any:
        from harness.core.seam import Context

        stored = [item for item in job.inputs if item.role == "reference" and not item.engine]
        artifact = input_of(job, "artifact")
        native = [item for item in job.inputs if item.role == "native"]
        trained = artifact.provenance.get("trained_positions")
        return Context(
            folder=folder,
            progress=self._progress(job),
            reference=Path(stored[0].path) if stored else None,
            native=Path(native[0].path) if native else None,
            reference_session=self._reference,
            artifact=Path(artifact.path),
            out=partial_of(job) if job.out else None,
            shared=self._shared,
            trained_positions=int(trained) if trained else None,
            expected_output=job.output,
            declared=job.declared,
        )

    def _progress(self, job: Job) -> Any:
        return lambda share, what="": self._answers.progress(job.run, share, what)

    def _checked(self, item: Input, spans: Spans) -> Input:
        """Hash an input once per worker; one that is gone or has changed since it was sealed is an error."""
        from harness.core.errors import HarnessError

        path = Path(item.path)
        if not path.is_dir():
            raise HarnessError(
                f"{item.role} {item.id[:12]} is missing: {path} is not a folder; run the same command again"
            )
        key = f"content:{path}"
        with spans.span("hash"):
            if key not in self._shared:
                self._shared[key] = content_of(item, path)
                refuse_weights(item, path, self._shared[key])
        if item.content is not None and self._shared[key] != item.content:
            contents = f"content {self._shared[key][:12]}, {{}} {item.content[:12]}"
            if path.parent.name != ARTIFACTS:  # a model's own folder, or what somebody else made: nothing of ours
                raise HarnessError(
                    f"{item.role} {path} has changed since this command read it ({contents.format('then')}); run the same command again"
                )
            raise HarnessError(
                f"{ARTIFACTS}/{path.name} is not what was sealed ({contents.format('sealed')}); "
                "delete that folder and run the same command again"
            )
        return item.model_copy(update={"path": "", "content": self._shared[key]})


if __name__ == "__main__":
    main()
