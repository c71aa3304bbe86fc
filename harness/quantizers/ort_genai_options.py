"""Options of the GenAI model builder, under its own names, checked while planning."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from harness.core.options import Options

Precision = Literal["fp32", "fp16", "bf16", "int8", "int4"]
Provider = Literal["cpu", "cuda", "dml", "webgpu", "NvTensorRtRtx"]
Algorithm = Literal["default", "rtn", "k_quant", "rtn_last", "k_quant_last", "k_quant_mixed", "k_quant_linear"]

_SELECTORS = ("last_matmul", "mixed_layers", "linear_attn")


class OrtGenaiOptions(Options):
    """The builder's own options under its own names (onnxruntime_genai.models.builder, 0.15.2)."""

    precision: Precision
    """Type of the weights that are multiplied; int4 and int8 quantize them."""
    provider: Provider = "cpu"
    """Execution provider that the graph is made for; the engine's, where the recipe does not say it."""
    algo_config: Algorithm = "default"
    """How weights are rounded; `*_last`, `*_mixed` and `*_linear` keep some layers in INT8."""
    matmul_mixed_precision: str | None = None
    """Pairs `selector:type` parted by commas: last_matmul, mixed_layers or linear_attn, and int4 or int8."""
    block_size: Literal[16, 32, 64, 128, 256] = 32
    """Weights that share one scale."""
    accuracy_level: Literal[0, 1, 2, 3, 4] | None = None
    """Type in which products are computed: 1 fp32, 2 fp16, 3 bf16, 4 int8; the builder takes 4 on CPU, 0 elsewhere."""
    is_symmetric: bool = True
    """No zero points; false gives each block one."""
    op_types_to_quantize: tuple[str, ...] = ()
    """Operators whose weights are quantized; the builder's own choice where empty."""
    nodes_to_exclude: tuple[str, ...] = ()
    """Names of nodes that stay in floats, as /lm_head/MatMul."""
    use_qdq: bool = False
    """DequantizeLinear and MatMul where it would be one MatMulNBits."""
    shared_embeddings: bool | None = None
    """One matrix for embedding and LM head; the model's own choice where not said."""
    disable_qkv_fusion: bool = False
    """Projections of query, key and value as three products instead of one."""
    fuse_qk_norm_gqa: bool = True
    """Normalization of query and key inside the attention operator, where the model has it."""
    enable_cuda_graph: bool = False
    """Capture the decoding step as a CUDA graph."""
    enable_dml_graph: bool | None = None
    """Capture the decoding step for DirectML; the builder's own choice where not said."""
    use_cuda_bf16: bool = False
    """bfloat16 for what INT4 and INT8 leave in floats on CUDA."""
    include_hidden_states: bool = False
    """The last hidden states as another output of the graph."""
    prune_lm_head: bool = False
    """Refused when true: scoring needs the logits of all positions."""
    exclude_lm_head: bool = False
    """Refused when true: without logits nothing can be measured."""
    exclude_embeds: bool = False
    """Refused when true: the engines feed token ids."""

    @field_validator("op_types_to_quantize", "nodes_to_exclude", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("matmul_mixed_precision")
    @classmethod
    def _placed(cls, value: str | None) -> str | None:
        for pair in (value or "").split(",") if value else ():
            selector, _, kind = pair.partition(":")
            if selector.strip() not in _SELECTORS or kind.strip() not in {"int4", "int8"}:
                raise ValueError(f"'{pair}' is not selector:type with {', '.join(_SELECTORS)} and int4 or int8")
        return value

    @model_validator(mode="after")
    def _together(self) -> OrtGenaiOptions:
        if self.precision == "int8" and self.use_qdq:
            raise ValueError("the builder has no use_qdq for precision int8")
        return self
