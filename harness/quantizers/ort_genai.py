"""The GenAI model builder: exports a transformers folder as an ORT-GenAI artifact, in floats or in INT4 and INT8."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, MissingDependency
from harness.core.rope import TRANSLATED, as_version_4, hold_rope
from harness.core.seam import Base, Built, Context, Facts, FloatType, Quantizer
from harness.core.spec import Note
from harness.core.weights import watched_loading, weights_unread
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.builder_repairs import repaired
from harness.quantizers.folders import read_json, stage
from harness.quantizers.no_effect import unused
from harness.quantizers.ort_genai_models import OF_PROVIDER, RUNTIMES, installed, refuse_model
from harness.quantizers.ort_genai_older import read_options, refuse_older
from harness.quantizers.ort_genai_options import OrtGenaiOptions
from harness.quantizers.ort_genai_promise import check_built, even_blocks, foretold, partial_blocks, placement
from harness.quantizers.ort_genai_rotation import _LAYER, _ROTATED, _separate_rotation, _steady_rotation

PACKAGES = (
    *RUNTIMES, "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnx", "onnx-ir", "transformers", "tokenizers",
    "torch",
)  # fmt: skip
"""Those that are installed count."""
_PAIRS: dict[str, tuple[str, ...]] = {
    "fp32": ("cpu", "cuda"),
    "fp16": ("cuda", "dml", "NvTensorRtRtx"),
    "bf16": ("cuda", "NvTensorRtRtx"),
    "int8": ("cpu", "cuda", "webgpu"),
    "int4": ("cpu", "cuda", "dml", "webgpu", "NvTensorRtRtx"),
}
_CPU_FLOATS = {
    "fp16": "ONNX Runtime's CPU kernels decode the builder's fp16 graphs wrongly or not at all; the baseline is fp32",
    "bf16": "ONNX Runtime has no CPU kernels for the builder's bf16 graphs; the baseline on CPU is fp32",
}
_FLOAT_TYPES: dict[str, FloatType] = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_WEIGHT_OPTIONS = (
    "algo_config", "matmul_mixed_precision", "block_size", "accuracy_level", "is_symmetric", "op_types_to_quantize",
    "nodes_to_exclude", "use_qdq",
)  # fmt: skip


def refuse(options: OrtGenaiOptions, facts: Facts) -> str | None:
    """Tell why the builder's graph could not be run or scored, or which package the builder lacks, or None."""
    for name in ("prune_lm_head", "exclude_lm_head", "exclude_embeds"):
        if getattr(options, name):
            return (
                f"{name}: true makes a graph that cannot be scored (logits of all positions from token ids are needed)"
            )
    if options.provider == "cpu" and options.precision in _CPU_FLOATS:
        return f"precision {options.precision} on provider cpu: {_CPU_FLOATS[options.precision]}"
    if options.provider not in _PAIRS[options.precision]:
        return (
            f"the model builder has no precision {options.precision} for provider {options.provider}; "
            f"it has it for {', '.join(_PAIRS[options.precision])}"
        )
    version = installed(facts)
    if options.precision == "int8" and options.algo_config != "default" and version.startswith("0.15."):
        return f"onnxruntime-genai {version} writes INT4 for precision int8 with algo_config {options.algo_config}"
    needed = next((name for name in RUNTIMES if name in facts.packages), OF_PROVIDER.get(options.provider, RUNTIMES[0]))
    return refuse_older(options, version) or facts.wants(needed, "torch", "transformers")


def build(base: Base, options: OrtGenaiOptions, out: Path, context: Context) -> Built:
    """Export the model folder and hold the graph's weights against the options.

    Raises: HarnessError where the folder does not suit the options or the graph is not what they promise.
    """
    check_folder(base.path, "hf")
    notes = _quantize_notes(options)
    source, staged = _loadable(base.path, context.folder / "model")
    notes += staged
    cache = context.folder / "builder-cache"
    context.progress(0.0, "importing the model builder")
    imports()
    extra, settled = _extra_options(options, _described(source))
    notes += settled
    context.progress(0.2, f"building {options.precision} for {options.provider}")
    try:
        with contextlib.redirect_stdout(Layers(sys.stderr, layers_of(base.path), context.progress)):
            notes += _run_builder(source, out, cache, options, extra, read_json(base.path / "config.json"))
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(context.folder / "model", ignore_errors=True)
    context.progress(0.9, "checking the weights")
    layers, more = check_built(out, options)
    return Built("ort-genai", layers, (*notes, *more), {"extra_options": extra})


def layers_of(model: Path) -> int:
    """Read how many layers a model's configuration names; 0 where it does not."""
    found = read_json(model / "config.json").get("num_hidden_layers")
    return found if isinstance(found, int) else 0


class Layers(io.TextIOBase):
    """Passes on what the builder prints, and tells from it which layer it reads."""

    def __init__(self, out: Any, layers: int, progress: Callable[[float, str], None]) -> None:
        self._out, self._layers, self._progress = out, layers, progress

    def write(self, text: str) -> int:
        if (found := _LAYER.search(text)) and self._layers:
            number = int(found[1])
            self._progress(0.2 + 0.5 * number / self._layers, f"reading layer {number + 1} of {self._layers}")
        elif "Saving" in text:
            self._progress(0.7, "quantizing and saving")
        self._out.write(text)
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def imports() -> None:
    """Import the model builder. Raises: MissingDependency where this environment lacks it."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            import onnxruntime_genai.models.builder  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"the GenAI model builder cannot be imported here ({error}); build in an environment with onnxruntime-genai, "
            "torch and transformers, as `harness setup` makes it"
        ) from error


def _run_builder(
    source: Path, out: Path, cache: Path, options: OrtGenaiOptions, extra: list[str], written: dict[str, Any]
) -> tuple[Note, ...]:
    """Run the builder; return what it did not read. written: config.json as the model's folder has it."""
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    folders = (str(source), str(out), options.precision, options.provider, str(cache))
    parsed, config = read_options(
        parse_extra_options, folders, [*extra, "hf_remote=false"]
    )  # a model's own code is not run
    hold_rope(written, config)
    narrow = _narrow_heads(config.to_dict())
    separate = _separate_rotation() if narrow else contextlib.nullcontext()
    with _steady_rotation(), repaired(config), separate, watched_loading() as unread:
        create_model("", *folders, **parsed)
    return weights_unread(unread, config.architectures[0])


def _quantize_notes(options: OrtGenaiOptions) -> list[Note]:
    if options.precision in {"int4", "int8"}:
        return []
    return unused(options, _WEIGHT_OPTIONS, f"precision {options.precision} quantizes nothing")


def _loadable(folder: Path, scratch: Path) -> tuple[Path, list[Note]]:
    """Give transformers 4 the files that it reads where the folder was saved by transformers 5: configuration, tokenizer."""
    if int(importlib.metadata.version("transformers").partition(".")[0]) >= 5:
        return folder, []
    replaced: dict[str, str] = {}
    notes = []
    config = read_json(folder / "config.json")
    if (translated := as_version_4(config)) != config:
        replaced["config.json"] = json.dumps(translated, indent=2)
        notes.append(TRANSLATED)
    settings = folder / "tokenizer_config.json"
    tokenizer = read_json(settings) if settings.is_file() else {}
    if tokenizer.get("tokenizer_class") == "TokenizersBackend":
        replaced[settings.name] = json.dumps({**tokenizer, "tokenizer_class": "PreTrainedTokenizerFast"}, indent=2)
        text = (
            "tokenizer_config.json names TokenizersBackend, which only transformers 5 knows; "
            "PreTrainedTokenizerFast reads the same tokenizer.json and stands in the artifact"
        )
        notes.append(Note(code="tokenizer-class", text=text))
    return (stage(folder, scratch, replaced) if replaced else folder), notes


def _described(folder: Path) -> dict[str, Any]:
    """Give a configuration with its class's defaults, as the builder sees it: what config.json leaves out counts too."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, KeyError, OSError, ImportError) as error:
        raise HarnessError(
            f"transformers cannot read the model's configuration: {' '.join(str(error).split())[:300]}"
        ) from error
    tied = bool(getattr(config, "tie_word_embeddings", False))
    return {**config.get_text_config().to_dict(), "tie_word_embeddings": tied}


def _extra_options(options: OrtGenaiOptions, config: dict[str, Any]) -> tuple[list[str], list[Note]]:
    """Write the options as the builder's KEY=VALUE, and settle what it gets wrong for models with tied embeddings."""
    if flaw := even_blocks(options, config):
        raise HarnessError(flaw)
    said = options.model_dump(exclude_defaults=True, exclude={"precision", "provider"})
    joined = {"op_types_to_quantize": "/", "nodes_to_exclude": ","}
    extra = [
        f"{name}={joined[name].join(value) if name in joined else str(value).lower() if isinstance(value, bool) else value}"
        for name, value in said.items()
    ]
    notes = partial_blocks(options, config)
    if options.provider != "dml" and _narrow_heads(config):
        extra += [] if options.disable_qkv_fusion else ["disable_qkv_fusion=true"]
        text = (
            f"ONNX Runtime's attention rotates a multiple of {_ROTATED} values of a head only; rotary embeddings are nodes of "
            "their own, and so are the projections of query, key and value"
        )
        notes.append(Note(code="rotation-outside-attention", text=text))
    flaw = _tied_flaw(options, config) if config.get("tie_word_embeddings") else None
    if not flaw:
        return extra, notes
    if options.shared_embeddings:
        raise HarnessError(f"shared_embeddings: true is not possible: {flaw}; leave it out")
    note = Note(
        code="embedding-not-shared",
        text=f"embedding and LM head are tied, but {flaw}; built with shared_embeddings=false, "
        "so that the embedding stays in floats",
    )
    return [*extra, *(["shared_embeddings=false"] if options.shared_embeddings is None else [])], [*notes, note]


def _narrow_heads(config: dict[str, Any]) -> bool:
    """Tell whether a plain configuration has heads of which the fused rotation refuses the width, or that of the part that it rotates."""
    heads, hidden = config.get("num_attention_heads"), config.get("hidden_size")
    size = config.get("head_dim") or (hidden // heads if isinstance(heads, int) and isinstance(hidden, int) else 0)
    said = {**config, **(config.get("rope_parameters") or {})}
    return bool(size % _ROTATED or int(size * (said.get("partial_rotary_factor") or 1)) % _ROTATED)


def _tied_flaw(options: OrtGenaiOptions, config: dict[str, Any]) -> str | None:
    if options.precision == "int8":
        return "the builder makes a graph for int8 whose embedding reads weights that are not in it"
    if options.precision == "int4" and (options.use_qdq or options.provider == "NvTensorRtRtx"):
        return "the builder cannot quantize a shared embedding with use_qdq"
    if options.precision == "int4" and options.algo_config == "default" and not options.is_symmetric:
        return "the builder makes a graph for is_symmetric: false whose embedding reads unquantized bytes"
    if options.precision == "int4" and options.algo_config == "default" and "last_matmul" in placement(options):
        return (
            "the builder makes a graph for last_matmul with algo_config default whose embedding reads missing weights"
        )
    if options.precision == "int4" and config.get("hidden_size", 0) % options.block_size:
        return "block_size does not divide the embedding's width"
    return None


QUANTIZER = Quantizer(
    name="ort-genai",
    version=2,
    consumes=("hf",),
    produces="ort-genai",
    options=OrtGenaiOptions,
    packages=PACKAGES,
    build=build,
    refuse=refuse,
    refuse_model=refuse_model,
    foretells=lambda options, record: foretold(options, record.config),
    provider_field="provider",
    floats=lambda options: _FLOAT_TYPES.get(options.precision),
    imports=imports,
)
