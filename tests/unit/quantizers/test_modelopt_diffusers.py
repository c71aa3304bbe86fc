"""Denoisers that Model Optimizer quantizes: which layers, on which pictures, and what else is refused; the packages themselves are played."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError
from torch import nn

from harness.core.errors import HarnessError, MissingDependency
from harness.core.model_record import ModelRecord
from harness.core.pipelines import PIPELINE
from harness.core.seam import Context, Facts
from harness.quantizers import modelopt_diffusers
from harness.quantizers.modelopt_diffusers import (
    LEFT_OUT,
    QUANTIZER,
    TEXTS,
    ModeloptDiffusersOptions,
    imports,
    refuse,
    refuse_floats,
    refuse_no_pipeline,
)

THERE = {"diffusers": "0.39.0", "nvidia-modelopt": "0.47.0", "torch": "2.13.0", "transformers": "4.57.6"}
INT8, FP8 = "weights int8, inputs int8", "weights fp8, inputs fp8"


def unet() -> nn.Module:
    """Make what looks like a denoiser: layers at both ends, an attention block, a norm."""
    made = nn.Module()
    made.add_module("conv_in", nn.Conv2d(1, 1, 1))
    made.add_module("time_embedding", nn.Linear(1, 1))
    block = nn.ModuleDict({"to_q": nn.Linear(1, 1), "conv": nn.Conv2d(1, 1, 1), "norm": nn.GroupNorm(1, 1)})
    made.add_module("block", block)
    made.add_module("conv_out", nn.Conv2d(1, 1, 1))
    return made


@pytest.mark.parametrize(("left_out", "layers"), [
    (LEFT_OUT, ["block.to_q", "block.conv"]),
    ((), ["conv_in", "time_embedding", "block.to_q", "block.conv", "conv_out"]),
    (("*conv*", "block.*"), ["time_embedding"]),
])  # fmt: skip
def test_layers_are_quantized_that_no_pattern_leaves_out(left_out: tuple[str, ...], layers: list[str]) -> None:
    assert modelopt_diffusers._quantizable(unet(), left_out) == layers


@pytest.mark.parametrize(("config", "said"), [
    ("INT8_DEFAULT_CFG", INT8), ("INT8_SMOOTHQUANT_CFG", INT8), ("FP8_DEFAULT_CFG", FP8),
])  # fmt: skip
def test_every_wanted_layer_is_what_the_configuration_says(config: str, said: str) -> None:
    refuse_floats({"a": said, "b": said}, ["b", "a"], config)
    with pytest.raises(
        HarnessError, match=f"^layer 'b' should be {said}, and is in floats; Model Optimizer left it so$"
    ):
        refuse_floats({"a": said}, ["a", "b"], config)
    other = FP8 if said == INT8 else INT8
    with pytest.raises(HarnessError, match=f"^layer 'a' should be {said}, and is {other}; "):
        refuse_floats({"a": other}, ["a"], config)
    with pytest.raises(HarnessError, match=r"^layer 'a' should be .*, and is weights int8; "):
        refuse_floats({"a": "weights int8"}, ["a"], config)
    with pytest.raises(HarnessError, match=f"^layer 'c' should stay in floats, and is {said}$"):
        refuse_floats({"a": said, "d": said, "c": said}, ["a"], config)


@pytest.fixture
def optimizer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a stand-in in the place of Model Optimizer, which calibrates once and keeps what it was asked to switch off."""
    played: Any = ModuleType("modelopt.torch.quantization")
    played.INT8_DEFAULT_CFG = {"quant_cfg": {"*": 8}}

    def quantize(denoiser: Any, config: Any, forward: Any) -> None:
        config["quant_cfg"]["*"] = "changed"
        forward(denoiser)

    played.quantize = quantize
    played.disable_quantizer = lambda denoiser, switched_off: setattr(played, "off", switched_off)
    inner: Any = ModuleType("modelopt.torch")
    inner.quantization = played
    outer: Any = ModuleType("modelopt")
    outer.torch = inner
    for module in (outer, inner, played):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return played


def calibrated(tmp_path: Path, **options: Any) -> list[dict[str, Any]]:
    """Quantize, and give what the pipeline was asked to paint."""
    asked: list[dict[str, Any]] = []
    modelopt_diffusers._quantize(
        lambda **given: asked.append(given), unet(), ModeloptDiffusersOptions(**options), Context(tmp_path)
    )
    return asked


def test_each_picture_has_a_seed_of_its_own_and_texts_begin_anew(tmp_path: Path, optimizer: Any) -> None:
    asked = calibrated(tmp_path, calib_size=10, steps=3, width=32, height=16)
    assert [one["prompt"] for one in asked] == [*TEXTS, *TEXTS[:2]]
    seeds = [one["generator"].initial_seed() for one in asked]
    assert len(set(seeds)) == 10
    again = calibrated(tmp_path, calib_size=10)
    assert [one["generator"].initial_seed() for one in again] == seeds
    assert {(one["num_inference_steps"], one["width"], one["height"], one["output_type"]) for one in asked} == {
        (3, 32, 16, "latent")
    }
    assert optimizer.INT8_DEFAULT_CFG == {"quant_cfg": {"*": 8}}, "the package's own configuration stays as it is"


@pytest.mark.parametrize(("name", "off"), [
    ("block.to_q.weight_quantizer", False), ("block.conv.input_quantizer", False), ("block.to_q.output_quantizer", True),
    ("conv_in.weight_quantizer", True), ("time_embedding.input_quantizer", True), ("block.norm.input_quantizer", True), ("block.q_bmm_quantizer", True),
])  # fmt: skip
def test_all_quantizers_but_those_of_weights_and_inputs_are_switched_off(
    tmp_path: Path, optimizer: Any, name: str, off: bool
) -> None:
    calibrated(tmp_path, calib_size=1)
    assert optimizer.off(name) is off


@pytest.mark.parametrize("package", ["diffusers", "modelopt"])
def test_an_import_that_fails_names_the_environment(
    monkeypatch: pytest.MonkeyPatch, optimizer: Any, package: str
) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", ModuleType("diffusers"))
    imports()
    for name in [one for one in sys.modules if re.match(rf"{package}\b", one)]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match=rf"^{package}[\w.]* is missing: `harness setup --env diffusers` makes"):
        imports()


@pytest.mark.parametrize("package", sorted(THERE))
def test_a_package_that_is_not_there_is_named_in_the_plan(package: str) -> None:
    facts = Facts({name: version for name, version in THERE.items() if name != package}, "Linux")
    assert refuse(ModeloptDiffusersOptions(), facts) == (
        f"{package} is not installed in this environment: take environment diffusers, which `harness setup --env diffusers` makes"
    )


def test_pictures_are_painted_where_the_option_says() -> None:
    cuda, bare = ModeloptDiffusersOptions(device="cuda"), Facts(THERE, "Linux")
    assert refuse(cuda, bare) == "device cuda needs an NVIDIA GPU, and this environment sees none"
    assert refuse(cuda, Facts(THERE, "Linux", gpus=("NVIDIA H200",))) is None
    assert refuse(ModeloptDiffusersOptions(), bare) is None
    assert (QUANTIZER.calibrates_on(cuda), QUANTIZER.calibrates_on(ModeloptDiffusersOptions())) == ("cuda", "cpu")


def test_a_language_model_is_no_pipeline() -> None:
    assert refuse_no_pipeline(ModelRecord({}, PIPELINE)) is None
    said = QUANTIZER.refuse_model(ModeloptDiffusersOptions(), Facts({}, "Linux"), ModelRecord({}, "llama"))
    assert said == "it quantizes the unet or transformer of an image pipeline (model_index.json), and the model is none"


@pytest.mark.parametrize("option", [
    {"calib_size": 0}, {"steps": 0}, {"width": 7}, {"height": 7}, {"config": "NVFP4_DEFAULT_CFG"}, {"device": "mps"}, {"bits": 8},
])  # fmt: skip
def test_options_out_of_range_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(option))):
        ModeloptDiffusersOptions.model_validate(option)
