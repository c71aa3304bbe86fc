"""NF4, FP4 and INT8 of bitsandbytes: what the harness builds and opens is what transformers makes of the same settings by itself."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import ConfigError, HarnessError, MissingDependency
from harness.core.identity import folder_sha256
from harness.core.linear_layers import hold_layers, label, promised
from harness.core.options import validated
from harness.core.seam import Base, Built, Context, Facts
from harness.core.sessions import GenerationWorkload
from harness.engines import torch_quantized
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import open_artifact
from harness.quantizers.bitsandbytes import QUANTIZER, BitsAndBytesOptions
from harness.quantizers.scheme import scheme_of
from tests.conftest import ROOT
from tests.tiny_model import write_model

IDS = np.random.default_rng(3).integers(2, 320, 48).tolist()
ONE = TransformersOptions(threads=1)
NF4: dict[str, Any] = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
FLOATS, LAYERS, ROWS, MATRICES = 2 * 320 * 64, 73_728, 1024, 14
"""Weights of head and embedding of the model, and of its linear layers, with their rows."""
FOUR, DQ, EIGHT = LAYERS * 4 + LAYERS // 64 * 32, LAYERS * 4 + LAYERS // 64 * 8 + MATRICES * 32, LAYERS * 8 + ROWS * 32
"""Bits of weights with their scales: float32 for 64, or 8 bits for 64 and float32 for 256 of those (here one a matrix), or float32 a row."""
KINDS: dict[str, tuple[dict[str, Any], str, str, int]] = {
    "nf4": ({**NF4, "dtype": "float32"}, "nf4", "nf4 b64", FOUR),
    "nf4 in bfloat16": (NF4, "nf4", "nf4 b64", FOUR),
    "nf4 dq": ({**NF4, "bnb_4bit_use_double_quant": True, "dtype": "float32"}, "nf4 dq", "nf4 b64 dq", DQ),
    "fp4": ({"load_in_4bit": True, "dtype": "float32"}, "fp4", "fp4 b64", FOUR),
    "int8": ({"load_in_8bit": True, "llm_int8_threshold": 0.0, "dtype": "float16"}, "int8 threshold 0", "int8 channel sym", EIGHT),
    "int8 decomposed": ({"load_in_8bit": True, "dtype": "float16"}, "int8 threshold 6", "int8 channel sym", EIGHT),
}  # fmt: skip
real = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed here; tests/real/test_torch_quantized.py runs this file where it is",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("bnb") / "hf")


def build(model: Path, out: Path, options: dict[str, Any]) -> Built:
    out.mkdir()
    given = validated(QUANTIZER.options, options, "quantizer bitsandbytes")
    return QUANTIZER.build(Base(model, "hf", model), given, out, Context(folder=out.parent))


def directly(model: Path, options: dict[str, Any]) -> Any:
    """Log-probabilities of transformers and bitsandbytes without the harness; float32 [tokens, vocabulary]."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, options.get("dtype", "bfloat16"))
    named = {key: value for key, value in options.items() if key != "dtype"}
    named |= {"bnb_4bit_compute_dtype": dtype} if "load_in_4bit" in options else {}
    opened = AutoModelForCausalLM.from_pretrained(
        model, quantization_config=BitsAndBytesConfig(**named), dtype=dtype, device_map={"": "cpu"}
    ).eval()
    with torch.inference_mode():
        return torch.log_softmax(opened(torch.tensor([IDS])).logits[0].float(), dim=-1).numpy()


@real
@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_those_of_the_library_called_directly(kind: str, model: Path, tmp_path: Path) -> None:
    options, layer, scheme, body = KINDS[kind]
    built = build(model, tmp_path / "made", options)
    assert built.layers == {layer: 14}
    assert [note.text.partition(" stay in")[0] for note in built.notes] == ["model.embed_tokens.weight, lm_head.weight"]
    with open_artifact(tmp_path / "made", ONE) as session:
        found = np.concatenate([tile.logprobs.copy() for tile in session.logprobs(IDS, range(len(IDS)))])
        assert session.dtype == options.get("dtype", "bfloat16")
        work = GenerationWorkload(2, (tuple(IDS[:9]), tuple(IDS[9:18])), 3, 0, 1)
        trace = session.generate(work, lambda share: None)
        assert trace.steps.shape == (1, 2)
        assert trace.ids is not None
        assert trace.ids.shape == (1, 2, 3)
    assert np.abs(found - directly(model, options)).max() < 1e-6
    stored, dtype = scheme_of(tmp_path / "made", "hf"), options.get("dtype", "bfloat16")
    assert stored is not None
    assert stored.text == f"{scheme} x14; head {dtype}; embedding {dtype}"
    bits = body + FLOATS * (32 if dtype == "float32" else 16)
    assert stored.bits_per_weight == round(bits / (LAYERS + FLOATS), 3)


@real
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_model_gives_the_same_bytes_twice(kind: str, model: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(model, tmp_path / name, KINDS[kind][0])
    assert folder_sha256(tmp_path / "one") == folder_sha256(tmp_path / "two")


@real
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("nf4", "cannot be opened by transformers"),
        ("int8", "hold 13 layers as int8 threshold 0, and the model has 14, 'model.layers.1.mlp.up_proj'"),
    ],
)
def test_a_layer_left_in_floats_is_found_in_the_file_and_in_memory(
    kind: str, told: str, model: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    build(model, tmp_path / "made", KINDS[kind][0])
    with open_artifact(tmp_path / "made", ONE) as session:
        opened = session._forward.model
        said = opened.config.quantization_config.to_dict()
        assert hold_layers(opened, said) == {promised(said): 14}
        opened.model.layers[1].mlp.up_proj = torch.nn.Linear(64, 128, bias=False)
        with pytest.raises(
            HarnessError, match=r"layer 'model.layers.1.mlp.up_proj' is float32 \(Linear\), but the checkpoint"
        ):
            hold_layers(opened, said)
    file = tmp_path / "made" / "model.safetensors"
    name = "model.layers.1.mlp.up_proj"
    tensors = {key: value for key, value in load_file(file).items() if not key.startswith(name)}
    save_file({**tensors, f"{name}.weight": torch.ones(128, 64)}, file, {"format": "pt"})
    with (
        pytest.raises(HarnessError, match=told),
        open_artifact(tmp_path / "made", ONE),
    ):
        pass


@real
def test_settings_that_are_not_those_of_the_weights_are_found(model: Path, tmp_path: Path) -> None:
    build(model, tmp_path / "made", KINDS["nf4 dq"][0])
    path = tmp_path / "made" / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["quantization_config"]["bnb_4bit_use_double_quant"] = False
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises(HarnessError), open_artifact(tmp_path / "made", ONE):
        pass


@real
def test_a_quantized_checkpoint_opens_in_its_own_type_and_in_no_other(model: Path, tmp_path: Path) -> None:
    build(model, tmp_path / "made", NF4)
    with open_artifact(tmp_path / "made", TransformersOptions(threads=1, dtype="bfloat16")) as session:
        assert session.dtype == "bfloat16"
        assert [note.code for note in session.notes if note.code == "weights-converted"] == []
    told = r"asked for float16, but .* is quantized and computes in bfloat16; leave the engine's `dtype` out"
    with (
        pytest.raises(HarnessError, match=told),
        open_artifact(tmp_path / "made", TransformersOptions(dtype="float16")),
    ):
        pass
    with pytest.raises(HarnessError, match="is quantized already"):
        build(tmp_path / "made", tmp_path / "again", NF4)


def test_a_checkpoint_of_bitsandbytes_says_what_installs_it_where_it_is_absent(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = {"dtype": "bfloat16", "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}
    with pytest.raises(MissingDependency, match="bitsandbytes is not installed here; `harness setup --env bnb`"):
        torch_quantized.read_checkpoint(model, config, "float32")
    assert (
        QUANTIZER.refuse(
            BitsAndBytesOptions(load_in_4bit=True),
            Facts({"torch": "2.13.0", "transformers": "4.57.6"}, "Linux", name="cpu"),
        )
        == "bitsandbytes is not installed in environment cpu: take environment bnb, which `harness setup --env bnb` makes"
    )


def test_a_bitsandbytes_that_does_nothing_on_a_cpu_is_refused_in_the_plan() -> None:
    there = {"torch": "2.13.0", "transformers": "4.57.6", "accelerate": "1.15.0"}
    asked = BitsAndBytesOptions(load_in_4bit=True)

    def refused(version: str, *gpus: str) -> str | None:
        return QUANTIZER.refuse(asked, Facts({**there, "bitsandbytes": version}, "Linux", gpus, name="old"))

    assert refused("0.44.1") == (
        "bitsandbytes 0.44.1 of environment old needs an NVIDIA GPU; since 0.46 it computes on a CPU, too: "
        "take environment bnb, which `harness setup --env bnb` makes"
    )
    assert refused("0.44.1", "Tesla T4") is None, "it quantizes on the GPU"
    assert (refused("0.46.0"), refused("0.50.2"), refused("1.0.0")) == (None, None, None)


@real
@pytest.mark.parametrize("how", [pytest.param("quantizer", marks=pytest.mark.slow), "engine"])
def test_bitsandbytes_fetches_no_code_from_the_hub(how: str, tmp_path: Path) -> None:
    """Where `kernels` is installed it would be asked for one on a CPU with AVX512-BF16; this stand-in says that it was."""
    (tmp_path / "kernels.py").write_text("import os\nos._exit(9)\n", "utf-8")
    code = (
        "from harness.quantizers.bitsandbytes import imports; imports()"
        if how == "quantizer"
        else "from harness.engines.torch_quantized import Checkpoint;"
        "Checkpoint({'quant_method': 'bitsandbytes'}, 'float32').load_with(None, 'cpu')"
    )
    code = f"{code}\nimport sys; assert 'bitsandbytes' in sys.modules and 'kernels' not in sys.modules"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    ran = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=False, timeout=120)
    assert ran.returncode == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "exactly one of load_in_4bit and load_in_8bit is true"),
        ({"load_in_4bit": True, "load_in_8bit": True}, "exactly one of load_in_4bit and load_in_8bit is true"),
        ({"load_in_4bit": True, "llm_int8_threshold": 6.0}, "llm_int8_threshold means nothing with load_in_4bit"),
        ({"load_in_8bit": True, "bnb_4bit_quant_type": "nf4"}, "bnb_4bit_quant_type means nothing with load_in_8bit"),
        ({"load_in_8bit": True, "threshold": 0}, "unknown option of bitsandbytes 'threshold'"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        validated(QUANTIZER.options, options, "bitsandbytes")


def test_a_layer_whose_scales_are_missing_is_told_apart() -> None:
    import torch

    class Linear4bit(torch.nn.Linear):  # type: ignore[misc]  # torch does not type it
        """As the library's, before anything was quantized."""

    assert label(Linear4bit(4, 4)) == "float32 without scales"
    assert label(torch.nn.Linear(4, 4, dtype=torch.float16)) == "float16"
