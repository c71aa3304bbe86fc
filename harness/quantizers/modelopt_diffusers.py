"""NVIDIA Model Optimizer on the UNet or transformer of an image pipeline: rounded while running (fake quantization), calibrated on pictures.

Speed in INT8 and FP8 needs TensorRT's kernels; what this makes tells what rounding does to the pictures.
Source: NVIDIA/Model-Optimizer, examples/diffusers/quantization, where the layers left out here are left out, too.
"""

from __future__ import annotations

import contextlib
import fnmatch
import shutil
import sys
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError, MissingDependency
from harness.core.model_record import ModelRecord
from harness.core.options import Options
from harness.core.pipelines import DENOISERS, PIPELINE, denoiser_of
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.core.simulated_pipeline import labels, save_simulated
from harness.core.spec import Note

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = (
    "a lighthouse on a rocky shore", "two children fly a kite in a park", "a bowl of oranges, oil painting", "a steam train crosses a bridge",
    "a fox in the snow at night", "an old street with a red bicycle", "mountains mirrored in a lake", "a robot waters the garden, drawing",
)  # fmt: skip
LEFT_OUT = ("*time_emb*", "*add_embedding*", "*conv_in*", "*conv_out*", "*norm_out*", "*x_embedder*", "*proj_out*")
"""Layers that stay in floats: small ones at both ends, on which pictures hang most, and those that Model Optimizer's own configurations leave out."""


class ModeloptDiffusersOptions(Options):
    """How the denoiser is quantized."""

    config: Literal["INT8_DEFAULT_CFG", "INT8_SMOOTHQUANT_CFG", "FP8_DEFAULT_CFG"] = "INT8_DEFAULT_CFG"
    """Configuration by Model Optimizer's own name; weights per channel (FP8: per tensor), activations per tensor."""
    device: Literal["cpu", "cuda"] = "cpu"
    """On which pictures are painted meanwhile."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of the denoiser while it is calibrated."""
    calib_size: int = Field(default=8, ge=1)
    """Pictures that are painted meanwhile, each with a seed of its own; texts begin anew after eight."""
    steps: int = Field(default=20, ge=1)
    """Steps of each."""
    width: int = Field(default=1024, ge=8)
    """Of each, in pixels."""
    height: int = Field(default=1024, ge=8)
    """Of each, in pixels."""
    leave_out: tuple[str, ...] = LEFT_OUT
    """Patterns of layers that stay in floats."""


def build(base: Base, options: ModeloptDiffusersOptions, out: Path, context: Context) -> Built:
    """Quantize the denoiser of a pipeline and save it with state and scales.

    Every convolution and linear layer that no pattern leaves out is held to have been quantized in weights and inputs.
    Raises: HarnessError naming a layer that is not; MissingDependency.
    """
    import torch

    context.progress(0.0, "importing modelopt")
    imports()
    from diffusers import DiffusionPipeline

    name = denoiser_of(base.path)
    with contextlib.redirect_stdout(sys.stderr):
        pipeline = DiffusionPipeline.from_pretrained(
            base.path, torch_dtype=getattr(torch, options.dtype), local_files_only=True
        )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(options.device)
    denoiser = getattr(pipeline, str(name))
    wanted = _quantizable(denoiser, options.leave_out)
    _quantize(pipeline, denoiser, options, context)
    refuse_floats(labels(denoiser), wanted, options.config)
    shutil.copytree(base.path, out, copy_function=shutil.copyfile, dirs_exist_ok=True)  # of today, as all that is built
    found = save_simulated(denoiser.to("cpu"), out)
    text = f"{name}: {len(found)} layers are rounded while running; files and seconds are those of floats"
    facts = {"calibration": {"pictures": options.calib_size, "steps": options.steps, "device": options.device}}
    return Built("diffusers", dict(Counter(found.values())), (Note(code="simulated", text=text),), facts)


def _quantizable(denoiser: Any, left_out: tuple[str, ...]) -> list[str]:
    """List the convolutions and linear layers that no pattern leaves out."""
    from torch import nn

    found = [name for name, module in denoiser.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return [name for name in found if not any(fnmatch.fnmatch(name, pattern) for pattern in left_out)]


def refuse_floats(there: dict[str, str], wanted: list[str], config: str) -> None:
    """Hold what each layer is against the configuration. Raises: HarnessError naming the first that is something else."""
    kind = "fp8" if config.startswith("FP8") else "int8"
    said = f"weights {kind}, inputs {kind}"
    for name in wanted:
        if there.get(name) != said:
            raise HarnessError(
                f"layer '{name}' should be {said}, and is {there.get(name, 'in floats')}; Model Optimizer left it so"
            )
    if more := sorted(there.keys() - set(wanted)):
        raise HarnessError(f"layer '{more[0]}' should stay in floats, and is {there[more[0]]}")


def _quantize(pipeline: Any, denoiser: Any, options: ModeloptDiffusersOptions, context: Context) -> None:
    import copy

    import modelopt.torch.quantization as mtq
    import torch

    config = copy.deepcopy(getattr(mtq, options.config))

    def forward(_: Any) -> None:
        for number in range(options.calib_size):
            context.progress(0.1 + 0.8 * number / options.calib_size, f"calibrating, picture {number + 1}")
            pipeline(
                prompt=TEXTS[number % len(TEXTS)], width=options.width, height=options.height, num_inference_steps=options.steps,
                generator=torch.Generator("cpu").manual_seed(1000 + number), output_type="latent",
            )  # fmt: skip

    with torch.no_grad(), contextlib.redirect_stdout(sys.stderr):
        mtq.quantize(denoiser, config, forward)
        kept = set(_quantizable(denoiser, options.leave_out))
        mtq.disable_quantizer(denoiser, lambda name: not _stays(name, kept))


def _stays(name: str, layers: Collection[str]) -> bool:
    """Tell the quantizers of weights and inputs of layers from those of outputs, norms and attention."""
    layer, _, part = name.rpartition(".")
    return layer in layers and part in {"weight_quantizer", "input_quantizer"}


def imports() -> None:
    """Import what a build needs. Raises: MissingDependency."""
    try:
        import diffusers  # noqa: F401
        import modelopt.torch.quantization  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"{error.name or 'diffusers'} is missing: `harness setup --env diffusers` makes an environment that has it"
        ) from error


def refuse(options: ModeloptDiffusersOptions, facts: Facts) -> str | None:
    """Say why it cannot run in an environment; no package is imported."""
    return facts.wants("diffusers", "nvidia-modelopt", "torch", "transformers", device=options.device)


def refuse_no_pipeline(record: ModelRecord) -> str | None:
    """Say that a model is no pipeline."""
    if record.model_type == PIPELINE:
        return None
    return f"it quantizes the {' or '.join(DENOISERS)} of an image pipeline (model_index.json), and the model is none"


QUANTIZER = Quantizer(
    name="modelopt-diffusers",
    version=1,
    consumes=("hf",),
    produces="diffusers",
    options=ModeloptDiffusersOptions,
    packages=("nvidia-modelopt", "diffusers", "torch", "transformers"),
    build=build,
    refuse=refuse,
    refuse_model=lambda options, facts, record: refuse_no_pipeline(record),
    calibrates_on=lambda options: str(options.device),
    imports=imports,
    runtime=("nvidia-modelopt",),
)
