"""Options of the ModelOpt-ONNX quantizer: those of its `quantize.py` for GenAI models, under their own names."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.core.options import Options
from harness.core.spec import Note
from harness.quantizers.no_effect import unused

Algo = Literal["rtn", "rtn_dq", "awq_lite", "awq_clip", "awq_full"]
Ep = Literal["cpu", "cuda", "dml", "NvTensorRtRtx"]

_CALIBRATED = frozenset({"awq_lite", "awq_clip", "awq_full"})
_PATTERNS = re.compile(r"[/a-zA-Z0-9_.\-]+(,[/a-zA-Z0-9_.\-]+)*")
DATASETS = {"reference": "reference-calibration", "cnn": "cnn_dailymail", "pilevel": "pile-val"}


class ModeloptOptions(Options):
    """What NVIDIA's `quantize.py` for GenAI models takes, but for the paths, which the harness gives itself."""

    algo: Algo
    """rtn rounds weights while running (Q and DQ nodes), rtn_dq stores them rounded; awq_* calibrate on texts."""
    block_size: int = Field(default=128, ge=-1)
    """INT4 weights that share one scale, along the inputs; -1 is one scale per output channel."""
    dataset: str = "reference"
    """Calibration texts: reference, cnn (cnn_dailymail) or pilevel (pile-val) from the hub, or a file."""
    calib_size: int = Field(default=32, ge=1, le=128)
    """Number of calibration texts."""
    batch_size: int = Field(default=1, ge=1)
    """Texts per calibration run; a last incomplete batch is left out, as the original does."""
    use_random_calib: bool = False
    """Random token ids instead of texts."""
    use_zero_point: bool = False
    """Asymmetric INT4 with a zero point for each block; awq_lite and awq_full only."""
    awqlite_alpha_step: float = Field(default=0.1, gt=0, le=1)
    """Step of the scale search, read with awqlite_run_per_subgraph only."""
    awqlite_run_per_subgraph: bool = False
    """Search one scale for all nodes that read the same input instead of one per node."""
    awqlite_disable_fuse_nodes: bool = False
    """Keep the scales as nodes of their own instead of folding them into the node before."""
    enable_fast_path_using_high_sysram: bool = False
    """Keep all layers' activations in memory: one calibration pass instead of one per layer; awq_lite and awq_full only."""
    awqclip_alpha_step: float = Field(default=0.05, gt=0, le=1)
    """Step of the search for the clipping threshold; awq_clip and awq_full only."""
    awqclip_alpha_min: float = Field(default=0.5, ge=0, lt=1)
    """Smallest share of the largest weight that is tried as threshold."""
    awqclip_bsz_col: int = Field(default=1024, ge=1)
    """Columns that are clipped at once: memory against time."""
    calibration_eps: tuple[Ep, ...] = ("cpu",)
    """Execution providers of the calibration runs; the engine's, where the recipe does not say it."""
    add_position_ids: bool = False
    """Give the calibration inputs position ids."""
    no_past_kv_inputs: bool = False
    """Leave past keys and values out of the calibration inputs."""
    use_buffer_share: bool = False
    """Past key-values of full length instead of empty ones in the calibration inputs."""
    use_fp32: bool = False
    """Of the original script; no effect here, since calibration inputs are made as the graph declares them."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Of the original script; no effect here."""
    trust_remote_code: bool = False
    """Of the original script; no effect here."""
    enable_mixed_quant: bool = False
    """INT8 for the layers of the default strategy: first and last eighth, and every third between."""
    layers_8bit: str = ""
    """Layers in INT8 by name: contiguous parts of node names, parted by commas, as layers.0,down_proj; MatMul is all."""
    gather_quantize_axis: Literal[0, 1] | None = None
    """Quantize the embedding along this axis; not at all where not said."""
    gather_block_size: int = Field(default=32, ge=1)
    """Embedding entries that share one scale."""
    use_column_major: bool = False
    """Store the weights column by column, as TensorRT-RTX reads them."""
    nodes_to_exclude: tuple[str, ...] = ("/lm_head",)
    """Regular expressions, matched at the start of node names, of what stays in floats."""

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, given: Any) -> Any:
        return {name.replace("-", "_"): value for name, value in given.items()} if isinstance(given, dict) else given

    @field_validator("calibration_eps", "nodes_to_exclude", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("layers_8bit", mode="before")
    @classmethod
    def _patterns(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        text = ",".join(str(part).strip() for part in parts or () if str(part).strip())
        if text and not _PATTERNS.fullmatch(text):
            raise ValueError("give parts of node names parted by commas, as layers.0,down_proj")
        return text

    @field_validator("nodes_to_exclude")
    @classmethod
    def _compiles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _together(self) -> ModeloptOptions:
        if self.block_size == 0:
            raise ValueError("'block_size' must be positive, or -1 for one scale per output channel")
        if not self.calibration_eps:
            raise ValueError("'calibration_eps' is empty; name an execution provider")
        if self.batch_size > self.calib_size:
            raise ValueError(f"batch_size {self.batch_size} exceeds calib_size {self.calib_size}")
        if self.awqlite_run_per_subgraph and self.mixed:
            raise ValueError("awqlite_run_per_subgraph cannot be combined with enable_mixed_quant or layers_8bit")
        if self.awqlite_run_per_subgraph and self.enable_fast_path_using_high_sysram:
            raise ValueError("awqlite_run_per_subgraph cannot be combined with enable_fast_path_using_high_sysram")
        if self.awqlite_run_per_subgraph and self.algo == "awq_full":
            raise ValueError("awqlite_run_per_subgraph cannot be combined with algo awq_full")
        return self

    @property
    def mixed(self) -> bool:
        """Whether some layers are INT8; layers_8bit switches it on, as in the original."""
        return self.enable_mixed_quant or bool(self.layers_8bit)

    @property
    def calibrated(self) -> bool:
        """Whether calibration inputs change the artifact."""
        return self.algo in _CALIBRATED

    @property
    def text(self) -> str | None:
        """Name of the calibration text; None where none is read."""
        return None if not self.calibrated or self.use_random_calib else DATASETS.get(self.dataset, self.dataset)


def without_effect(options: ModeloptOptions) -> list[Note]:
    """Note the options that were set and change nothing in nvidia-modelopt 0.47, each with the reason."""
    algo = options.algo
    notes: list[Note] = []
    names: tuple[str, ...]
    if not options.calibrated:
        names = ("dataset", "calib_size", "batch_size", "use_random_calib", "use_buffer_share")
        notes += unused(options, names, f"algo {algo} is not calibrated")
    elif options.use_random_calib:
        notes += unused(options, ("dataset",), "use_random_calib reads no text")
    if algo not in {"awq_lite", "awq_full"}:
        names = (
            "awqlite_alpha_step",
            "awqlite_run_per_subgraph",
            "awqlite_disable_fuse_nodes",
            "enable_fast_path_using_high_sysram",
        )
        notes += unused(options, names, f"algo {algo} does no AWQ scale search")
        notes += unused(options, ("use_zero_point",), f"algo {algo} quantizes symmetrically")
    elif not options.awqlite_run_per_subgraph:
        why = "the search per node always steps by 0.1; only awqlite_run_per_subgraph reads it"
        notes += unused(options, ("awqlite_alpha_step",), why)
    if algo not in {"awq_clip", "awq_full"}:
        names = ("awqclip_alpha_step", "awqclip_alpha_min", "awqclip_bsz_col")
        notes += unused(options, names, f"algo {algo} clips no weights")
    if algo == "rtn":
        notes += unused(options, ("use_column_major",), "it applies to stored weights only, and rtn keeps floats")
    if options.gather_quantize_axis is None:
        notes += unused(options, ("gather_block_size",), "gather_quantize_axis is not set")
    if options.layers_8bit and options.enable_mixed_quant:
        notes += unused(options, ("enable_mixed_quant",), "layers_8bit replaces the default strategy")
    inputs = "calibration inputs are made as the graph declares them"
    return [*notes, *unused(options, ("use_fp32", "device", "trust_remote_code"), inputs)]
