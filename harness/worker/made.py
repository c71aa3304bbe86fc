"""Whether what a build hands back can be what was asked for: new, of these options, rounded as the recipe says.

No quantizer is known here; what is found is a note `implausible` on the build.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.files import stamp_of, stamps_beside, write_stamp
from harness.core.outcome import Artifact, Scheme
from harness.core.spec import BuildSpec, Job, Note
from harness.probes.trace_check import implausible

if TYPE_CHECKING:
    from harness.core.seam import Built

_BITS = ("bits", "num_bits", "w_bits", "weight_bits")
_BLOCKS = ("block_size", "group_size")
_LEFT_OUT = ("exclude", "skip", "keep", "op_types")
"""Parts of the names of options that leave layers in floats."""
ENDS = ("lm_head.weight", "embed_out.weight", "output.weight", "embed_tokens.weight", "wte.weight", "embed_in.weight")


def made_notes(
    job: Job, artifact: Artifact, folder: Path, built: Built, empty: float, weights: str | None
) -> tuple[Note, ...]:
    """Say what cannot be so about what a build made. empty: modification time of the folder before it; weights: hash of its weights."""
    assert isinstance(job.spec, BuildSpec)
    whole, alike = dict[str, BuildSpec](), dict[str, BuildSpec]()
    for name, noted in stamps_beside(Path(str(job.out))).items():
        if noted.content == artifact.content or (weights is not None and noted.weights == weights):
            with suppress(ValueError):  # of a stamp without a recipe, or of another version
                among = whole if noted.content == artifact.content else alike
                among[name] = BuildSpec.model_validate(noted.recipe)
    return (
        *old_notes(folder, empty),
        *same_notes(job.spec, whole),
        *same_notes(job.spec, alike, built.beside),
        *scheme_notes(
            artifact.scheme or layers_scheme(folder, built.layers),
            job.spec.options,
            declared=declared_floats(built.notes),
        ),
        *layer_notes(folder, built.format, built.layers),
    )


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


def same_notes(
    recipe: BuildSpec, others: Mapping[str, BuildSpec], beside: Container[str] = frozenset()
) -> tuple[Note, ...]:
    """Say that the same weights were made from other inputs or with other options.

    recipe: what was asked for now; others: what was asked for where artifacts have equal weights, by the artifact's name;
    beside: options that lie beside the weights, and change other files.
    """
    texts = []
    for name, other in sorted(others.items()):
        pairs = [("model", other.model, recipe.model), ("base", other.base, recipe.base)]
        pairs += [
            (key, other.options.get(key), recipe.options.get(key))
            for key in sorted({*other.options, *recipe.options})
            if key not in beside
        ]
        differs = [f"{key} {_cut(there)} there, {_cut(here)} here" for key, there, here in pairs if there != here]
        if differs and other.quantizer == recipe.quantizer:
            texts.append(
                f"its weights are byte for byte those of {name}, which was asked for otherwise ({'; '.join(differs[:3])}): "
                "options that change nothing, or an artifact of before"
            )
    return implausible(texts[:1])


def _cut(value: object) -> str:
    return "the default" if value is None else str(value)[:24]


def scheme_notes(scheme: Scheme | None, given: Mapping[str, object], declared: int) -> tuple[Note, ...]:
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


def layers_scheme(folder: Path, said: Mapping[str, int]) -> Scheme | None:
    """Write a scheme from what a build says of its layers, or from arrays in a folder whose format nobody else reads."""
    kinds = dict(said) or Counter(kind for path in sorted(folder.glob("*.npz")) for kind in _array_kinds(path))
    return Scheme(text=" + ".join(f"{kind} x{count}" for kind, count in sorted(kinds.items()))) if kinds else None


def _array_kinds(path: Path) -> Iterator[str]:
    """Yield the types of the matrices in a file of arrays; embeddings and heads stay in floats rightly."""
    import numpy as np

    with np.load(path) as arrays:
        for name in arrays.files:
            if arrays[name].ndim == 2 and not any(part in name for part in ("embed", "head", "wte", "scale", "zero")):
                yield str(arrays[name].dtype)


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


def alike_notes(folder: Path, engine: str, scores: str) -> tuple[Note, ...]:
    """Say that another artifact, of other weights, scores to the last bit as this one; keep what this one scores beside it.

    engine: hash of engine and options; scores: hash of some log-probabilities.
    """
    own = stamp_of(folder)
    if own is None or own.weights is None:
        return ()
    texts = [
        f"it scores to the last bit as {name}, whose weights are others: the engine did not read this artifact"
        for name, other in sorted(stamps_beside(folder).items())
        if other.scores.get(engine) == scores
        and other.weights != own.weights
        and (other.scheme != own.scheme or other.scheme is None)
    ]
    write_stamp(folder, replace(own, scores={**own.scores, engine: scores}))
    return implausible(texts[:1])
