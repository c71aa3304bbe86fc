"""NVIDIA Model Optimizer in torch: weights and activations rounded while running (fake quantization), saved with the floats."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import MissingDependency
from harness.core.linear_layers import FP8_CAPABILITY, linear_layers
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.core.simulated_layers import STATE, hold_simulated, in_order, simulated_config
from harness.core.spec import JsonObject, Note
from harness.quantizers.blocks import short_blocks
from harness.quantizers.folders import read_json
from harness.quantizers.hf_checkpoint import copy_missing, floats_note, loaded
from harness.quantizers.modelopt_calibration import padded, token_rows
from harness.quantizers.modelopt_export import export, name_dtype
from harness.quantizers.modelopt_torch_options import ModeloptTorchOptions, promises, quantize_config
from harness.quantizers.no_effect import unused
from harness.texts import text_files, text_refusal

if TYPE_CHECKING:
    from transformers import PreTrainedModel

RUNTIME = ("nvidia-modelopt",)


def build(base: Base, options: ModeloptTorchOptions, out: Path, context: Context) -> Built:
    """Put quantizers into a model, calibrate them, and save floats, scales and Model Optimizer's own state.

    Each linear layer but the head is held against what the options promise of it.
    Raises: HarnessError naming a layer that is something else, or where texts are too few; MissingDependency.
    """
    context.progress(0.0, "importing modelopt")
    imports()
    model, notes = loaded(base.path, options.dtype)
    model.to(options.device)
    layers = promises(options, list(linear_layers(model, {})))
    with contextlib.redirect_stdout(sys.stderr):
        more, facts = quantized(model, base.path, options, context)
    counts = hold_simulated(model, layers)
    context.progress(0.9, "saving")
    floats = floats_note(model, options.dtype, layers)
    if options.export:
        counts, told = export(model.cpu(), out, layers)
        name_dtype(out, options.dtype)
    else:
        save(model.cpu(), out, options.config, options.dtype, layers)
        told = _note(options)
    copy_missing(base.path, out)
    return Built("hf", counts, (*notes, *more, *_without_effect(options), floats, told), facts)


def quantized(
    model: PreTrainedModel, folder: Path, options: ModeloptTorchOptions, context: Context
) -> tuple[tuple[Note, ...], JsonObject]:
    """Quantize a model in place. folder: the model's, with tokenizer.json. Returns: notes and facts."""
    import modelopt.torch.quantization as mtq
    import torch

    batches, notes, facts = _batches(model, folder, options)
    names = list(linear_layers(model, {}))
    told = quantize_config(options, getattr(mtq, options.config), names)

    def forward(inner: Any) -> None:
        for number, batch in enumerate(batches):
            context.progress(0.1 + 0.7 * number / len(batches), f"calibrating, text {number * options.batch_size}")
            inner(**{name: value.to(options.device) for name, value in batch.items()})

    with torch.no_grad():
        mtq.quantize(model, told, forward if batches else None)
    return (*notes, *_short(model, options)), facts


def _batches(
    model: Any, folder: Path, options: ModeloptTorchOptions
) -> tuple[list[dict[str, Any]], tuple[Note, ...], dict[str, Any]]:
    """Prepare the calibration inputs: the texts and token ids that modelopt-onnx takes, padded within a batch alone."""
    import torch

    if not options.calibrated:
        return [], (), {}
    config = model.config.get_text_config()
    rows, notes = token_rows(folder, options, int(config.max_position_embeddings), int(config.vocab_size))
    ends = config.eos_token_id
    filler = int((ends[0] if isinstance(ends, list) else ends) or 0)
    batches = []
    for start in range(0, len(rows), options.batch_size):
        ids, mask = padded(rows[start : start + options.batch_size], filler)
        batches.append({"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)})
    tokens, places = sum(map(len, rows)), sum(batch["input_ids"].numel() for batch in batches)
    facts = {"texts": len(rows), "tokens": tokens, "longest": max(map(len, rows)), "batches": len(batches),
             "padding": round(1 - tokens / places, 6), "device": options.device}  # fmt: skip
    return batches, notes, {"calibration": facts}


def save(model: PreTrainedModel, out: Path, config: str, dtype: str, layers: Mapping[str, str]) -> None:
    """Save floats with the scales beside them, what each layer is, and the state that Model Optimizer restores quantizers from.

    `modelopt.torch.opt.enable_huggingface_checkpointing` opens the folder, too. Names within the state are sorted, since
    Model Optimizer writes them in another order each time.
    """
    import modelopt.torch.opt as mto
    import torch

    model.save_pretrained(out)
    torch.save(in_order(mto.modelopt_state(model)), out / STATE)
    written = read_json(out / "config.json")
    written.pop("torch_dtype", None)
    said = {"dtype": dtype, "quantization_config": simulated_config(config, layers)}
    text = json.dumps({**written, **said}, indent=2, sort_keys=True)
    (out / "config.json").write_text(f"{text}\n", "utf-8")


def _short(model: Any, options: ModeloptTorchOptions) -> Iterator[Note]:
    if "int4" in options.preset.weights:
        config = model.config.get_text_config().to_dict()
        yield from (Note(code="partial-blocks", text=text) for text in short_blocks(options.block, config))


def _without_effect(options: ModeloptTorchOptions) -> Sequence[Note]:
    if not options.calibrated:
        names = ("dataset", "calib_size", "batch_size", "use_random_calib")
        return unused(options, names, "weights alone are rounded, by their largest numbers: no text is read")
    return unused(options, ("dataset",), "use_random_calib reads no text") if options.use_random_calib else ()


def _note(options: ModeloptTorchOptions) -> Note:
    text = (
        f"simulated: weights are stored as {options.dtype} and rounded while running; "
        "sizes, memory and speed are not those of quantized weights"
    )
    return Note(code="simulated", text=text)


def imports() -> None:
    """Import torch, transformers and Model Optimizer. Raises: MissingDependency where this environment lacks one."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            import modelopt.torch.quantization  # noqa: F401
            import transformers  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"nvidia-modelopt cannot be imported here ({error}); build in an environment that has it, as `harness setup` makes it"
        ) from error


def refuse(options: ModeloptTorchOptions, facts: Facts) -> str | None:
    """Say why these options cannot be met in an environment: a package, a GPU, or a text is not there."""
    if absent := facts.wants("torch", "transformers", *RUNTIME, device=options.device):
        return absent
    if options.preset.cuda and options.device == "cpu":
        return f"{options.config} is computed by CUDA kernels alone; take the engine's device cuda, on a machine with an NVIDIA GPU"
    return None if options.text is None else text_refusal(options.text, facts.packages)


def contents(options: ModeloptTorchOptions) -> Mapping[str, Path]:
    """List the calibration text's file; hub sets have none."""
    return {} if options.text is None else text_files(options.text)


QUANTIZER = Quantizer(
    name="modelopt-torch",
    version=1,
    consumes=("hf",),
    produces="hf",
    options=ModeloptTorchOptions,
    packages=("torch", "transformers", "nvidia-modelopt", "tokenizers", "datasets"),
    build=build,
    foretells=lambda options, record: (
        short_blocks(options.block, record.config) if "int4" in options.preset.weights else ()
    ),
    refuse=refuse,
    contents=contents,
    located=("dataset",),
    provider_field="device",
    calibrates_on=lambda options: str(options.device),
    imports=imports,
    runtime=RUNTIME,
    capability=lambda options: FP8_CAPABILITY if options.export and options.preset.inputs.startswith("fp8") else None,
)
