"""What an engine really runs of an artifact: asked once for artifact, engine, options and packages, and held against what the files hold."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.executed import NOT_REPORTED, Executed, executed_notes
from harness.core.files import write_whole
from harness.core.identity import digest
from harness.core.outcome import Environment, Scheme
from harness.core.privacy import cache_folder
from harness.core.sessions import Session, TellsExecuted
from harness.core.spec import Input, Job, MeasureSpec, Note
from harness.worker.inputs import input_of, scheme_stored

if TYPE_CHECKING:
    from harness.core.options import Options
    from harness.core.seam import Engine, ProbeResult

_UNTOLD = (
    HarnessError,
    RuntimeError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    MemoryError,
    ArithmeticError,
    AttributeError,
    ImportError,
)
"""What a look at an artifact may end with: it is no reason to measure nothing."""
_TOLD = 200
"""Characters of such a reason that are told."""
Inspected = tuple[Executed | None, tuple[Note, ...]]
"""What was found before an artifact was opened, and why nothing was; None for engines whose sessions tell it."""


def inspected_before(
    job: Job, engine: Engine, options: Options, checked: Sequence[Input], environment: Environment | None
) -> Inspected:
    """Let an engine look at an artifact before it is opened to be measured, or read what it found before. checked: inputs with the content found.

    A job whose memory counts has a process of its own look: nothing of it may stay in this one.
    """
    assert isinstance(job.spec, MeasureSpec)
    assert environment is not None
    if engine.inspect is None:
        return None, ()
    artifact, content = input_of(job, "artifact"), next(item.content for item in checked if item.role == "artifact")
    named = [content, engine.name, engine.version, job.spec.engine_options, environment.harness]
    versions = {name: version for name, version in environment.packages.items() if name in {*engine.packages, "onnx"}}
    here = [versions, environment.cpu, [[gpu.name, gpu.driver] for gpu in environment.gpus]]
    known = cache_folder() / "executed" / f"{digest([*named, *here])[:24]}.json"
    try:
        return Executed.model_validate_json(known.read_text("utf-8")), ()
    except (OSError, ValidationError):
        pass
    try:
        if job.own_process:
            from harness.worker.fresh_process import inspected

            found = inspected(artifact.path, job.spec)
        else:
            found = engine.inspect(Path(artifact.path), options)
    except _UNTOLD as error:
        return NOT_REPORTED, (_untold(error),)
    with suppress(OSError):  # found out again the next time
        known.parent.mkdir(parents=True, exist_ok=True)
        write_whole(known, found.model_dump_json(), durable=False, shared=True)
    return found, ()


def _untold(error: BaseException) -> Note:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:_TOLD]
    return Note(code="executed-unknown", text=f"what really ran could not be found out: {reason}")


def executed_of(
    session: Session, findings: ProbeResult, inspected: Inspected, folder: Path, measured: Scheme | None
) -> tuple[Executed, tuple[Note, ...]]:
    """Say what ran, and what a reader must know of it. A session that cannot tell costs no measurement.

    inspected: what was found before it was opened; the rest as `what_ran` and `ran_notes` have it.
    """
    try:
        ran = what_ran(session, findings, inspected[0])
        return ran, (*inspected[1], *ran_notes(ran, folder, measured))
    except _UNTOLD as error:
        return NOT_REPORTED, (*inspected[1], _untold(error))


def what_ran(session: Session, findings: ProbeResult, before: Executed | None) -> Executed:
    """Choose who tells what ran: the program that measured, the session, or who looked before."""
    if findings.executed is not None:
        return findings.executed
    if isinstance(session, TellsExecuted):
        return session.executed()
    return before or NOT_REPORTED


def ran_notes(ran: Executed, folder: Path, measured: Scheme | None) -> tuple[Note, ...]:
    """Hold what ran against how the artifact's files hold their weights. measured: scheme of a transformers folder, as its engine has it."""
    return executed_notes(ran, measured.text if measured else scheme_stored(folder)) if ran.weights else ()
