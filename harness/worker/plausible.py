"""Whether what an adapter hands back can be what was asked for: where it ran, what it made, what it says it measured.

No adapter is known here. What cannot be at all is refused; what is most likely not so is a note `implausible` on the number.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.files import stamps_beside
from harness.core.metric import LM_EVAL, OWN, impossible
from harness.core.spec import Artifact, Job, MeasureSpec, Note, Scheme
from harness.probes.trace_check import implausible

if TYPE_CHECKING:
    from harness.core.seam import Built, Engine, Findings, Reading

_DRIVERS = {
    "cuda": ("libcuda.", "nvcuda"),
    "nvtensorrtrtx": ("libcuda.", "nvcuda"),
    "dml": ("directml",),
    "rocm": ("libamdhip",),
}
"""Of a provider, parts of the file names of what a process has loaded that runs on it; of others the provider's own name."""
_BITS = ("bits", "num_bits", "w_bits", "weight_bits")
_BLOCKS = ("block_size", "group_size")
_LEFT_OUT = ("exclude", "skip", "keep", "op_types")
"""Parts of the names of options that leave layers in floats."""
ENDS = ("lm_head.weight", "embed_out.weight", "output.weight", "embed_tokens.weight", "wte.weight", "embed_in.weight")
_MEAN = ("kl_divergence", "top1_agreement", "output_agreement", "mmlu_acc", "choice_logprob")
"""Metrics that are the plain mean of their samples."""
_THREADS = 0.6
"""Processors that a process may use beyond the threads that it was given."""


def measured_notes(spec: MeasureSpec, session: Any, findings: Findings) -> tuple[Note, ...]:
    """Say what cannot be so about a measurement."""
    return (
        *device_notes(session.provider),
        *thread_notes(spec.engine_options, findings.protocol.facts.get("own_cpus")),
        *reading_notes(findings.readings),
    )


def scoring_notes(session: Any, folder: Path, reach: int | None) -> tuple[Note, ...]:
    """Say in what a session does not score as the seam says. folder: the artifact; reach: tokens of the longest sequence."""
    from harness.probes.session_check import session_notes

    return session_notes(session, folder, reach)


def made_notes(
    job: Job, artifact: Artifact, folder: Path, built: Built, empty: float, weights: str | None
) -> tuple[Note, ...]:
    """Say what cannot be so about what a build made. empty: modification time of the folder before it; weights: hash of its weights."""
    recipe = job.spec.model_dump(mode="json")
    alike = {
        name: noted["recipe"]
        for name, noted in stamps_beside(Path(str(job.out))).items()
        if isinstance(noted.get("recipe"), dict)
        and (noted.get("content") == artifact.content or (weights is not None and noted.get("weights") == weights))
    }
    return (
        *old_notes(folder, empty),
        *same_notes(recipe, alike),
        *scheme_notes(artifact.scheme, recipe["options"], declared=declared_floats(built.notes)),
        *layer_notes(folder, built.format, built.layers),
    )


# ---------------------------------------------------------------- where it ran


def refuse_fallback(engine: Engine, options: Any, given: Mapping[str, Any], session: Any) -> None:
    """Refuse a session that runs elsewhere, or in another type, than it was asked to. given: options as the sweep has them.

    Raises: HarnessError naming both.
    """
    asked, found = str(engine.provider(options)), str(session.provider)
    if asked.partition(":")[0].lower() != found.partition(":")[0].lower():
        raise HarnessError(
            f"engine {engine.name} was asked for provider {asked} and fell back to {found}; install what {asked} needs, or ask for {found}"
        )
    if "dtype" in given and (wanted := engine.floats(options)) not in {None, session.dtype}:
        raise HarnessError(f"engine {engine.name} was asked for {wanted} and computes in {session.dtype}")


def device_notes(provider: str, loaded: Sequence[str] | None = None) -> tuple[Note, ...]:
    """Say that nothing in this process can run on the provider that a session names. loaded: files of code in the process."""
    name = provider.partition(":")[0].lower()
    files = loaded_files() if loaded is None else loaded
    if (
        name == "cpu"
        or not files
        or any(part in Path(file).name.lower() for file in files for part in _DRIVERS.get(name, (name,)))
    ):
        return ()
    return implausible(
        [
            f"the engine names provider {provider}, and no driver or library of it is loaded in its process: it ran elsewhere"
        ]
    )


def loaded_files() -> list[str]:
    """List the files that are mapped into this process; empty where the system does not tell."""
    import psutil

    try:
        return [one.path for one in psutil.Process().memory_maps()]
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        return []


def thread_notes(given: Mapping[str, Any], cpus: float | None) -> tuple[Note, ...]:
    """Say that a process used more processors than the threads that it was given. cpus: processors used at a time, if known."""
    threads = given.get("threads")
    if cpus is None or not isinstance(threads, int) or cpus <= threads + _THREADS:
        return ()
    return implausible(
        [f"option threads: {threads} was given, and {cpus:.1f} processors worked: the engine ignores it"]
    )


# ---------------------------------------------------------------- what it measured


def reading_notes(readings: Sequence[Reading]) -> tuple[Note, ...]:
    """Hold each value against its own samples: what is typical of them lies among them, and a mean is their mean."""
    return implausible([text for reading in readings for text in _reading_texts(reading)])


def _reading_texts(reading: Reading) -> Iterator[str]:
    import numpy as np

    name, value = reading.metric, reading.value
    if why := impossible(name, value) if not name.startswith(OWN) else "":
        yield f"{name} is {why}"
        return
    samples = np.asarray(reading.samples, dtype=np.float64).ravel()
    if not samples.size or name.startswith((OWN, LM_EVAL)):
        return
    mean, least, most = float(samples.mean()), float(samples.min()), float(samples.max())
    if name == "perplexity":
        if abs(math.log(value) - mean) > 1e-3 * max(1.0, abs(mean)):
            yield (
                f"perplexity is {value:.4g}, and its {samples.size} tokens have {math.exp(min(mean, 700)):.4g}: "
                "it is no mean over them"
            )
        return
    slack = 1e-4 * max(abs(least), abs(most)) + 1e-12
    if not least - slack <= value <= most + slack:
        yield (
            f"{name} is {value:.4g}, and its {samples.size} samples lie between {least:.4g} and {most:.4g}: "
            "it is a sum, or of others"
        )
    elif name in _MEAN and abs(value - mean) > slack + 1e-3 * abs(value):
        yield f"{name} is {value:.4g}, and the mean of its {samples.size} samples {mean:.4g}"


# ---------------------------------------------------------------- what it made


def old_notes(folder: Path, begun: float) -> tuple[Note, ...]:
    """Say that what was made is older than its build. begun: modification time of the folder when it was empty, by its own disk."""
    from harness.core.identity import files_below

    facts = [(path.relative_to(folder).as_posix(), path.stat()) for path in files_below(folder)]
    whole, most = sum(fact.st_size for _, fact in facts), max((fact.st_size for _, fact in facts), default=0)
    old = [
        name
        for name, fact in facts
        if fact.st_size and (fact.st_mtime < begun - 2 or fact.st_nlink > 1) and 4 * fact.st_size >= most
    ]
    size = sum(fact.st_size for name, fact in facts if name in old)
    if not old or 2 * size < whole:
        return ()
    text = f"{', '.join(old[:3])} of what was built were there before the build began: an artifact of before, handed out again"
    return implausible([text])


def same_notes(recipe: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> tuple[Note, ...]:
    """Say that the same weights were made from other inputs or with other options.

    recipe: what was asked for now, as `BuildSpec` has it; others: those of artifacts with equal weights, by the artifact's name.
    """
    texts = []
    for name, other in sorted(others.items()):
        if other.get("quantizer") != recipe.get("quantizer"):
            continue
        differs = [
            f"{key} {_cut(other.get(key))} there, {_cut(recipe.get(key))} here"
            for key in ("model", "base")
            if other.get(key) != recipe.get(key)
        ]
        there, here = other.get("options", {}), recipe.get("options", {})
        differs += [
            f"{key} {_cut(there.get(key))} there, {_cut(here.get(key))} here"
            for key in sorted({*there, *here})
            if there.get(key) != here.get(key)
        ]
        if differs:
            texts.append(
                f"its weights are byte for byte those of {name}, which was asked for otherwise ({'; '.join(differs[:3])}): "
                "options that change nothing, or an artifact of before"
            )
    return implausible(texts[:1])


def _cut(value: Any) -> str:
    return "the default" if value is None else str(value)[:24]


def scheme_notes(scheme: Scheme | None, given: Mapping[str, Any], declared: int) -> tuple[Note, ...]:
    """Hold what lies in the files against the recipe's options. declared: layers of which the build says itself that they stay in floats."""
    if scheme is None:
        return ()
    kinds = {
        text.rpartition(" x")[0]: int(text.rpartition(" x")[2])
        for text in scheme.text.partition(";")[0].split(" + ")
        if " x" in text
    }
    floats = {kind: count for kind, count in kinds.items() if kind.startswith(("float", "bfloat"))}
    quantized = {kind: count for kind, count in kinds.items() if kind not in floats}
    texts = []
    if quantized and sum(floats.values()) > declared and not any(part in name for name in given for part in _LEFT_OUT):
        left, whole = sum(floats.values()), sum(kinds.values())
        texts.append(
            f"{left} of {whole} multiplied weight matrices are {'/'.join(sorted(floats))} while the others are {'/'.join(sorted(quantized))}, "
            "and no option leaves any out"
        )
    bits = next((given[name] for name in _BITS if isinstance(given.get(name), int)), None)
    if (
        bits is not None
        and kinds
        and not any(
            kind.split()[0].endswith((f"int{bits}", f"fp{bits}", f"nf{bits}", f"float{bits}")) for kind in kinds
        )
    ):
        texts.append(f"{bits} bits were asked for, and the files hold {scheme.text}")
    block = next((given[name] for name in _BLOCKS if isinstance(given.get(name), int)), None)
    grain = "channel" if block == -1 else f"b{block}"
    if block is not None and quantized and not any(grain in kind.split() for kind in quantized):
        texts.append(f"blocks of {block} were asked for, and the files hold {scheme.text}")
    return implausible(texts)


def declared_floats(notes: Sequence[Note]) -> int:
    """Count the layers that a build names as left in floats, head and embedding aside."""
    texts = [note.text.partition(" stay in ")[0] for note in notes if note.code == "left-in-floats"]
    names = [name for text in texts for name in text.partition(" and ")[0].split(", ")]
    more = sum(int(text.partition(" and ")[2].split()[0]) for text in texts if " and " in text)
    return sum(not name.endswith(ENDS) for name in names) + more


def layer_notes(folder: Path, form: str, said: Mapping[str, int]) -> tuple[Note, ...]:
    """Hold the number of weight matrices that a build states against its graph's."""
    if form != "ort-genai" or not said or "onnx" not in sys.modules:
        return ()
    from harness.quantizers.folders import graph_file
    from harness.quantizers.graph_check import counts, load_graph, read_weights

    graph = graph_file(folder)
    found = counts(read_weights(load_graph(graph), graph.name))
    if found == dict(said):
        return ()
    return implausible([f"the build says that it made {_told(said)}, and its graph holds {_told(found)}"])


def _told(layers: Mapping[str, int]) -> str:
    return " + ".join(f"{count} x {kind}" for kind, count in sorted(layers.items())) or "nothing"
