"""What the installed builder and runtime do by themselves with models that are refused, or put right, here."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.seam import Base
from harness.core.sessions import GenerationWorkload
from harness.engines import ort_genai as engine
from harness.engines import torch_loading
from harness.quantizers import ort_genai
from tests.model_kinds import KINDS, MOE, SINKS, Kind, Whole, token_ids, write_kind
from tests.unit.quantizers.conftest import made

pytestmark = pytest.mark.slow
REFUSED = {
    "mixture": Kind("Mixtral", MOE),
    "layers without rotation": Kind("SmolLM3", {"no_rope_layers": [1, 0, 1], "pad_token_id": 0}),
    "heads of 20": Kind("Llama", {"head_dim": 20}),
    "longrope of Llama": Kind("Llama", {
        "original_max_position_embeddings": 90,
        "rope_scaling": {"rope_type": "longrope", "factor": 3.0, "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}}),
    "sinks": Kind("GptOss", {**SINKS, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 240, "beta_fast": 32.0, "beta_slow": 1.0}}),
    "sinks without yarn": Kind("GptOss", {**SINKS, "rope_scaling": None}),
    "convolutions": Kind("Lfm2", {"layer_types": ["conv", "full_attention", "conv"], "pad_token_id": 0}),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    KINDS.update(REFUSED)
    yield tmp_path_factory.mktemp("faults")
    for name in REFUSED:
        KINDS.pop(name)


def model_of(folders: Path, kind: str) -> Path:
    folder = folders / kind
    return folder if folder.is_dir() else write_kind(folder, kind)


def built_directly(model: Path, out: Path) -> Path:
    """Call the builder as its own documentation does, with nothing of ours around it."""
    ort_genai.imports()
    from onnxruntime_genai.models.builder import create_model, parse_extra_options

    folders = (str(model), str(out), "fp32", "cpu", str(out.with_name("cache")))
    with redirect_stdout(sys.stderr):
        create_model("", *folders, **parse_extra_options("", *folders, []))
    return out


def distance(artifact: Path, model: Path, length: int = 200) -> float:
    """Largest difference of a log-probability between one pass of an export and one of its model."""
    ids = token_ids(length)
    with engine.open_artifact(artifact, engine.OrtGenaiEngineOptions(threads=1)) as session:
        found = np.concatenate([tile.logprobs.copy() for tile in session.logprobs(ids, range(length))])
    return float(np.abs(found - Whole(model).rows(ids)).max())


@pytest.mark.parametrize(
    "kind",
    ["linear", "yarn", "soft caps", "sliding in some layers", "local rotation", "a window that nothing reads", "OLMo"],
)
def test_what_is_put_right_is_wrong_when_the_builder_is_called_directly(
    folders: Path, tmp_path: Path, kind: str
) -> None:
    model = model_of(folders, kind)
    assert distance(built_directly(model, tmp_path / "out"), model) > 0.05


@pytest.mark.parametrize(("kind", "error"), [
    ("mixture", NotImplementedError), ("layers without rotation", KeyError), ("convolutions", AttributeError),
    ("sinks without yarn", KeyError),
])  # fmt: skip
def test_architectures_that_are_refused_stop_the_builder(
    folders: Path, tmp_path: Path, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        built_directly(model_of(folders, kind), tmp_path / "out")


def test_a_configuration_without_architectures_stops_the_builder(folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_of(folders, "plain"), folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config.pop("architectures")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(TypeError):
        built_directly(folder, tmp_path / "out")


@pytest.mark.parametrize("kind", ["heads of 20", "partial rotation of few"])
def test_heads_that_are_refused_or_put_right_stop_the_runtime(folders: Path, tmp_path: Path, kind: str) -> None:
    model = model_of(folders, kind)
    with pytest.raises(Exception, match=r"head_size|multiple of 8"):
        distance(built_directly(model, tmp_path / "out"), model)


def test_an_export_that_the_builder_alone_makes_wrong_is_no_baseline(folders: Path, tmp_path: Path) -> None:
    """GPT-OSS, whose experts the builder of 0.15 computes otherwise: built through us, its verification says so."""
    from harness.core.errors import Differs
    from harness.core.seam import Context
    from harness.engines import transformers
    from harness.probes import verify, verify_reference

    model = model_of(folders, "sinks")
    assert distance(built_directly(model, tmp_path / "direct"), model, 60) > 0.05
    artifact, _ = made(ort_genai.QUANTIZER, Base(model, "hf", model), tmp_path / "ours", {"precision": "fp32"})
    with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
        rows = np.concatenate([tile.logprobs for tile in session.logprobs(token_ids(60), range(60))])
        assert np.abs(rows - Whole(model).rows(token_ids(60))).max() < 2e-3, "on transformers, with its sinks"
        verify_reference.measure(session, verify_reference.Workload(), Context(tmp_path, out=tmp_path))
    with (
        engine.open_artifact(artifact, engine.OrtGenaiEngineOptions(threads=1)) as session,
        pytest.raises(Differs, match="the fp32 export differs from its model"),
    ):
        verify.measure(session, verify.Workload(), Context(tmp_path, reference=tmp_path))


def test_longrope_that_is_refused_is_ignored_by_the_builder(folders: Path, tmp_path: Path) -> None:
    model = model_of(folders, "longrope of Llama")
    assert distance(built_directly(model, tmp_path / "out"), model) > 0.05


def test_the_generator_goes_wrong_where_generation_is_refused_and_only_there(folders: Path, tmp_path: Path) -> None:
    import onnxruntime_genai as og

    model = model_of(folders, "longrope")
    artifact, _ = made(ort_genai.QUANTIZER, Base(model, "hf", model), tmp_path, {"precision": "fp32"})
    whole = Whole(model)
    generator_model = og.Model(str(artifact))

    def wrong(start: int) -> int:
        """Count tokens that are not the likeliest of one whole pass over all before them."""
        ids = token_ids(start, seed=2)
        params = og.GeneratorParams(generator_model)
        params.set_search_options(max_length=start + 12, min_length=start + 12, do_sample=False, batch_size=1)
        generator = og.Generator(generator_model, params)
        generator.append_tokens(np.asarray([ids], dtype=np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        text = [int(token) for token in generator.get_sequence(0)]
        found = 0
        for place in range(start, len(text)):
            row = whole.rows(text[:place])[-1].copy()
            row[[0, 1]] = -np.inf  # of special tokens that end a text
            found += int(row.argmax()) != text[place]
        return found

    assert wrong(60) == 0
    assert wrong(91) == 0
    assert wrong(86) > 0
    ids = tuple(token_ids(86, seed=2))
    with (
        engine.open_artifact(artifact, engine.OrtGenaiEngineOptions(threads=1)) as session,
        pytest.raises(Exception, match="cross 90 tokens"),
    ):
        session.generate(GenerationWorkload(1, (ids,), 12, 0, 1), lambda share: None)


def test_transformers_itself_is_wrong_with_folders_that_are_refused_whoever_opens_them(tmp_path: Path) -> None:
    """A head of its own behind `tie_word_embeddings`, a token without a row, and plain weights that are said to be GPTQ's."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    from tests.tiny_model import write_model

    right = write_model(tmp_path / "right")
    config = json.loads((right / "config.json").read_text("utf-8"))
    weights = load_file(right / "model.safetensors")

    def folder(name: str, **keys: Any) -> Path:
        copy = tmp_path / name
        shutil.copytree(right, copy)
        (copy / "config.json").write_text(json.dumps({**config, **keys}), "utf-8")
        return copy

    tied = folder("tied", tie_word_embeddings=True)
    save_file(weights, tied / "model.safetensors", {"format": "pt"})
    loaded = AutoModelForCausalLM.from_pretrained(tied)
    assert not torch.equal(loaded.lm_head.weight, weights["lm_head.weight"]), "the file's head is gone without a word"
    assert torch.equal(loaded.lm_head.weight, weights["model.embed_tokens.weight"])

    beyond = AutoModelForCausalLM.from_pretrained(folder("beyond"))
    with pytest.raises(IndexError):
        beyond(torch.tensor([[config["vocab_size"]]]))

    with pytest.raises((ImportError, NameError, ValueError, RuntimeError)):
        AutoModelForCausalLM.from_pretrained(folder("gptq", quantization_config={"quant_method": "gptq", "bits": 4}))
