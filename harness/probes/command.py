"""A probe that is a command line: any program measures, and its own report is read as `import` reads it.

The report is kept whole in the run folder. What its numbers mean is what the program says; protocol and metrics carry version 0, so that
they never share a column with our own procedure.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, field_validator

from harness import programs
from harness.core.errors import HarnessError
from harness.core.executed import Executed
from harness.core.metric import OWN, OwnMetric, metric
from harness.core.options import Options, problems_of
from harness.core.seam import Context, Probe, ProbeResult
from harness.core.sessions import Runs
from harness.core.spec import Note
from harness.core.spelling import unknown
from harness.formats import FORMATS
from harness.formats.paths import DIMENSIONS, FieldPath, Value, read_values
from harness.formats.reading import read_contents, recognized
from harness.formats.records import Found, metric_value_of
from harness.formats.source import FileSource, read_source
from harness.formats.units import why_not
from harness.probes import conditions
from harness.probes.report_file import REPORT, refuse_old, refuse_other_provider

CALLED = {"genai-e2e": "onnxruntime-genai", "benchmark_e2e": "onnxruntime-genai"}
"""Formats under the names of the protocols and scripts that write them."""
_RAN = ("model_type", "quantization", "dtype", "type_k", "type_v", "n_gpu_layers", "flash_attn", "attention_backend")
"""What programs say of what they ran: llama.cpp of its file's types, its cache's and how many layers lie on the GPU."""
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*((==|>=|<=|!=|~=|>|<)[A-Za-z0-9.!*+-]+(,(?=[=<>!~])|$))*")
_PLACES = ("{artifact}", "{out}", *(f"{{{name}}}" for name in DIMENSIONS))


def _is_requirement(text: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return bool(_REQUIREMENT.fullmatch(text))


class CommandWorkload(Options):
    """A command line, and how its report is read."""

    run: str
    """Words of a command, quoted as in a shell but run without one: `their_bench --model {artifact} --batch {batch} --out {out}/r.json`.

    {artifact} is the folder that is measured, {out} an empty folder for the report; {batch}, {prompt}, {output} and {concurrency} are the numbers
    below. A first word `python` is the interpreter of the job's environment, another program is looked for beside that first. It runs in the
    workspace's folder. A command that names none of the numbers runs once for all of them, and its report has a row for each.
    """
    read: str | dict[str, Value]
    """A format that `import` knows, as `onnxruntime-genai`; or metrics by where they stand: `{decode_tps: results.speed}`,
    `{ttft: {path: runs[0].first, unit: ms}}`: names in JSON, columns of a CSV. `{decode_tps: "runs[*].tps", batch: "runs[*].batch"}` has a row for
    each item; batch, prompt, output and concurrency choose the row of each job."""
    file: str = ""
    """Which file of {out} is the report, a name or a pattern, where the program leaves several."""
    batch: int | None = Field(default=None, ge=1)
    prompt: int | None = Field(default=None, ge=1)
    """Tokens of each prompt."""
    output: int | None = Field(default=None, ge=1)
    """New tokens of each sequence."""
    concurrency: int | None = Field(default=None, ge=1)
    """Requests at a time."""
    files: tuple[str, ...] = ()
    """Further files whose content can change the numbers; files named in `run` count by themselves."""
    variables: tuple[str, ...] = ()
    """Environment variables that it is given besides those that systems and libraries need, as `HF_TOKEN`."""
    requires: tuple[str, ...] = ()
    """Packages that the environment must have, as pip reads them: `lm-eval>=0.4.13`; `plan` refuses one that lacks them."""

    @field_validator("run")
    @classmethod
    def _fills_out(cls, value: str) -> str:
        return programs.checked(value, _PLACES, "{out}")

    @field_validator("requires")
    @classmethod
    def _are_requirements(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not _is_requirement(one):
                raise ValueError(f"'{one}' is no package with its versions; write it as lm-eval>=0.4.13")
        return value

    @field_validator("read", mode="before")
    @classmethod
    def _reads(cls, value: object) -> object:
        """Tell a mistake in the place of a number by the number's name."""
        for name, said in value.items() if isinstance(value, dict) else ():
            if isinstance(said, dict) and (found := problems_of(FieldPath, said, f"'{name}'")):
                raise ValueError("; ".join(message for _, message in found))
        return value

    @field_validator("read")
    @classmethod
    def _is_known(cls, value: str | dict[str, Value]) -> str | dict[str, Value]:
        if isinstance(value, str) and (value := CALLED.get(value, value)) not in FORMATS:
            raise ValueError(unknown("format", value, FORMATS))
        said = value if isinstance(value, dict) else {}
        for name, one in said.items():
            if name in DIMENSIONS:
                continue
            try:
                known = metric(name)
            except HarnessError as error:
                raise ValueError(f"{error}; a dimension is one of {', '.join(DIMENSIONS)}") from None
            unit = one.unit if isinstance(one, FieldPath) else ""
            if unit and not name.startswith(OWN) and (reason := why_not(unit, known.unit)):
                raise ValueError(f"{name}: {reason}")
            better = one.better if isinstance(one, FieldPath) else ""
            if better and not name.startswith(OWN) and better != known.better:
                raise ValueError(
                    f"{name}: {known.better} is better by its definition; leave `better` out, or call it own.NAME"
                )
        if said and set(said) <= set(DIMENSIONS):
            raise ValueError("names no metric, as decode_tps: results.speed")
        return value


def measure(session: Runs, workload: CommandWorkload, context: Context) -> ProbeResult:
    """Run the command, read its report, and return what it says.

    Raises: HarnessError where it fails, leaves no report, one that is older than this job, or one that says another provider.
    """
    asked = {f"{{{name}}}": str(value) for name, value in _asked(workload).items() if f"{{{name}}}" in workload.run}
    missing = [place for place in _PLACES[2:] if place in workload.run and place not in asked]
    if missing:
        raise HarnessError(
            f"the command names {', '.join(missing)}, and the sweep does not say it; give it beside `run`"
        )
    folder, same = context.folder / REPORT, json.dumps([workload.run, asked, sorted(workload.variables)])
    ran = context.shared.get(same)
    if not isinstance(ran, Ran):
        folder.mkdir()
        ran = context.shared[same] = _ran(session, workload, {"{out}": folder, **asked}, context)
    else:  # a job before this one, of the same round: what it left holds a row of this one, too
        shutil.copytree(ran.folder, folder)
    source, machine = read_source(_report(folder, workload.file)), ran.machine
    found = _one(_contents(source, workload.read, context.declared), workload, source)
    refuse_old(source.path, found.started, ran.begun)
    refuse_other_provider(source.name, found.provider, session.provider)
    facts = {**found.protocol.facts, **machine, "report": source.name, "report_sha256": source.sha256}
    facts |= {} if ran.folder == folder else {"ran_in": ran.folder.parent.name}
    lost = tuple(Note(code="left-out", text=f"left out of {source.name}: {name}") for name in source.lost)
    return ProbeResult(
        values=tuple(map(metric_value_of, found.numbers)),
        protocol=found.protocol.model_copy(update={"facts": facts, "dtype": found.protocol.dtype or session.dtype}),
        notes=(*ran.notes, *found.notes, *lost, *conditions.notes(machine)),
        executed=executed_as_reported(found),
    )


def executed_as_reported(found: Found) -> Executed | None:
    """Say what a report says of what ran, in its own words; None where it says nothing."""
    said = {**found.engine_options, **found.protocol.facts}
    told = [f"{name} {said[name]}" for name in _RAN if said.get(name) not in {None, ""}]
    return Executed(text=f"{'; '.join(told)}, as the report says") if told else None


@dataclass(frozen=True)
class Ran:
    """A command that came to its end."""

    folder: Path
    """What it left."""
    begun: datetime
    machine: conditions.Conditions
    """Facts of the machine meanwhile."""
    notes: tuple[Note, ...] = ()


def _ran(session: Runs, workload: CommandWorkload, places: dict[str, Path | str], context: Context) -> Ran:
    watch = conditions.Watch(on_gpu=not session.provider.startswith("cpu"))
    begun = datetime.now(UTC)
    context.progress(0.0, "running the command")
    watch.mark(state=True)
    places |= {"{artifact}": session.folder}
    notes = programs.run(workload.run, places, context.folder / programs.LOG, workload.variables)
    watch.mark(state=True)
    return Ran(Path(places["{out}"]), begun, watch.facts(), notes)


def _asked(workload: CommandWorkload) -> dict[str, int]:
    return {name: value for name in DIMENSIONS if (value := getattr(workload, name)) is not None}


def _report(folder: Path, pattern: str) -> Path:
    """Find the report. Raises: HarnessError where there is none, or several and none is named."""
    found = sorted(path for path in folder.rglob(pattern or "*") if path.is_file() or path.is_symlink())
    there = [path for path in found if path.is_file() and path.resolve() == folder.resolve() / path.relative_to(folder)]
    if len(there) == 1:
        return there[0]
    if found and not there:
        raise HarnessError(
            f"the report {found[0].name} is a link, and what it leads to can change; let the command write the file itself into {{out}}"
        )
    names = ", ".join(path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    if not there and not names:
        raise HarnessError("the command left no report; let it write one into the folder that {out} names")
    if not there:
        raise HarnessError(f"the command left no file '{pattern}'; it left {names}")
    raise HarnessError(f"the command left {len(there)} files ({names}); say which is the report with `file:`")


def _contents(source: FileSource, read: str | dict[str, Value], declared: Mapping[str, OwnMetric]) -> tuple[Found, ...]:
    if isinstance(read, str):
        return read_contents(recognized(source, read), source).runs
    return read_values(source, read, declared).runs


def _one(runs: tuple[Found, ...], workload: CommandWorkload, source: FileSource) -> Found:
    """Choose the run that the workload asks for. Raises: HarnessError where that is none, or more than one."""
    asked = _asked(workload)
    fits = [run for run in runs if all(run.workload.get(name, value) == value for name, value in asked.items())]
    if len(fits) == 1 and fits[0].numbers:
        return fits[0]
    said = "; ".join(
        ", ".join(f"{name} {value}" for name, value in run.workload.items()) or "no workload" for run in runs
    )
    wanted = ", ".join(f"{name} {value}" for name, value in asked.items()) or "anything"
    if fits:
        raise HarnessError(
            f"{source.name} holds {len(fits)} results for {wanted} ({said}); say which with batch, prompt, output or concurrency"
            if len(fits) > 1
            else f"{source.name} holds no number for {wanted}: {'; '.join(source.lost) or _nothing(workload.read)}"
        )
    raise HarnessError(f"{source.name} has no result for {wanted}; it has {said}")


def _nothing(read: str | dict[str, Value]) -> str:
    """Say what is not there at all."""
    if isinstance(read, str):
        return "no metric in it is known here"
    paths = (one if isinstance(one, str) else one.path for name, one in read.items() if name not in DIMENSIONS)
    return f"there is nothing at {', '.join(paths)}; let the program write it"


def contents(workload: CommandWorkload) -> Mapping[str, Path]:
    """List the files whose content goes into the key."""
    return programs.files_of(workload.run, workload.files, _PLACES, "probe")


def own_metrics(workload: CommandWorkload) -> dict[str, OwnMetric]:
    """List the metrics of somebody's own in `read`, with what it says of them."""
    read = workload.read if isinstance(workload.read, dict) else {}
    said = {name: FieldPath(path=one) if isinstance(one, str) else one for name, one in read.items()}
    return {
        name: OwnMetric(unit=one.unit, better=one.better or "none")
        for name, one in said.items()
        if name.startswith(OWN)
    }


PROBE = Probe(
    name="command",
    version=1,
    kind="speed",
    needs=(frozenset({"runs"}),),
    yields=(),
    workload=CommandWorkload,
    packages=(),
    measure=measure,
    own_process=True,
    refuse=lambda workload, facts: programs.refusal(workload.run, _PLACES, facts),
    contents=contents,
    own=own_metrics,
    requires=lambda workload: workload.requires,
)
