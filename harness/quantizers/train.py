"""Fine-tuning, quantization-aware training and training of sparse weights: N steps on records, from a model or another method's artifact."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.answered import answered_files, packed, read_answered
from harness.core.errors import HarnessError
from harness.core.identity import digest, folder_sha256
from harness.core.linear_layers import linear_layers
from harness.core.options import Options, canonical_options
from harness.core.privacy import cache_folder
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.core.simulated_folder import put_in
from harness.core.simulated_layers import hold_simulated, is_simulated, promised_layers
from harness.core.spec import Note
from harness.quantizers import modelopt_torch
from harness.quantizers.folders import read_json
from harness.quantizers.hf_checkpoint import copy_missing, loaded
from harness.quantizers.sparsity import hold_sparse, pattern
from harness.quantizers.training import TrainingPlan, forget, train

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.answered import PackedRows

_POINTS = 100
"""Losses that stay on the record."""


class TrainOptions(Options):
    """On what is trained, and how long."""

    data: str = "reference-calibration"
    """JSON lines with dialogue and summary (samsum), instruction, context and response (dolly) or prompt and answer; or a text that ships,
    whose passages' second halves are answers."""
    steps: int = Field(ge=1)
    """Steps of the optimizer, AdamW."""
    rate: float = Field(default=1e-5, gt=0)
    """Largest learning rate."""
    rows: int = Field(default=1, ge=1)
    """Rows of tokens a step."""
    window: int = Field(default=512, ge=2)
    """Tokens of a row, which records are packed into one after another."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of weights that are trained and saved; a simulated quantization keeps its own."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from zero; then it falls to zero in a line."""
    seed: int = Field(default=1, ge=0)
    """Of the order of the rows."""
    checkpoint_every: int = Field(default=20, ge=1)
    """Steps between checkpoints, which a killed build goes on from."""


def build(base: Base, options: TrainOptions, out: Path, context: Context) -> Built:
    """Train a model's folder: floats, a simulated quantization whose scales stay, or 2:4 sparse weights whose zeros stay.

    Where the base is simulated, gradients pass through the rounding, and each layer is held against its promise again.
    Raises: HarnessError where the loss is no number, or records are too few; ConfigError for a record without an answer.
    """
    context.progress(0.0, "loading")
    model, notes, layers = _opened(base.path, options.dtype)
    rows = _rows(model, base.model, options)
    masks = pattern(model) if layers is None else {}
    folder = (
        cache_folder() / "training" / digest([folder_sha256(base.path), canonical_options(options), rows.sha256])[:16]
    )
    plan = TrainingPlan(
        options.steps, options.rows, options.rate, options.warmup, options.seed, options.checkpoint_every
    )

    def tell(step: int, loss: float) -> None:
        context.progress(0.05 + 0.9 * step / options.steps, f"step {step} of {options.steps}, loss {loss:.4f}")

    curve = train(model, rows, plan, folder, {f"{name}.weight": mask for name, mask in masks.items()}, tell)
    counts = _saved(model, out, layers, base.path, masks=bool(masks))
    copy_missing(base.path, out)
    forget(folder)
    every = max(1, -(-options.steps // _POINTS))
    facts = {
        "steps": options.steps, "seed": options.seed, "records": rows.records, "rows": len(rows.ids), "resumed_at": curve.resumed,
        "loss_after": round(curve.after, 6),
        "losses": [[step + 1, round(loss, 6)] for step, loss in enumerate(curve.losses) if step % every == 0 or step + 1 == options.steps],
    }  # fmt: skip
    return Built("hf", counts, (*notes, _note(curve.losses, options)), {"training": facts})


def _opened(folder: Path, dtype: str) -> tuple[PreTrainedModel, list[Note], dict[str, str] | None]:
    """Open what is to be trained; the third is what each layer is, where the quantization is simulated."""
    said = read_json(folder / "config.json").get("quantization_config") or {}
    if not is_simulated(said):
        model, notes = loaded(folder, dtype)
        return model, notes, None
    modelopt_torch.imports()
    own = str(read_json(folder / "config.json")["dtype"])
    if own == "float16":
        raise HarnessError(
            f"{folder} computes in float16, in which small steps of training become NaN; build it with `dtype: float32` or `bfloat16`"
        )
    model, notes = loaded(folder, own, simulated=True)
    with contextlib.redirect_stdout(sys.stderr):
        put_in(model, folder, said)
    return model, notes, promised_layers(said)


def _rows(model: PreTrainedModel, folder: Path, options: TrainOptions) -> PackedRows:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = model.config.get_text_config()
    ends = config.eos_token_id
    if options.window > config.max_position_embeddings:
        raise HarnessError(
            f"window {options.window} exceeds the model's context of {config.max_position_embeddings} tokens"
        )
    return packed(
        read_answered(options.data), lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        config.bos_token_id, ends[0] if isinstance(ends, list) else ends, options.window,
    )  # fmt: skip


def _saved(
    model: PreTrainedModel, out: Path, layers: Mapping[str, str] | None, base: Path, *, masks: bool
) -> dict[str, int]:
    """Save a trained model as its base was, and hold its layers once more."""
    if layers is not None:
        said = read_json(base / "config.json")
        counts = hold_simulated(model, layers)
        modelopt_torch.save(model, out, str(said["quantization_config"]["config"]), str(said["dtype"]), layers)
        return counts
    model.save_pretrained(out)
    if masks:
        return hold_sparse(model)
    return {str(model.dtype).removeprefix("torch."): len(linear_layers(model, {}))}


def _note(losses: list[float], options: TrainOptions) -> Note:
    """Say what was trained on and how the loss went: means over the first and last tenth of the steps."""
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    text = f"trained {options.steps} steps on '{Path(options.data).name}' (seed {options.seed}): loss on answers from {first:.4f} to {last:.4f}"
    return Note(code="trained", text=text)


def refuse(options: TrainOptions, facts: Facts) -> str | None:  # noqa: ARG001 - the seam asks with both
    """Name a package that an environment lacks, or has in too old a release."""
    return facts.wants("torch", "transformers")


def _contents(options: TrainOptions) -> Mapping[str, Path]:
    return answered_files(options.data)


QUANTIZER = Quantizer(
    name="train",
    version=1,
    consumes=("hf",),
    produces="hf",
    options=TrainOptions,
    packages=("torch", "transformers", "nvidia-modelopt", "tokenizers"),
    build=build,
    refuse=refuse,
    contents=_contents,
    located=("data",),
)
