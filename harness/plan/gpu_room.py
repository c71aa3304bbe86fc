"""Whether an artifact's weights are more than a GPU holds, or of a type that it cannot multiply: told while planning, before anything is loaded."""

from __future__ import annotations

from harness.core.seam import Facts
from harness.core.sizes import size_text
from harness.plan.adapters import OWN
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.sizes import BYTES, of_config
from harness.plan.sweep import EngineChoice

_LEAST = 0.5
"""Bytes of a weight, below which no method here stores them: fewer bits are simulated in floats."""


def too_small(made: ArtifactRef, engine: EngineChoice, facts: Facts) -> str | None:
    """Say that a GPU cannot hold an artifact's weights, with both sizes; None where it may, or nobody knows.

    Weights are reckoned as parameters times bytes of their float type; of quantized ones 4 bits each, which is the least.
    What cache, activations and libraries take is left out, so that whatever is refused could not have run.
    """
    parameters = _parameters(made)
    if engine.provider == "cpu" or not facts.gpus or facts.gpu_bytes is None or not parameters:
        return None
    floats = engine.adapter.floats(engine.record) if made.recipe in OWN else made.float_type
    need = int(parameters * (BYTES[floats] if floats else _LEAST))
    count = int(getattr(engine.record, "gpus", 1))
    if need <= facts.gpu_bytes * count:
        return None
    kind = f"in {floats}" if floats else "in 4 bits, the least that a method has"
    where = f"{count} GPUs have" if count > 1 else "the GPU has"
    return (
        f"its weights alone take {size_text(need)} {kind}, and {where} {size_text(facts.gpu_bytes * count)}: "
        "take a method of fewer bits, a smaller model or another GPU"
    )


def too_old(made: ArtifactRef, engine: EngineChoice, facts: Facts) -> str | None:
    """Say that a GPU cannot multiply an artifact's weights, with both compute capabilities; None where it can, or nobody knows."""
    if engine.provider == "cpu" or made.capability is None or facts.compute is None or facts.compute >= made.capability:
        return None
    need, there = (".".join(map(str, one)) for one in (made.capability, facts.compute))
    return (
        f"method '{made.method}' is multiplied in a type that GPUs have from compute capability {need} on, and {facts.compute_gpu or facts.gpus[0]} has {there}: "
        "take a method without it, as fp8_weights for fp8, or another GPU"
    )


def _parameters(made: ArtifactRef) -> int:
    """Count a model's parameters: by its files and by its configuration the smaller, since a folder may hold its weights twice; 0 where nobody knows."""
    by_config = of_config(made.record.config, "").parameters if made.record else 0
    return min((count for count in (made.parameters or 0, by_config) if count), default=0)
