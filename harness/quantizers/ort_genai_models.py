"""Which models the GenAI builder can export, known from a model's configuration before anything is built."""

from __future__ import annotations

from harness.core.model_flaws import unknown_code
from harness.core.model_record import ModelRecord
from harness.core.seam import Facts
from harness.quantizers.ort_genai_options import OrtGenaiOptions
from harness.quantizers.ort_genai_promise import even_blocks

RUNTIMES = ("onnxruntime-genai", "onnxruntime-genai-cuda", "onnxruntime-genai-directml")
"""Distributions that hold the builder; an environment has one of them."""
OF_PROVIDER = {"cuda": "onnxruntime-genai-cuda", "dml": "onnxruntime-genai-directml"}
_IN_0_15 = frozenset({
    "ChatGLMForConditionalGeneration", "ChatGLMModel", "Ernie4_5ForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM",
    "Gemma3ForConditionalGeneration", "GemmaForCausalLM", "GptOssForCausalLM", "GraniteForCausalLM",
    "HunYuanDenseV1ForCausalLM", "InternLM2ForCausalLM", "Lfm2ForCausalLM", "LlamaForCausalLM",
    "Mistral3ForConditionalGeneration", "MistralForCausalLM", "NemotronForCausalLM", "OlmoForCausalLM", "Phi3ForCausalLM",
    "Phi3SmallForCausalLM", "Phi3VForCausalLM", "Phi4MMForCausalLM", "PhiForCausalLM", "PhiMoEForCausalLM",
    "Qwen2ForCausalLM", "Qwen2_5_VLForConditionalGeneration", "Qwen3ForCausalLM", "Qwen3VLForConditionalGeneration",
    "Qwen3_5ForConditionalGeneration", "Qwen3_5MoeForConditionalGeneration", "SmolLM3ForCausalLM",
    "VideoChatFlashQwenForCausalLM", "WhisperForConditionalGeneration",
})  # fmt: skip
ARCHITECTURES = {
    "0.15": _IN_0_15,
    "0.18": _IN_0_15 | {
        "Gemma4ForConditionalGeneration", "Gemma4UnifiedForConditionalGeneration", "GraniteMoeHybridForCausalLM",
        "Lfm2AudioForConditionalGeneration", "Lfm2MoeForCausalLM", "Lfm2VlForConditionalGeneration",
    },
}  # fmt: skip
"""Names that builder.py compares `architectures[0]` with, by version; a version that is not here is asked when it builds."""
_MULTIPLE = 8
"""ONNX Runtime's GroupQueryAttention takes heads of a multiple of this size (group_query_attention_helper.h)."""
_PLAIN_ATTENTION = {("cuda", "fp32")}
"""Provider and precision for which the builder takes another attention."""
_ROPE = frozenset({"default", "linear", "dynamic", "yarn", "llama3", "longrope", "by layer", "mrope", "proportional"})
OTHERWISE = "engine transformers can"


def installed(facts: Facts) -> str:
    """Give the version of the builder in an environment; empty where there is none."""
    return next((facts.packages[name] for name in RUNTIMES if name in facts.packages), "")


def refuse_model(options: OrtGenaiOptions, facts: Facts, record: ModelRecord) -> str | None:
    """Tell why this model cannot be exported with these options, or None."""
    return (
        unknown_code(record, facts.packages.get("transformers", ""), facts.interpreter)
        or _architecture(record, installed(facts))
        or _stops(record, facts)
        or _rope(record, installed(facts))
        or _heads(options, record)
        or even_blocks(options, record.config)
    )


def _architecture(record: ModelRecord, version: str) -> str | None:
    name = record.architecture
    if name is None:
        return (
            "config.json names no architecture, by which the model builder goes: add "
            f'"architectures": ["{_likely(record)}"] to it; {OTHERWISE}'
        )
    known = ARCHITECTURES.get(".".join(version.split(".")[:2]))
    if known is not None and name and name not in known:
        return f"onnxruntime-genai {version} cannot export {name}; {OTHERWISE}"
    return None


def _stops(record: ModelRecord, facts: Facts) -> str | None:
    """Tell why the builder of 0.15 stops at an architecture that it names, after minutes and with a puzzle."""
    version = installed(facts)
    plain = record.rope.kind != "yarn" or "beta_fast" not in record.rope.settings
    old = facts.packages.get("transformers", "").startswith("4.")
    why = {
        "SmolLM3ForCausalLM": "its builder stops at layers without rotary embeddings",
        "Lfm2ForCausalLM": "its builder reads configurations of transformers 5 only" if old else "",
        "GptOssForCausalLM": "its builder takes rotary embeddings of kind yarn with beta_fast only" if plain else "",
    }.get(record.architecture or "", "")  # fmt: skip
    if not why or not version.startswith("0.15."):
        return None
    return f"onnxruntime-genai {version} cannot export {record.architecture}: {why}; {OTHERWISE}"


def _likely(record: ModelRecord) -> str:
    """Spell an architecture as transformers does for most model types."""
    return f"{''.join(part.capitalize() for part in record.model_type.split('_')) or 'Llama'}ForCausalLM"


def _rope(record: ModelRecord, version: str) -> str | None:
    kind = record.rope.kind
    if kind == "longrope" and record.border is not None and not (record.architecture or "Phi").startswith("Phi"):
        return (
            f"onnxruntime-genai {version} exports longrope of Phi models only, and ignores it for {record.architecture}; "
            f"{OTHERWISE}"
        )
    if kind not in _ROPE:
        return f"onnxruntime-genai {version} does not know rotary embeddings of kind {kind}; {OTHERWISE}"
    return None


def _heads(options: OrtGenaiOptions, record: ModelRecord) -> str | None:
    size = record.head_size
    if not size or not size % _MULTIPLE or (options.provider, options.precision) in _PLAIN_ATTENTION:
        return None
    return f"head size {size}; ONNX Runtime's attention needs a multiple of {_MULTIPLE}; {OTHERWISE}"
