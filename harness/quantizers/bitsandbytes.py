"""bitsandbytes through transformers: weights of 4 bits (NF4, FP4) or 8 (LLM.int8), saved as a checkpoint that transformers opens."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.core.bitsandbytes_versions import computes_on_cpus, needs_a_gpu
from harness.core.errors import MissingDependency
from harness.core.linear_layers import hold_layers, import_bitsandbytes
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Facts, FloatType, Quantizer
from harness.quantizers.hf_checkpoint import copy_missing, floats_note, loaded

RUNTIME = ("bitsandbytes", "accelerate")


class BitsAndBytesOptions(Options):
    """Settings of transformers' BitsAndBytesConfig by its names, and the type beside the quantized weights."""

    load_in_4bit: bool = False
    """Weights of 4 bits, multiplied in floats of `dtype`."""
    load_in_8bit: bool = False
    """Weights of 8 bits (LLM.int8), a scale per output channel; activations are rounded to 8 bits, too, with a scale per token."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "fp4"
    """4-bit type: NF4, whose 16 values are quantiles of the normal distribution, or FP4 (E2M1); a scale per block of 64 weights."""
    bnb_4bit_use_double_quant: bool = False
    """Quantize the scales of 4-bit weights, too: 8 bits in blocks of 256."""
    llm_int8_threshold: float = Field(default=6.0, ge=0)
    """Features of larger activations are multiplied in float16 (LLM.int8's decomposition); 0 multiplies all in INT8."""
    dtype: FloatType = "bfloat16"
    """Type of what is not quantized and of activations, and in which 4-bit weights are multiplied."""

    @model_validator(mode="after")
    def _one_width(self) -> BitsAndBytesOptions:
        if self.load_in_4bit == self.load_in_8bit:
            raise ValueError("exactly one of load_in_4bit and load_in_8bit is true")
        said = self.model_fields_set - {"load_in_4bit", "load_in_8bit", "dtype"}
        other = sorted(name for name in said if name.startswith("llm_int8" if self.load_in_4bit else "bnb_4bit"))
        if other:
            raise ValueError(f"{other[0]} means nothing with load_in_{4 if self.load_in_4bit else 8}bit")
        return self


def build(base: Base, options: BitsAndBytesOptions, out: Path, context: Context) -> Built:
    """Quantize a model's folder on the CPU, whatever it will run on, and save it before anything is computed with it.

    (On CPUs bitsandbytes lays weights out anew in the first pass.) Releases that do nothing on a CPU quantize on the GPU. Each linear layer but the head is held against the options.
    Raises: HarnessError naming a layer that is something else, MissingDependency where bitsandbytes is absent.
    """
    imports()
    context.progress(0.0, "quantizing")
    where: str | int = "cpu" if computes_on_cpus(importlib.metadata.version("bitsandbytes")) else 0
    named = {"quantization_config": _config(options), "device_map": {"": where}}
    model, notes = loaded(base.path, options.dtype, **named)
    layers = hold_layers(model, model.config.quantization_config.to_dict())
    context.progress(0.7, "saving")
    model.save_pretrained(out)
    copy_missing(base.path, out)
    return Built("hf", layers, (*notes, floats_note(model, options.dtype)), beside=frozenset({"llm_int8_threshold"}))


def _config(options: BitsAndBytesOptions) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if options.load_in_8bit:
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=options.llm_int8_threshold)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=options.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=options.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=getattr(torch, options.dtype),
    )


def imports() -> None:
    """Import transformers and bitsandbytes. Raises: MissingDependency where this environment lacks one."""
    try:
        import accelerate  # noqa: F401
        import transformers  # noqa: F401

        import_bitsandbytes()
    except ImportError as error:
        raise MissingDependency(
            f"quantizing needs transformers, accelerate and bitsandbytes ({error}); `harness setup --env bnb` installs them"
        ) from error


def refuse(options: BitsAndBytesOptions, facts: Facts) -> str | None:  # noqa: ARG001 - the seam asks with both
    """Name a package that an environment lacks, or a bitsandbytes that does nothing on this machine."""
    if absent := facts.wants("torch", "transformers", *RUNTIME):
        return absent
    return None if facts.gpus else needs_a_gpu(facts.packages["bitsandbytes"], f" of {facts.place}")


QUANTIZER = Quantizer(
    name="bitsandbytes",
    version=1,
    consumes=("hf",),
    produces="hf",
    options=BitsAndBytesOptions,
    packages=("torch", "transformers", "bitsandbytes"),
    build=build,
    refuse=refuse,
    imports=imports,
    runtime=RUNTIME,
)
