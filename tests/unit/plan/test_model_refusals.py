"""What is known of a model before anything is built, from its JSON files and headers alone."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from harness.core.model_flaws import flaw
from harness.core.model_record import HEAD_SIZES, read_record, read_tensors, record_of
from harness.core.seam import Facts
from harness.core.sessions import Reach
from harness.core.spec import MeasureSpec
from harness.engines import ort_genai as genai_engine
from harness.engines import transformers as torch_engine
from harness.plan.adapters import shipped
from harness.plan.catalogue import load_catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from harness.quantizers import ort_genai_models
from harness.quantizers.ort_genai_options import OrtGenaiOptions

FACTS = Facts({"onnxruntime-genai": "0.15.2", "onnxruntime": "1", "torch": "2.13.0", "transformers": "4.57.6"}, "Linux")
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
    "num_attention_heads": 4, "num_hidden_layers": 2, "max_position_embeddings": 512, "vocab_size": 300,
}  # fmt: skip
FP32 = OrtGenaiOptions(precision="fp32")
LONG = {
    **LLAMA, "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "original_max_position_embeddings": 300,
    "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8},
}  # fmt: skip


def folder_with(folder: Path, config: dict[str, Any], tensors: dict[str, tuple[str, list[int]]] | None = None) -> Path:
    """Write a folder with a configuration, a tokenizer of two tokens, and a safetensors file of zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"F32": 4, "F16": 2, "I32": 4}
    header, at = {}, 0
    for name, (kind, shape) in (tensors or {"model.embed_tokens.weight": ("F32", [300, 4])}).items():
        size = sizes[kind]
        for each in shape:
            size *= each
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text(
        json.dumps({"added_tokens": [{"id": 0, "content": "<s>"}]}), encoding="utf-8"
    )
    return folder


def test_the_architectures_known_are_those_that_the_installed_builder_names() -> None:
    import importlib.metadata
    import importlib.util

    spec = importlib.util.find_spec("onnxruntime_genai")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "models" / "builder.py").read_text(encoding="utf-8")
    named = set(re.findall(r'architectures\[0\]\s*==\s*"(\w+)"', text))
    version = ".".join(importlib.metadata.version("onnxruntime-genai").split(".")[:2])
    assert named == ort_genai_models.ARCHITECTURES[version]


@pytest.mark.parametrize(("changes", "says"), [
    ({}, None),
    ({"architectures": ["GPTNeoForCausalLM"]}, "onnxruntime-genai 0.15.2 cannot export GPTNeoForCausalLM; engine transformers can"),
    ({"architectures": None}, 'add "architectures": ["LlamaForCausalLM"] to it'),
    ({"architectures": ["SmolLM3ForCausalLM"]}, "stops at layers without rotary embeddings"),
    ({"architectures": ["Lfm2ForCausalLM"]}, "reads configurations of transformers 5 only; engine transformers can"),
    ({"architectures": ["GptOssForCausalLM"]}, "takes rotary embeddings of kind yarn with beta_fast only"),
    ({"architectures": ["GptOssForCausalLM"], "rope_scaling": {"rope_type": "yarn", "factor": 2.0, "beta_fast": 32.0}}, None),
    ({"head_dim": 20}, "head size 20; ONNX Runtime's attention needs a multiple of 8; engine transformers can"),
    ({"head_dim": None, "hidden_size": 80}, "head size 20"),
    ({"head_dim": 24}, None),
    ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, None),
    ({"rope_scaling": {"rope_type": "spiral", "factor": 2.0}}, "rotary embeddings of kind spiral"),
    ({"rope_scaling": {"rope_type": "longrope", "factor": 2.0}, "original_max_position_embeddings": 100},
     "ignores it for LlamaForCausalLM"),
    ({"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}, None),
])  # fmt: skip
def test_a_model_that_the_builder_cannot_export_is_refused_with_what_would_do(
    changes: dict[str, Any], says: str | None
) -> None:
    found = ort_genai_models.refuse_model(FP32, FACTS, record_of({**LLAMA, **changes}))
    assert found == says if says is None else says in str(found)


def test_blocks_that_an_algorithm_cannot_pack_are_refused_in_the_plan() -> None:
    options = OrtGenaiOptions(precision="int4", algo_config="k_quant", block_size=64)
    assert "even number of blocks" in str(ort_genai_models.refuse_model(options, FACTS, record_of(LLAMA)))
    wide = record_of({**LLAMA, "hidden_size": 128, "intermediate_size": 256})
    assert ort_genai_models.refuse_model(options, FACTS, wide) is None


def test_plain_heads_of_any_size_are_no_matter_where_the_builder_takes_another_attention() -> None:
    cuda = OrtGenaiOptions(precision="fp32", provider="cuda")
    assert ort_genai_models.refuse_model(cuda, FACTS, record_of({**LLAMA, "head_dim": 20})) is None


def test_fused_attention_is_refused_where_the_model_caps_or_has_sinks() -> None:
    sdpa = torch_engine.TransformersOptions(attention="sdpa")
    capped = record_of({**LLAMA, "attn_logit_softcapping": 50.0})
    assert "say `attention: eager`" in str(torch_engine.refuse_model(sdpa, FACTS, capped))
    assert "has attention sinks" in str(torch_engine.refuse_model(sdpa, FACTS, record_of({"model_type": "gpt_oss"})))
    assert torch_engine.refuse_model(torch_engine.TransformersOptions(), FACTS, capped) is None
    assert torch_engine.refuse_model(sdpa, FACTS, record_of(LLAMA)) is None


def test_a_configuration_that_transformers_4_cannot_hold_is_refused_by_its_key() -> None:
    by_layer = {"full_attention": {"rope_theta": 1.0}, "sliding_attention": {"rope_theta": 2.0}}
    record = record_of({**LLAMA, "rope_parameters": by_layer})
    assert "rope_parameters in config.json differ by the type of layer" in str(
        torch_engine.refuse_model(torch_engine.TransformersOptions(), FACTS, record)
    )
    newer = Facts({**FACTS.packages, "transformers": "5.3.0"}, "Linux")
    assert torch_engine.refuse_model(torch_engine.TransformersOptions(), newer, record) is None


def test_code_that_comes_with_a_model_is_not_run() -> None:
    import importlib.metadata

    facts = Facts({**FACTS.packages, "transformers": importlib.metadata.version("transformers")}, "Linux")
    own = record_of({**LLAMA, "model_type": "ours", "auto_map": {"AutoConfig": "a.B"}})
    options = torch_engine.TransformersOptions()
    assert "no model type 'ours'" in str(torch_engine.refuse_model(options, facts, own))
    known = record_of({**LLAMA, "auto_map": {"AutoConfig": "a.B"}})
    assert torch_engine.refuse_model(options, facts, known) is None


def test_code_that_comes_with_a_model_is_refused_by_what_transformers_of_its_environment_knows(tmp_path: Path) -> None:
    """Its model types are read beside its interpreter; of a version that is nowhere, those of the one that is here count."""
    python = tmp_path / "bin" / "python"
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    auto = site / "transformers" / "models" / "auto"
    auto.mkdir(parents=True)
    (site / "transformers-9.9.0.dist-info").mkdir()
    (auto / "configuration_auto.py").write_text('NAMES = dict([\n    ("ours", "OursConfig"),\n])\n', "utf-8")
    options = torch_engine.TransformersOptions()
    own = record_of({**LLAMA, "model_type": "ours", "auto_map": {"AutoConfig": "a.B"}})
    known = record_of({**LLAMA, "auto_map": {"AutoConfig": "a.B"}})
    newer = Facts({**FACTS.packages, "transformers": "9.9.0"}, "Linux", interpreter=python)
    assert torch_engine.refuse_model(options, newer, own) is None
    assert "9.9.0 has no model type 'llama'" in str(torch_engine.refuse_model(options, newer, known))
    nowhere = Facts({**FACTS.packages, "transformers": "9.8.0"}, "Linux", interpreter=python)
    assert "no model type 'ours'" in str(torch_engine.refuse_model(options, nowhere, own))
    assert torch_engine.refuse_model(options, nowhere, known) is None


@pytest.mark.parametrize(("reach", "crosses"), [
    (Reach(300, 200), False), (Reach(301, 200), False), (Reach(302, 200), True), (Reach(500, 301), False),
    (Reach(500, 300), True), (Reach(400), False),
])  # fmt: skip
def test_generation_that_outgrows_a_border_is_refused_on_the_engine_that_cannot_begin_anew(
    reach: Reach, crosses: bool
) -> None:
    options = genai_engine.OrtGenaiEngineOptions()
    found = genai_engine.refuse_reach(options, record_of(LONG), reach)
    assert (found is not None) == crosses
    assert found is None or "cross 300 tokens" in found


def test_the_one_border_at_which_that_engine_begins_anew_is_allowed_for_a_batch_of_one() -> None:
    options = genai_engine.OrtGenaiEngineOptions()
    record = record_of({**LONG, "original_max_position_embeddings": 4096, "max_position_embeddings": 131072})
    assert genai_engine.refuse_reach(options, record, Reach(4200, 4000)) is None
    assert "in a batch of 2" in str(genai_engine.refuse_reach(options, record, Reach(4200, 4000, 2)))


def test_a_token_without_a_row_in_the_embedding_is_named_unless_it_only_pads(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "m", LLAMA)
    record = read_record(folder)
    assert record is not None
    assert flaw(folder, record) is None
    added = [{"id": 0, "content": "<s>"}, {"id": 300, "content": "<new>"}]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added}), encoding="utf-8")
    assert "'<new>' with id 300, and the embedding has 300 rows" in str(flaw(folder, record))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<new>"}), encoding="utf-8")
    assert flaw(folder, record) is None


def test_a_quantization_that_only_the_configuration_speaks_of_is_named(tmp_path: Path) -> None:
    config = {**LLAMA, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    record = record_of(config)
    plain = folder_with(tmp_path / "plain", config)
    assert "take quantization_config out of config.json" in str(flaw(plain, record))
    packed = {"model.layers.0.q_proj.qweight": ("I32", [4, 4]), "model.embed_tokens.weight": ("F16", [300, 4])}
    assert flaw(folder_with(tmp_path / "packed", config, packed), record) is None
    assert read_tensors(tmp_path / "packed")["model.layers.0.q_proj.qweight"].shape == (4, 4)


def planned(tmp_path: Path, config: dict[str, Any], probes: str, engine: str) -> Plan:
    """Plan one block of a model folder with the adapters of this version."""
    folder_with(tmp_path / "model", config)
    (tmp_path / "models.yaml").write_text(f"m: {{folder: {tmp_path / 'model'}}}\n", encoding="utf-8")
    for name in ("methods.yaml", "environments.yaml"):
        text = (Path(__file__).parents[3] / "configs" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text, encoding="utf-8")
    sweep = tmp_path / "s.yaml"
    sweep.write_text(
        f"model: m\nmethod: fp32\nenvironment: cpu\nblocks: {{b: {{engine: {engine}, probes: {probes}}}}}\n",
        encoding="utf-8",
    )
    catalogue = load_catalogue(tmp_path, shipped())
    return expand(read_sweep(sweep, catalogue), catalogue, {"cpu": FACTS})


@pytest.mark.parametrize(("config", "engine", "probes", "says"), [
    ({**LLAMA, "architectures": ["MixtralForCausalLM"]}, "ort-genai", "{generation: {prompt: 8, output: 8}}",
     "cannot export MixtralForCausalLM"),
    (LLAMA, "transformers", "{perplexity: {window: 1024}}", "window 1024 is longer than the model's context of 512"),
    (LLAMA, "transformers", "{generation: {prompt: 500, output: 13}}", "prompt 500 and output 13 do not fit"),
    (LONG, "ort-genai", "{generation: {prompt: 200, output: 128}}", "cross 300 tokens"),
    (LONG, "transformers", "{generation: {prompt: 200, output: 128}}", None),
    (LLAMA, "transformers", "{generation: {prompt: 500, output: 12}}", None),
])  # fmt: skip
def test_a_plan_says_what_cannot_be_done_before_anything_is_built(
    tmp_path: Path, config: dict[str, Any], engine: str, probes: str, says: str | None
) -> None:
    plan = planned(tmp_path, config, probes, engine)
    (job,) = [
        job
        for job in plan.jobs
        if isinstance(job.spec, MeasureSpec) and job.spec.probe in {"generation", "perplexity"} and not job.round
    ]
    assert job.refused is None if says is None else says in str(job.refused)


@pytest.mark.parametrize(("quantizer", "options"), [
    ("ort-genai", {"precision": "int4", "algo_config": "rtn", "block_size": 128}), ("modelopt-onnx", {"algo": "rtn_dq"}),
])  # fmt: skip
def test_what_becomes_of_widths_that_blocks_do_not_divide_is_said_before_anything_is_built(
    quantizer: str, options: dict[str, Any]
) -> None:
    adapter = shipped().quantizer(quantizer)
    record = record_of({**LLAMA, "hidden_size": 576, "intermediate_size": 1536})
    said = adapter.foretells(adapter.options.model_validate(options), record)
    assert said == ("block_size 128 does not divide hidden_size 576: the last scale of each row stands for 64 weights",)
    assert adapter.foretells(adapter.options.model_validate({**options, "block_size": 64}), record) == ()


def test_the_size_of_heads_that_a_configuration_does_not_say_is_that_of_its_class() -> None:
    assert record_of({"model_type": "gemma", "hidden_size": 144, "num_attention_heads": 8}).head_size == 256
    assert (
        record_of({"model_type": "gemma", "hidden_size": 144, "num_attention_heads": 8, "head_dim": 18}).head_size == 18
    )
    assert record_of({"model_type": "llama", "hidden_size": 144, "num_attention_heads": 8}).head_size == 18


@pytest.mark.slow
def test_the_sizes_of_heads_by_class_are_those_of_the_installed_library() -> None:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    found: dict[str, int] = {}
    for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        try:
            configs = [AutoConfig.for_model(kind, **more) for more in ({}, {"hidden_size": 1024})]
        except Exception:
            continue
        sizes = {getattr(getattr(one, "text_config", one) or one, "head_dim", None) for one in configs}
        heads = getattr(configs[0], "num_attention_heads", None)
        if len(sizes) == 1 and isinstance(size := sizes.pop(), int) and heads:
            found[kind] = size
    assert {kind: size for kind, size in found.items() if kind in HEAD_SIZES} | HEAD_SIZES == HEAD_SIZES
    assert set(found) - set(HEAD_SIZES) == set()
