"""What a job reads and what it fills: inputs and their contents, bases, half-made folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError, Unsupported
from harness.core.files import PARTIAL, remove, stamp_of, stamped_content, write_whole
from harness.core.folder_formats import Format, format_of
from harness.core.identity import files_below, folder_sha256
from harness.core.outcome import Artifact, Scheme
from harness.core.privacy import cache_folder
from harness.core.spec import BuildSpec, Input, Job, JsonObject, MeasureSpec, Note
from harness.worker import ARTIFACTS

if TYPE_CHECKING:
    from harness.core.options import Options
    from harness.core.seam import Base, Engine, Probe, Quantizer

_OWN = frozenset({"local", "hub", "gguf", "reference"})
"""Kinds of inputs that are a model's own folder."""
NOT_REPRODUCIBLE = "not-reproducible"
"""Code of the note of a build that did not give what it gave before."""
_NAMED = 3
"""Files of a kind that a refusal names."""


def content_of(item: Input, path: Path) -> str:
    """Hash an input: a model by what counts in its folder, an artifact by its stamp or every byte."""
    has_stamp = item.provenance.get("kind") not in _OWN or item.provenance["kind"] == "gguf"
    return (stamped_content(path) if has_stamp else None) or _content_read(item, path)


def _content_read(item: Input, path: Path) -> str:
    """Hash an input by its bytes, whatever its stamp says."""
    if item.provenance.get("kind") in _OWN:
        from harness.quantizers.folders import model_contents

        return model_contents(path)
    return folder_sha256(path)


Marks = dict[str, tuple[int, int, int]]
"""File of a folder, by its inner path, to its size, its time, and when the file system last noted a change of it, which nobody can set back."""


def marks_of(item: Input, path: Path) -> Marks:
    """Take down which files of an input there are that count in its content, with their sizes and times."""
    if item.provenance.get("kind") in _OWN:
        from harness.quantizers.folders import counted_files as files_of
    else:
        files_of = files_below
    facts = [(one.relative_to(path).as_posix(), one.stat()) for one in files_of(path)]
    return {name: (fact.st_size, fact.st_mtime_ns, fact.st_ctime_ns) for name, fact in facts}


def refuse_written(item: Input, path: Path, before: Marks, content: str | None) -> None:
    """Refuse what was measured where a program wrote into it. content: what it was before. Raises: HarnessError naming the files."""
    after = marks_of(item, path)
    if after == before or _content_read(item, path) == content:
        return
    new, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    changed = sorted(name for name in after.keys() & before.keys() if after[name] != before[name])
    parts = [(what, names) for what, names in (("new", new), ("changed", changed), ("gone", gone)) if names]
    told = "; ".join(
        f"{what}: {', '.join(names[:_NAMED])}{' ...' if len(names) > _NAMED else ''}" for what, names in parts
    )
    raise HarnessError(
        f"the program wrote into {path}, which it measured ({told}), and results are told by its content: let it keep its files elsewhere, as in "
        "{out}; where it writes there only once, run the same command again"
    )


def refuse_weights(item: Input, path: Path, content: str) -> None:
    """Read the weights of a model's own folder for what no model can have, once for each content.

    Raises: Unsupported naming a tensor with NaN or infinity, or two heads where one is meant.
    """
    if item.provenance.get("kind") not in _OWN:
        return
    from harness.core.model_record import read_record
    from harness.core.weights import FLAWS_VERSION, weights_flaw

    known = cache_folder() / "weights" / f"{content[:16]}-{FLAWS_VERSION}.json"
    try:
        reason = json.loads(known.read_text("utf-8"))["flaw"]
    except (OSError, ValueError, KeyError):
        reason = weights_flaw(path, read_record(path))
        known.parent.mkdir(parents=True, exist_ok=True)
        write_whole(known, json.dumps({"flaw": reason}), durable=False)
    if reason:
        raise Unsupported(reason)


def not_the_same(job: Job, artifact: Artifact) -> tuple[Note, ...]:
    """Say that a build from the same inputs did not give the same content as before."""
    if job.content_before in {None, artifact.content}:
        return ()
    text = f"built again from the same inputs: content {artifact.content[:12]}, before {str(job.content_before)[:12]}"
    return (Note(code=NOT_REPRODUCIBLE, text=text),)


def rounded_before(job: Job) -> tuple[Note, ...]:
    """Say of a quality number that its model's weights had few bits before: a method that rounds them again loses less."""
    found = sorted({item.provenance["quantized"] for item in job.inputs if "quantized" in item.provenance})
    if not found or job.kind != "quality":
        return ()
    text = f"the model's weights were {', '.join(found)} before they became floats; methods of as few bits cannot be ranked on it"
    return (Note(code="rounded-before", text=text),)


def quantizer_of(spec: BuildSpec) -> tuple[Quantizer, Options]:
    """Load the quantizer of a build, and hold what it is given against its options."""
    from harness.core.options import validated
    from harness.core.registry import load
    from harness.quantizers import QUANTIZERS

    found: Quantizer = load(QUANTIZERS, "quantizer", spec.quantizer)
    return found, validated(found.options, spec.options, f"quantizer {spec.quantizer}")


def engine_of(name: str, given: JsonObject) -> tuple[Engine, Options]:
    """Load an engine, and hold what it is given against its options."""
    from harness.core.options import validated
    from harness.core.registry import load
    from harness.engines import CANARY, ENGINES

    if name == CANARY:
        from harness.engines.canary import canary_engine

        return canary_engine(given)
    found: Engine = load(ENGINES, "engine", name)
    return found, validated(found.options, given, f"engine {name}")


def probe_of(spec: MeasureSpec) -> tuple[Probe, Options]:
    """Load the probe of a measurement, and hold what it is given against its workload."""
    from harness.core.options import validated
    from harness.core.registry import load
    from harness.probes import PROBES

    found: Probe = load(PROBES, "probe", spec.probe)
    return found, validated(found.workload, spec.workload, f"probe {spec.probe}")


def input_of(job: Job, role: str) -> Input:
    """Pick a job's input by its role."""
    return next(item for item in job.inputs if item.role == role)


def base_of(job: Job) -> Base:
    """Say what a build starts from."""
    from harness.core.seam import Base

    roles = {item.role: item for item in job.inputs}
    model = Path(roles["model"].path) if "model" in roles else Path()
    path = Path(roles["base"].path) if "base" in roles else model
    return Base(path=path, format=_format(path), model=model)


def _format(folder: Path) -> Format:
    """Tell a folder's format from what lies in it."""
    from harness.engines import folder_formats

    return format_of(folder, folder_formats())


def scheme_measured(folder: Path, dtype: str | None) -> Scheme | None:
    """Read the scheme of a transformers folder as an engine runs it; that of other artifacts is known from their build."""
    if _format(folder) != "hf" or not (folder / "config.json").is_file():
        return None
    from harness.quantizers.scheme import scheme_of

    return scheme_of(folder, "hf", dtype)


def weights_read(folder: Path) -> Callable[[str | None], int | None]:
    """Give a function that counts the bytes of an artifact's weights that one token is multiplied with, floats in a type."""

    def read(dtype: str | None) -> int | None:
        from harness.quantizers.scheme import step_bytes

        return step_bytes(folder, _format(folder), dtype)

    return read


def scheme_stored(folder: Path) -> str | None:
    """Read how an artifact's files hold its weights: from what was noted when it was sealed, else from its graph."""
    from harness.quantizers.scheme import scheme_of

    stamp = stamp_of(folder)
    if stamp is not None and stamp.scheme is not None:
        return stamp.scheme
    found = scheme_of(folder, _format(folder))
    return found.text if found else None


def partial_of(job: Job) -> Path:
    """Name the folder that a job fills: its own, so that what a killed job left is never filled again."""
    sealed = Path(str(job.out))
    return sealed.with_name(f"{sealed.name}{ending_of(job.run)}")


def ending_of(run: str) -> str:
    """Give the end of the name of a folder that a run fills."""
    return f"{PARTIAL}-{run[-8:]}"


def drop_partial(job: Job) -> None:
    """Remove what a job has half made."""
    if job.out is not None and partial_of(job).exists():
        remove(partial_of(job))


def check_made(folder: Path, form: str) -> None:
    """Hold a filled folder against its format. Raises: HarnessError naming what is missing or broken."""
    from harness.core.errors import HarnessError

    link = next((path for path in sorted(folder.rglob("*")) if path.is_symlink()), None)
    if link is not None:
        raise HarnessError(
            f"{link.relative_to(folder)} is a link, and what it points to could change or go; let the command copy the file"
        )
    from harness.quantizers.artifact_check import check_folder

    check_folder(folder, form)


def late(limit: float) -> str:
    """Say why a job was ended at its time limit (seconds)."""
    return f"took longer than its time limit of {limit:g} s; `timeout` in the sweep allows more"


def for_keeping(job: Job) -> Job:
    """Strip paths: they mean nothing elsewhere and are found again by id."""
    inputs = tuple(item.model_copy(update={"path": ""}) for item in job.inputs)
    return job.model_copy(update={"inputs": inputs, "out": None})


def refuse_changed(item: Input, path: Path, content: str) -> None:
    """Refuse an input whose content is no longer what the job was planned with. Raises: HarnessError naming the folder and what to do."""
    if item.content is None or content == item.content:
        return
    contents = f"content {content[:12]}, {{}} {item.content[:12]}"
    if path.parent.name != ARTIFACTS:  # a model's own folder, or what somebody else made: nothing of ours
        raise HarnessError(
            f"{item.role} {path} has changed since this command read it ({contents.format('then')}); run the same command again"
        )
    raise HarnessError(
        f"{ARTIFACTS}/{path.name} is not what was sealed ({contents.format('sealed')}); "
        "delete that folder and run the same command again"
    )
