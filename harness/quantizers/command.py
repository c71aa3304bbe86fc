"""A quantizer that is a command line: a script that is not released yet, or a fork, becomes a method as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from pydantic import Field, field_validator

from harness import programs
from harness.core.errors import HarnessError
from harness.core.folder_formats import Format
from harness.core.linear_layers import FP8_CAPABILITY
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Quantizer
from harness.quantizers import graph_check
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.folders import graph_file

PACKAGES = (
    "accelerate", "auto-round", "autoawq", "bitsandbytes", "compressed-tensors", "gptqmodel", "llmcompressor", "numpy",
    "nvidia-modelopt", "olive-ai", "onnx", "onnxruntime", "onnxruntime-directml", "onnxruntime-genai", "onnxruntime-genai-cuda",
    "onnxruntime-genai-directml", "onnxruntime-gpu", "optimum", "safetensors", "tokenizers", "torch", "torchao", "transformers",
)  # fmt: skip
"""What a script may stand on: nobody can know, so all that quantizes or converts counts where it is installed."""
_PLACES = ("{base}", "{out}", "{model}")
_FP8 = re.compile(r"fp8|w4a8")
_MAIN = {"hf": "config.json", "ort-genai": "genai_config.json"}


class CommandOptions(Options):
    """A command line and what it reads."""

    run: str
    """Words of a command, quoted as in a shell but run without one: `python my_quantize.py --in {base} --out {out}`.

    {base} is the folder it starts from, {out} the empty folder to fill, {model} the model's own folder; a first word
    `python` is the interpreter of the build's environment, another program is looked for beside that first. It runs in the
    workspace's folder.
    """
    consumes: Format | None = None
    """Format that the base must have, as `hf` or `ort-genai`; any where not said."""
    produces: Format = "ort-genai"
    """Format that the command leaves in {out}: `hf`, `ort-genai`, `files`, or another that an engine opens."""
    files: tuple[str, ...] = ()
    """Further files whose content can change the artifact; files named in `run` count by themselves."""
    variables: tuple[str, ...] = ()
    """Environment variables that it is given besides those that systems and libraries need, as `HF_TOKEN`."""
    capability: float | None = Field(default=None, ge=1)
    """Compute capability from which on a CUDA device multiplies what the command makes, as 8.9 for FP8; where it is not said, that of Model Optimizer's
    `--qformat`."""

    @field_validator("run")
    @classmethod
    def _fills_out(cls, value: str) -> str:
        return programs.checked(value, _PLACES, "{out}")


def contents(options: CommandOptions) -> Mapping[str, Path]:
    """List the files whose content goes into the key: those named in the command, and `files`.

    Raises: HarnessError where one of `files`, a script or a program that is named by its path is not there.
    """
    return programs.files_of(options.run, options.files, _PLACES, "quantizer")


def build(base: Base, options: CommandOptions, out: Path, context: Context) -> Built:
    """Run the command and check that what it left is a complete artifact; its weights are counted, not judged.

    What the command prints goes to the run's log. Raises: HarnessError with its last line where it fails.
    """
    if options.consumes and base.format != options.consumes:
        raise HarnessError(f"the command consumes {options.consumes}, but its base {base.path} is {base.format}")
    places = dict(zip(_PLACES, (base.path, out, base.model), strict=True))
    notes = programs.run(options.run, places, context.folder / programs.LOG, options.variables)
    wanted = _MAIN.get(options.produces)
    if wanted and not (out / wanted).is_file():
        raise HarnessError(f"the command wrote no {wanted} into {out}; let it fill the folder that {{out}} names")
    if not any(out.iterdir()):
        raise HarnessError(f"the command wrote nothing into {out}; let it fill the folder that {{out}} names")
    check_folder(out, options.produces)
    if options.produces != "ort-genai":
        return Built(options.produces, notes=notes)
    graph = graph_file(out)
    layers = graph_check.counts(graph_check.read_weights(graph_check.load_graph(graph), graph.name))
    return Built("ort-genai", layers, notes=notes)


def capability(options: CommandOptions) -> tuple[int, int] | None:
    """Give the compute capability that a recipe says, or that of FP8 where `--qformat` asks for a format whose activations are FP8, too; else None.

    Source: Model-Optimizer, examples/llm_ptq/hf_ptq.py: fp8, fp8_pc_pt, w4a8_awq and others; those that end in `_wo` round weights only.
    """
    if options.capability is not None:
        major, minor = divmod(round(10 * options.capability), 10)
        return major, minor
    line = [part for word in programs.words(options.run) for part in word.split("=", 1)]
    asked = [name for before, after in pairwise(line) if before == "--qformat" for name in after.split(",")]
    return FP8_CAPABILITY if any(_FP8.search(name) and not name.endswith("_wo") for name in asked) else None


QUANTIZER = Quantizer(
    name="command",
    version=1,
    consumes=("hf", "ort-genai", "files"),
    produces="ort-genai",
    options=CommandOptions,
    packages=PACKAGES,
    build=build,
    refuse=lambda options, facts: programs.refusal(options.run, _PLACES, facts),
    contents=contents,
    consumes_field="consumes",
    produces_field="produces",
    capability=capability,
)
