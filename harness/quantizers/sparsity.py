"""2:4 sparsity by Model Optimizer: of four weights that follow one another along the inputs, two at most are not zero."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError, MissingDependency
from harness.core.linear_layers import linear_layers
from harness.core.options import Options
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.quantizers.hf_checkpoint import copy_missing, floats_note, loaded, stored_dtype
from harness.quantizers.modelopt_calibration import token_rows
from harness.quantizers.modelopt_options import DATASETS
from harness.texts import text_files, text_refusal

if TYPE_CHECKING:
    from torch import Tensor, nn

SPARSE = "2:4 sparse"


class SparsityOptions(Options):
    """Which weights become zero."""

    mode: Literal["sparse_magnitude", "sparsegpt"] = "sparse_magnitude"
    """sparse_magnitude: the two smallest of four; sparsegpt: those whose loss the others make up for best, which are changed, too (SparseGPT)."""
    dataset: str = "reference"
    """Calibration texts of sparsegpt: reference, cnn (cnn_dailymail) or pilevel (pile-val) from the hub, or a file."""
    calib_size: int = Field(default=16, ge=1, le=1024)
    """Number of calibration texts."""

    @property
    def text(self) -> str | None:
        """Name of the calibration text; None where none is read."""
        return DATASETS.get(self.dataset, self.dataset) if self.mode == "sparsegpt" else None


def build(base: Base, options: SparsityOptions, out: Path, context: Context) -> Built:
    """Make each linear layer but the head 2:4 sparse, in floats, and hold each against that.

    Raises: HarnessError naming a layer that is not sparse, or where texts are too few; MissingDependency.
    """
    import torch

    imports()
    import modelopt.torch.sparsity as mts

    context.progress(0.0, "loading")
    model, notes = loaded(base.path, stored_dtype(base.path))
    told: dict[str, Any] = {}
    if options.text is not None:
        config = model.config.get_text_config()
        rows, more = token_rows(base.path, options, int(config.max_position_embeddings), int(config.vocab_size))
        told = {"data_loader": [torch.tensor([row]) for row in rows], "collect_func": lambda batch: batch}
        notes = [*notes, *more]
    context.progress(0.2, f"choosing zeros by {options.mode}")
    with contextlib.redirect_stdout(sys.stderr):
        model = mts.export(mts.sparsify(model, options.mode, told or None))
    counts = hold_sparse(model)
    context.progress(0.9, "saving")
    model.save_pretrained(out)
    copy_missing(base.path, out)
    return Built(
        "hf", counts, (*notes, floats_note(model, str(model.dtype).removeprefix("torch."), linear_layers(model, {})))
    )


def pattern(model: nn.Module) -> Mapping[str, Tensor]:
    """Give the masks of a 2:4 sparse model by layer: 1 where a weight is not zero; none where not every layer is sparse."""
    layers = linear_layers(model, {})
    sparse = all(_is_sparse(layer.weight) for layer in layers.values())
    return (
        {name: (layer.weight != 0).to(layer.weight.dtype) for name, layer in layers.items()}
        if sparse and layers
        else {}
    )


def _is_sparse(weight: Tensor) -> bool:
    """Whether of four weights along the inputs two at most are not zero, everywhere. weight: [out, in]."""
    if weight.shape[1] % 4:
        return False
    return bool(((weight != 0).reshape(-1, 4).sum(dim=1) <= 2).all())


def hold_sparse(model: nn.Module) -> dict[str, int]:
    """Hold each linear layer but the head against 2:4. Returns: their number. Raises: HarnessError naming the first that is not so."""
    layers = linear_layers(model, {})
    for name, layer in layers.items():
        if not _is_sparse(layer.weight):
            raise HarnessError(
                f"layer '{name}' is not 2:4 sparse: more than two of four weights along its inputs are not zero; build it again"
            )
    return {SPARSE: len(layers)}


def imports() -> None:
    """Import torch, transformers and Model Optimizer. Raises: MissingDependency where this environment lacks one."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            import modelopt.torch.sparsity  # noqa: F401
            import transformers  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"nvidia-modelopt cannot be imported here ({error}); build in an environment that has it, as `harness setup` makes it"
        ) from error


def refuse(options: SparsityOptions, facts: Facts) -> str | None:
    """Name a package or a text that an environment lacks."""
    absent = facts.wants("torch", "transformers", "nvidia-modelopt")
    return absent or (None if options.text is None else text_refusal(options.text, facts.packages))


def contents(options: SparsityOptions) -> Mapping[str, Path]:
    """List the calibration text's file; hub sets have none."""
    return {} if options.text is None else text_files(options.text)


QUANTIZER = Quantizer(
    name="modelopt-sparsity",
    version=1,
    consumes=("hf",),
    produces="hf",
    options=SparsityOptions,
    packages=("torch", "transformers", "nvidia-modelopt", "tokenizers", "datasets"),
    build=build,
    refuse=refuse,
    contents=contents,
    located=("dataset",),
    imports=imports,
)
